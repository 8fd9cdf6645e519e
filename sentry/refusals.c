/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is unknown, in the audit stream. The table of calls says which values each argument may
 * have; a call that failed in a way that unknown values fail, and has one, is written down. A
 * program can make up as many values as it likes, so what was written is remembered in a table of
 * fixed size, and when that is full one last line says so.
 */
#include "sentry/refusals.h"

#include <errno.h>
#include <stdio.h>

#include "abi/ioctl.h"
#include "base/checked.h"
#include "base/hash.h"
#include "base/log.h"
#include "sentry/syscall_table.h"

#define REMEMBERED 1024 /* a power of two */

static uint64_t remembered[REMEMBERED]; /* 0: free */
static unsigned remembered_count;

/* Whether it is to be written. */
static bool remember(uint64_t hash)
{
	size_t at = hash % REMEMBERED;

	hash |= 1;
	while (remembered[at]) {
		if (remembered[at] == hash)
			return false;
		at = (at + 1) % REMEMBERED;
	}
	/* One place stays free, so that searches end. */
	if (remembered_count == REMEMBERED - 1)
		return false;
	remembered[at] = hash;
	if (++remembered_count == REMEMBERED - 1)
		audit_event("unknown-value", "more", "not recorded", NULL);
	return true;
}

static bool says_unknown(int64_t error)
{
	switch (error) {
	case -EINVAL:
	case -ENOTTY:
	case -ENOSYS:
	case -EOPNOTSUPP:
	case -ENOPROTOOPT:
	case -EPROTONOSUPPORT:
	case -ESOCKTNOSUPPORT:
	case -EAFNOSUPPORT:
		return true;
	default:
		return false;
	}
}

static bool has_value(const struct value_set *set, uint64_t value)
{
	for (size_t i = 0; i < set->value_count; i++)
		if (set->values[i].value == value)
			return true;
	return false;
}

/* The part of @value that is not in @set. */
static uint64_t unknown_part(const struct value_set *set, uint64_t value, bool *ret_unknown)
{
	uint64_t flags = 0;

	if (set->enum_mask == UINT64_MAX) {
		*ret_unknown = !has_value(set, value);
		return value;
	}
	for (size_t i = 0; i < set->flag_count; i++)
		flags |= set->flags[i].value;
	if (set->enum_mask && !has_value(set, value & set->enum_mask)) {
		*ret_unknown = true;
		return value;
	}
	*ret_unknown = value & ~set->enum_mask & ~flags;
	return value & ~set->enum_mask & ~flags;
}

static void record(uint64_t nr, const char *argument, uint64_t where, uint64_t value)
{
	char text[24];

	if (!remember(hash_u64_pair(hash_u64_pair(nr, where), value)))
		return;
	(void)snprintf(text, sizeof(text), "%#llx", (unsigned long long)value);
	audit_event("unknown-value", "call", syscall_info[nr].name, "argument", argument, "value",
		text, NULL);
}

/* Every file refuses what it does not know in the same way; what asks whether it is a terminal is
 * no news. */
static bool is_request(uint64_t nr, const uint64_t args[6], int64_t error)
{
	return nr == LX_NR_ioctl && error == -ENOTTY && (uint32_t)args[1] != LX_TCGETS &&
	       (uint32_t)args[1] != LX_TIOCGWINSZ;
}

static bool is_socket_option(uint64_t nr, int64_t error)
{
	return (nr == LX_NR_setsockopt || nr == LX_NR_getsockopt) &&
	       (error == -ENOPROTOOPT || error == -EOPNOTSUPP);
}

void refusal_audit(uint64_t nr, const uint64_t args[6], int64_t error)
{
	const struct syscall_info *info = nr < LX_NR_COUNT ? &syscall_info[nr] : NULL;

	if (!info || !info->name || info->support == SYSCALL_NONE || !says_unknown(error) ||
		!audit_wanted())
		return;
	if (is_request(nr, args, error)) {
		record(nr, info->args[1].name, 1, (uint32_t)args[1]);
		return;
	}
	if (is_socket_option(nr, error)) {
		record(nr, "level, option", 1, args[1] << 32 | (uint32_t)args[2]);
		return;
	}
	for (unsigned i = 0; i < info->nargs; i++) {
		const struct syscall_arg *arg = &info->args[i];
		uint64_t value = arg->type == ARG_SET32 ? (uint32_t)args[i] : args[i];
		bool unknown = false;

		if (arg->type != ARG_SET32 && arg->type != ARG_SET64)
			continue;
		value = unknown_part(arg->set, value, &unknown);
		if (unknown)
			record(nr, arg->name, i, value);
	}
}
