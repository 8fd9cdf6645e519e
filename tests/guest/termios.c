/* SPDX-License-Identifier: Apache-2.0 */
/* Terminals: every mode bit, the ways to set them, typing for others, and ioctls that a
 * pseudo-terminal lacks. */
#include <sys/stat.h>

#include "terminal.h"

static void each_bit(int fd, const char *name, size_t offset)
{
	struct termios before, after;

	tcgetattr(fd, &before);
	for (unsigned bit = 0; bit < 32; bit++) {
		struct termios termios = before;

		/* ADDRB is Linux 6.0's. */
		if (bit == 29 && offset == offsetof(struct termios, c_cflag))
			continue;
		tcflag_t *flags = (tcflag_t *)((char *)&termios + offset);
		*flags ^= 1u << bit;
		if (ioctl(fd, TCSETS, &termios) < 0)
			NOTE("%s bit %u: %s", name, bit, errno_name(errno));
		tcgetattr(fd, &after);
		NOTE("%s bit %u: %#x", name, bit, *(tcflag_t *)((char *)&after + offset));
		ioctl(fd, TCSETS, &before);
	}
}

CASE(every_bit)
{
	struct pair p = open_pair();

	each_bit(p.slave, "iflag", offsetof(struct termios, c_iflag));
	each_bit(p.slave, "oflag", offsetof(struct termios, c_oflag));
	each_bit(p.slave, "cflag", offsetof(struct termios, c_cflag));
	each_bit(p.slave, "lflag", offsetof(struct termios, c_lflag));
}

CASE(every_input_flag_on_every_byte)
{
	static const tcflag_t flags[] = {0, IGNBRK, BRKINT, IGNPAR, PARMRK, INPCK, ISTRIP, INLCR,
		IGNCR, ICRNL, IUCLC, IXON, IXANY, IXOFF, IMAXBEL, IUTF8, PARMRK | INPCK,
		ISTRIP | PARMRK};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct pair p = open_pair();
		unsigned char all[256];

		raw(p.slave, 1, 0);
		set_modes(p.slave, flags[i], 0, i % 2 ? IEXTEN : 0);
		for (unsigned b = 0; b < 256; b++)
			all[b] = (unsigned char)b;
		CALL(write(p.master, all, sizeof(all)));
		NOTE("flags %#x", flags[i]);
		show("read", p.slave);
		show("sent back", p.master);
		close(p.slave);
		close(p.master);
	}
}

CASE(every_output_flag)
{
	static const tcflag_t flags[] = {0, OPOST, OPOST | OLCUC, OPOST | ONLCR, OPOST | OCRNL,
		OPOST | ONOCR, OPOST | ONLRET, OPOST | OFILL, OPOST | OFDEL, OPOST | XTABS,
		OPOST | TAB1, OPOST | ONLCR | ONLRET, OPOST | OCRNL | ONLRET, ONLCR,
		OPOST | ONOCR | OCRNL | XTABS};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct pair p = open_pair();

		set_modes(p.slave, 0, flags[i], 0);
		CALL(write(p.slave, "ab\tc\r\rd\ne\b\tf\r\n\tz\fy\vx\0\x7f", 24));
		NOTE("flags %#x", flags[i]);
		show("seen", p.master);
		close(p.slave);
		close(p.master);
	}
}

CASE(every_local_flag)
{
	static const tcflag_t flags[] = {ICANON, ICANON | ECHO, ICANON | ECHO | ECHOE,
		ICANON | ECHO | ECHOK, ICANON | ECHO | ECHOKE | ECHOK,
		ICANON | ECHO | ECHOPRT | ECHOE, ICANON | ECHO | ECHOCTL, ICANON | ECHONL,
		ICANON | ECHO | ECHOCTL | IEXTEN, ICANON | IEXTEN | ECHO, ICANON | XCASE | ECHO,
		ICANON | FLUSHO | ECHO, ECHO, ECHO | ECHOCTL, ECHO | ECHOE | ECHOCTL | IEXTEN,
		ICANON | EXTPROC | ECHO, EXTPROC, NOFLSH | ICANON | ECHO};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct pair p = open_pair();

		set_modes(p.slave, IUTF8, 0, flags[i]);
		type(p.master, "a\001b\tc\177d word\027x\025k\022\026\003\303\251\177\n\017l\n");
		NOTE("flags %#x", flags[i]);
		show("echo", p.master);
		show("read", p.slave);
		show("read", p.slave);
		close(p.slave);
		close(p.master);
	}
}

