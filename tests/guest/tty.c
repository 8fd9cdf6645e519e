/* SPDX-License-Identifier: Apache-2.0 */
/* The line discipline and termios(3), seen from both ends of a pseudo-terminal. */
#include "terminal.h"

#define KERNEL_NCCS 19

static void note_termios(const char *what, int fd)
{
	struct {
		unsigned iflag, oflag, cflag, lflag;
		unsigned char line, cc[KERNEL_NCCS];
		unsigned ispeed, ospeed;
	} termios;
	char text[3 * KERNEL_NCCS + 1];

	memset(&termios, 0, sizeof(termios));
	if (ioctl(fd, 0x802c542a /* TCGETS2 */, &termios) < 0) {
		NOTE("%s: %s", what, errno_name(errno));
		return;
	}
	for (int i = 0; i < KERNEL_NCCS; i++)
		snprintf(text + 3 * i, 4, "%02x ", termios.cc[i]);
	NOTE("%s: %o %o %o %o line %d cc %s speeds %u %u", what, termios.iflag, termios.oflag,
		termios.cflag, termios.lflag, termios.line, text, termios.ispeed, termios.ospeed);
}

/* ---- modes ---- */

CASE(default_modes)
{
	struct pair p = open_pair();

	note_termios("slave", p.slave);
	note_termios("master", p.master);
}

CASE(modes_round_trip)
{
	struct pair p = open_pair();
	struct termios termios;

	CALL(tcgetattr(p.slave, &termios));
	termios.c_iflag = 0xffffffff;
	termios.c_oflag = 0xffffffff;
	termios.c_lflag = 0xffffffff & ~ECHO;
	for (int i = 0; i < KERNEL_NCCS; i++)
		termios.c_cc[i] = (cc_t)(100 + i);
	CALL(tcsetattr(p.slave, TCSANOW, &termios));
	note_termios("all set", p.slave);
	termios.c_iflag = termios.c_oflag = termios.c_lflag = 0;
	CALL(tcsetattr(p.slave, TCSADRAIN, &termios));
	note_termios("none set", p.slave);
	CALL(tcsetattr(p.slave, 77, &termios));
}

CASE(modes_through_master)
{
	struct pair p = open_pair();
	struct termios termios;

	CALL(tcgetattr(p.master, &termios));
	termios.c_lflag &= ~ECHO;
	CALL(tcsetattr(p.master, TCSANOW, &termios));
	note_termios("slave", p.slave);
	type(p.master, "unseen\n");
	show("master", p.master);
}

CASE(character_size_is_fixed)
{
	struct pair p = open_pair();
	struct termios termios;

	CALL(tcgetattr(p.slave, &termios));
	termios.c_cflag = CS5 | PARENB | PARODD | CSTOPB | HUPCL | CLOCAL;
	CALL(tcsetattr(p.slave, TCSANOW, &termios));
	note_termios("after", p.slave);
}

CASE(speeds)
{
	static const speed_t speeds[] = {B0, B50, B134, B9600, B38400, B57600, B115200, B4000000};
	struct pair p = open_pair();
	struct termios termios;

	for (size_t i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++) {
		OK(tcgetattr(p.slave, &termios));
		cfsetospeed(&termios, speeds[i]);
		cfsetispeed(&termios, speeds[i]);
		OK(tcsetattr(p.slave, TCSANOW, &termios));
		note_termios("speed", p.slave);
	}
}

CASE(speeds_of_any_value)
{
	struct pair p = open_pair();
	struct {
		unsigned iflag, oflag, cflag, lflag;
		unsigned char line, cc[KERNEL_NCCS];
		unsigned ispeed, ospeed;
	} termios;

	CALL(ioctl(p.slave, 0x802c542a, &termios));
	termios.cflag = (termios.cflag & ~(010017u)) | 010000 /* BOTHER */;
	termios.ospeed = 12345;
	termios.ispeed = 777;
	CALL(ioctl(p.slave, 0x402c542b /* TCSETS2 */, &termios));
	note_termios("same input", p.slave);
	termios.cflag |= 010000u << 16;
	CALL(ioctl(p.slave, 0x402c542b, &termios));
	note_termios("own input", p.slave);
}

