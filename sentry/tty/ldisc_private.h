/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_TTY_LDISC_PRIVATE_H
#define SENTRY_SENTRY_TTY_LDISC_PRIVATE_H

#include "sentry/tty/ldisc.h"

/* Between the line discipline's files. */

static inline bool iflag(const struct ldisc *ldisc, uint32_t flag)
{
	return ldisc->termios.c_iflag & flag;
}

static inline bool oflag(const struct ldisc *ldisc, uint32_t flag)
{
	return ldisc->termios.c_oflag & flag;
}

static inline bool lflag(const struct ldisc *ldisc, uint32_t flag)
{
	return ldisc->termios.c_lflag & flag;
}

/* Is @c the special character at @index? A NUL there switches it off (_POSIX_VDISABLE). */
static inline bool is_char(const struct ldisc *ldisc, uint8_t c, int index)
{
	return c && c == ldisc->termios.c_cc[index];
}

/* A byte of a UTF-8 character that is not its first: takes no column of its own. */
static inline bool is_continuation(const struct ldisc *ldisc, uint8_t c)
{
	return (c & 0xc0) == 0x80 && iflag(ldisc, LX_IUTF8);
}

/* Letters are those of Latin-1, as to the kernel's toupper() and tolower(). */
static inline bool is_lower(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 0xdf && c != 0xf7);
}

static inline bool is_upper(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7);
}

static inline bool is_control(uint8_t c)
{
	return c < ' ' || c == 0x7f;
}

/* ---- ldisc_edit.c ---- */

enum ldisc_erase { LDISC_ERASE_CHAR, LDISC_ERASE_WORD, LDISC_ERASE_LINE };
void ldisc_erase(struct ldisc *ldisc, enum ldisc_erase what);
void ldisc_reprint(struct ldisc *ldisc, uint8_t c);
void ldisc_finish_erasing(struct ldisc *ldisc);

/* ---- ldisc_output.c: echoes, control characters as ^X with ECHOCTL, or as they are ---- */
void ldisc_echo(struct ldisc *ldisc, uint8_t c);
void ldisc_echo_raw(struct ldisc *ldisc, uint8_t c);
void ldisc_echo_back(struct ldisc *ldisc, unsigned count); /* cursor left, nothing wiped */
void ldisc_push_echo(struct ldisc *ldisc); /* what waits goes out as far as it can */

#endif