CASE(set_with_flush)
{
	static const struct {
		const char *name;
		unsigned long request;
	} ways[] = {{"TCSETS", TCSETS}, {"TCSETSW", TCSETSW}, {"TCSETSF", TCSETSF}};

	for (size_t i = 0; i < 3; i++) {
		struct pair p = open_pair();
		struct termios termios;

		tcgetattr(p.slave, &termios);
		type(p.master, "typed\n");
		CALL(write(p.slave, "shown", 5));
		termios.c_lflag &= ~(tcflag_t)ECHO;
		NOTE("%s", ways[i].name);
		CALL(ioctl(p.slave, ways[i].request, &termios));
		show("master", p.master);
		show("slave", p.slave);
		CALL(ioctl(p.slave, ways[i].request, BAD_ADDRESS));
		CALL(ioctl(p.master, ways[i].request, &termios));
		close(p.slave);
		close(p.master);
	}
}

CASE(old_set_with_flush)
{
	static const unsigned long ways[] = {TCSETA, TCSETAW, TCSETAF};

	for (size_t i = 0; i < 3; i++) {
		struct pair p = open_pair();
		struct termio {
			unsigned short iflag, oflag, cflag, lflag;
			unsigned char line, cc[8];
		} termio;

		CALL(ioctl(p.slave, TCGETA, &termio));
		NOTE("%#x %#x %#x %#x", termio.iflag, termio.oflag, termio.cflag, termio.lflag);
		type(p.master, "typed\n");
		termio.lflag &= (unsigned short)~ECHO;
		CALL(ioctl(p.slave, ways[i], &termio));
		show("master", p.master);
		show("slave", p.slave);
		close(p.slave);
		close(p.master);
	}
}

/* Bytes that wait on either side. */
CASE(queues)
{
	struct pair p = open_pair();
	int n = -1;

	CALL(ioctl(p.slave, TIOCOUTQ, &n));
	NOTE("%d", n);
	CALL(ioctl(p.master, TIOCOUTQ, &n));
	NOTE("%d", n);
	type(p.master, "one\ntwo");
	CALL(ioctl(p.slave, TIOCINQ, &n));
	NOTE("%d", n);
	set_modes(p.slave, 0, 0, 0);
	CALL(ioctl(p.slave, TIOCINQ, &n));
	NOTE("%d", n);
	CALL(ioctl(p.slave, TIOCINQ, BAD_ADDRESS));
	CALL(tcdrain(p.slave));
	CALL(ioctl(p.slave, TCSBRK, 0));
	CALL(ioctl(p.slave, TCSBRKP, 1));
	CALL(ioctl(p.slave, TIOCSBRK, 0));
	CALL(ioctl(p.slave, TIOCCBRK, 0));
	CALL(ioctl(p.slave, TCXONC, 9));
	CALL(ioctl(p.slave, TCFLSH, 9));
	CALL(ioctl(p.master, TCFLSH, 9));
}

CASE(what_there_is_not)
{
	static const unsigned long requests[] = {TIOCMGET, TIOCMSET, TIOCMBIS, TIOCMBIC,
		TIOCGICOUNT, TIOCGSERIAL, TIOCSSERIAL, TCGETX, TCSETX, TIOCLINUX, TIOCSERGSTRUCT,
		TIOCMIWAIT, TIOCGRS485, TIOCSERGETLSR, 0x54ff, 0x4b33 /* KDGKBTYPE */,
		0x5601 /* VT_GETMODE */, 0};
	struct pair p = open_pair();
	unsigned char buffer[256] = {0};
	int on = 1;

	for (size_t i = 0; requests[i]; i++) {
		NOTE("%#lx", requests[i]);
		CALL(ioctl(p.slave, requests[i], buffer));
		CALL(ioctl(p.master, requests[i], buffer));
	}
	CALL(ioctl(p.slave, FIONBIO, &on));
	CALL(read(p.slave, buffer, 1));
	CALL(ioctl(p.slave, FIONBIO, BAD_ADDRESS));
	CALL(ioctl(p.slave, FIOCLEX));
	TRUTH(fcntl(p.slave, F_GETFD) == FD_CLOEXEC);
	CALL(ioctl(p.slave, FIONCLEX));
	TRUTH(fcntl(p.slave, F_GETFD) == 0);
}

