/* SPDX-License-Identifier: Apache-2.0 */
/* sentry trace cat: a binary trace in words. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/commands.h"
#include "cmd/observe/trace_file.h"
#include "cmd/observe/words.h"

static const char usage[] = "usage: sentry trace cat [--format json|text] FILE\n";

static void put(void *data, const union record *record)
{
	words_put(data, record);
}

static int cat(const char *file, enum words_format format)
{
	_cleanup_free_ struct words *words = malloc(sizeof(*words));
	const char *why;
	int r;

	if (!words) {
		fputs("sentry trace: out of memory\n", stderr);
		return 125;
	}
	words_init(words, stdout, format);
	r = trace_file_read(file, put, words, &why);
	if (r == 0)
		return 0;
	fprintf(stderr, "sentry trace: '%s': %s\n", file, why);
	return r == -ENOENT || r == -EACCES ? 125 : 1;
}

int command_trace(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"format", required_argument, NULL, 'f'}, {NULL, 0, NULL, 0}};
	enum words_format format = WORDS_TEXT;
	int option;

	if (argc < 2 || strcmp(argv[1], "cat") != 0) {
		fputs(usage, stderr);
		return 125;
	}
	while ((option = getopt_long(argc - 1, argv + 1, "f:", long_options, NULL)) >= 0) {
		if (option == 'f' && strcmp(optarg, "json") == 0) {
			format = WORDS_JSON;
		} else if (option == 'f' && strcmp(optarg, "text") == 0) {
			format = WORDS_TEXT;
		} else {
			if (option == 'f')
				fprintf(stderr,
					"sentry trace: --format: '%s' is not json or text\n",
					optarg);
			fputs(usage, stderr);
			return 125;
		}
	}
	if (optind + 1 != argc - 1) {
		fputs(usage, stderr);
		return 125;
	}
	return cat(argv[1 + optind], format);
}
