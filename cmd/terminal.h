/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_TERMINAL_H
#define SENTRY_CMD_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

/*
 * The launcher's side of -t. The guest's terminal is the Sentry's own; its bytes travel over a
 * socket, and the launcher copies between that socket and our stdin and stdout, whose terminal (if
 * it is one) is in raw mode meanwhile. The guest never holds a descriptor of the host's terminal,
 * so TIOCSTI and its kin have nothing to act on.
 */
struct relay {
	int from, to;	   /* -1 when ended */
	bool to_is_socket; /* half-close it at the end of input */
	size_t start, end; /* unwritten bytes in data */
	/* Sees what was read, first; NULL: nobody. */
	void (*tap)(void *context, const char *bytes, size_t size);
	void *tap_context;
	char data[16384];
};

struct terminal {
	bool raw; /* stdin was a terminal and is raw now */
	struct termios saved;
	struct relay input, output;
};

/* @socket stays the caller's. */
void terminal_open(struct terminal *terminal, int socket);
/* Gives the host's terminal its mode back; safe to call twice and from the way out of a fatal
 * signal. */
void terminal_restore(struct terminal *terminal);
/* One step of a relay after poll(2) said so: reads when empty, writes when not. */
void relay_step(struct relay *relay, short revents_from, short revents_to);
/* Copies what is left without waiting long. */
void relay_drain(struct relay *relay);
bool terminal_window(uint16_t *ret_rows, uint16_t *ret_columns);
/* The special characters of stdin's terminal, and whether it takes UTF-8; false when it is none.
 * Before terminal_open(). */
bool terminal_keys(uint8_t ret_keys[NCCS], bool *ret_utf8);

#endif