/* In a session of its own with the pair's slave as terminal. */
static void with_terminal(void (*fn)(struct pair *p))
{
	struct pair p = open_pair();
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		if (ioctl(p.slave, TIOCSCTTY, 0) < 0)
			NOTE("TIOCSCTTY: %s", errno_name(errno));
		fn(&p);
		fflush(stdout);
		_exit(0);
	}
	note_wait("session", pid);
}

static void give_up_root(void)
{
	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		NOTE("cannot: %s", errno_name(errno));
}

static void typing(struct pair *p)
{
	struct pair other = open_pair();

	CALL(ioctl(p->slave, TIOCSTI, "h"));
	CALL(ioctl(p->slave, TIOCSTI, "i"));
	CALL(ioctl(p->slave, TIOCSTI, "\n"));
	CALL(ioctl(p->slave, TIOCSTI, BAD_ADDRESS));
	show("slave", p->slave);
	show("master", p->master);
	CALL(ioctl(other.slave, TIOCSTI, "x"));
	CALL(ioctl(p->master, TIOCSTI, "m"));
	show("master", p->master);
	show("slave", p->slave);
}

/* As a host has it, dev.tty.legacy_tiocsti decides about one's own terminal. */
static void typing_as_nobody(struct pair *p)
{
	struct pair other = open_pair();

	give_up_root();
	TRUTH(ioctl(other.slave, TIOCSTI, "x") < 0 && (errno == EPERM || errno == EIO));
	TRUTH(ioctl(p->master, TIOCSTI, "x") < 0 && (errno == EPERM || errno == EIO));
}

CASE(typing_for_oneself)
{
	if (geteuid() != 0)
		SKIP("typing needs root where dev.tty.legacy_tiocsti is 0");
	with_terminal(typing);
	with_terminal(typing_as_nobody);
}

static void sessions(struct pair *p)
{
	pid_t sid = -1, other;
	struct pair none = open_pair();

	CALL(ioctl(p->slave, TIOCGSID, &sid));
	TRUTH(sid == getpid());
	CALL(ioctl(p->master, TIOCGSID, &sid));
	TRUTH(sid == getpid());
	CALL(ioctl(none.slave, TIOCGSID, &sid));
	CALL(ioctl(none.master, TIOCGSID, &sid));
	CALL(ioctl(p->slave, TIOCGSID, BAD_ADDRESS));
	/* Another session's leader asks for it, and takes it away as root. */
	other = fork();
	if (other == 0) {
		setsid();
		CALL(ioctl(p->slave, TIOCSCTTY, 0));
		if (geteuid() == 0) {
			CALL(ioctl(p->slave, TIOCSCTTY, 1));
			CALL(ioctl(p->slave, TIOCGSID, &sid));
			TRUTH(sid == getpid());
		}
		fflush(stdout);
		_exit(0);
	}
	note_wait("thief", other);
	CALL(ioctl(p->slave, TIOCGSID, &sid));
	CALL(open("/dev/tty", O_RDWR | O_NOCTTY) >= 0);
}

static void sessions_as_nobody(struct pair *p)
{
	give_up_root();
	sessions(p);
}

CASE(sessions_and_thieves)
{
	signal(SIGHUP, SIG_IGN);
	signal(SIGCONT, SIG_IGN);
	with_terminal(sessions);
	if (geteuid() == 0)
		with_terminal(sessions_as_nobody);
}

static void hang_up(struct pair *p)
{
	signal(SIGHUP, SIG_IGN);
	if (geteuid() != 0)
		return;
	CALL(vhangup());
	CALL(write(p->slave, "x", 1));
	show("slave", p->slave);
	show("master", p->master);
	note_poll("slave", p->slave);
	CALL(open("/dev/tty", O_RDWR));
	CALL(ioctl(p->slave, TIOCGWINSZ, BAD_ADDRESS));
}

