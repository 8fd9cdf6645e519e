/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest HTTP server (RFC 9112) that Prometheus needs: one client at a time, one request
 * each, GET or HEAD of /metrics. A client has REQUEST_MS to say what it wants in REQUEST_MAX bytes
 * and as long to take the answer; whoever is slower is hung up on, so that nobody keeps others
 * waiting.
 *
 * What it tells (commands, what was refused) is not for everybody: a Unix socket is the user's
 * alone, and addresses are loopback's. Pages in browsers reach loopback too, by names that lead
 * there: a request for another host is refused.
 */
#include "cmd/live/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/helper.h"

#define REQUEST_MAX 8192u
#define REQUEST_MS  2000

union address {
	struct sockaddr any;
	struct sockaddr_un un;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* ---- where ----------------------------------------------------------------------------------- */

static int bad_address(const char *text, const char *why)
{
	log_error("metrics: --listen: '%s': %s", text, why);
	return -EINVAL;
}

static int parse_port(const char *text, in_port_t *ret)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || port > 65535)
		return -EINVAL;
	*ret = htons((in_port_t)port);
	return 0;
}

static int parse_inet(const char *text, union address *ret)
{
	const char *colon = strrchr(text, ':');
	char host[64] = "";
	bool loopback;
	in_port_t port;

	if (!colon || colon == text || (size_t)(colon - text) >= sizeof(host) ||
		parse_port(colon + 1, &port) < 0)
		return bad_address(text, "is neither unix:PATH nor 127.0.0.1:PORT nor [::1]:PORT");
	memcpy(host, text, (size_t)(colon - text));
	if (strcmp(host, "localhost") == 0)
		(void)snprintf(host, sizeof(host), "127.0.0.1");
	if (host[0] == '[' && host[strlen(host) - 1] == ']') {
		host[strlen(host) - 1] = '\0';
		ret->in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
		if (inet_pton(AF_INET6, host + 1, &ret->in6.sin6_addr) != 1)
			return bad_address(text, "is no address");
		loopback = IN6_IS_ADDR_LOOPBACK(&ret->in6.sin6_addr);
	} else {
		ret->in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
		if (inet_pton(AF_INET, host, &ret->in.sin_addr) != 1)
			return bad_address(text, "is no address");
		loopback = ntohl(ret->in.sin_addr.s_addr) >> 24 == 127;
	}
	if (!loopback)
		return bad_address(text, "is not a loopback address; what runs here, and what it "
					 "was refused, is not told to the network");
	return 0;
}

static int parse_unix(const char *text, const char *path, union address *ret)
{
	ret->un = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!*path || strlen(path) >= sizeof(ret->un.sun_path))
		return bad_address(text, "the path is empty or too long for a socket");
	memcpy(ret->un.sun_path, path, strlen(path));
	return 0;
}

static socklen_t address_size(const union address *address)
{
	return address->any.sa_family == AF_UNIX   ? sizeof(address->un)
	       : address->any.sa_family == AF_INET ? sizeof(address->in)
						   : sizeof(address->in6);
}

/* What a server that died left there. One that lives answers. */
static void remove_stale(const union address *address)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat stat;

	if (lstat(address->un.sun_path, &stat) < 0 || !S_ISSOCK(stat.st_mode) || fd < 0)
		return;
	if (connect(fd, &address->any, sizeof(address->un)) < 0 && errno == ECONNREFUSED)
		(void)unlink(address->un.sun_path);
}

static int open_socket(const union address *address, const char *text)
{
	const int on = 1;
	_cleanup_close_ int fd =
		socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask;
	int r;

	if (fd < 0)
		return bad_address(text, strerror(errno));
	if (address->any.sa_family == AF_UNIX)
		remove_stale(address);
	else
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	mask = umask(077);
	r = bind(fd, &address->any, address_size(address)) < 0 ? -errno : 0;
	(void)umask(mask);
	if (r < 0 || listen(fd, 16) < 0)
		return bad_address(text, strerror(r < 0 ? -r : errno));
	return take_fd(&fd);
}

/* Port 0 is one that the host chooses. */
static void say_where(int fd, const char *text)
{
	union address address = {0};
	socklen_t size = sizeof(address);
	char host[INET6_ADDRSTRLEN] = "";

	if (getsockname(fd, &address.any, &size) < 0 || address.any.sa_family == AF_UNIX) {
		log_info("metrics: on %s", text);
	} else if (address.any.sa_family == AF_INET) {
		(void)inet_ntop(AF_INET, &address.in.sin_addr, host, sizeof(host));
		log_info("metrics: on http://%s:%u/metrics", host, ntohs(address.in.sin_port));
	} else {
		(void)inet_ntop(AF_INET6, &address.in6.sin6_addr, host, sizeof(host));
		log_info("metrics: on http://[%s]:%u/metrics", host, ntohs(address.in6.sin6_port));
	}
}

/* ---- a request ------------------------------------------------------------------------------- */

