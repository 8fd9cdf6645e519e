/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/terminal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"

void terminal_open(struct terminal *terminal, int socket)
{
	struct termios raw;

	*terminal = (struct terminal){
		.input = {.from = STDIN_FILENO, .to = socket, .to_is_socket = true},
		.output = {.from = socket, .to = STDOUT_FILENO},
	};
	/* A reader of our stdout that goes away must not keep us from restoring the terminal. */
	(void)signal(SIGPIPE, SIG_IGN);
	if (tcgetattr(STDIN_FILENO, &terminal->saved) < 0)
		return;
	raw = terminal->saved;
	cfmakeraw(&raw);
	terminal->raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

void terminal_restore(struct terminal *terminal)
{
	if (terminal->raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->saved);
	terminal->raw = false;
}

static void relay_end(struct relay *relay)
{
	if (relay->to_is_socket && relay->to >= 0)
		(void)shutdown(relay->to, SHUT_WR);
	/* Nobody looks any more: what is written there is in vain, which hangs the terminal up. */
	if (!relay->to_is_socket && relay->from >= 0)
		(void)shutdown(relay->from, SHUT_RD);
	relay->from = relay->to = -1;
}

void relay_step(struct relay *relay, short revents_from, short revents_to)
{
	ssize_t n;

	if (relay->from < 0)
		return;
	if (relay->start == relay->end && (revents_from & (POLLIN | POLLHUP | POLLERR))) {
		n = read(relay->from, relay->data, sizeof(relay->data));
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			return;
		if (n <= 0) {
			relay_end(relay);
			return;
		}
		relay->start = 0;
		relay->end = (size_t)n;
		if (relay->tap)
			relay->tap(relay->tap_context, relay->data, (size_t)n);
		return;
	}
	if (relay->start < relay->end && (revents_to & (POLLOUT | POLLHUP | POLLERR))) {
		/* So much goes into a pipe that has room without waiting, pipe(7). */
		n = write(relay->to, relay->data + relay->start,
			min_of(relay->end - relay->start, (size_t)PIPE_BUF));
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			return;
		if (n < 0) {
			relay_end(relay);
			return;
		}
		relay->start += (size_t)n;
	}
}

void relay_drain(struct relay *relay)
{
	while (relay->from >= 0) {
		struct pollfd fd = {.fd = relay->from, .events = POLLIN};

		if (relay->start < relay->end) {
			fd = (struct pollfd){.fd = relay->to, .events = POLLOUT};
			if (poll(&fd, 1, 1000) <= 0)
				return;
			relay_step(relay, 0, fd.revents);
		} else {
			if (poll(&fd, 1, 0) <= 0)
				return;
			relay_step(relay, fd.revents, 0);
		}
	}
}

bool terminal_keys(uint8_t ret_keys[NCCS], bool *ret_utf8)
{
	struct termios termios;

	if (tcgetattr(STDIN_FILENO, &termios) < 0)
		return false;
	memcpy(ret_keys, termios.c_cc, NCCS);
	*ret_utf8 = termios.c_iflag & IUTF8;
	return true;
}

bool terminal_window(uint16_t *ret_rows, uint16_t *ret_columns)
{
	struct winsize size;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) < 0 &&
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return false;
	*ret_rows = size.ws_row;
	*ret_columns = size.ws_col;
	return true;
}