CASE(virtual_hangup)
{
	with_terminal(hang_up);
	if (geteuid() == 0) {
		if (fork() == 0) {
			give_up_root();
			CALL(vhangup());
			fflush(stdout);
			_exit(0);
		}
		wait(NULL);
	}
}

CASE(zero_speed_and_status)
{
	struct pair p = open_pair();
	struct termios termios;
	struct stat st;

	tcgetattr(p.slave, &termios);
	CALL(cfsetospeed(&termios, B0));
	CALL(tcsetattr(p.slave, TCSANOW, &termios));
	CALL(write(p.slave, "x", 1));
	show("master", p.master);
	tcgetattr(p.slave, &termios);
	NOTE("speed %u", (unsigned)cfgetospeed(&termios));
	CALL(fstat(p.slave, &st));
	NOTE("mode %o major %u size %lld", st.st_mode & ~0777u, (unsigned)(st.st_rdev >> 8),
		(long long)st.st_size);
	CALL(futimens(p.slave, NULL));
	CALL(ftruncate(p.slave, 0));
	CALL(fsync(p.slave));
	CALL(fchmod(p.slave, 0600));
}

CASE(line_taken_by_two_reads)
{
	struct pair p = open_pair();

	type(p.master, "abcdef\nxy\n");
	read_once("first", p.slave, 3);
	read_once("rest", p.slave, 100);
	read_once("next", p.slave, 100);
}

CASE(meta_characters_disabled)
{
	struct pair p = open_pair();

	set_character(p.slave, VINTR, _POSIX_VDISABLE);
	set_character(p.slave, VERASE, _POSIX_VDISABLE);
	set_character(p.slave, VEOF, _POSIX_VDISABLE);
	type(p.master, "a\003b\177c\004d\n");
	show("slave", p.slave);
	show("master", p.master);
	/* The same character for two: the order of the tests decides. */
	set_character(p.slave, VERASE, 'k');
	set_character(p.slave, VKILL, 'k');
	set_character(p.slave, VEOL, 'q');
	set_character(p.slave, VEOL2, 'z');
	type(p.master, "1k2q3z");
	show("slave", p.slave);
	show("master", p.master);
}

/* ---- locked modes ---------------------------------------------------------------------------- */

CASE(locked_modes)
{
	struct termios locked, modes;
	int master = posix_openpt(O_RDWR | O_NOCTTY), fd;

	grantpt(master);
	unlockpt(master);
	fd = open(ptsname(master), O_RDWR | O_NOCTTY);
	/* Of struct termios only what the kernel knows is written. */
	memset(&locked, 0, sizeof(locked));
	CALL(ioctl(fd, TIOCGLCKTRMIOS, &locked));
	NOTE("%x %x %x %x", locked.c_iflag, locked.c_oflag, locked.c_cflag, locked.c_lflag);
	locked.c_lflag = ECHO;
	locked.c_cc[VINTR] = 1;
	CALL(ioctl(fd, TIOCSLCKTRMIOS, &locked));
	tcgetattr(fd, &modes);
	modes.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
	modes.c_cc[VINTR] = 'i';
	modes.c_cc[VQUIT] = 'q';
	CALL(tcsetattr(fd, TCSANOW, &modes));
	tcgetattr(fd, &modes);
	NOTE("echo %d canonical %d intr %d quit %d", !!(modes.c_lflag & ECHO),
		!!(modes.c_lflag & ICANON), modes.c_cc[VINTR], modes.c_cc[VQUIT]);
	CALL(ioctl(master, TIOCGLCKTRMIOS, &locked));
	NOTE("%x %d", locked.c_lflag, locked.c_cc[VINTR]);
	CALL(ioctl(fd, TIOCSLCKTRMIOS, BAD_ADDRESS));
	CALL(ioctl(fd, TIOCGLCKTRMIOS, BAD_ADDRESS));
	if (geteuid() == 0 && setuid(1000) == 0)
		CALL(ioctl(fd, TIOCSLCKTRMIOS, &locked));
}
