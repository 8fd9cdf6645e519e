/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/tty/ldisc_private.h"

/*
 * Output of the line discipline: OPOST and the echo.
 *
 * Both follow the cursor's column, for tabs and for erasing them. Echoes are processed when they
 * arise and wait as bytes when the output is stopped or full; writes go behind them, so the column
 * stays right. An echo that finds its own buffer full is lost, as on Linux.
 */

#define CHAR_OUTPUT_MAX 8 /* bytes that one character may become: a tab in spaces */

/* One character as OPOST makes it: the number of bytes in @out. Moves the column. */
static size_t process(struct ldisc *ldisc, uint8_t c, uint8_t out[CHAR_OUTPUT_MAX])
{
	unsigned spaces;

	out[0] = c;
	switch (c) {
	case '\n':
		if (oflag(ldisc, LX_ONLRET) || oflag(ldisc, LX_ONLCR))
			ldisc->column = 0;
		ldisc->canon_column = ldisc->column;
		if (!oflag(ldisc, LX_ONLCR))
			return 1;
		out[0] = '\r';
		out[1] = '\n';
		return 2;
	case '\r':
		if (oflag(ldisc, LX_ONOCR) && ldisc->column == 0)
			return 0;
		if (oflag(ldisc, LX_OCRNL))
			out[0] = '\n';
		if (!oflag(ldisc, LX_OCRNL) || oflag(ldisc, LX_ONLRET))
			ldisc->column = ldisc->canon_column = 0;
		return 1;
	case '\t':
		spaces = 8 - (ldisc->column & 7);
		ldisc->column += spaces;
		if ((ldisc->termios.c_oflag & LX_TABDLY) != LX_XTABS)
			return 1;
		memset(out, ' ', spaces);
		return spaces;
	case '\b':
		if (ldisc->column > 0)
			ldisc->column--;
		return 1;
	default:
		if (is_control(c))
			return 1;
		if (oflag(ldisc, LX_OLCUC) && is_lower(c))
			out[0] = (uint8_t)(c - 'a' + 'A');
		if (!is_continuation(ldisc, c))
			ldisc->column++;
		return 1;
	}
}

bool ldisc_writable(const struct ldisc *ldisc)
{
	return !ldisc->stopped && byte_queue_room(&ldisc->output) >= CHAR_OUTPUT_MAX &&
	       !ldisc->echo.size;
}

size_t ldisc_write(struct ldisc *ldisc, const uint8_t *bytes, size_t size)
{
	uint8_t out[CHAR_OUTPUT_MAX];
	size_t done = 0;

	ldisc_push_echo(ldisc);
	if (ldisc->stopped || ldisc->echo.size)
		return 0;
	if (!oflag(ldisc, LX_OPOST)) {
		done = byte_queue_room(&ldisc->output);
		done = done < size ? done : size;
		(void)byte_queue_put(&ldisc->output, bytes, done);
		return done;
	}
	while (done < size && byte_queue_room(&ldisc->output) >= CHAR_OUTPUT_MAX) {
		size_t count = process(ldisc, bytes[done++], out);

		(void)byte_queue_put(&ldisc->output, out, count);
	}
	return done;
}

void ldisc_send_raw(struct ldisc *ldisc, uint8_t byte)
{
	(void)byte_queue_put(&ldisc->output, &byte, 1);
}

size_t ldisc_take_output(struct ldisc *ldisc, uint8_t *buffer, size_t size)
{
	size_t done = 0;

	while (done < size && ldisc->output.size) {
		const uint8_t *bytes;
		size_t count = byte_queue_front(&ldisc->output, &bytes);

		count = count < size - done ? count : size - done;
		memcpy(buffer + done, bytes, count);
		byte_queue_drop(&ldisc->output, count);
		done += count;
	}
	ldisc_push_echo(ldisc);
	return done;
}

void ldisc_flush_output(struct ldisc *ldisc)
{
	if (ldisc->output.size > LDISC_OUTPUT_ARRIVED)
		ldisc->output.size = LDISC_OUTPUT_ARRIVED;
	byte_queue_clear(&ldisc->echo);
	ldisc->events->flushed(ldisc, false, true);
}

/* ---- echo ---- */

void ldisc_push_echo(struct ldisc *ldisc)
{
	while (!ldisc->stopped && ldisc->echo.size && byte_queue_room(&ldisc->output)) {
		size_t room = byte_queue_room(&ldisc->output);
		const uint8_t *bytes;
		size_t count = byte_queue_front(&ldisc->echo, &bytes);

		count = count < room ? count : room;
		(void)byte_queue_put(&ldisc->output, bytes, count);
		byte_queue_drop(&ldisc->echo, count);
	}
}

static void queue_echo(struct ldisc *ldisc, const uint8_t *bytes, size_t size)
{
	if (byte_queue_room(&ldisc->echo) < size)
		ldisc_push_echo(ldisc);
	(void)byte_queue_put(&ldisc->echo, bytes, size);
}

void ldisc_echo_raw(struct ldisc *ldisc, uint8_t c)
{
	uint8_t out[CHAR_OUTPUT_MAX];

	if (oflag(ldisc, LX_OPOST))
		queue_echo(ldisc, out, process(ldisc, c, out));
	else
		queue_echo(ldisc, &c, 1);
}

void ldisc_echo(struct ldisc *ldisc, uint8_t c)
{
	uint8_t shown[2] = {'^', c ^ 0100};

	if (!lflag(ldisc, LX_ECHOCTL) || !is_control(c) || c == '\t') {
		ldisc_echo_raw(ldisc, c);
		return;
	}
	queue_echo(ldisc, shown, sizeof(shown));
	ldisc->column += 2;
}

void ldisc_echo_back(struct ldisc *ldisc, unsigned count)
{
	const uint8_t back = '\b';

	for (; count; count--) {
		queue_echo(ldisc, &back, 1);
		if (ldisc->column > 0)
			ldisc->column--;
	}
}
