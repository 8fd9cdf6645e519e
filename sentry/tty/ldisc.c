/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/tty/ldisc.h"

#include <stdbool.h>
#include <string.h>

#include "abi/signal.h"
#include "sentry/tty/ldisc_private.h"

/*
 * Input of the line discipline: typed bytes, signals, flow control, lines, and reading. Editing and
 * echo are in ldisc_edit.c, output in ldisc_output.c. The behaviour is that of Linux'
 * drivers/tty/n_tty.c, as seen from its users.
 *
 * The buffer always keeps one place free for the end of a line. When a line in the making fills it,
 * what is typed further replaces the last byte until the line ends; when complete lines or raw
 * bytes fill it, ldisc_receive() takes no more and the sender waits.
 */

static const uint8_t standard_characters[LX_NCCS] = {
	[LX_VINTR] = 3,
	[LX_VQUIT] = 28,
	[LX_VERASE] = 127,
	[LX_VKILL] = 21,
	[LX_VEOF] = 4,
	[LX_VMIN] = 1,
	[LX_VSTART] = 17,
	[LX_VSTOP] = 19,
	[LX_VSUSP] = 26,
	[LX_VREPRINT] = 18,
	[LX_VDISCARD] = 15,
	[LX_VWERASE] = 23,
	[LX_VLNEXT] = 22,
};

void ldisc_reset_termios(struct ldisc *ldisc)
{
	ldisc->termios = (struct lx_termios2){
		.c_iflag = LX_ICRNL | LX_IXON,
		.c_oflag = LX_OPOST | LX_ONLCR,
		.c_cflag = LX_B38400 | LX_CS8 | LX_CREAD,
		.c_lflag = LX_ISIG | LX_ICANON | LX_ECHO | LX_ECHOE | LX_ECHOK | LX_ECHOCTL |
			   LX_ECHOKE | LX_IEXTEN,
		.c_ispeed = 38400,
		.c_ospeed = 38400,
	};
	memcpy(ldisc->termios.c_cc, standard_characters, sizeof(standard_characters));
}

void ldisc_init(struct ldisc *ldisc, const struct ldisc_events *events)
{
	memset(ldisc, 0, sizeof(*ldisc));
	ldisc->events = events;
	ldisc->output =
		(struct byte_queue){.data = ldisc->output_bytes, .capacity = LDISC_OUTPUT_SIZE};
	ldisc->echo = (struct byte_queue){.data = ldisc->echo_bytes, .capacity = LDISC_ECHO_SIZE};
	ldisc_reset_termios(ldisc);
}

bool ldisc_canonical(const struct ldisc *ldisc)
{
	return lflag(ldisc, LX_ICANON) && !lflag(ldisc, LX_EXTPROC);
}

/* ---- the buffer ---- */

static bool line_end_at(const struct ldisc *ldisc, uint32_t at)
{
	at %= LDISC_INPUT_SIZE;
	return ldisc->line_ends[at / 64] >> (at % 64) & 1;
}

static void mark_line_end(struct ldisc *ldisc, uint32_t at, bool set)
{
	uint64_t bit = 1ull << (at % 64);

	at = at % LDISC_INPUT_SIZE / 64;
	ldisc->line_ends[at] = set ? ldisc->line_ends[at] | bit : ldisc->line_ends[at] & ~bit;
}

static void put_byte(struct ldisc *ldisc, uint8_t c)
{
	/* Never more than the array, whatever marks and doublings were added. */
	if (ldisc->head - ldisc->tail == LDISC_INPUT_SIZE)
		ldisc->head--;
	ldisc->input[ldisc->head % LDISC_INPUT_SIZE] = c;
	ldisc->head++;
}

/* An \377 that was typed is told from one that marks an error. */
static void put_data(struct ldisc *ldisc, uint8_t c)
{
	if (c == 0xff && iflag(ldisc, LX_PARMRK))
		put_byte(ldisc, c);
	put_byte(ldisc, c);
}

static void put_line_end(struct ldisc *ldisc, uint8_t c)
{
	put_byte(ldisc, c);
	mark_line_end(ldisc, ldisc->head - 1, true);
	ldisc->canon_head = ldisc->head;
}

void ldisc_end_line(struct ldisc *ldisc)
{
	if (ldisc_canonical(ldisc) && ldisc->head != ldisc->canon_head)
		put_line_end(ldisc, 0);
}

void ldisc_flush_input(struct ldisc *ldisc)
{
	ldisc->head = ldisc->tail = ldisc->canon_head = 0;
	ldisc->erasing = false;
	memset(ldisc->line_ends, 0, sizeof(ldisc->line_ends));
	ldisc->events->flushed(ldisc, true, false);
}

