/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* The sixth field of passwd(5) in @line, which is changed, if the third one is @uid. */
static char *home_of_line(char *line, uid_t uid)
{
	char *fields[6], *end;

	for (unsigned i = 0; i < 6; i++) {
		fields[i] = strsep(&line, ":");
		if (!fields[i])
			return NULL;
	}
	if (!line || !*fields[2] || strtoul(fields[2], &end, 10) != uid || *end)
		return NULL;
	return fields[5][0] == '/' ? fields[5] : NULL;
}

char *account_home(uid_t uid)
{
	FILE *stream = fopen("/etc/passwd", "re");
	_cleanup_free_ char *line = NULL;
	const char *home = NULL;
	size_t capacity = 0;

	while (stream && !home && getline(&line, &capacity, stream) > 0)
		home = home_of_line(line, uid);
	if (stream)
		fclose(stream);
	if (!home)
		home = getenv("HOME");
	return strdup(home && home[0] == '/' ? home : "/");
}