CASE(old_struct)
{
	struct pair p = open_pair();
	struct {
		unsigned short iflag, oflag, cflag, lflag;
		unsigned char line, cc[8];
	} termio;

	memset(&termio, 0, sizeof(termio));
	CALL(ioctl(p.slave, TCGETA, &termio));
	NOTE("%o %o %o %o %d", termio.iflag, termio.oflag, termio.cflag, termio.lflag, termio.line);
	termio.lflag &= ~ECHO;
	termio.cc[0] = 'x';
	CALL(ioctl(p.slave, TCSETA, &termio));
	note_termios("after", p.slave);
	CALL(ioctl(p.slave, TCSETAF, &termio));
	CALL(ioctl(p.slave, TCSETAW, &termio));
}

CASE(bad_arguments)
{
	struct pair p = open_pair();

	CALL(ioctl(p.slave, TCGETS, BAD_ADDRESS));
	CALL(ioctl(p.slave, TCSETS, BAD_ADDRESS));
	CALL(ioctl(p.slave, TIOCGWINSZ, BAD_ADDRESS));
	CALL(ioctl(p.slave, TIOCSWINSZ, BAD_ADDRESS));
	CALL(ioctl(p.slave, FIONREAD, BAD_ADDRESS));
	CALL(ioctl(p.slave, TCXONC, 9));
	CALL(ioctl(p.slave, TCFLSH, 9));
	CALL(ioctl(p.slave, 0x54fe, 0));
	CALL(ioctl(p.slave, 0, 0));
	CALL(ioctl(p.master, 0x54fe, 0));
	CALL(read(p.slave, BAD_ADDRESS, 0));
	CALL(write(p.slave, BAD_ADDRESS, 4));
	CALL(write(p.master, BAD_ADDRESS, 4));
	CALL(write(p.slave, "x", 0));
	CALL(write(p.master, "x", 0));
	CALL(read(p.master, BAD_ADDRESS, 0));
}

CASE(not_terminals)
{
	struct termios termios;
	int fds[2];
	int fd = OK(open("f", O_CREAT | O_RDWR, 0600));

	CALL(tcgetattr(fd, &termios));
	CALL(pipe(fds));
	CALL(tcgetattr(fds[0], &termios));
	CALL(isatty(fds[0]));
	CALL(ioctl(fd, TIOCGWINSZ, &termios));
}

CASE(no_positions)
{
	struct pair p = open_pair();
	char byte;

	CALL(lseek(p.slave, 0, SEEK_SET));
	CALL(lseek(p.master, 1, SEEK_CUR));
	CALL(pread(p.slave, &byte, 1, 0));
	CALL(pwrite(p.master, "x", 1, 0));
	CALL(ftruncate(p.slave, 0));
	CALL(fsync(p.slave));
	TRUTH(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, p.slave, 0) == MAP_FAILED);
	NOTE("%s", errno_name(errno));
}

/* ---- lines ---- */

CASE(line_by_line)
{
	struct pair p = open_pair();

	type(p.master, "one\ntwo\nthr");
	read_once("first", p.slave, 100);
	read_once("second", p.slave, 100);
	note_poll("unfinished", p.slave);
	type(p.master, "ee\n");
	read_once("third", p.slave, 100);
	show("echo", p.master);
}

CASE(line_in_pieces)
{
	struct pair p = open_pair();

	type(p.master, "abcdefgh\nxy\n");
	read_once("a", p.slave, 3);
	read_once("b", p.slave, 3);
	read_once("c", p.slave, 3);
	read_once("d", p.slave, 3);
}

CASE(end_of_file)
{
	struct pair p = open_pair();

	type(p.master, "\004");
	read_once("alone", p.slave, 10);
	type(p.master, "abc\004");
	read_once("after text", p.slave, 10);
	type(p.master, "def\004");
	read_once("exactly filled", p.slave, 3);
	CALL(fcntl(p.slave, F_SETFL, O_NONBLOCK));
	read_once("nothing left", p.slave, 3);
	type(p.master, "ghi\004\004");
	read_once("text", p.slave, 2);
	read_once("rest", p.slave, 2);
	read_once("second", p.slave, 2);
	read_once("nothing", p.slave, 2);
	show("echo", p.master);
}

