/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/errno.h"
#include "abi/poll.h"
#include "abi/signal.h"
#include "base/checked.h"
#include "sentry/tty/tty_private.h"

/*
 * Modes, window size, flow and queues (ioctl_tty(2), tty_ioctl.c of Linux). A pseudo-terminal sends
 * at once, so the calls that wait for the output to drain find it drained.
 */

/* ---- speeds: kept as they were set, no effect ---- */

#define SPEED_SHIFT_INPUT 16
#define SPEED_EXTRA	  15 /* the first rate that has CBAUDEX */

static uint32_t speed_of(uint32_t code, uint32_t other, uint32_t zero)
{
	static const uint32_t speeds[] = {0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400,
		4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 500000, 576000, 921600,
		1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000};

	code &= LX_CBAUD;
	if (code == LX_B0)
		return zero;
	if (code == LX_BOTHER)
		return other;
	if (code & LX_CBAUDEX)
		code = (code & ~(uint32_t)LX_CBAUDEX) + SPEED_EXTRA;
	return code < array_size(speeds) ? speeds[code] : 0;
}

static void derive_speeds(struct lx_termios2 *termios)
{
	uint32_t cflag = termios->c_cflag;

	termios->c_ospeed = speed_of(cflag, termios->c_ospeed, 0);
	termios->c_ispeed =
		speed_of(cflag >> SPEED_SHIFT_INPUT, termios->c_ispeed, termios->c_ospeed);
}

/* ---- the three forms of the struct ---- */

enum termios_form { FORM_TERMIO, FORM_TERMIOS, FORM_TERMIOS2 };

static int64_t get_modes(
	const struct tty *tty, enum termios_form form, gaddr_t arg, struct task *task)
{
	const struct lx_termios2 *termios = &tty->ldisc.termios;
	struct lx_termio old;

	if (form == FORM_TERMIOS2)
		return guest_write_value(task, arg, termios);
	if (form == FORM_TERMIOS) /* the same without the speeds at its end */
		return guest_write_result(task, arg, termios, sizeof(struct lx_termios));
	memset(&old, 0, sizeof(old));
	old.c_iflag = (uint16_t)termios->c_iflag;
	old.c_oflag = (uint16_t)termios->c_oflag;
	old.c_cflag = (uint16_t)termios->c_cflag;
	old.c_lflag = (uint16_t)termios->c_lflag;
	old.c_line = termios->c_line;
	memcpy(old.c_cc, termios->c_cc, sizeof(old.c_cc));
	return guest_write_value(task, arg, &old);
}

static void replace_low(uint32_t *flags, uint16_t low)
{
	*flags = (*flags & 0xffff0000u) | low;
}

static int read_modes(
	struct lx_termios2 *termios, enum termios_form form, gaddr_t arg, struct task *task)
{
	struct lx_termio old;
	int r;

	if (form == FORM_TERMIOS2)
		return guest_read_value(task, termios, arg);
	if (form == FORM_TERMIOS) {
		r = guest_read(task, termios, arg, sizeof(struct lx_termios));
	} else {
		r = guest_read_value(task, &old, arg);
		if (r < 0)
			return r;
		replace_low(&termios->c_iflag, old.c_iflag);
		replace_low(&termios->c_oflag, old.c_oflag);
		replace_low(&termios->c_cflag, old.c_cflag);
		replace_low(&termios->c_lflag, old.c_lflag);
		termios->c_line = old.c_line;
		memcpy(termios->c_cc, old.c_cc, sizeof(old.c_cc));
	}
	return r;
}

/* ^S and ^Q with IXON: what a remote login may leave to its local end. */
static bool standard_flow(const struct lx_termios2 *termios)
{
	return (termios->c_iflag & LX_IXON) && termios->c_cc[LX_VSTOP] == 19 &&
	       termios->c_cc[LX_VSTART] == 17;
}

static void tell_packet_reader(struct tty *tty, const struct lx_termios2 *old)
{
	const struct lx_termios2 *now = &tty->ldisc.termios;
	bool flow = standard_flow(now);

	if (flow != standard_flow(old))
		tty_packet_event(tty, LX_TIOCPKT_DOSTOP | LX_TIOCPKT_NOSTOP,
			flow ? LX_TIOCPKT_DOSTOP : LX_TIOCPKT_NOSTOP);
	if ((old->c_lflag | now->c_lflag) & LX_EXTPROC)
		tty_packet_event(tty, 0, LX_TIOCPKT_IOCTL);
}