void ldisc_set_termios(struct ldisc *ldisc, const struct lx_termios2 *termios)
{
	struct lx_termios2 old = ldisc->termios;

	ldisc->termios = *termios;
	if ((old.c_lflag ^ termios->c_lflag) & (LX_ICANON | LX_EXTPROC)) {
		memset(ldisc->line_ends, 0, sizeof(ldisc->line_ends));
		ldisc->canon_head = ldisc->tail;
		/* What was typed so far is a line of its own for canonical readers. */
		if (lflag(ldisc, LX_ICANON) && ldisc->head != ldisc->tail) {
			mark_line_end(ldisc, ldisc->head - 1, true);
			ldisc->canon_head = ldisc->head;
		}
		ldisc->erasing = false;
		ldisc->literal_next = false;
	}
	/* Nothing that could be typed would start the output again. */
	if (!iflag(ldisc, LX_IXON) && (old.c_iflag & LX_IXON))
		ldisc_start(ldisc);
}

/* ---- flow and signals ---- */

void ldisc_stop(struct ldisc *ldisc)
{
	if (ldisc->stopped)
		return;
	ldisc->stopped = true;
	ldisc->events->flow(ldisc, true);
}

void ldisc_start(struct ldisc *ldisc)
{
	if (!ldisc->stopped || ldisc->stopped_by_call)
		return;
	ldisc->stopped = false;
	ldisc->events->flow(ldisc, false);
	ldisc_push_echo(ldisc);
}

static void signal_typed(struct ldisc *ldisc, int signo, uint8_t c)
{
	ldisc->events->signal(ldisc, signo);
	if (!lflag(ldisc, LX_NOFLSH)) {
		ldisc_flush_output(ldisc);
		ldisc_flush_input(ldisc);
	}
	if (iflag(ldisc, LX_IXON))
		ldisc_start(ldisc);
	if (lflag(ldisc, LX_ECHO))
		ldisc_echo(ldisc, c);
	ldisc_push_echo(ldisc);
}

static bool flow_or_signal(struct ldisc *ldisc, uint8_t c)
{
	static const struct {
		int index, signo;
	} signals[] = {{LX_VINTR, LX_SIGINT}, {LX_VQUIT, LX_SIGQUIT}, {LX_VSUSP, LX_SIGTSTP}};

	if (iflag(ldisc, LX_IXON) && is_char(ldisc, c, LX_VSTART)) {
		ldisc_start(ldisc);
		return true;
	}
	if (iflag(ldisc, LX_IXON) && is_char(ldisc, c, LX_VSTOP)) {
		ldisc_stop(ldisc);
		return true;
	}
	if (!lflag(ldisc, LX_ISIG))
		return false;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (is_char(ldisc, c, signals[i].index)) {
			signal_typed(ldisc, signals[i].signo, c);
			return true;
		}
	}
	return false;
}

/* ---- one byte ---- */

static void echo_data(struct ldisc *ldisc, uint8_t c)
{
	if (!lflag(ldisc, LX_ECHO))
		return;
	ldisc_finish_erasing(ldisc);
	if (ldisc->canon_head == ldisc->head)
		ldisc->canon_column = ldisc->column;
	ldisc_echo(ldisc, c);
}

/* True when @c was an editing character or ended a line. */
static bool canonical_special(struct ldisc *ldisc, uint8_t c)
{
	bool extended = lflag(ldisc, LX_IEXTEN), echo = lflag(ldisc, LX_ECHO);

	if (is_char(ldisc, c, LX_VERASE)) {
		ldisc_erase(ldisc, LDISC_ERASE_CHAR);
	} else if (is_char(ldisc, c, LX_VKILL)) {
		ldisc_erase(ldisc, LDISC_ERASE_LINE);
	} else if (extended && is_char(ldisc, c, LX_VWERASE)) {
		ldisc_erase(ldisc, LDISC_ERASE_WORD);
	} else if (extended && is_char(ldisc, c, LX_VLNEXT)) {
		ldisc->literal_next = true;
		if (echo)
			ldisc_finish_erasing(ldisc);
		if (echo && lflag(ldisc, LX_ECHOCTL)) {
			ldisc_echo_raw(ldisc, '^');
			ldisc_echo_raw(ldisc, '\b');
		}
	} else if (extended && echo && is_char(ldisc, c, LX_VREPRINT)) {
		ldisc_reprint(ldisc, c);
	} else if (c == '\n') {
		if (echo || lflag(ldisc, LX_ECHONL))
			ldisc_echo_raw(ldisc, '\n');
		put_line_end(ldisc, c);
	} else if (is_char(ldisc, c, LX_VEOF)) {
		put_line_end(ldisc, 0);
	} else if (is_char(ldisc, c, LX_VEOL) || (extended && is_char(ldisc, c, LX_VEOL2))) {
		if (echo)
			echo_data(ldisc, c);
		if (c == 0xff && iflag(ldisc, LX_PARMRK))
			put_byte(ldisc, c);
		put_line_end(ldisc, c);
	} else {
		return false;
	}
	return true;
}

static uint8_t strip(const struct ldisc *ldisc, uint8_t c)
{
	if (iflag(ldisc, LX_ISTRIP))
		c &= 0x7f;
	if (iflag(ldisc, LX_IUCLC) && lflag(ldisc, LX_IEXTEN) && is_upper(c))
		c += 'a' - 'A';
	return c;
}

