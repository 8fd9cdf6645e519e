/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/commands.h"
#include "cmd/json.h"
#include "cmd/unwinder/unwinder.h"
#include "gateway/gateway.h"
#include "platform/platform.h"
#include "sentry/host_calls.h"

/* `sentry surface`: what the host kernel can be asked, by whom, and what holds that. Printed from
 * the lists that the seccomp filters are made of. */

static const char usage_text[] = "usage: sentry surface [--format table|json] [--platform "
				 "systrap|ptrace]\n";

static const struct platform_ops *const platforms[] = {&platform_systrap, &platform_ptrace};

static unsigned default_set(const struct platform_ops *ops)
{
	return HOST_ALWAYS | HOST_PWAIT2 | (ops == &platform_systrap ? HOST_SYSTRAP : HOST_PTRACE);
}

/* NULL: not on this platform's lists, or never in a program that is shipped. */
static const char *when_words(const struct host_call *call, const struct platform_ops *ops)
{
	if (call->when & HOST_ALWAYS)
		return "always";
	if (call->when & default_set(ops) & (HOST_SYSTRAP | HOST_PTRACE))
		return ops->name;
	if (call->when & HOST_PWAIT2)
		return "always";
	if (call->when & (HOST_OLD_PWAIT | HOST_OLD_IO | HOST_OLD_STAT))
		return "old hosts"; /* instead of a newer one */
	if (call->when & HOST_WRITABLE)
		return "writable";
	if (call->when & HOST_GATEWAY)
		return "gateway";
	return NULL;
}

struct counts {
	unsigned sentry, writable, gateway, stub;
};

static struct counts count(const struct platform_ops *ops)
{
	struct counts counts = {0};
	struct platform_stub_call stub;

	for (size_t i = 0; i < host_call_count; i++) {
		if (host_calls[i].when & default_set(ops))
			counts.sentry++;
		else if (host_calls[i].when & HOST_WRITABLE)
			counts.writable++;
		else if (host_calls[i].when & HOST_GATEWAY)
			counts.gateway++;
	}
	while (ops->stub_call(counts.stub, &stub))
		counts.stub++;
	return counts;
}

/* The gateway's own list; NULL: never in a program that is shipped. */
static const char *gateway_when(const struct host_call *call)
{
	if (call->when & (GATEWAY_ALWAYS | GATEWAY_PWAIT2))
		return "always";
	if (call->when & GATEWAY_PUBLISH)
		return "publish";
	return call->when & GATEWAY_OLD_PWAIT ? "old hosts" : NULL;
}

/* Numbers, not rows; @when: always, or with -p alone. */
static unsigned count_gateway(unsigned when)
{
	unsigned count = 0;

	for (size_t i = 0; i < gateway_call_count; i++) {
		bool first = gateway_calls[i].when & when;

		for (size_t j = 0; j < gateway_call_count && first; j++)
			first = gateway_calls[j].nr != gateway_calls[i].nr ||
				!(gateway_calls[j].when &
					(when | GATEWAY_ALWAYS | GATEWAY_PWAIT2)) ||
				j >= i;
		count += first;
	}
	return count;
}

/* The unwinder's, without what is for builds with sanitizers. */
static unsigned count_unwinder(void)
{
	unsigned count = 0;

	for (size_t i = 0; i < unwinder_call_count; i++)
		count += (unwinder_calls[i].when & UNWINDER_ALWAYS) != 0;
	return count;
}

/* ---- table ---- */

static void print_row(const char *name, const char *when, const char *constraint, const char *rest,
	const char *reason)
{
	printf("%-18s %-9s %s\n", name, when, reason);
	if (*constraint)
		printf("%29s seccomp: %s\n", "", constraint);
	if (*rest)
		printf("%29s %s\n", "", rest);
}

static void print_table(const struct platform_ops *ops)
{
	struct counts counts = count(ops);
	struct platform_stub_call stub;

	printf("The Sentry on %s: %u host calls; %u more with writable mounts, %u with the "
	       "gateway. Everything else ends it with SIGSYS.\n\n",
		ops->name, counts.sentry, counts.writable, counts.gateway);
	for (size_t i = 0; i < host_call_count; i++) {
		const struct host_call *call = &host_calls[i];
		const char *when = when_words(call, ops);

		if (when)
			print_row(call->name, when, call->constraint, call->rest, call->reason);
	}
	printf("\nA stub on %s: %u host calls, from its own text alone; from guest code none.\n\n",
		ops->name, counts.stub);
	for (unsigned i = 0; ops->stub_call(i, &stub); i++)
		print_row(stub.name, stub.asks ? "asks" : "always", stub.constraint,
			stub.asks ? "code: the Sentry answers each of them" : "", stub.reason);
	printf("\nThe gateway (--network gateway): %u host calls; %u more with -p. Everything else "
	       "ends it with SIGSYS.\n\n",
		count_gateway(GATEWAY_ALWAYS | GATEWAY_PWAIT2), count_gateway(GATEWAY_PUBLISH));
	for (size_t i = 0; i < gateway_call_count; i++) {
		const struct host_call *call = &gateway_calls[i];

		if (gateway_when(call))
			print_row(call->name, gateway_when(call), call->constraint, call->rest,
				call->reason);
	}
	printf("\nThe unwinder (--stacks): %u host calls. Everything else ends it with SIGSYS.\n\n",
		count_unwinder());
	for (size_t i = 0; i < unwinder_call_count; i++) {
		const struct host_call *call = &unwinder_calls[i];

		if (call->when & UNWINDER_ALWAYS)
			print_row(call->name, "always", call->constraint, call->rest, call->reason);
	}
}

/* ---- JSON ---- */