CASE(end_of_line_characters)
{
	struct pair p = open_pair();

	set_character(p.slave, VEOL, ';');
	set_character(p.slave, VEOL2, ':');
	type(p.master, "a;b:c\n");
	read_once("1", p.slave, 10);
	read_once("2", p.slave, 10);
	read_once("3", p.slave, 10);
	show("echo", p.master);
	set_modes(p.slave, USUAL_INPUT, OPOST, USUAL_LOCAL & ~IEXTEN);
	type(p.master, "d:e;");
	read_once("without IEXTEN", p.slave, 10);
}

CASE(erase_characters)
{
	struct pair p = open_pair();

	type(p.master, "abcd\177\177xy\n");
	read_once("read", p.slave, 100);
	show("echo", p.master);
	type(p.master, "\177\177\177ab\177\177\177\177cd\n");
	read_once("beyond the start", p.slave, 100);
	show("echo", p.master);
	type(p.master, "a\001b\001\177\177\177c\n");
	read_once("control characters", p.slave, 100);
	show("echo", p.master);
}

CASE(erase_tabs)
{
	struct pair p = open_pair();

	CALL(write(p.slave, "prompt> ", 8));
	type(p.master, "ab\tc\177\177d\n");
	read_once("read", p.slave, 100);
	show("echo", p.master);
	CALL(write(p.slave, ">>", 2));
	type(p.master, "\t\t\177\177x\001\t\177\n");
	read_once("read", p.slave, 100);
	show("echo", p.master);
}

CASE(erase_words)
{
	struct pair p = open_pair();

	type(p.master, "one two-three  \027\027x\027\027\027y\n");
	read_once("read", p.slave, 100);
	show("echo", p.master);
	type(p.master, "under_score a.b\027\027z\n");
	read_once("read", p.slave, 100);
	show("echo", p.master);
}

CASE(kill_line)
{
	struct pair p = open_pair();

	type(p.master, "abc\025def\n");
	read_once("wiped", p.slave, 100);
	show("echo", p.master);
	set_modes(p.slave, USUAL_INPUT, OPOST | ONLCR, USUAL_LOCAL & ~ECHOKE);
	type(p.master, "abc\025def\n");
	read_once("with newline", p.slave, 100);
	show("echo", p.master);
	set_modes(p.slave, USUAL_INPUT, OPOST | ONLCR, USUAL_LOCAL & ~(ECHOKE | ECHOK));
	type(p.master, "abc\025def\n");
	read_once("plain", p.slave, 100);
	show("echo", p.master);
	set_modes(p.slave, USUAL_INPUT, OPOST | ONLCR, ICANON);
	type(p.master, "abc\025def\n");
	read_once("silent", p.slave, 100);
	show("echo", p.master);
}

CASE(erase_without_echoe)
{
	struct pair p = open_pair();

	set_modes(p.slave, USUAL_INPUT, OPOST | ONLCR, USUAL_LOCAL & ~ECHOE);
	type(p.master, "abc\177\177x one two\027\n");
	read_once("read", p.slave, 100);
	show("echo", p.master);
}

CASE(erase_for_paper)
{
	struct pair p = open_pair();

	set_modes(p.slave, USUAL_INPUT, OPOST | ONLCR, USUAL_LOCAL | ECHOPRT);
	type(p.master, "abc\177\177x\n");
	read_once("read", p.slave, 100);
	show("echo", p.master);
	type(p.master, "abc def\027\177\177\177\177q\n");
	read_once("read", p.slave, 100);
	show("echo", p.master);
	type(p.master, "abc\177\025z\022\n");
	read_once("read", p.slave, 100);
	show("echo", p.master);
}

CASE(erase_utf8)
{
	struct pair p = open_pair();

	set_modes(p.slave, USUAL_INPUT | IUTF8, OPOST | ONLCR, USUAL_LOCAL);
	type(p.master, "a\303\244\342\202\254\177\177b\n");
	read_once("with IUTF8", p.slave, 100);
	show("echo", p.master);
	set_modes(p.slave, USUAL_INPUT, OPOST | ONLCR, USUAL_LOCAL);
	type(p.master, "a\303\244\177b\n");
	read_once("without", p.slave, 100);
	show("echo", p.master);
}

CASE(reprint)
{
	struct pair p = open_pair();

	type(p.master, "ab\001c\022d\n");
	read_once("read", p.slave, 100);
	show("echo", p.master);
}

