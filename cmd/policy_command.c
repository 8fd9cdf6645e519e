/* SPDX-License-Identifier: Apache-2.0 */
/* `sentry policy`: what a policy file says, and whether it is one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd/commands.h"
#include "cmd/policy.h"

static int show(int argc, char **argv)
{
	struct run_options options;
	int r = run_options_parse_only(argc, argv, &options);

	if (r != 0)
		return r > 0 ? 0 : 125;
	policy_write(&options, stdout);
	run_options_free(&options);
	return 0;
}

static int check(const char *file)
{
	struct run_options options;
	char message[1024];
	int r;

	run_options_init(&options);
	r = policy_read(file, &options, message, sizeof(message));
	if (r < 0)
		fprintf(stderr, "sentry: %s\n", r == -EINVAL ? message : strerror(-r));
	else
		printf("%s: fine\n", file);
	run_options_free(&options);
	return r < 0 ? 125 : 0;
}

int command_policy(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "show") == 0)
		return show(argc - 1, argv + 1);
	if (argc == 3 && strcmp(argv[1], "check") == 0)
		return check(argv[2]);
	fputs("usage: sentry policy show [--policy FILE] [--profile NAME] [OPTIONS of run]\n"
	      "       sentry policy check FILE\n",
		stderr);
	return 125;
}
