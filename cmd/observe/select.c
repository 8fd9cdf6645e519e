/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/observe/select.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "sentry/syscall_table.h"

/* ---- classes --------------------------------------------------------------------------------- */

static bool is_path_name(const char *name)
{
	static const char *const names[] = {
		"filename", "target", "new_root", "put_old", "library", "special"};
	size_t length = strlen(name);

	if (length >= 4 && strcmp(name + length - 4, "path") == 0)
		return true;
	if (strcmp(name, "pathname") == 0)
		return true;
	for (size_t i = 0; i < array_size(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static bool takes_path(const struct syscall_info *info)
{
	for (unsigned i = 0; i < info->nargs; i++)
		if (info->args[i].type == ARG_STRING && is_path_name(info->args[i].name))
			return true;
	return false;
}

static bool takes_descriptor(const struct syscall_info *info)
{
	for (unsigned i = 0; i < info->nargs; i++)
		if (info->args[i].type == ARG_FD || info->args[i].type == ARG_DIRFD)
			return true;
	return false;
}

static bool is_any(const struct syscall_info *info)
{
	return true;
}

/* By what the call takes, or by the family that the table has it in. */
static const struct class
{
	const char *name, *family;
	bool (*has)(const struct syscall_info *info);
} classes[] = {
	{"all", NULL, is_any},
	{"file", NULL, takes_path},
	{"desc", NULL, takes_descriptor},
	{"net", "Sockets", NULL},
	{"network", "Sockets", NULL},
	{"process", "Processes and threads", NULL},
	{"signal", "Signals", NULL},
	{"ipc", "System V IPC and message queues", NULL},
	{"memory", "Memory", NULL},
	{"creds", "Users, groups, capabilities", NULL},
	{"time", "Time", NULL},
	{"futexes", "Futexes", NULL},
	{"mounts", "Mounts", NULL},
};

static bool in_class(const struct class *class, const struct syscall_info *info)
{
	return class->has ? class->has(info) : strcmp(info->family, class->family) == 0;
}

/* ---- lists ----------------------------------------------------------------------------------- */

static bool is_named(const char *name, const char *item, size_t size)
{
	return strlen(name) == size && memcmp(name, item, size) == 0;
}

static void put(uint64_t *set, unsigned nr, bool take)
{
	uint64_t bit = 1ull << nr % 64;

	set[nr / 64] = take ? set[nr / 64] | bit : set[nr / 64] & ~bit;
}

static bool apply(uint64_t *set, const char *item, size_t size, bool take)
{
	bool percent = size > 0 && *item == '%';
	bool found = false;

	if (percent) {
		item++;
		size--;
	}
	for (size_t i = 0; i < array_size(classes); i++) {
		if (!is_named(classes[i].name, item, size))
			continue;
		for (unsigned nr = 0; nr < LX_NR_COUNT; nr++)
			if (syscall_info[nr].name && in_class(&classes[i], &syscall_info[nr]))
				put(set, nr, take);
		return true;
	}
	for (unsigned nr = 0; nr < LX_NR_COUNT && !percent && !found; nr++) {
		if (!syscall_info[nr].name || !is_named(syscall_info[nr].name, item, size))
			continue;
		put(set, nr, take);
		found = true;
	}
	return found;
}

/* The list ends at @end. */
static int parse_list(const char *text, const char *end, uint64_t *ret, const char **ret_bad)
{
	uint64_t set[OBSERVE_WORDS] = {0};

	if (text < end && *text == '!')
		memset(set, 0xff, sizeof(set));
	for (const char *at = text;; at++) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *stop = comma ? comma : end;
		bool take = at == stop || *at != '!';

		if (!apply(set, at + !take, (size_t)(stop - at - !take), take)) {
			*ret_bad = at;
			return -EINVAL;
		}
		if (stop == end)
			break;
		at = stop;
	}
	memcpy(ret, set, sizeof(set));
	return 0;
}

int select_parse(const char *text, uint64_t *ret, const char **ret_bad)
{
	return parse_list(text, text + strlen(text), ret, ret_bad);
}

bool select_is_list(const char *text)
{
	uint64_t set[OBSERVE_WORDS];
	const char *bad;

	return select_parse(text, set, &bad) == 0;
}

/* ---- injection ------------------------------------------------------------------------------- */

/* Digits up to @end; what does not fit is refused. */
static bool parse_u32(const char **at, uint32_t *ret)
{
	char *end;
	unsigned long value;

	if (!isdigit((unsigned char)**at))
		return false;
	errno = 0;
	value = strtoul(*at, &end, 10);
	if (errno || value > UINT32_MAX)
		return false;
	*at = end;
	*ret = (uint32_t)value;
	return true;
}

static bool ends(const char *at)
{
	return *at == '\0' || *at == ':';
}

/* FIRST[..LAST][+[STEP]] */
static bool parse_when(const char *at, struct inject_rule *rule)
{
	if (!parse_u32(&at, &rule->first) || rule->first == 0)
		return false;
	rule->last = rule->first;
	rule->step = 1;
	if (strncmp(at, "..", 2) == 0) {
		at += 2;
		if (!parse_u32(&at, &rule->last) || rule->last < rule->first)
			return false;
		if (*at == '+') {
			at++;
			if (!parse_u32(&at, &rule->step) || rule->step == 0)
				return false;
		}
	} else if (*at == '+') {
		at++;
		rule->last = UINT32_MAX;
		if (!ends(at) && (!parse_u32(&at, &rule->step) || rule->step == 0))
			return false;
	}
	return ends(at);
}

/* strerrorname_np(3) knows the names. */
static bool parse_error(const char *at, struct inject_rule *rule)
{
	size_t size = strcspn(at, ":");
	uint32_t number;

	rule->has_result = true;
	if (parse_u32(&at, &number)) {
		rule->result = -(int64_t)number;
		return ends(at) && number > 0 && number < 4096;
	}
	for (int error = 1; error < 134; error++) {
		const char *name = strerrorname_np(error);

		if (name && is_named(name, at, size)) {
			rule->result = -error;
			return true;
		}
	}
	return false;
}

static bool parse_signal(const char *at, struct inject_rule *rule)
{
	size_t size = strcspn(at, ":");
	uint32_t number;

	if (parse_u32(&at, &number)) {
		rule->signo = (int)number;
		return ends(at) && number > 0 && number <= 64;
	}
	if (size > 3 && strncmp(at, "SIG", 3) == 0) {
		at += 3;
		size -= 3;
	}
	for (int signo = 1; signo < 32; signo++) {
		const char *name = sigabbrev_np(signo);

		if (name && is_named(name, at, size)) {
			rule->signo = signo;
			return true;
		}
	}
	return false;
}

static bool parse_delay(const char *at, uint64_t *ret)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"", 1000}, {"us", 1000}, {"ms", 1000000}, {"ns", 1}, {"s", 1000000000}};
	uint32_t number;

	if (!parse_u32(&at, &number))
		return false;
	for (size_t i = 0; i < array_size(units); i++) {
		if (is_named(units[i].name, at, strcspn(at, ":"))) {
			*ret = number * units[i].ns;
			return true;
		}
	}
	return false;
}