CASE(literal_next)
{
	struct pair p = open_pair();

	type(p.master, "a\026\003b\026\177c\026\026\026\nd\n");
	read_once("1", p.slave, 100);
	show("echo", p.master);
	set_modes(p.slave, USUAL_INPUT, OPOST | ONLCR, USUAL_LOCAL & ~ECHOCTL);
	type(p.master, "a\026\001b\n");
	read_once("2", p.slave, 100);
	show("echo", p.master);
}

CASE(echo_flags)
{
	static const tcflag_t flags[] = {0, ECHO, ECHONL, ECHO | ECHOCTL, ECHO | ECHOE,
		ECHO | ECHOK | ECHOKE | ECHOE, ECHO | ECHONL, ECHOE | ECHOK | ECHOCTL};
	struct pair p = open_pair();

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		set_modes(p.slave, ICRNL, OPOST | ONLCR, ICANON | IEXTEN | flags[i]);
		NOTE("flags %o", flags[i]);
		type(p.master, "ab\001\t\177\177x\r");
		read_once("read", p.slave, 100);
		show("echo", p.master);
	}
}

CASE(input_flags)
{
	static const tcflag_t flags[] = {0, ICRNL, INLCR, IGNCR, ICRNL | INLCR, ICRNL | IGNCR,
		INLCR | IGNCR, IUCLC, ISTRIP, PARMRK};
	struct pair p = open_pair();

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		set_modes(p.slave, flags[i], 0, ICANON | IEXTEN);
		NOTE("flags %o", flags[i]);
		type(p.master, "Ab\rC\343\377d\n");
		CALL(fcntl(p.slave, F_SETFL, O_NONBLOCK));
		read_once("first", p.slave, 100);
		read_once("second", p.slave, 100);
		tcflush(p.slave, TCIFLUSH);
	}
}

CASE(output_flags)
{
	static const tcflag_t flags[] = {0, OPOST, OPOST | ONLCR, OPOST | OCRNL, OPOST | ONOCR,
		OPOST | ONLRET, OPOST | OLCUC, OPOST | XTABS, OPOST | ONLCR | OCRNL,
		OPOST | ONLCR | ONOCR | XTABS, OPOST | OCRNL | ONLRET, ONLCR};
	struct pair p = open_pair();

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		const char *text = "\rab\tc\bd\t\ne\r\rf\n\tg\001\177\343\t.\n";

		set_modes(p.slave, 0, flags[i], 0);
		NOTE("flags %o", flags[i]);
		CALL(write(p.slave, text, strlen(text)));
		show("output", p.master);
	}
}

CASE(columns_of_echo_and_output)
{
	struct pair p = open_pair();

	set_modes(p.slave, ICRNL, OPOST | ONLCR | XTABS, USUAL_LOCAL);
	CALL(write(p.slave, "abc", 3));
	type(p.master, "d\te\001\t");
	CALL(write(p.slave, "\tx", 2));
	show("output", p.master);
}

CASE(long_line)
{
	static char text[5000];
	struct pair p = open_pair();
	ssize_t n;

	set_modes(p.slave, ICRNL, 0, ICANON);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 2] = 'y';
	text[sizeof(text) - 1] = '\n';
	CALL(write(p.master, text, sizeof(text)));
	settle();
	n = CALL(read(p.slave, text, sizeof(text)));
	NOTE("ends with %d %d", text[n - 2], text[n - 1]);
	CALL(fcntl(p.slave, F_SETFL, O_NONBLOCK));
	CALL(read(p.slave, text, sizeof(text)));
}

CASE(long_line_with_editing)
{
	static char text[4500];
	struct pair p = open_pair();
	ssize_t n;

	set_modes(p.slave, ICRNL, 0, ICANON);
	memset(text, 'x', sizeof(text));
	CALL(write(p.master, text, sizeof(text)));
	settle();
	type(p.master, "\177\177ab\n");
	n = CALL(read(p.slave, text, sizeof(text)));
	NOTE("ends with %d %d %d", text[n - 3], text[n - 2], text[n - 1]);
}