/*
 * Who enforces what is said of a row: seccomp its tests; else the words before the colons of
 * "beyond seccomp". A namespace does where the host grants it (`sentry doctor`).
 */
static void write_enforcers(struct json *json, const char *constraint, const char *rest)
{
	static const struct {
		const char *word, *name;
	} enforcers[] = {{"Landlock:", "landlock"}, {"namespace:", "namespace"},
		{"kernel:", "kernel"}, {"code:", "code"}};

	json_open(json, "enforced_by", '[');
	if (*constraint)
		json_string(json, NULL, "seccomp");
	for (size_t i = 0; i < sizeof(enforcers) / sizeof(enforcers[0]); i++) {
		if (strstr(rest, enforcers[i].word))
			json_string(json, NULL, enforcers[i].name);
	}
	json_close(json, ']');
}

static void open_row(struct json *json, const char *name, const char *when, const char *constraint,
	const char *rest, const char *reason)
{
	json_open(json, NULL, '{');
	json_string(json, "call", name);
	json_string(json, "when", when);
	json_string(json, "seccomp", constraint);
	json_string(json, "beyond_seccomp", rest);
	write_enforcers(json, constraint, rest);
	json_string(json, "reason", reason);
}

static void write_counts(struct json *json, const struct platform_ops *ops)
{
	struct counts counts = count(ops);

	json_open(json, "counts", '{');
	json_integer(json, "sentry", counts.sentry);
	json_integer(json, "sentry_writable_mounts", counts.writable);
	json_integer(json, "sentry_gateway", counts.gateway);
	json_integer(json, "stub", counts.stub);
	json_close(json, '}');
}

static void write_platform(struct json *json, const struct platform_ops *ops)
{
	struct platform_stub_call stub;

	json_open(json, ops->name, '{');
	write_counts(json, ops);
	json_open(json, "sentry", '[');
	for (size_t i = 0; i < host_call_count; i++) {
		const struct host_call *call = &host_calls[i];
		const char *when = when_words(call, ops);

		if (!when)
			continue;
		open_row(json, call->name, when, call->constraint, call->rest, call->reason);
		json_integer(json, "number", call->nr);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_open(json, "stub", '[');
	for (unsigned i = 0; ops->stub_call(i, &stub); i++) {
		open_row(json, stub.name, stub.asks ? "asks" : "always", stub.constraint,
			stub.asks ? "code: the Sentry answers each of them" : "", stub.reason);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_close(json, '}');
}

static void write_gateway(struct json *json)
{
	json_open(json, "gateway", '{');
	json_open(json, "counts", '{');
	json_integer(json, "gateway", count_gateway(GATEWAY_ALWAYS | GATEWAY_PWAIT2));
	json_integer(json, "gateway_publish", count_gateway(GATEWAY_PUBLISH));
	json_close(json, '}');
	json_open(json, "gateway", '[');
	for (size_t i = 0; i < gateway_call_count; i++) {
		const struct host_call *call = &gateway_calls[i];

		if (!gateway_when(call))
			continue;
		open_row(json, call->name, gateway_when(call), call->constraint, call->rest,
			call->reason);
		json_integer(json, "number", call->nr);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_close(json, '}');
}

static void write_unwinder(struct json *json)
{
	json_open(json, "unwinder", '{');
	json_open(json, "counts", '{');
	json_integer(json, "unwinder", count_unwinder());
	json_close(json, '}');
	json_open(json, "unwinder", '[');
	for (size_t i = 0; i < unwinder_call_count; i++) {
		const struct host_call *call = &unwinder_calls[i];

		if (!(call->when & UNWINDER_ALWAYS))
			continue;
		open_row(json, call->name, "always", call->constraint, call->rest, call->reason);
		json_integer(json, "number", call->nr);
		json_close(json, '}');
	}
	json_close(json, ']');
	json_close(json, '}');
}

static int print_json(const struct platform_ops *only)
{
	struct json json = {.out = stdout};

	json_open(&json, NULL, '{');
	for (size_t i = 0; i < sizeof(platforms) / sizeof(platforms[0]); i++) {
		if (!only || only == platforms[i])
			write_platform(&json, platforms[i]);
	}
	if (!only) {
		write_gateway(&json);
		write_unwinder(&json);
	}
	json_close(&json, '}');
	return 0;
}

/* ---- the command ---- */

/* The value of "--name VALUE" or "--name=VALUE", NULL when @argv[*i] is another option. */
static const char *option_value(const char *name, int argc, char **argv, int *i)
{
	size_t size = strlen(name);

	if (strncmp(argv[*i], name, size) != 0)
		return NULL;
	if (argv[*i][size] == '=')
		return argv[*i] + size + 1;
	return argv[*i][size] == '\0' && *i + 1 < argc ? argv[++*i] : NULL;
}

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "sentry surface: %s '%s'.\n%s", what, value, usage_text);
	return 125;
}

int command_surface(int argc, char **argv)
{
	const struct platform_ops *only = NULL;
	const char *format = "table", *value;

	for (int i = 1; i < argc; i++) {
		if ((value = option_value("--format", argc, argv, &i))) {
			format = value;
		} else if ((value = option_value("--platform", argc, argv, &i))) {
			only = NULL;
			for (size_t j = 0; j < sizeof(platforms) / sizeof(platforms[0]); j++) {
				if (strcmp(platforms[j]->name, value) == 0)
					only = platforms[j];
			}
			if (!only)
				return usage_error("no platform", value);
		} else {
			return usage_error("unknown argument", argv[i]);
		}
	}
	if (strcmp(format, "json") == 0)
		return print_json(only);
	if (strcmp(format, "table") != 0)
		return usage_error("no format", format);
	print_table(only ? only : platforms[0]);
	return 0;
}
