/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_OBSERVE_TRACE_FILE_H
#define SENTRY_CMD_OBSERVE_TRACE_FILE_H

#include "sentry/record.h"

/*
 * Calls @take for each record of a binary trace. -EBADMSG when the file is foreign, damaged or cut
 * off (the whole records before that were taken), or the error of opening and reading it;
 * *@ret_why says it in words, static.
 */
int trace_file_read(const char *file, void (*take)(void *data, const union record *record),
	void *data, const char **ret_why);

#endif