CASE(many_lines_wait)
{
	static char text[4096];
	struct pair p = open_pair();
	size_t total = 0;
	ssize_t n;

	/* Complete lines are not lost: the rest waits outside. */
	set_modes(p.slave, ICRNL, 0, ICANON);
	memset(text, 'x', sizeof(text));
	for (size_t i = 99; i < sizeof(text); i += 100)
		text[i] = '\n';
	text[sizeof(text) - 1] = '\n';
	CALL(write(p.master, text, sizeof(text)));
	CALL(write(p.master, text, sizeof(text)));
	settle();
	CALL(fcntl(p.slave, F_SETFL, O_NONBLOCK));
	for (int i = 0; i < 200; i++) {
		n = read(p.slave, text, sizeof(text));
		if (n > 0)
			total += (size_t)n;
		else
			sleep_ms(1);
	}
	NOTE("%zu bytes", total);
}

/* ---- raw ---- */

CASE(raw_minimum)
{
	struct pair p = open_pair();
	int fds[2];
	pid_t pid;

	raw(p.slave, 3, 0);
	CALL(pipe(fds));
	pid = fork();
	if (pid == 0) {
		read_once("read of 10", p.slave, 10);
		read_once("read of 2", p.slave, 2);
		_exit(0);
	}
	type(p.master, "ab");
	type(p.master, "cd");
	type(p.master, "ef");
	note_wait("reader", pid);
}

CASE(raw_polling)
{
	struct pair p = open_pair();

	raw(p.slave, 0, 0);
	read_once("empty", p.slave, 10);
	type(p.master, "abc");
	read_once("some", p.slave, 2);
	read_once("rest", p.slave, 10);
	read_once("empty", p.slave, 10);
}

CASE(raw_timeout)
{
	struct pair p = open_pair();
	long long start;

	raw(p.slave, 0, 2);
	start = now_ms();
	read_once("nothing", p.slave, 10);
	TRUTH(now_ms() - start >= 150 && now_ms() - start < 1500);
	type(p.master, "xy");
	read_once("at once", p.slave, 10);
}

CASE(raw_time_between)
{
	struct pair p = open_pair();
	long long start;
	pid_t pid;

	raw(p.slave, 5, 2);
	type(p.master, "ab");
	start = now_ms();
	read_once("gives up", p.slave, 10);
	TRUTH(now_ms() - start < 1500);
	type(p.master, "abcdefg");
	read_once("enough", p.slave, 10);
	pid = fork();
	if (pid == 0) {
		read_once("waits for the first", p.slave, 10);
		_exit(0);
	}
	sleep_ms(400);
	type(p.master, "z");
	note_wait("reader", pid);
}

CASE(raw_poll_counts_minimum)
{
	struct pair p = open_pair();

	raw(p.slave, 3, 0);
	type(p.master, "ab");
	note_poll("two of three", p.slave);
	type(p.master, "c");
	note_poll("three", p.slave);
	set_character(p.slave, VTIME, 1);
	tcflush(p.slave, TCIFLUSH);
	type(p.master, "d");
	note_poll("one with a time", p.slave);
}

CASE(raw_is_transparent)
{
	struct pair p = open_pair();
	unsigned char bytes[256];

	raw(p.slave, 1, 0);
	for (int i = 0; i < 256; i++)
		bytes[i] = (unsigned char)i;
	CALL(write(p.master, bytes, 256));
	settle();
	show("input", p.slave);
	CALL(write(p.slave, bytes, 256));
	show("output", p.master);
}

CASE(nonblocking)
{
	static char text[65536];
	struct pair p = open_pair();
	ssize_t n;

	CALL(fcntl(p.slave, F_SETFL, O_NONBLOCK));
	CALL(fcntl(p.master, F_SETFL, O_NONBLOCK));
	read_once("slave", p.slave, 10);
	read_once("master", p.master, 10);
	raw(p.slave, 1, 0);
	read_once("raw slave", p.slave, 10);
	memset(text, 'x', sizeof(text));
	n = write(p.slave, text, sizeof(text));
	TRUTH(n > 4000 && n < (ssize_t)sizeof(text));
	CALL(write(p.slave, text, 1));
	note_poll("full slave", p.slave);
	n = write(p.master, text, sizeof(text));
	TRUTH(n > 4000 && n < (ssize_t)sizeof(text));
	while (write(p.master, text, 100) > 0)
		settle();
	CALL(write(p.master, text, 1));
}