static void keep_bits(uint32_t *flags, uint32_t old, uint32_t locked)
{
	*flags = (*flags & ~locked) | (old & locked);
}

/* unset_locked_termios() */
static void keep_locked(
	const struct tty *tty, const struct lx_termios2 *old, struct lx_termios2 *new)
{
	const struct lx_termios2 *locked = &tty->locked_modes;

	keep_bits(&new->c_iflag, old->c_iflag, locked->c_iflag);
	keep_bits(&new->c_oflag, old->c_oflag, locked->c_oflag);
	keep_bits(&new->c_cflag, old->c_cflag, locked->c_cflag);
	keep_bits(&new->c_lflag, old->c_lflag, locked->c_lflag);
	if (locked->c_line)
		new->c_line = old->c_line;
	for (size_t i = 0; i < array_size(new->c_cc); i++)
		if (locked->c_cc[i])
			new->c_cc[i] = old->c_cc[i];
}

static int64_t set_locked(struct tty *tty, gaddr_t arg, struct task *task)
{
	struct lx_termios2 locked = tty->locked_modes;
	int r;

	if (!cred_capable(task->cred, LX_CAP_CHECKPOINT_RESTORE) &&
		!cred_capable(task->cred, LX_CAP_SYS_ADMIN))
		return -EPERM;
	r = read_modes(&locked, FORM_TERMIOS, arg, task);
	if (r == 0)
		tty->locked_modes = locked;
	return r;
}

static int64_t set_modes(
	struct tty *tty, struct task *task, enum termios_form form, bool flush, gaddr_t arg)
{
	struct lx_termios2 old = tty->ldisc.termios, termios = old;
	int r = tty_check_job(tty, task, LX_SIGTTOU);

	if (r < 0)
		return r;
	r = read_modes(&termios, form, arg, task);
	if (r < 0)
		return r;
	derive_speeds(&termios);
	keep_locked(tty, &old, &termios);
	/* The line has eight bits, whatever is asked for. */
	termios.c_cflag &= ~(uint32_t)(LX_CSIZE | LX_PARENB | LX_ADDRB);
	termios.c_cflag |= LX_CS8 | LX_CREAD;
	if (flush) {
		byte_queue_clear(&tty->pending);
		ldisc_flush_input(&tty->ldisc);
		tty->host->input_room(tty);
	}
	ldisc_set_termios(&tty->ldisc, &termios);
	tell_packet_reader(tty, &old);
	tty_push_input(tty);
	tty_wake(tty, LX_POLLIN | LX_POLLRDNORM | LX_POLLOUT | LX_POLLWRNORM);
	return 0;
}

/* ---- window size ---- */

void tty_set_winsize(struct tty *tty, const struct lx_winsize *size)
{
	if (memcmp(&tty->winsize, size, sizeof(*size)) == 0)
		return;
	tty->winsize = *size;
	tty_signal_foreground(tty, LX_SIGWINCH);
}

static int64_t set_winsize_ioctl(struct tty *tty, gaddr_t arg, struct task *task)
{
	struct lx_winsize size;
	int r = guest_read_value(task, &size, arg);

	if (r < 0)
		return r;
	tty_set_winsize(tty, &size);
	return 0;
}

/* ---- tcflow(3), tcflush(3) ---- */

static int flow_ioctl(struct tty *tty, uint64_t what, struct task *task)
{
	struct ldisc *ldisc = &tty->ldisc;
	uint8_t character;
	int r = tty_check_job(tty, task, LX_SIGTTOU);

	if (r < 0)
		return r;
	switch (what) {
	case LX_TCOOFF:
		ldisc->stopped_by_call = true;
		ldisc_stop(ldisc);
		return 0;
	case LX_TCOON:
		if (!ldisc->stopped_by_call)
			return 0;
		ldisc->stopped_by_call = false;
		ldisc_start(ldisc);
		tty->host->output(tty);
		return 0;
	case LX_TCIOFF:
	case LX_TCION:
		character = ldisc->termios.c_cc[what == LX_TCIOFF ? LX_VSTOP : LX_VSTART];
		if (character) {
			ldisc_send_raw(ldisc, character);
			tty->host->output(tty);
		}
		return 0;
	default:
		return -EINVAL;
	}
}

