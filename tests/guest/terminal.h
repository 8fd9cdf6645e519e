/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_GUEST_TERMINAL_H
#define SENTRY_TESTS_GUEST_TERMINAL_H

/* Helpers for cases on terminals: a pair, typing, and what came out. */
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "case.h"

#define QUIET_MS 40 /* nothing more comes after so long a silence */

struct pair {
	int master, slave;
	char name[64];
};

/* The slave is not made a controlling terminal. */
static inline struct pair open_pair(void)
{
	struct pair pair;

	pair.master = posix_openpt(O_RDWR | O_NOCTTY);
	if (pair.master < 0 || grantpt(pair.master) < 0 || unlockpt(pair.master) < 0 ||
		ptsname_r(pair.master, pair.name, sizeof(pair.name)) != 0)
		abort();
	pair.slave = open(pair.name, O_RDWR | O_NOCTTY);
	if (pair.slave < 0)
		abort();
	return pair;
}

static inline void escape(char *out, size_t capacity, const unsigned char *bytes, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < size && at + 8 < capacity; i++) {
		if (bytes[i] >= ' ' && bytes[i] < 127 && bytes[i] != '\\')
			out[at++] = (char)bytes[i];
		else
			at += (size_t)snprintf(out + at, capacity - at, "\\%03o", bytes[i]);
	}
	out[at] = '\0';
}

/* Reads until nothing comes for a while; prints all as one. */
static inline void show(const char *what, int fd)
{
	unsigned char bytes[8192];
	char text[16384];
	size_t size = 0;
	ssize_t n = 1;

	for (;;) {
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

		if (poll(&poll_fd, 1, QUIET_MS) <= 0 || size == sizeof(bytes))
			break;
		n = read(fd, bytes + size, sizeof(bytes) - size);
		if (n <= 0)
			break;
		size += (size_t)n;
	}
	escape(text, sizeof(text), bytes, size);
	if (n < 0)
		NOTE("%s: \"%s\", then %s", what, text, errno_name(errno));
	else
		NOTE("%s: \"%s\"%s", what, text, n == 0 ? ", then end" : "");
}

/* One read, whose bytes are printed. */
static inline void read_once(const char *what, int fd, size_t size)
{
	unsigned char bytes[8192];
	char text[16384];
	ssize_t n = read(fd, bytes, size);

	if (n < 0) {
		NOTE("%s: %s", what, errno_name(errno));
		return;
	}
	escape(text, sizeof(text), bytes, (size_t)n);
	NOTE("%s: %zd \"%s\"", what, n, text);
}

static inline void settle(void)
{
	sleep_ms(QUIET_MS);
}

static inline void type(int master, const char *text)
{
	if (write(master, text, strlen(text)) != (ssize_t)strlen(text))
		NOTE("typing failed: %s", errno_name(errno));
	settle();
}

static inline void set_modes(int fd, tcflag_t iflag, tcflag_t oflag, tcflag_t lflag)
{
	struct termios termios;

	if (tcgetattr(fd, &termios) < 0)
		abort();
	termios.c_iflag = iflag;
	termios.c_oflag = oflag;
	termios.c_lflag = lflag;
	if (tcsetattr(fd, TCSANOW, &termios) < 0)
		NOTE("tcsetattr: %s", errno_name(errno));
}

static inline void set_character(int fd, int index, cc_t value)
{
	struct termios termios;

	if (tcgetattr(fd, &termios) < 0)
		abort();
	termios.c_cc[index] = value;
	if (tcsetattr(fd, TCSANOW, &termios) < 0)
		NOTE("tcsetattr: %s", errno_name(errno));
}

static inline void raw(int fd, cc_t min, cc_t time)
{
	set_modes(fd, 0, 0, 0);
	set_character(fd, VMIN, min);
	set_character(fd, VTIME, time);
}

static inline void note_poll(const char *what, int fd)
{
	struct pollfd poll_fd = {
		.fd = fd, .events = POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLWRNORM};
	int r = poll(&poll_fd, 1, 0);

	NOTE("%s: poll %d, events %#x", what, r, (unsigned)poll_fd.revents);
}

#define USUAL_LOCAL (ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN)
#define USUAL_INPUT (ICRNL | IXON)

#endif