CASE(big_writes_block)
{
	static char text[100000];
	struct pair p = open_pair();
	size_t total = 0;
	bool same = true;
	pid_t pid;
	ssize_t n;

	raw(p.slave, 1, 0);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	pid = fork();
	if (pid == 0) {
		CALL(write(p.slave, text, sizeof(text)));
		_exit(0);
	}
	while (total < sizeof(text)) {
		char part[1000];

		n = read(p.master, part, sizeof(part));
		if (n <= 0)
			break;
		same &= memcmp(part, text + total, (size_t)n) == 0;
		total += (size_t)n;
	}
	note_wait("writer", pid); /* who has noted its call by then */
	NOTE("%zu bytes, %s", total, same ? "the same" : "others");
}

CASE(big_input_blocks)
{
	static char text[100000];
	struct pair p = open_pair();
	size_t total = 0;
	bool same = true;
	pid_t pid;
	ssize_t n;

	raw(p.slave, 1, 0);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	pid = fork();
	if (pid == 0) {
		CALL(write(p.master, text, sizeof(text)));
		_exit(0);
	}
	while (total < sizeof(text)) {
		char part[1000];

		n = read(p.slave, part, sizeof(part));
		if (n <= 0)
			break;
		same &= memcmp(part, text + total, (size_t)n) == 0;
		total += (size_t)n;
	}
	note_wait("writer", pid); /* who has noted its call by then */
	NOTE("%zu bytes, %s", total, same ? "the same" : "others");
}

/* ---- changes of mode with bytes waiting ---- */

CASE(to_raw_with_partial_line)
{
	struct pair p = open_pair();

	type(p.master, "one\ntwo");
	raw(p.slave, 1, 0);
	read_once("raw", p.slave, 100);
}

CASE(to_canonical_with_bytes)
{
	struct pair p = open_pair();

	raw(p.slave, 1, 0);
	type(p.master, "abc");
	set_modes(p.slave, ICRNL, 0, ICANON);
	read_once("a line of its own", p.slave, 100);
	type(p.master, "def\n");
	read_once("next", p.slave, 100);
}

CASE(bytes_waiting)
{
	struct pair p = open_pair();
	int count;

	type(p.master, "one\ntwo\004thr");
	CALL(ioctl(p.slave, FIONREAD, &count));
	NOTE("canonical %d", count);
	CALL(ioctl(p.master, FIONREAD, &count));
	NOTE("master %d", count);
	raw(p.slave, 1, 0);
	CALL(ioctl(p.slave, FIONREAD, &count));
	NOTE("raw %d", count);
	CALL(ioctl(p.slave, TIOCOUTQ, &count));
	NOTE("output %d", count);
}

CASE(flush)
{
	struct pair p = open_pair();

	CALL(fcntl(p.slave, F_SETFL, O_NONBLOCK));
	type(p.master, "one\ntw");
	CALL(tcflush(p.slave, TCIFLUSH));
	type(p.master, "o\n");
	read_once("input flushed", p.slave, 100);
	show("output stays", p.master);
	CALL(write(p.slave, "arrived", 7));
	settle();
	CALL(tcflush(p.slave, TCOFLUSH));
	CALL(write(p.slave, "kept", 4));
	show("output", p.master);
	type(p.master, "three\n");
	CALL(write(p.slave, "arrived", 7));
	settle();
	CALL(tcflush(p.slave, TCIOFLUSH));
	read_once("both", p.slave, 100);
	show("output", p.master);
}

CASE(flush_from_master)
{
	struct pair p = open_pair();

	CALL(fcntl(p.slave, F_SETFL, O_NONBLOCK));
	CALL(write(p.slave, "output", 6));
	settle();
	CALL(tcflush(p.master, TCIFLUSH));
	show("output gone", p.master);
	type(p.master, "input\n");
	CALL(tcflush(p.master, TCOFLUSH));
	settle();
	read_once("input gone", p.slave, 100);
}

CASE(flush_by_tcsetattr)
{
	struct pair p = open_pair();
	struct termios termios;

	CALL(tcgetattr(p.slave, &termios));
	type(p.master, "one\n");
	CALL(tcsetattr(p.slave, TCSAFLUSH, &termios));
	CALL(fcntl(p.slave, F_SETFL, O_NONBLOCK));
	read_once("read", p.slave, 100);
	CALL(tcdrain(p.slave));
	CALL(tcsendbreak(p.slave, 0));
}

/* ---- flow ---- */

