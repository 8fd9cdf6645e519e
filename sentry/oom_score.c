/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/oom_score.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/*
 * The host's out-of-memory killer takes the process that holds the most, which may be the Sentry
 * when guests make it keep much for them: and everybody dies with that. So stubs inherit the
 * highest oom_score_adj from their zygote (proc_pid_oom_score_adj(5)). Raising one's own and taking
 * that back needs no privilege; the file is opened early, since later no /proc that can be written
 * to is in sight.
 */

static int file = -1;
static char own[16];

void oom_score_open(void)
{
	ssize_t n;

	file = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
	n = file < 0 ? -1 : read(file, own, sizeof(own) - 1);
	if (n <= 0)
		oom_score_close();
	else
		own[n] = '\0';
}

static void set(const char *text)
{
	if (file >= 0)
		(void)!pwrite(file, text, strlen(text), 0);
}

void oom_score_raise(void)
{
	set("1000");
}

void oom_score_restore(void)
{
	set(own);
}

void oom_score_close(void)
{
	if (file >= 0)
		(void)close(file);
	file = -1;
}
