/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that posts spans to a collector: OTLP over HTTP in JSON, without TLS. It reads lines
 * as long as they come and posts what has collected when there is enough or POST_MS have passed. A
 * collector that does not answer in time is left alone for a while, and what comes meanwhile is
 * dropped and counted: the writer of the pipe, behind which is the Sentry, must not wait for it.
 *
 * The text it reads holds names that guests chose, and it has a socket: so it can do nothing else.
 */
#include "cmd/observe/otlp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/helper.h"

#define BATCH_SIZE   (1u << 20)
#define BATCH_ENOUGH (BATCH_SIZE / 4)
#define POST_MS	     1000
#define ANSWER_MS    2000
#define PAUSE_MS     5000
#define PIPE_SIZE    (1 << 20)

/* What each line begins and ends with: the middles of several make one request. */
static const char opening[] = "{\"resourceSpans\":[", closing[] = "]}";

struct sender {
	char host[256], port[8], path[512];
	struct sockaddr_storage address;
	socklen_t address_size; /* 0: the name led nowhere */
	int64_t paused_until;	/* ms */
	unsigned long lost;	/* spans */
	char why[128];		/* of the first that was */
	char *batch;		/* BATCH_SIZE: bodies of lines, separated by commas */
	size_t used;
	unsigned long count; /* lines in it */
};

/* ---- addresses ------------------------------------------------------------------------------- */

static const char *parse_url(const char *url, struct sender *ret)
{
	const char *host = url + 7, *end, *path, *port = NULL;
	size_t size;

	if (strncmp(url, "https://", 8) == 0)
		return "https is not spoken here; a collector on this host, or a proxy, can take "
		       "plain http";
	if (strncmp(url, "http://", 7) != 0)
		return "does not begin with http://";
	for (const char *at = url; *at; at++)
		if ((unsigned char)*at <= 0x20 || (unsigned char)*at >= 0x7f)
			return "has characters that a URL has not";
	path = host + strcspn(host, "/");
	end = path;
	if (*host == '[') {
		const char *close = memchr(host, ']', (size_t)(path - host));

		if (!close || (close + 1 != path && close[1] != ':'))
			return "has no host";
		end = close;
		port = close[1] == ':' ? close + 2 : NULL;
		host++;
	} else {
		const char *colon = memchr(host, ':', (size_t)(path - host));

		end = colon ? colon : path;
		port = colon ? colon + 1 : NULL;
	}
	size = (size_t)(end - host);
	if (size == 0 || size >= sizeof(ret->host) || memchr(host, '@', size))
		return "has no host";
	memcpy(ret->host, host, size);
	size = port ? (size_t)(path - port) : 0;
	if (port && (size == 0 || size > 5 || strspn(port, "0123456789") < size))
		return "has no number for a port";
	(void)snprintf(
		ret->port, sizeof(ret->port), "%.*s", port ? (int)size : 2, port ? port : "80");
	if (strlen(path) >= sizeof(ret->path))
		return "is too long";
	(void)snprintf(ret->path, sizeof(ret->path), "%s", *path && path[1] ? path : "/v1/traces");
	return NULL;
}

const char *otlp_url_error(const char *url)
{
	struct sender sender = {0};

	return parse_url(url, &sender);
}

static bool take_address(struct sender *sender, const char *text)
{
	uint16_t port = htons((uint16_t)strtoul(sender->port, NULL, 10));
	struct sockaddr_in *v4 = (struct sockaddr_in *)&sender->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&sender->address;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = port;
		sender->address_size = sizeof(*v4);
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = port;
		sender->address_size = sizeof(*v6);
	}
	return sender->address_size > 0;
}

/* The first address of a name, by getent(1): a static program cannot do what nsswitch.conf(5) may
 * ask for. */
static void look_up(struct sender *sender)
{
	char *words[] = {"getent", "ahosts", "--", sender->host, NULL};
	posix_spawn_file_actions_t actions;
	char text[INET6_ADDRSTRLEN + 1] = "";
	FILE *answer;
	int fds[2], r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return;
	answer = fdopen(fds[0], "r");
	r = answer ? posix_spawn_file_actions_init(&actions) : ENOMEM;
	if (r == 0) {
		r = posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
		r = r ? r : posix_spawnp(&pid, words[0], &actions, NULL, words, environ);
		(void)posix_spawn_file_actions_destroy(&actions);
	}
	close(fds[1]);
	if (r == 0) {
		if (fscanf(answer, "%46s", text) == 1)
			(void)take_address(sender, text);
		(void)waitpid(pid, NULL, 0);
	}
	if (answer)
		fclose(answer);
	else
		close(fds[0]);
}

static void resolve(struct sender *sender)
{
	if (take_address(sender, sender->host))
		return;
	look_up(sender);
	if (!sender->address_size)
		(void)snprintf(sender->why, sizeof(sender->why), "that name has no address");
}

static int confine(void)
{
	static const int allowed[] = {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(close),
		SCMP_SYS(poll), SCMP_SYS(connect), SCMP_SYS(getsockopt), SCMP_SYS(sendto),
		SCMP_SYS(recvfrom), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk),
		SCMP_SYS(madvise), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn),
		SCMP_SYS(clock_gettime), SCMP_SYS(restart_syscall)};

	return helper_confine(allowed, array_size(allowed), true);
}

/* ---- a request ------------------------------------------------------------------------------- */

static int open_connection(const struct sender *sender, int64_t until)
{
	_cleanup_close_ int fd =
		socket(sender->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = 0;
	socklen_t size = sizeof(error);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&sender->address, sender->address_size) < 0 &&
		errno != EINPROGRESS)
		return -errno;
	if (!helper_wait(fd, POLLOUT, until))
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error)
		return error ? -error : -errno;
	return take_fd(&fd);
}

