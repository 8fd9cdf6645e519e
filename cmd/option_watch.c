/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `sentry run` that watch: --trace, --trace-format, --inject, --name and --log-size.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "cmd/observe/observer.h"
#include "cmd/observe/select.h"
#include "cmd/options_private.h"

#define NAME_SIZE_MAX 63
#define LOG_SIZE_MIN  4096u

/* A list of calls, or a file: what is both is a list ("./file" is a file). */
int option_trace(struct run_options *options, const char *arg)
{
	const char *bad;

	if (select_is_list(arg)) {
		options->trace_chosen = true;
		(void)select_parse(arg, options->trace_calls, &bad);
		return 0;
	}
	/* With these it is no name that anybody would give to a file. */
	if (strpbrk(arg, ",!") && select_parse(arg, options->trace_calls, &bad) < 0)
		return usage_error(
			"--trace: '%s': no call or class of calls begins at '%s'", arg, bad);
	options->trace_file = arg;
	return 0;
}

int option_trace_format(struct run_options *options, const char *arg)
{
	static const char *const names[] = {
		[TRACE_JSON] = "json", [TRACE_BINARY] = "binary", [TRACE_TEXT] = "text"};

	for (size_t i = 0; i < array_size(names); i++) {
		if (strcmp(arg, names[i]) == 0) {
			options->trace_format = (uint8_t)i;
			return 0;
		}
	}
	return usage_error("--trace-format: '%s' is not json, binary or text", arg);
}

int option_inject(struct run_options *options, const char *arg)
{
	const char *bad, *why;

	if (options->inject_count == INJECT_RULES_MAX)
		return usage_error("--inject: there are %u rules already", INJECT_RULES_MAX);
	if (inject_parse(arg, &options->inject[options->inject_count], &bad, &why) < 0)
		return usage_error(
			"--inject: '%s': at character %zu: %s", arg, (size_t)(bad - arg) + 1, why);
	options->inject_count++;
	return 0;
}

/* What docker takes for a name, and nothing that a terminal or a file name could choke on. */
int option_name(struct run_options *options, const char *arg)
{
	const char *at = arg;

	if (!isalnum((unsigned char)*at))
		return usage_error("--name: '%s' does not begin with a letter or digit", arg);
	while (isalnum((unsigned char)*at) || (*at && strchr("_.-", *at)))
		at++;
	if (*at)
		return usage_error(
			"--name: '%s' has more than letters, digits, '_', '.' and '-'", arg);
	if (at - arg > NAME_SIZE_MAX)
		return usage_error("--name: '%s' is longer than 63 characters", arg);
	options->name = arg;
	return 0;
}

int option_log_size(struct run_options *options, const char *arg)
{
	uint64_t size;

	if (parse_size(arg, &size) < 0 || size < LOG_SIZE_MIN)
		return usage_error("--log-size: '%s' is not a size of 4k or more", arg);
	options->log_size = size;
	return 0;
}
