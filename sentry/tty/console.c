/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "abi/fcntl.h"
#include "base/checked.h"
#include "base/loop.h"
#include "sentry/kernel_private.h"
#include "sentry/tty/tty_private.h"

/*
 * The terminal of `sentry run -t`: /dev/pts/0, whose host side is a stream socket to the launcher.
 *
 * Nothing here waits. Typed bytes are received while the terminal has room for them, and the
 * socket's own buffer holds back the launcher else; output is sent when it arises, and what the
 * socket does not take stays in the terminal, where it holds back the writers. When the launcher
 * ends its input (its stdin was a file, say), readers find an end of file once all is read; when it
 * closes the socket, the terminal is hung up.
 */

#define CHUNK_SIZE     4096
#define DRAIN_LIMIT_MS 1000

static struct {
	struct tty *tty; /* owned; NULL without -t */
	struct loop_fd socket;
	bool watched, input_ended;
	size_t unsent_start, unsent_size; /* taken from the terminal, not by the socket */
	uint8_t unsent[CHUNK_SIZE];
} console;

static void update_events(void)
{
	uint32_t events = 0;

	if (!console.watched)
		return;
	if (!console.input_ended && !tty_input_full(console.tty))
		events |= EPOLLIN;
	if (console.unsent_size || console.tty->ldisc.output.size)
		events |= EPOLLOUT;
	if (events != console.socket.events)
		(void)loop_fd_modify(&console.socket, events);
}

static void hang_up(void)
{
	if (!console.watched)
		return;
	console.watched = false;
	loop_fd_remove(&console.socket);
	tty_hangup(console.tty);
}

/* Sends what there is. 0 when all is gone, -EAGAIN, or an error of the socket. */
static int send_output(void)
{
	for (;;) {
		ssize_t sent;

		if (!console.unsent_size) {
			console.unsent_start = 0;
			console.unsent_size = tty_take_output(
				console.tty, console.unsent, sizeof(console.unsent));
			if (!console.unsent_size)
				return 0;
			/* What is beyond the limit is dropped: nobody could wait for room. */
			console.unsent_size = (size_t)output_take(console.unsent_size);
			if (!console.unsent_size)
				continue;
		}
		sent = send(console.socket.fd, console.unsent + console.unsent_start,
			console.unsent_size, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
		console.unsent_start += (size_t)sent;
		console.unsent_size -= (size_t)sent;
	}
}

static void host_output(struct tty *tty)
{
	if (!console.watched)
		return;
	/* Told to wait already: the loop will say when there is room. */
	if (!(console.socket.events & EPOLLOUT))
		(void)send_output();
	update_events();
}

static void host_input_room(struct tty *tty)
{
	update_events();
}

static void receive_input(void)
{
	uint8_t bytes[CHUNK_SIZE];
	size_t room = byte_queue_room(&console.tty->pending);
	ssize_t got;

	if (!room)
		return;
	got = recv(console.socket.fd, bytes, min_of(room, sizeof(bytes)), MSG_DONTWAIT);
	if (got > 0) {
		(void)tty_input(console.tty, bytes, (size_t)got);
		return;
	}
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	console.input_ended = true;
	tty_input_end(console.tty);
}

static void socket_ready(struct loop_fd *self, uint32_t events)
{
	int r;

	if (events & EPOLLIN)
		receive_input();
	r = events & EPOLLOUT ? send_output() : 0;
	if (r < 0 && r != -EAGAIN)
		events |= EPOLLERR;
	if ((events & (EPOLLHUP | EPOLLERR)) && (console.input_ended || !(events & EPOLLIN))) {
		hang_up();
		return;
	}
	update_events();
}

static void nothing(struct tty *tty)
{
}

static const struct tty_host_ops console_ops = {
	.output = host_output,
	.input_room = host_input_room,
	.opened = nothing,
	.closed = nothing,
};

static void take_keys(struct lx_termios2 *termios, const struct kernel_config *config)
{
	for (unsigned i = 0; i < LX_NCCS; i++)
		if (i != LX_VMIN && i != LX_VTIME)
			termios->c_cc[i] = config->keys[i];
	if (config->utf8)
		termios->c_iflag |= LX_IUTF8;
}

int console_init(const struct kernel_config *config, const struct cred *owner)
{
	struct tty *tty;
	int r = tty_new(&console_ops, NULL, 0, &tty);

	if (r < 0)
		return r;
	r = devpts_add_first(tty, owner);
	if (r < 0) {
		tty_unref(tty);
		return r;
	}
	console.socket =
		(struct loop_fd){.fd = config->stdio[0], .events = EPOLLIN, .ready = socket_ready};
	r = loop_fd_add(&console.socket);
	if (r < 0) {
		devpts_remove(tty);
		tty_unref(tty);
		return r;
	}
	console.tty = tty;
	console.watched = true;
	tty->winsize = (struct lx_winsize){.ws_row = config->rows, .ws_col = config->columns};
	if (config->keys_known)
		take_keys(&tty->ldisc.termios, config);
	return 0;
}

int console_open(const struct vfs_ctx *ctx, struct file **ret)
{
	return devpts_open(console.tty, LX_O_RDWR, ctx, ret);
}

void console_attach(struct thread_group *group)
{
	if (console.tty)
		tty_set_controlling(console.tty, group);
}

struct pid *console_foreground(void)
{
	return console.tty ? console.tty->pgrp : NULL;
}

void kernel_window_changed(uint16_t rows, uint16_t columns)
{
	struct lx_winsize size = {.ws_row = rows, .ws_col = columns};

	if (console.tty)
		tty_set_winsize(console.tty, &size);
}

void console_drain(void)
{
	uint64_t deadline = loop_monotonic_now() + DRAIN_LIMIT_MS * 1000000ull;

	if (!console.watched)
		return;
	while (send_output() == -EAGAIN) {
		struct pollfd fd = {.fd = console.socket.fd, .events = POLLOUT};
		uint64_t now = loop_monotonic_now();
		struct timespec left;

		if (now >= deadline)
			return;
		left = (struct timespec){.tv_sec = (time_t)((deadline - now) / 1000000000),
			.tv_nsec = (long)((deadline - now) % 1000000000)};
		if (ppoll(&fd, 1, &left, NULL) <= 0)
			return;
	}
}