/* Up to the empty line. The HTTP status that it deserves when there is none; 0. */
static int read_request(int fd, char request[REQUEST_MAX + 1])
{
	const int64_t until = helper_now_ms() + REQUEST_MS;
	size_t used = 0;

	while (helper_wait(fd, POLLIN, until)) {
		ssize_t n = recv(fd, request + used, REQUEST_MAX - used, MSG_DONTWAIT);

		if (n == 0)
			return -1;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -1;
		used += n > 0 ? (size_t)n : 0;
		request[used] = '\0';
		if (strlen(request) != used)
			return 400;
		if (strstr(request, "\r\n\r\n") || strstr(request, "\n\n"))
			return 0;
		if (used == REQUEST_MAX)
			return 431;
	}
	return 408;
}

/* "127.0.0.1:9100", "localhost", "[::1]". A Unix socket is reached by no page of a browser. */
static bool is_local_host(const char *value)
{
	size_t size;

	value += strspn(value, " \t");
	size = *value == '[' ? strcspn(value, "]\r\n") + 1 : strcspn(value, ": \t\r\n");
	if (size == 9 && strncasecmp(value, "localhost", size) == 0)
		return true;
	if (size == 5 && strncmp(value, "[::1]", size) == 0)
		return true;
	return strncmp(value, "127.", 4) == 0 && strspn(value, "0123456789.") == size;
}

static bool host_allowed(const char *request)
{
	for (const char *line = strchr(request, '\n'); line; line = strchr(line + 1, '\n'))
		if (strncasecmp(line + 1, "host:", 5) == 0)
			return is_local_host(line + 6);
	return true;
}

static int judge(const char *request, bool on_network, bool *ret_head)
{
	size_t method = strcspn(request, " \r\n");
	const char *target = request + method + 1;
	size_t size;

	if (request[method] != ' ')
		return 400;
	*ret_head = method == 4 && memcmp(request, "HEAD", 4) == 0;
	if (!*ret_head && !(method == 3 && memcmp(request, "GET", 3) == 0))
		return 405;
	size = strcspn(target, " ?\r\n");
	if (strncmp(target + strcspn(target, " \r\n"), " HTTP/1.", 8) != 0)
		return 400;
	if (on_network && !host_allowed(request))
		return 403;
	return size == 8 && memcmp(target, "/metrics", 8) == 0 ? 200 : 404;
}

static const char *reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 431:
		return "Request Header Fields Too Large";
	default:
		return "Internal Server Error";
	}
}

static void send_all(int fd, const char *bytes, size_t size)
{
	const int64_t until = helper_now_ms() + REQUEST_MS;

	while (size > 0 && helper_wait(fd, POLLOUT, until)) {
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return;
		bytes += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
}

/* The body of an answer; owned. */
static char *make_body(int *status, size_t *ret_size)
{
	struct state_list list = {0};
	char *body = NULL;
	FILE *out;

	if (*status == 200 && state_read(&list) < 0)
		*status = 500;
	out = open_memstream(&body, ret_size);
	if (!out) {
		state_list_free(&list);
		return NULL;
	}
	if (*status == 200)
		metrics_write(&list, out);
	else
		fprintf(out, "%d %s\n", *status, reason(*status));
	state_list_free(&list);
	if (fclose(out) != 0) {
		free(body);
		return NULL;
	}
	return body;
}

static void answer(int fd, bool on_network)
{
	char request[REQUEST_MAX + 1] = "", head[256];
	_cleanup_free_ char *body = NULL;
	bool head_only = false;
	size_t size = 0;
	int status = read_request(fd, request), length;

	if (status < 0)
		return;
	if (status == 0)
		status = judge(request, on_network, &head_only);
	body = make_body(&status, &size);
	if (!body)
		return;
	length = snprintf(head, sizeof(head),
		"HTTP/1.1 %d %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
		"Content-Length: %zu\r\n%sConnection: close\r\n\r\n",
		status, reason(status), size, status == 405 ? "Allow: GET, HEAD\r\n" : "");
	send_all(fd, head, (size_t)length);
	if (!head_only)
		send_all(fd, body, size);
	/* What a bad client still sends must not turn the answer into a reset. */
	(void)shutdown(fd, SHUT_WR);
	for (int i = 0; i < 16 && helper_wait(fd, POLLIN, helper_now_ms() + 100); i++)
		if (recv(fd, request, REQUEST_MAX, MSG_DONTWAIT) <= 0)
			break;
}

/* ---- the server ------------------------------------------------------------------------------ */

static int end_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int metrics_serve(const char *address)
{
	union address where = {0};
	_cleanup_close_ int listener = -1, signals = -1;
	bool local = strncmp(address, "unix:", 5) == 0;
	int r = local ? parse_unix(address, address + 5, &where) : parse_inet(address, &where);

	if (r < 0)
		return 125;
	listener = open_socket(&where, address);
	signals = end_signals();
	if (listener < 0 || signals < 0)
		return 125;
	log_set_level(LOG_INFO);
	say_where(listener, address);
	for (;;) {
		struct pollfd fds[] = {
			{.fd = listener, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
		_cleanup_close_ int client = -1;

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		if (fds[1].revents)
			break;
		client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (client >= 0)
			answer(client, !local);
	}
	if (local)
		(void)unlink(where.un.sun_path);
	return 0;
}