static void restart_by_any(struct ldisc *ldisc)
{
	if (iflag(ldisc, LX_IXON) && iflag(ldisc, LX_IXANY))
		ldisc_start(ldisc);
}

static void receive_byte(struct ldisc *ldisc, uint8_t c)
{
	bool was_return = false;

	c = strip(ldisc, c);
	if (ldisc->literal_next) {
		ldisc->literal_next = false;
		restart_by_any(ldisc);
		echo_data(ldisc, c);
		put_data(ldisc, c);
		return;
	}
	if (lflag(ldisc, LX_EXTPROC)) {
		/* The other end has edited the line already. */
		put_byte(ldisc, c);
		return;
	}
	if (flow_or_signal(ldisc, c))
		return;
	restart_by_any(ldisc);
	if (c == '\r') {
		if (iflag(ldisc, LX_IGNCR))
			return;
		if (iflag(ldisc, LX_ICRNL)) {
			c = '\n';
			was_return = true;
		}
	} else if (c == '\n' && iflag(ldisc, LX_INLCR)) {
		c = '\r';
	}
	if (lflag(ldisc, LX_ICANON) && canonical_special(ldisc, c))
		return;
	/* A newline that was typed as one is a control character like others in raw mode: only what
	 * takes the slow way is looked at closely (n_tty_receive_char_special()). */
	if (was_return && lflag(ldisc, LX_ECHO)) {
		ldisc_finish_erasing(ldisc);
		ldisc_echo_raw(ldisc, c);
	} else {
		echo_data(ldisc, c);
	}
	put_data(ldisc, c);
}

/* How many bytes can come in now; *ret_replace: the line is too long, each replaces the last. */
static size_t input_room(const struct ldisc *ldisc, bool *ret_replace)
{
	size_t used = ldisc->head - ldisc->tail, room = LDISC_INPUT_SIZE - used;

	*ret_replace = false;
	if (iflag(ldisc, LX_PARMRK))
		room = (room + 2) / 3;
	if (room > 1)
		return room - 1;
	*ret_replace = lflag(ldisc, LX_ICANON) && ldisc->canon_head == ldisc->tail;
	return *ret_replace ? 1 : 0;
}

size_t ldisc_receive(struct ldisc *ldisc, const uint8_t *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		bool replace;
		size_t room = input_room(ldisc, &replace);

		if (!room)
			break;
		if (replace && ldisc->head - ldisc->tail == LDISC_INPUT_SIZE)
			ldisc->head--;
		for (; room && done < size; room--)
			receive_byte(ldisc, bytes[done++]);
	}
	ldisc_push_echo(ldisc);
	return done;
}

/* ---- reading ---- */

bool ldisc_readable(const struct ldisc *ldisc, bool poll)
{
	const uint8_t *cc = ldisc->termios.c_cc;
	uint32_t wanted = poll && !cc[LX_VTIME] && cc[LX_VMIN] ? cc[LX_VMIN] : 1;

	if (ldisc_canonical(ldisc))
		return ldisc->canon_head != ldisc->tail;
	return ldisc->head - ldisc->tail >= wanted;
}

size_t ldisc_input_size(const struct ldisc *ldisc)
{
	size_t size;

	if (!ldisc_canonical(ldisc))
		return ldisc->head - ldisc->tail;
	size = ldisc->canon_head - ldisc->tail;
	for (uint32_t at = ldisc->tail; at != ldisc->canon_head; at++)
		size -= line_end_at(ldisc, at) && ldisc->input[at % LDISC_INPUT_SIZE] == 0;
	return size;
}

static size_t read_line(struct ldisc *ldisc, uint8_t *buffer, size_t size, bool *ret_line_end)
{
	size_t done = 0;

	while (ldisc->tail != ldisc->canon_head) {
		uint8_t c = ldisc->input[ldisc->tail % LDISC_INPUT_SIZE];
		bool end = line_end_at(ldisc, ldisc->tail), eof = end && c == 0;

		if (done == size && !eof)
			break;
		if (end)
			mark_line_end(ldisc, ldisc->tail, false);
		if (!eof)
			buffer[done++] = c;
		ldisc->tail++;
		if (end) {
			*ret_line_end = true;
			break;
		}
	}
	return done;
}

size_t ldisc_read(struct ldisc *ldisc, uint8_t *buffer, size_t size, bool *ret_line_end)
{
	size_t done = 0;

	*ret_line_end = false;
	if (ldisc_canonical(ldisc))
		return read_line(ldisc, buffer, size, ret_line_end);
	while (done < size && ldisc->tail != ldisc->head)
		buffer[done++] = ldisc->input[ldisc->tail++ % LDISC_INPUT_SIZE];
	if ((int32_t)(ldisc->canon_head - ldisc->tail) < 0)
		ldisc->canon_head = ldisc->tail;
	return done;
}
