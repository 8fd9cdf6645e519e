/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/tty/ldisc_private.h"

/*
 * Editing of the line that is being typed: the bytes [canon_head, head) of the input. Each removal
 * is shown by what wipes the character from a screen (ECHOE, ECHOKE), by the characters themselves
 * between \ and / for paper (ECHOPRT), or by the editing character alone.
 */

static uint8_t byte_at(const struct ldisc *ldisc, uint32_t at)
{
	return ldisc->input[at % LDISC_INPUT_SIZE];
}

static bool is_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || is_lower(c) || is_upper(c) || c == '_';
}

void ldisc_finish_erasing(struct ldisc *ldisc)
{
	if (!ldisc->erasing)
		return;
	ldisc_echo_raw(ldisc, '/');
	ldisc->erasing = false;
}

static void wipe_column(struct ldisc *ldisc)
{
	ldisc_echo_raw(ldisc, '\b');
	ldisc_echo_raw(ldisc, ' ');
	ldisc_echo_raw(ldisc, '\b');
}

/* The cursor goes back to where the tab at the (new) end of the line began. */
static void wipe_tab(struct ldisc *ldisc)
{
	unsigned columns = 0;
	bool after_tab = false;

	for (uint32_t at = ldisc->head; at != ldisc->canon_head && !after_tab; at--) {
		uint8_t c = byte_at(ldisc, at - 1);

		if (c == '\t')
			after_tab = true;
		else if (is_control(c))
			columns += lflag(ldisc, LX_ECHOCTL) ? 2 : 0;
		else if (!is_continuation(ldisc, c))
			columns++;
	}
	if (!after_tab)
		columns += ldisc->canon_column;
	ldisc_echo_back(ldisc, 8 - (columns & 7));
}

/* Shows that the character of @size bytes at ldisc->head is gone. */
static void show_erased(struct ldisc *ldisc, enum ldisc_erase what, uint32_t size)
{
	uint8_t c = byte_at(ldisc, ldisc->head);

	if (lflag(ldisc, LX_ECHOPRT)) {
		if (!ldisc->erasing)
			ldisc_echo_raw(ldisc, '\\');
		ldisc->erasing = true;
		ldisc_echo(ldisc, c);
		for (uint32_t i = 1; i < size; i++)
			ldisc_echo_raw(ldisc, byte_at(ldisc, ldisc->head + i));
	} else if (what == LDISC_ERASE_CHAR && !lflag(ldisc, LX_ECHOE)) {
		ldisc_echo(ldisc, ldisc->termios.c_cc[LX_VERASE]);
	} else if (c == '\t') {
		wipe_tab(ldisc);
	} else {
		if (is_control(c) && lflag(ldisc, LX_ECHOCTL))
			wipe_column(ldisc);
		if (!is_control(c) || lflag(ldisc, LX_ECHOCTL))
			wipe_column(ldisc);
	}
}

/* The first byte of the line's last character; ldisc->head when it has no beginning. */
static uint32_t last_character(const struct ldisc *ldisc)
{
	uint32_t at = ldisc->head;

	do {
		at--;
	} while (is_continuation(ldisc, byte_at(ldisc, at)) && at != ldisc->canon_head);
	return is_continuation(ldisc, byte_at(ldisc, at)) ? ldisc->head : at;
}

static void kill_unseen(struct ldisc *ldisc)
{
	ldisc->head = ldisc->canon_head;
	if (!lflag(ldisc, LX_ECHO))
		return;
	ldisc_finish_erasing(ldisc);
	ldisc_echo(ldisc, ldisc->termios.c_cc[LX_VKILL]);
	if (lflag(ldisc, LX_ECHOK))
		ldisc_echo_raw(ldisc, '\n');
}

void ldisc_erase(struct ldisc *ldisc, enum ldisc_erase what)
{
	const uint32_t wiping = LX_ECHO | LX_ECHOE | LX_ECHOK | LX_ECHOKE;
	bool in_word = false;

	if (ldisc->head == ldisc->canon_head)
		return;
	if (what == LDISC_ERASE_LINE && (ldisc->termios.c_lflag & wiping) != wiping) {
		kill_unseen(ldisc);
		return;
	}
	while (ldisc->head != ldisc->canon_head) {
		uint32_t at = last_character(ldisc), size = ldisc->head - at;

		if (!size)
			break;
		if (what == LDISC_ERASE_WORD) {
			if (is_word(byte_at(ldisc, at)))
				in_word = true;
			else if (in_word)
				break;
		}
		ldisc->head = at;
		if (lflag(ldisc, LX_ECHO))
			show_erased(ldisc, what, size);
		if (what == LDISC_ERASE_CHAR)
			break;
	}
	if (ldisc->head == ldisc->canon_head && lflag(ldisc, LX_ECHO))
		ldisc_finish_erasing(ldisc);
}

void ldisc_reprint(struct ldisc *ldisc, uint8_t c)
{
	ldisc_finish_erasing(ldisc);
	ldisc_echo(ldisc, c);
	ldisc_echo_raw(ldisc, '\n');
	for (uint32_t at = ldisc->canon_head; at != ldisc->head; at++)
		ldisc_echo(ldisc, byte_at(ldisc, at));
}
