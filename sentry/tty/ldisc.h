/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_TTY_LDISC_H
#define SENTRY_SENTRY_TTY_LDISC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/ioctl.h"
#include "sentry/tty/byte_queue.h"

/*
 * The line discipline N_TTY: what a terminal does between the keyboard and read(2), and between
 * write(2) and the screen (termios(3)). It knows neither tasks nor files: bytes go in, bytes come
 * out, and what concerns others is told through struct ldisc_events. Nothing here sleeps.
 */

#define LDISC_INPUT_SIZE  4096	/* the longest line is one less and its newline (termios(3)) */
#define LDISC_OUTPUT_SIZE 16384 /* processed bytes that the host side has not taken */
/* Of these, so many have arrived in the master's own buffer: no flush takes them back. */
#define LDISC_OUTPUT_ARRIVED 4095
#define LDISC_ECHO_SIZE	     4096 /* echoes that wait for room in the output */

struct ldisc;

struct ldisc_events {
	/* A character raised SIGINT, SIGQUIT or SIGTSTP for the foreground group. */
	void (*signal)(struct ldisc *ldisc, int signo);
	/* Output was stopped or goes on. */
	void (*flow)(struct ldisc *ldisc, bool stopped);
	/* Unread input / output that the host side has not taken was thrown away. */
	void (*flushed)(struct ldisc *ldisc, bool input, bool output);
};

struct ldisc {
	const struct ldisc_events *events;
	struct lx_termios2 termios;
	/*
	 * Input: bytes [tail, head) of free-running positions. In canonical mode those before
	 * canon_head are lines that are complete; a set bit in line_ends marks the last byte of
	 * one, and a marked NUL (VEOF's place) is not given to the reader.
	 */
	uint32_t tail, canon_head, head;
	uint8_t input[LDISC_INPUT_SIZE];
	uint64_t line_ends[LDISC_INPUT_SIZE / 64];
	bool literal_next; /* VLNEXT came */
	bool erasing;	   /* ECHOPRT: within \.../ */
	/* Output. */
	bool stopped;	       /* by VSTOP or by tcflow(3) */
	bool stopped_by_call;  /* by tcflow(3): VSTART does not help */
	unsigned column;       /* where the cursor is */
	unsigned canon_column; /* where the line that is being typed began */
	struct byte_queue output, echo;
	uint8_t output_bytes[LDISC_OUTPUT_SIZE], echo_bytes[LDISC_ECHO_SIZE];
};

/* The standard settings (tty_std_termios): canonical, echoing, 38400 8N1. */
void ldisc_init(struct ldisc *ldisc, const struct ldisc_events *events);
void ldisc_reset_termios(struct ldisc *ldisc);
/* Changes modes; what is in the input is seen in the new light, as n_tty_set_termios() does. */
void ldisc_set_termios(struct ldisc *ldisc, const struct lx_termios2 *termios);

/* Typed bytes. Returns how many were taken: fewer when the input is full and a reader must come
 * first. */
size_t ldisc_receive(struct ldisc *ldisc, const uint8_t *bytes, size_t size);

/* Bytes of a write(2): returns how many were processed into the output; fewer, down to 0, while
 * there is no room or it is stopped. */
size_t ldisc_write(struct ldisc *ldisc, const uint8_t *bytes, size_t size);
bool ldisc_writable(const struct ldisc *ldisc);
/* Past OPOST and stops: TCIOFF and TCION. */
void ldisc_send_raw(struct ldisc *ldisc, uint8_t byte);
/* Takes up to @size bytes of output. Echoes that waited move up. */
size_t ldisc_take_output(struct ldisc *ldisc, uint8_t *buffer, size_t size);

/*
 * Moves input to a reader, at most @size bytes and in canonical mode at most one line.
 * *ret_line_end: a line ended with it, and the read is over whatever was moved (0 bytes: end of
 * file). @size 0 in canonical mode passes over an end of file that directly follows.
 */
size_t ldisc_read(struct ldisc *ldisc, uint8_t *buffer, size_t size, bool *ret_line_end);
/* Would a read find something? @poll: as poll(2) sees it, that is with VMIN. */
bool ldisc_readable(const struct ldisc *ldisc, bool poll);
size_t ldisc_input_size(const struct ldisc *ldisc); /* FIONREAD */
/* Nothing will be typed any more: an unfinished line is given to readers as it is. */
void ldisc_end_line(struct ldisc *ldisc);
bool ldisc_canonical(const struct ldisc *ldisc);

void ldisc_flush_input(struct ldisc *ldisc);
void ldisc_flush_output(struct ldisc *ldisc);
void ldisc_stop(struct ldisc *ldisc);
void ldisc_start(struct ldisc *ldisc);

#endif
