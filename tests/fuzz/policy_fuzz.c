/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes policy files. Properties: no crash; an error has its place in the file and is one line;
 * what was taken is written as a policy file that reads back to the same; its patterns compile and
 * judge names.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/policy.h"
#include "vfs/guard.h"

#define require(cond)                                                                              \
	do {                                                                                       \
		if (!(cond))                                                                       \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *written(const struct run_options *options)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	require(out);
	policy_write(options, out);
	fclose(out);
	return text;
}

static void judge(const struct run_options *options)
{
	static const char *const paths[] = {"/home/u/p/.git/hooks/x", "/home/u/p/a/b/.env", "/a"};
	struct guard_lists lists = {(const char *const *)options->hidden.items,
		(const char *const *)options->protected.items,
		(const char *const *)options->allowed.items};
	struct guard *guard;

	require(guard_new(&lists, &guard) == 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct guard_place place = guard_place_of_path(paths[i], 8);
		struct guard_answer answer = guard_judge(guard, &place, GUARD_ANY);

		require((answer.verdict == GUARD_FREE) == (answer.pattern == NULL));
		(void)guard_hides(guard, &place, GUARD_FILE);
	}
	guard_free(guard);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run_options options, again;
	char message[1024] = "", *first, *second;
	int status;

	run_options_init(&options);
	status = policy_parse("p", (const char *)data, size, &options, message, sizeof(message));
	if (status < 0) {
		require(status == -EINVAL && strncmp(message, "p:", 2) == 0);
		require(!strpbrk(message, "\n\t\r\033"));
		run_options_free(&options);
		return 0;
	}
	judge(&options);
	first = written(&options);
	run_options_init(&again);
	status = policy_parse("q", first, strlen(first), &again, message, sizeof(message));
	require(status == 0);
	second = written(&again);
	require(strcmp(first, second) == 0);
	free(first);
	free(second);
	run_options_free(&options);
	run_options_free(&again);
	return 0;
}
