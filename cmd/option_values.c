/* SPDX-License-Identifier: Apache-2.0 */
/* The values of the options of `sentry run`: what each may be, and where it goes. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "cmd/options_private.h"
#include "vfs/guard.h"

int string_list_add(struct string_list *list, const char *string)
{
	char **items = reallocarray(list->items, list->count + 2, sizeof(*items));
	char *copy;

	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->count] = NULL;
	copy = strdup(string);
	if (!copy)
		return -ENOMEM;
	items[list->count++] = copy;
	items[list->count] = NULL;
	return 0;
}

void string_list_free(struct string_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct string_list){0};
}

/* Where usage errors go instead of stderr, while a policy file is read. */
static struct {
	char *why; /* NULL: stderr */
	size_t size;
} error_sink;

int usage_error(const char *format, ...)
{
	va_list args;

	if (error_sink.why) {
		va_start(args, format);
		/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is right above */
		vsnprintf(error_sink.why, error_sink.size, format, args);
		va_end(args);
		return -EINVAL;
	}
	fputs("sentry run: ", stderr);
	va_start(args, format);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is right above */
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("; see 'sentry run --help'\n", stderr);
	return -EINVAL;
}

void usage_errors_to(char *why, size_t size)
{
	error_sink.why = why;
	error_sink.size = size;
}

/* Digits only: strtoull would take signs and spaces. */
static int parse_number(const char *text, const char **ret_end, uint64_t *ret)
{
	char *end;
	unsigned long long value;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	*ret_end = end;
	*ret = value;
	return 0;
}

int parse_size(const char *text, uint64_t *ret)
{
	static const char suffixes[] = "bkmgt";
	const char *end, *suffix;
	uint64_t value;
	int r = parse_number(text, &end, &value);

	if (r < 0)
		return r;
	if (*end) {
		suffix = strchr(suffixes, tolower((unsigned char)*end));
		if (!suffix || (end[1] && (tolower((unsigned char)end[1]) != 'b' || end[2])))
			return -EINVAL;
		if (__builtin_mul_overflow(value, 1ull << (10 * (suffix - suffixes)), &value))
			return -ERANGE;
	}
	*ret = value;
	return 0;
}

int parse_duration(const char *text, uint64_t *ret)
{
	static const struct {
		const char *suffix;
		double seconds;
	} units[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"h", 3600}};
	char *end;
	double value;

	if (!isdigit((unsigned char)*text) && *text != '.')
		return -EINVAL;
	value = strtod(text, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].suffix) != 0)
			continue;
		value = value * units[i].seconds * 1e3 + 0.5;
		if (!(value >= 0 && value < 1e12)) /* some thirty years */
			return -ERANGE;
		*ret = (uint64_t)value * 1000000;
		return 0;
	}
	return -EINVAL;
}

int option_count(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	const char *end;
	uint64_t value;

	if (parse_number(text, &end, &value) < 0 || *end)
		return usage_error("%s: '%s' is not a number", option, text);
	if (value < min || value > max)
		return usage_error("%s: %s is out of range (%llu to %llu)", option, text,
			(unsigned long long)min, (unsigned long long)max);
	*ret = value;
	return 0;
}

int option_time(const char *option, const char *text, uint64_t *ret)
{
	if (parse_duration(text, ret) < 0 || !*ret)
		return usage_error("%s: '%s' is not a time (as 30, 1.5, 500ms, 2m)", option, text);
	return 0;
}

int option_bool(const char *option, const char *text, bool *ret)
{
	if (!text || strcmp(text, "true") == 0)
		*ret = true;
	else if (strcmp(text, "false") == 0)
		*ret = false;
	else
		return usage_error("%s: '%s' is neither true nor false", option, text);
	return 0;
}

int option_user(const char *text, struct run_options *options)
{
	const char *end;
	uint64_t uid, gid;

	if (parse_number(text, &end, &uid) < 0 || uid > UINT32_MAX - 1)
		return usage_error("--user: '%s' is not UID[:GID] in numbers", text);
	gid = uid;
	if (*end == ':' && (parse_number(end + 1, &end, &gid) < 0 || gid > UINT32_MAX - 1))
		return usage_error("--user: '%s' is not UID[:GID] in numbers", text);
	if (*end)
		return usage_error("--user: '%s' is not UID[:GID] in numbers", text);
	options->has_user = true;
	options->uid = (uint32_t)uid;
	options->gid = (uint32_t)gid;
	return 0;
}

