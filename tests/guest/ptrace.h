/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_GUEST_PTRACE_H
#define SENTRY_TESTS_GUEST_PTRACE_H

/* For the cases about ptrace(2): tracees, and what a wait for one says in words. */

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "case.h"

#ifndef __WALL
#define __WALL 0x40000000
#endif

/* A child that asks to be traced, stops, and then does @fn; the stop has been waited for. */
static inline pid_t traced(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		fn();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return pid;
}

/* A child that does @fn, traced by nobody. */
static inline pid_t child(void (*fn)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		fn();
		_exit(0);
	}
	return pid;
}

static inline void say_status(const char *what, int status)
{
	if (WIFSTOPPED(status))
		NOTE("%s: stopped by %d%s, event %d", what, WSTOPSIG(status) & 0x7f,
			WSTOPSIG(status) & 0x80 ? " (call)" : "", status >> 16);
	else if (WIFCONTINUED(status))
		NOTE("%s: continued", what);
	else if (WIFEXITED(status))
		NOTE("%s: exited %d", what, WEXITSTATUS(status));
	else
		NOTE("%s: killed by %d", what, WTERMSIG(status));
}

/* Waits for @pid and says what is to be said of it. Returns the status. */
static inline int say_wait(const char *what, pid_t pid)
{
	int status = 0;
	pid_t got = waitpid(pid, &status, __WALL);

	if (got < 0)
		NOTE("%s: wait failed: %s", what, errno_name(errno));
	else if (pid > 0 && got != pid)
		NOTE("%s: another one", what);
	else
		say_status(what, status);
	return status;
}

static inline long pt(int request, pid_t pid, unsigned long addr, unsigned long data)
{
	return ptrace((enum __ptrace_request)request, pid, (void *)addr, (void *)data);
}

static inline void say_siginfo(const char *what, pid_t pid)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	if (ptrace(PTRACE_GETSIGINFO, pid, NULL, &info) < 0)
		NOTE("%s: siginfo: %s", what, errno_name(errno));
	else
		NOTE("%s: signo %d code %#x", what, info.si_signo, info.si_code);
}

static inline void finish(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WALL) == pid && kill(pid, 0) == 0)
		;
}

/* The letter of /proc/PID/stat; - when there is none. */
static inline char state_of(pid_t pid)
{
	char path[64], text[512] = "", *end;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return '-';
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	end = strrchr(text, ')');
	return end ? end[2] : '?';
}

static inline void do_nothing(void)
{
}

#endif
