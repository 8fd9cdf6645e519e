/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_LINE_H
#define SENTRY_BASE_LINE_H

#include <stdio.h>
#include <sys/types.h>

/*
 * getline(3) of files that anybody may have written: of a line that is longer than @most bytes,
 * the newline included, it returns the first @most + 1, so that no file takes all memory. *@line is
 * the caller's to free. -1 at the end, and when there is no memory.
 */
ssize_t line_read(FILE *in, char **line, size_t *capacity, size_t most);

#endif