int option_env(const char *text, struct run_options *options)
{
	char *word;
	const char *value;
	int r;

	if (!*text || *text == '=')
		return usage_error("--env: '%s' has no name", text);
	if (strchr(text, '='))
		return string_list_add(&options->env, text);
	value = getenv(text);
	if (!value)
		return 0; /* as docker: a variable that is not set here is not set there */
	if (asprintf(&word, "%s=%s", text, value) < 0)
		return -ENOMEM;
	r = string_list_add(&options->env, word);
	free(word);
	return r;
}

/* A pattern of names; ./NAME is below where we stand. */
int option_pattern(const char *what, const char *text, struct string_list *list)
{
	_cleanup_free_ char *here = NULL, *whole = NULL;
	const char *wrong;

	if (strncmp(text, "./", 2) == 0) {
		here = getcwd(NULL, 0);
		if (!here)
			return usage_error("%s: the current directory cannot be named", what);
		if (asprintf(&whole, "%s%s", strcmp(here, "/") == 0 ? "" : here, text + 1) < 0) {
			whole = NULL;
			return -ENOMEM;
		}
		text = whole;
	}
	wrong = guard_pattern_error(text);
	if (wrong)
		return usage_error("%s: '%s' %s", what, text, wrong);
	return string_list_add(list, text);
}

/* "@default" stands for the built-in list. */
int option_guarded(
	const char *what, const char *text, const char *const *defaults, struct string_list *list)
{
	int r = 0;

	if (strcmp(text, "@default") != 0)
		return option_pattern(what, text, list);
	for (size_t i = 0; defaults[i] && r == 0; i++)
		r = string_list_add(list, defaults[i]);
	return r;
}

int option_hostname(const char *text, struct run_options *options)
{
	size_t size = strlen(text);

	if (size < 1 || size > 64 ||
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") !=
			size)
		return usage_error("--hostname: '%s' is not a host name", text);
	options->hostname = text;
	return 0;
}

int option_network(const char *text, struct run_options *options)
{
	const char *wrong = network_parse(text, &options->network, &options->link);

	return wrong ? usage_error("--network: '%s' %s", text, wrong) : 0;
}

int run_option_rule(
	struct run_options *options, const struct gate_rule *rule, char *why, size_t why_size)
{
	int r = gate_rules_add(&options->egress, rule);

	if (r != -E2BIG)
		return r;
	(void)snprintf(why, why_size, "more than %u rules", GATE_RULES_MAX);
	return -EINVAL;
}

int option_egress(const char *text, struct run_options *options)
{
	struct gate_rule rule;
	char why[512];
	int r = gate_rule_parse(text, &rule, why, sizeof(why));

	r = r < 0 ? r : run_option_rule(options, &rule, why, sizeof(why));
	return r == -EINVAL ? usage_error("--allow-egress: %s", why) : r;
}

int option_publish(const char *text, struct run_options *options)
{
	struct gate_publish publish;
	unsigned count;
	char why[512];

	if (gate_publish_parse(text, &publish, &count, why, sizeof(why)) < 0)
		return usage_error("--publish: %s", why);
	if (count > GATE_PUBLISH_MAX - options->publish_count)
		return usage_error("--publish: more than %u ports", GATE_PUBLISH_MAX);
	for (unsigned i = 0; i < count; i++, publish.host++, publish.guest++)
		options->publish[options->publish_count++] = publish;
	return string_list_add(&options->publish_texts, text);
}

int option_dns(const char *text, struct run_options *options)
{
	struct gate_name name;

	if (gate_server_parse(text, &name) < 0)
		return usage_error("--dns: '%s' is not ADDRESS[:PORT]", text);
	if (options->dns.count == 8)
		return usage_error("--dns: more than 8 name servers");
	return string_list_add(&options->dns, text);
}
