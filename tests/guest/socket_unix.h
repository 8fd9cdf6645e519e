/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_GUEST_SOCKET_UNIX_H
#define SENTRY_TESTS_GUEST_SOCKET_UNIX_H

/* What the socket_*.c programs share. */

#include <sys/socket.h>
#include <sys/un.h>

#include "case.h"

struct unix_name {
	struct sockaddr_un un;
	socklen_t size;
};

/* A path name, its terminating NUL counted. */
static inline struct unix_name at_path(const char *path)
{
	struct unix_name name = {.un = {.sun_family = AF_UNIX}};

	snprintf(name.un.sun_path, sizeof(name.un.sun_path), "%s", path);
	name.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
	return name;
}

/* An abstract name that no other process uses: it is the scratch directory's, and @suffix. */
static inline struct unix_name at_abstract(const char *suffix)
{
	struct unix_name name = {.un = {.sun_family = AF_UNIX}};
	char cwd[64] = "";

	if (!getcwd(cwd, sizeof(cwd)))
		cwd[0] = '\0';
	snprintf(name.un.sun_path + 1, sizeof(name.un.sun_path) - 1, "%s/%s", cwd, suffix);
	name.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				strlen(name.un.sun_path + 1));
	return name;
}

#define ADDR(name) (struct sockaddr *)&(name).un, (name).size

/* A listener at @path. */
static inline int listener_at(const char *path, int type, int backlog)
{
	struct unix_name name = at_path(path);
	int fd = socket(AF_UNIX, type, 0);

	if (fd < 0 || bind(fd, ADDR(name)) < 0 || listen(fd, backlog) < 0)
		case_note("listener_at: %s", errno_name(errno));
	return fd;
}

static inline int bound_at(const char *path, int type)
{
	struct unix_name name = at_path(path);
	int fd = socket(AF_UNIX, type, 0);

	if (fd < 0 || bind(fd, ADDR(name)) < 0)
		case_note("bound_at: %s", errno_name(errno));
	return fd;
}

static inline int connected_to(const char *path, int type)
{
	struct unix_name name = at_path(path);
	int fd = socket(AF_UNIX, type, 0);

	if (fd < 0 || connect(fd, ADDR(name)) < 0)
		case_note("connected_to: %s", errno_name(errno));
	return fd;
}

static inline void pair_of(int type, int fds[2])
{
	if (socketpair(AF_UNIX, type, 0, fds) < 0)
		case_note("pair_of: %s", errno_name(errno));
}

#define ALL_EVENTS                                                                                 \
	(POLLIN | POLLOUT | POLLPRI | POLLRDNORM | POLLWRNORM | POLLRDBAND | POLLWRBAND | POLLRDHUP)

static inline void note_poll(const char *what, int fd)
{
	struct pollfd p = {.fd = fd, .events = ALL_EVENTS};
	int n = poll(&p, 1, 0);

	case_note("%s: poll %d, events %#x", what, n, (unsigned)p.revents);
}

static volatile sig_atomic_t signals_seen;

static inline void count_signal(int signo)
{
	signals_seen++;
}

/* SIGALRM in @ms, handled with @flags. */
static inline void alarm_in(long ms, int flags)
{
	struct sigaction sa = {.sa_handler = count_signal, .sa_flags = flags};
	struct itimerval timer = {.it_value = {ms / 1000, ms % 1000 * 1000}};

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

#endif
