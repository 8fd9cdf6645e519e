/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_OBSERVE_SELECT_H
#define SENTRY_CMD_OBSERVE_SELECT_H

#include <stdbool.h>
#include <stdint.h>

#include "sentry/observe.h"

/*
 * Sets of calls, and what --inject does to them, as strace(1) has them written.
 *
 * A selection is a list of names of calls and of classes (file, desc, net, process, signal, ipc,
 * memory, creds, time, all; strace's % before them is allowed), separated by commas. "!" before one
 * takes it away; a list that begins with "!" begins with all.
 */

/* @ret: OBSERVE_WORDS. -EINVAL: *@ret_bad is where in @text the item that nobody knows begins. */
int select_parse(const char *text, uint64_t *ret, const char **ret_bad);

/* Whether @text is nothing but names and classes that exist. */
bool select_is_list(const char *text);

/*
 * SET[:ARGUMENT=VALUE][:error=NAME|:retval=N][:signal=NAME][:delay_enter=TIME][:delay_exit=TIME]
 * [:when=WHEN]; TIME is microseconds, or has a unit; WHEN is FIRST, FIRST+, FIRST+STEP, FIRST..LAST
 * or FIRST..LAST+STEP; ARGUMENT is one of the only call of SET, and VALUE a flag or value of it by
 * name or number, or of a string a pattern of fnmatch(3). -EINVAL: @ret_bad is where, *@ret_why
 * what is wrong.
 */
int inject_parse(
	const char *text, struct inject_rule *ret, const char **ret_bad, const char **ret_why);

#endif