CASE(stop_and_start_characters)
{
	struct pair p = open_pair();

	CALL(fcntl(p.slave, F_SETFL, O_NONBLOCK));
	type(p.master, "\023");
	CALL(write(p.slave, "x", 1));
	note_poll("stopped", p.slave);
	type(p.master, "a");
	show("no echo", p.master);
	type(p.master, "\021");
	show("echo", p.master);
	CALL(write(p.slave, "y", 1));
	show("output", p.master);
}

CASE(start_by_any)
{
	struct pair p = open_pair();

	CALL(fcntl(p.slave, F_SETFL, O_NONBLOCK));
	set_modes(p.slave, IXON | IXANY, 0, USUAL_LOCAL);
	type(p.master, "\023");
	CALL(write(p.slave, "x", 1));
	type(p.master, "q");
	CALL(write(p.slave, "y", 1));
	show("output", p.master);
	type(p.master, "\023");
	set_modes(p.slave, 0, 0, USUAL_LOCAL);
	CALL(write(p.slave, "z", 1));
	show("IXON off", p.master);
}

CASE(stop_by_call)
{
	struct pair p = open_pair();

	CALL(fcntl(p.slave, F_SETFL, O_NONBLOCK));
	CALL(tcflow(p.slave, TCOOFF));
	CALL(write(p.slave, "x", 1));
	type(p.master, "\021");
	CALL(write(p.slave, "x", 1));
	CALL(tcflow(p.slave, TCOON));
	CALL(write(p.slave, "y", 1));
	CALL(tcflow(p.slave, TCIOFF));
	CALL(tcflow(p.slave, TCION));
	show("output", p.master);
}

CASE(blocked_writer_goes_on)
{
	struct pair p = open_pair();
	pid_t pid;

	type(p.master, "\023");
	pid = fork();
	if (pid == 0) {
		CALL(write(p.slave, "late", 4));
		_exit(0);
	}
	settle();
	NOTE("go on");
	type(p.master, "\021");
	note_wait("writer", pid);
	show("output", p.master);
}

/* ---- the rest ---- */

CASE(line_disciplines)
{
	struct pair p = open_pair();
	int number = -1;

	CALL(ioctl(p.slave, TIOCGETD, &number));
	NOTE("%d", number);
	CALL(ioctl(p.slave, TIOCSETD, &number));
	number = 1000;
	CALL(ioctl(p.slave, TIOCSETD, &number));
	number = -1;
	CALL(ioctl(p.slave, TIOCSETD, &number));
	CALL(ioctl(p.slave, TIOCMGET, &number));
	CALL(ioctl(p.slave, TIOCSBRK, 0));
	CALL(ioctl(p.slave, TIOCCBRK, 0));
}

CASE(exclusive)
{
	struct pair p = open_pair();
	int on = -1, fd;

	CALL(ioctl(p.slave, TIOCGEXCL, &on));
	NOTE("%d", on);
	CALL(ioctl(p.slave, TIOCEXCL));
	CALL(ioctl(p.slave, TIOCGEXCL, &on));
	NOTE("%d", on);
	fd = open(p.name, O_RDWR | O_NOCTTY);
	TRUTH(fd >= 0 ? geteuid() == 0 : errno == EBUSY);
	CALL(ioctl(p.slave, TIOCNXCL));
	OK(open(p.name, O_RDWR | O_NOCTTY));
}

static void on_alarm(int signo)
{
}

CASE(interrupted_read)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval timer = {.it_value = {.tv_usec = 50000}};
	struct pair p = open_pair();
	char byte;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	CALL(read(p.slave, &byte, 1));
	setitimer(ITIMER_REAL, &timer, NULL);
	CALL(read(p.master, &byte, 1));
	type(p.master, "\023");
	setitimer(ITIMER_REAL, &timer, NULL);
	CALL(write(p.slave, "x", 1));
}

CASE(two_readers)
{
	struct pair p = open_pair();
	int fds[2];
	char c;

	CALL(pipe(fds));
	for (int i = 0; i < 2; i++) {
		if (fork() == 0) {
			char line[100];

			c = (char)('0' + read(p.slave, line, sizeof(line)));
			write(fds[1], &c, 1);
			_exit(0);
		}
	}
	settle();
	type(p.master, "abc\n");
	type(p.master, "defgh\n");
	CALL(read(fds[0], &c, 1));
	NOTE("%c", c);
	CALL(read(fds[0], &c, 1));
	NOTE("%c", c);
	while (wait(NULL) > 0)
		;
}
