/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_OBSERVE_TRACE_FILE_H
#define SENTRY_CMD_OBSERVE_TRACE_FILE_H

#include "sentry/record.h"

/*
 * Calls @take for each record of a binary trace. 0: all of it was there; TRACE_CUT_OFF: its end is
 * missing, as of a run that was killed; -EBADMSG: it is foreign or damaged; or the error of opening
 * and reading it. What was whole before was taken. *@ret_why says what is not 0 in words, static.
 */
#define TRACE_CUT_OFF 1
#define TRACE_NO_END  "it is cut off: its end is missing"
int trace_file_read(const char *file, void (*take)(void *data, const union record *record),
	void *data, const char **ret_why);

#endif