static int send_all(int fd, const char *bytes, size_t size, int64_t until)
{
	while (size > 0) {
		ssize_t n;

		if (!helper_wait(fd, POLLOUT, until))
			return -ETIMEDOUT;
		n = send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return -errno;
		bytes += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The status of the answer, or -errno. */
static int read_status(int fd, int64_t until)
{
	char answer[64] = "";
	size_t used = 0;
	int status = 0;

	while (used < sizeof(answer) - 1 && !strchr(answer, '\n')) {
		ssize_t n;

		if (!helper_wait(fd, POLLIN, until))
			return -ETIMEDOUT;
		n = recv(fd, answer + used, sizeof(answer) - 1 - used, MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n == 0)
			break;
		used += n > 0 ? (size_t)n : 0;
		answer[used] = '\0';
	}
	if (sscanf(answer, "HTTP/1.%*[01] %3d", &status) != 1 || status < 100)
		return -EPROTO;
	return status;
}

static int post(struct sender *sender)
{
	const int64_t until = helper_now_ms() + ANSWER_MS;
	_cleanup_close_ int fd = open_connection(sender, until);
	const bool bracket = strchr(sender->host, ':');
	char head[1024];
	int length, r;

	if (fd < 0)
		return fd;
	length = snprintf(head, sizeof(head),
		"POST %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
		sender->path, bracket ? "[" : "", sender->host, bracket ? "]" : "", sender->port,
		sender->used + sizeof(opening) - 1 + sizeof(closing) - 1, opening);
	r = send_all(fd, head, (size_t)length, until);
	r = r < 0 ? r : send_all(fd, sender->batch, sender->used, until);
	r = r < 0 ? r : send_all(fd, closing, sizeof(closing) - 1, until);
	return r < 0 ? r : read_status(fd, until);
}

static void lose(struct sender *sender, const char *why)
{
	if (!sender->why[0])
		(void)snprintf(sender->why, sizeof(sender->why), "%s", why);
	sender->lost += sender->count;
}

static void flush(struct sender *sender)
{
	char why[64];
	int r;

	if (sender->count == 0)
		return;
	if (!sender->address_size || helper_now_ms() < sender->paused_until) {
		lose(sender, "it was away");
	} else {
		r = post(sender);
		if (r < 0)
			sender->paused_until = helper_now_ms() + PAUSE_MS;
		(void)snprintf(why, sizeof(why), "HTTP status %d", r);
		if (r < 200 || r > 299)
			lose(sender, r < 0 ? strerror(-r) : why);
	}
	sender->used = 0;
	sender->count = 0;
}

static void add_line(struct sender *sender, const char *line, size_t size)
{
	const size_t open = sizeof(opening) - 1, close = sizeof(closing) - 1;

	if (size <= open + close || memcmp(line, opening, open) != 0 ||
		memcmp(line + size - close, closing, close) != 0)
		return;
	size -= open + close;
	if (sender->used + size + 1 > BATCH_SIZE)
		flush(sender);
	if (size + 1 > BATCH_SIZE)
		return;
	if (sender->used > 0)
		sender->batch[sender->used++] = ',';
	memcpy(sender->batch + sender->used, line + open, size);
	sender->used += size;
	sender->count++;
}

/* ---- the process ----------------------------------------------------------------------------- */

static void run(struct sender *sender, int from)
{
	static char buffer[256 << 10];
	int64_t due = 0;
	size_t used = 0, at;

	for (;;) {
		const char *end;
		ssize_t n;

		if (sender->count > 0 && !helper_wait(from, POLLIN, due))
			flush(sender);
		n = read(from, buffer + used, sizeof(buffer) - used);
		if (n <= 0)
			break;
		used += (size_t)n;
		if (sender->count == 0)
			due = helper_now_ms() + POST_MS;
		for (at = 0; (end = memchr(buffer + at, '\n', used - at)) != NULL;) {
			add_line(sender, buffer + at, (size_t)(end - buffer) - at);
			at = (size_t)(end - buffer) + 1;
		}
		used -= at;
		memmove(buffer, buffer + at, used);
		/* Longer than a record is: none of ours. */
		if (used == sizeof(buffer))
			used = 0;
		if (sender->used > BATCH_ENOUGH)
			flush(sender);
	}
	flush(sender);
}

static _Noreturn void sender_process(const char *url, int from)
{
	struct sender sender = {0};
	sigset_t all;

	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)setpgid(0, 0);
	if (from != 3 && dup2(from, 3) == 3)
		from = 3;
	(void)close_range((unsigned)from + 1, ~0u, 0);
	(void)close(0);
	(void)close(1);
	(void)parse_url(url, &sender);
	sender.batch = malloc(BATCH_SIZE);
	if (sender.batch)
		resolve(&sender);
	if (!sender.batch || confine() < 0) {
		log_warning("--otlp: the process that sends spans could not start");
		_exit(1);
	}
	run(&sender, from);
	if (sender.lost)
		log_warning("--otlp: %lu span%s not taken by %s: %s", sender.lost,
			sender.lost == 1 ? " was" : "s were", url, sender.why);
	_exit(0);
}

int otlp_send_start(const char *url, int *ret_to)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	(void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE);
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		sender_process(url, ends[0]);
	}
	close(ends[0]);
	if (pid < 0) {
		close(ends[1]);
		return -errno;
	}
	*ret_to = ends[1];
	return pid;
}