static bool parse_retval(const char *at, struct inject_rule *rule)
{
	char *end;

	rule->has_result = true;
	errno = 0;
	rule->result = strtoll(at, &end, 0);
	/* As strace: an error is asked for by its name. */
	return !errno && end != at && ends(end) && rule->result >= 0;
}

/* The call of a set that has but one, or NULL. */
static const struct syscall_info *only_call(const uint64_t *set)
{
	const struct syscall_info *found = NULL;

	for (unsigned nr = 0; nr < LX_NR_COUNT; nr++) {
		if (!(set[nr / 64] >> nr % 64 & 1) || !syscall_info[nr].name)
			continue;
		if (found)
			return NULL;
		found = &syscall_info[nr];
	}
	return found;
}

static bool find_value(const struct named_value *values, unsigned count, const char *at,
	size_t size, uint64_t *ret)
{
	for (unsigned i = 0; i < count; i++) {
		if (is_named(values[i].name, at, size)) {
			*ret = values[i].value;
			return true;
		}
	}
	return false;
}

/* A name of the argument's set (a flag: its bits; a value: all of the value's), or a number. */
static const char *parse_value(
	const struct syscall_arg *arg, const char *at, size_t size, struct inject_rule *rule)
{
	const struct value_set *set = arg->set;
	char *end;

	if (set && find_value(set->values, set->value_count, at, size, &rule->value)) {
		rule->mask = set->enum_mask;
		return NULL;
	}
	if (set && find_value(set->flags, set->flag_count, at, size, &rule->value)) {
		rule->mask = rule->value;
		return rule->value ? NULL : "a flag without a bit cannot be looked for";
	}
	errno = 0;
	rule->value = strtoull(at, &end, 0);
	if (errno || end != at + size || size == 0)
		return "the argument has no such value";
	/* Registers of 32 bits may hold anything above. */
	rule->mask = arg->type == ARG_SET64 || arg->type == ARG_LONG || arg->type == ARG_ULONG ||
				     arg->type == ARG_ADDR
			     ? UINT64_MAX
			     : UINT32_MAX;
	rule->value &= rule->mask;
	return NULL;
}