static int flush_ioctl(struct tty *tty, bool master, uint64_t what, struct task *task)
{
	int r = tty_check_job(tty, task, LX_SIGTTOU);
	bool input = what == LX_TCIFLUSH || what == LX_TCIOFLUSH;
	bool output = what == LX_TCOFLUSH || what == LX_TCIOFLUSH;

	if (r < 0)
		return r;
	if (!input && !output)
		return -EINVAL;
	if (master) {
		/* Its input is what the terminal has put out; of its own output only what waits
		 * outside the line discipline can be taken back. */
		if (input)
			byte_queue_clear(&tty->ldisc.output);
		if (output)
			byte_queue_clear(&tty->pending);
		tty_wake(tty, LX_POLLOUT | LX_POLLWRNORM);
		tty->host->input_room(tty);
		return 0;
	}
	if (input) {
		byte_queue_clear(&tty->pending);
		ldisc_flush_input(&tty->ldisc);
		tty->host->input_room(tty);
	}
	if (output)
		ldisc_flush_output(&tty->ldisc);
	return 0;
}

static int64_t queued_ioctl(struct tty *tty, bool master, gaddr_t arg, struct task *task)
{
	size_t size = master ? tty->ldisc.output.size : ldisc_input_size(&tty->ldisc);
	int value = (int)size;

	return guest_write_value(task, arg, &value);
}

/* tty_change_softcar(): CLOCAL alone. */
static int64_t soft_carrier(struct tty *tty, bool set, gaddr_t arg, struct task *task)
{
	struct lx_termios2 modes = tty->ldisc.termios;
	int32_t on = (modes.c_cflag & LX_CLOCAL) != 0;
	int err;

	if (!set)
		return guest_write_value(task, arg, &on);
	err = guest_read_value(task, &on, arg);
	if (err < 0)
		return err;
	modes.c_cflag = on ? modes.c_cflag | LX_CLOCAL : modes.c_cflag & ~(uint32_t)LX_CLOCAL;
	ldisc_set_termios(&tty->ldisc, &modes);
	return 0;
}

int64_t tty_mode_ioctl(
	struct tty *tty, bool master, unsigned request, gaddr_t arg, struct task *task)
{
	const int nothing = 0;

	switch (request) {
	case LX_TCGETS:
		return get_modes(tty, FORM_TERMIOS, arg, task);
	case LX_TCGETS2:
		return get_modes(tty, FORM_TERMIOS2, arg, task);
	case LX_TCGETA:
		return get_modes(tty, FORM_TERMIO, arg, task);
	case LX_TCSETS:
	case LX_TCSETSW:
	case LX_TCSETSF:
		return set_modes(tty, task, FORM_TERMIOS, request == LX_TCSETSF, arg);
	case LX_TCSETS2:
	case LX_TCSETSW2:
	case LX_TCSETSF2:
		return set_modes(tty, task, FORM_TERMIOS2, request == LX_TCSETSF2, arg);
	case LX_TCSETA:
	case LX_TCSETAW:
	case LX_TCSETAF:
		return set_modes(tty, task, FORM_TERMIO, request == LX_TCSETAF, arg);
	case LX_TIOCGSOFTCAR:
	case LX_TIOCSSOFTCAR:
		return soft_carrier(tty, request == LX_TIOCSSOFTCAR, arg, task);
	case LX_TIOCGLCKTRMIOS:
		return guest_write_result(task, arg, &tty->locked_modes, sizeof(struct lx_termios));
	case LX_TIOCSLCKTRMIOS:
		return set_locked(tty, arg, task);
	case LX_TIOCGWINSZ:
		return guest_write_value(task, arg, &tty->winsize);
	case LX_TIOCSWINSZ:
		return set_winsize_ioctl(tty, arg, task);
	case LX_TCXONC:
		/* The master end has no output of its own that could be stopped. */
		return master ? -EINVAL : flow_ioctl(tty, arg.v, task);
	case LX_TCFLSH:
		return flush_ioctl(tty, master, arg.v, task);
	case LX_FIONREAD:
		return queued_ioctl(tty, master, arg, task);
	case LX_TIOCOUTQ:
		return guest_write_value(task, arg, &nothing);
	default:
		return -ENOIOCTLCMD;
	}
}
