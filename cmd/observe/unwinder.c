/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/observe/unwinder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/unwinder/unwinder.h"

/* It starts in milliseconds. */
#define START_MS 20000

/* Beside the program that runs, wherever that was installed. */
static int find_program(char *ret, size_t size)
{
	static const char name[] = "sentry-unwinder";
	ssize_t length = readlink("/proc/self/exe", ret, size - 1);
	char *slash;

	if (length < 0)
		return -errno;
	ret[length] = '\0';
	slash = strrchr(ret, '/');
	if (!slash || (size_t)(slash + 1 - ret) + sizeof(name) > size)
		return -ENAMETOOLONG;
	memcpy(slash + 1, name, sizeof(name));
	return access(ret, X_OK) < 0 ? -errno : 0;
}

static _Noreturn void become_unwinder(const char *program, int fd, pid_t parent)
{
	static char name[] = "sentry-unwinder";
	char *argv[] = {name, NULL}, *envp[] = {NULL};
	sigset_t all;

	/* The launcher decides when it ends. */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
		_exit(125);
	if (fd == UNWINDER_FD ? fcntl(fd, F_SETFD, 0) < 0 : dup2(fd, UNWINDER_FD) < 0)
		_exit(125);
	(void)close_range(UNWINDER_FD + 1, ~0u, 0);
	(void)close_range(0, 1, 0);
	(void)execve(program, argv, envp);
	_exit(127);
}

static int await_hello(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	uint32_t hello = 0;

	while (poll(&wait, 1, START_MS) < 0)
		if (errno != EINTR)
			return -errno;
	if (recv(fd, &hello, sizeof(hello), MSG_DONTWAIT) != sizeof(hello) ||
		hello != UNWINDER_HELLO)
		return -ECHILD;
	return 0;
}

int unwinder_start(struct unwinder *ret, int *ret_fd)
{
	char program[PATH_MAX];
	int ends[2], r = find_program(program, sizeof(program));
	pid_t parent = getpid();

	if (r < 0) {
		log_error("--stacks: there is no program sentry-unwinder beside this one: %s",
			strerror(-r));
		return r;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	ret->pid = fork();
	if (ret->pid == 0)
		become_unwinder(program, ends[1], parent);
	close(ends[1]);
	r = ret->pid < 0 ? -errno : await_hello(ends[0]);
	if (r < 0) {
		close(ends[0]);
		if (ret->pid > 0)
			unwinder_end(ret);
		ret->pid = 0;
		log_error("--stacks: %s could not be started", program);
		return r;
	}
	*ret_fd = ends[0];
	return 0;
}

void unwinder_end(struct unwinder *unwinder)
{
	if (unwinder->pid <= 0)
		return;
	(void)kill(unwinder->pid, SIGKILL);
	while (waitpid(unwinder->pid, NULL, 0) < 0 && errno == EINTR)
		;
	unwinder->pid = 0;
}