/* ARGUMENT=VALUE, with @value behind the sign. */
static const char *parse_argument(const char *at, const char *value, struct inject_rule *rule)
{
	const struct syscall_info *info = only_call(rule->calls);
	size_t size = strcspn(value, ":");

	if (!info)
		return "expected error=, retval=, signal=, delay_enter=, delay_exit= or when= (an "
		       "argument: of one call alone)";
	if (rule->arg)
		return "one argument, once";
	for (unsigned i = 0; i < info->nargs; i++) {
		if (!is_named(info->args[i].name, at, (size_t)(value - at - 1)))
			continue;
		rule->arg = (uint8_t)(i + 1);
		if (info->args[i].type != ARG_STRING)
			return parse_value(&info->args[i], value, size, rule);
		if (size == 0 || size >= sizeof(rule->pattern))
			return "not a pattern of 1 to 127 characters";
		memcpy(rule->pattern, value, size);
		return NULL;
	}
	return "expected error=, retval=, signal=, delay_enter=, delay_exit=, when= or an argument "
	       "of the call";
}

static const char *parse_part(const char *at, struct inject_rule *rule)
{
	const char *value = strchr(at, '=');

	if (!value || value > at + strcspn(at, ":"))
		return "expected error=, retval=, signal=, delay_enter=, delay_exit= or when=";
	value++;
#define IS(name) (is_named(name, at, (size_t)(value - at - 1)))
	if ((IS("error") || IS("retval")) && rule->has_result)
		return "one of error= and retval=, once";
	if (IS("error"))
		return parse_error(value, rule) ? NULL : "no such error";
	if (IS("retval"))
		return parse_retval(value, rule) ? NULL : "not a value that a call returns";
	if (IS("signal"))
		return parse_signal(value, rule) ? NULL : "no such signal";
	if (IS("delay_enter"))
		return parse_delay(value, &rule->delay_enter_ns) ? NULL : "not a time";
	if (IS("delay_exit"))
		return parse_delay(value, &rule->delay_exit_ns) ? NULL : "not a time";
	if (IS("when"))
		return parse_when(value, rule) ? NULL
					       : "not FIRST[..LAST][+[STEP]], counted from 1";
#undef IS
	return parse_argument(at, value, rule);
}

int inject_parse(
	const char *text, struct inject_rule *ret, const char **ret_bad, const char **ret_why)
{
	struct inject_rule rule = {.first = 1, .last = UINT32_MAX, .step = 1};
	const char *at = text + strcspn(text, ":");

	*ret_why = "no such call or class";
	if (parse_list(text, at, rule.calls, ret_bad) < 0)
		return -EINVAL;
	while (*at) {
		*ret_bad = ++at;
		*ret_why = parse_part(at, &rule);
		if (*ret_why)
			return -EINVAL;
		at += strcspn(at, ":");
	}
	if (!rule.has_result && !rule.signo && !rule.delay_enter_ns && !rule.delay_exit_ns) {
		*ret_bad = at;
		*ret_why = "nothing is to be done: error=, retval=, signal= or a delay is missing";
		return -EINVAL;
	}
	*ret = rule;
	return 0;
}
