/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo-terminal pairs, sessions and job control. */
#include <dirent.h>
#include <sys/sysmacros.h>

#include "ns.h"
#include "terminal.h"

/* ---- pairs ---- */

CASE(lock)
{
	int master = OK(posix_openpt(O_RDWR | O_NOCTTY)), locked = -1, number = -1;
	char name[64];

	CALL(ioctl(master, TIOCGPTN, &number));
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	CALL(ioctl(master, 0x80045439 /* TIOCGPTLCK */, &locked));
	NOTE("locked %d", locked);
	CALL(open(name, O_RDWR | O_NOCTTY));
	CALL(grantpt(master));
	CALL(unlockpt(master));
	CALL(ioctl(master, 0x80045439, &locked));
	NOTE("locked %d", locked);
	OK(open(name, O_RDWR | O_NOCTTY));
	locked = 1;
	CALL(ioctl(master, TIOCSPTLCK, &locked));
	CALL(open(name, O_RDWR | O_NOCTTY));
}

CASE(names)
{
	struct pair p = open_pair();
	struct stat slave, master, node;

	TRUTH(strcmp(ttyname(p.slave), p.name) == 0);
	CALL(isatty(p.slave));
	CALL(isatty(p.master));
	CALL(fstat(p.slave, &slave));
	CALL(stat(p.name, &node));
	CALL(fstat(p.master, &master));
	TRUTH(slave.st_ino == node.st_ino && slave.st_dev == node.st_dev);
	NOTE("slave %o major %u, ino - minor %d", slave.st_mode & S_IFMT, major(slave.st_rdev),
		(int)slave.st_ino - (int)minor(slave.st_rdev));
	NOTE("master %u:%u", major(master.st_rdev), minor(master.st_rdev));
	TRUTH(slave.st_uid == geteuid());
}

CASE(owner_and_mode)
{
	struct pair p = open_pair();
	struct stat st;

	CALL(fchmod(p.slave, 0600));
	CALL(fstat(p.slave, &st));
	NOTE("%o", st.st_mode);
	CALL(chmod(p.name, 0666));
	CALL(stat(p.name, &st));
	NOTE("%o", st.st_mode);
	CALL(fchown(p.slave, getuid(), getgid()));
}

CASE(directory)
{
	struct pair p = open_pair();
	struct dirent *entry;
	DIR *dir = opendir("/dev/pts");
	bool found = false, ptmx = false;

	while ((entry = readdir(dir))) {
		found |= strcmp(entry->d_name, p.name + 9) == 0 && entry->d_type == DT_CHR;
		ptmx |= strcmp(entry->d_name, "ptmx") == 0;
	}
	TRUTH(found);
	TRUTH(ptmx);
	CALL(open("/dev/pts/x", O_RDWR));
	CALL(open("/dev/pts/999", O_RDWR));
	CALL(open("/dev/pts/00", O_RDWR));
	CALL(unlink(p.name));
	CALL(mkdir("/dev/pts/dir", 0700));
	CALL(open("/dev/pts/file", O_RDWR | O_CREAT, 0600));
}

CASE(numbers_are_used_again)
{
	struct pair a = open_pair(), b = open_pair(), c;

	close(a.master);
	close(a.slave);
	c = open_pair();
	TRUTH(strcmp(a.name, c.name) == 0);
	TRUTH(strcmp(b.name, c.name) != 0);
}

CASE(peer)
{
	struct pair p = open_pair();
	int fd = ioctl(p.master, 0x5441 /* TIOCGPTPEER */, O_RDWR | O_NOCTTY), locked = 1;

	TRUTH(fd >= 0);
	TRUTH(strcmp(ttyname(fd), p.name) == 0);
	NOTE("cloexec %d", fcntl(fd, F_GETFD));
	CALL(write(fd, "by peer", 7));
	show("master", p.master);
	fd = ioctl(p.master, 0x5441, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	NOTE("cloexec %d, flags %o", fcntl(fd, F_GETFD),
		fcntl(fd, F_GETFL) & (O_ACCMODE | O_NOCTTY));
	CALL(write(fd, "x", 1));
	CALL(ioctl(p.slave, 0x5441, O_RDWR));
	CALL(ioctl(p.master, TIOCSPTLCK, &locked));
	CALL(ioctl(p.master, 0x5441, O_RDWR | O_NOCTTY));
}

CASE(only_masters_ioctls)
{
	struct pair p = open_pair();
	int value = 0;

	CALL(ioctl(p.slave, TIOCGPTN, &value));
	CALL(ioctl(p.slave, TIOCSPTLCK, &value));
	CALL(ioctl(p.slave, TIOCPKT, &value));
	CALL(ioctl(p.master, TIOCGPTN, BAD_ADDRESS));
	CALL(ioctl(p.master, TIOCSPTLCK, BAD_ADDRESS));
	CALL(ioctl(p.master, TIOCPKT, BAD_ADDRESS));
	CALL(ioctl(p.master, TIOCNOTTY));
	CALL(ioctl(p.master, 0x40045436 /* TIOCSIG */, SIGHUP));
	CALL(ioctl(p.master, 0x40045436, SIGINT));
}

CASE(device_number)
{
	struct pair p = open_pair();
	unsigned slave = 0, master = 1;

	CALL(ioctl(p.slave, 0x80045432 /* TIOCGDEV */, &slave));
	CALL(ioctl(p.master, 0x80045432, &master));
	TRUTH(slave == master);
	NOTE("major %u", major(slave));
}

/* ---- closing ---- */

CASE(master_waits_for_first_open)
{
	int master = OK(posix_openpt(O_RDWR | O_NOCTTY));
	char byte;

	CALL(fcntl(master, F_SETFL, O_NONBLOCK));
	CALL(read(master, &byte, 1));
	note_poll("never opened", master);
	CALL(write(master, "early\n", 6));
	show("echo without a reader", master);
}

CASE(slave_closed)
{
	struct pair p = open_pair();
	char byte;

	CALL(write(p.slave, "last words", 10));
	settle();
	CALL(close(p.slave));
	note_poll("with data", p.master);
	read_once("data", p.master, 100);
	note_poll("drained", p.master);
	CALL(read(p.master, &byte, 1));
	type(p.master, "typed\n");
	p.slave = open(p.name, O_RDWR | O_NOCTTY);
	note_poll("opened again", p.master);
	read_once("typed before", p.slave, 100);
}

CASE(slave_closed_twice)
{
	struct pair p = open_pair();
	int other = dup(p.slave), again = open(p.name, O_RDWR | O_NOCTTY);

	close(p.slave);
	note_poll("two left", p.master);
	close(other);
	note_poll("one left", p.master);
	close(again);
	note_poll("none left", p.master);
}

CASE(settings_outlive_the_slave)
{
	struct pair p = open_pair();
	struct winsize size = {.ws_row = 5, .ws_col = 6}, got;
	struct termios termios;

	set_modes(p.slave, 0, 0, 0);
	CALL(ioctl(p.slave, TIOCSWINSZ, &size));
	close(p.slave);
	p.slave = open(p.name, O_RDWR | O_NOCTTY);
	CALL(tcgetattr(p.slave, &termios));
	NOTE("lflag %o", termios.c_lflag);
	CALL(ioctl(p.slave, TIOCGWINSZ, &got));
	NOTE("%d %d", got.ws_row, got.ws_col);
}

CASE(master_closed)
{
	struct pair p = open_pair();
	struct termios termios;
	int number = 0;
	char byte;

	type(p.master, "unread\n");
	CALL(close(p.master));
	note_poll("slave", p.slave);
	CALL(read(p.slave, &byte, 1));
	CALL(write(p.slave, "x", 1));
	CALL(tcgetattr(p.slave, &termios));
	CALL(ioctl(p.slave, TIOCSPGRP, &number));
	CALL(ioctl(p.slave, FIONREAD, &number));
	CALL(isatty(p.slave));
	CALL(open(p.name, O_RDWR | O_NOCTTY) < 0 ? -1 : 0);
	CALL(access(p.name, F_OK));
}

CASE(master_closed_under_reader)
{
	struct pair p = open_pair();
	pid_t pid = fork();

	if (pid == 0) {
		close(p.master);
		read_once("reader", p.slave, 10);
		read_once("again", p.slave, 10);
		_exit(0);
	}
	settle();
	close(p.master);
	note_wait("child", pid);
}

CASE(master_closed_under_writer)
{
	static char text[100000];
	struct pair p = open_pair();
	pid_t pid = fork();

	if (pid == 0) {
		close(p.master);
		TRUTH(write(p.slave, text, sizeof(text)) < (ssize_t)sizeof(text));
		CALL(write(p.slave, text, 1));
		_exit(0);
	}
	settle();
	close(p.master);
	note_wait("child", pid);
}

CASE(slave_closed_under_reader)
{
	struct pair p = open_pair();
	pid_t pid = fork();

	if (pid == 0) {
		close(p.slave);
		read_once("reader", p.master, 10);
		_exit(0);
	}
	settle();
	close(p.slave);
	note_wait("child", pid);
}

/* ---- packet mode ---- */

CASE(packet_data)
{
	struct pair p = open_pair();
	int on = 1;

	CALL(ioctl(p.master, TIOCPKT, &on));
	on = -1;
	CALL(ioctl(p.master, 0x80045438 /* TIOCGPKT */, &on));
	NOTE("%d", on);
	CALL(write(p.slave, "abcdef", 6));
	settle();
	read_once("three", p.master, 4);
	read_once("one byte", p.master, 1);
	read_once("rest", p.master, 100);
	on = 0;
	CALL(ioctl(p.master, TIOCPKT, &on));
	CALL(write(p.slave, "plain", 5));
	read_once("off", p.master, 100);
}

CASE(packet_statuses)
{
	struct pair p = open_pair();
	struct termios termios;
	int on = 1;

	CALL(ioctl(p.master, TIOCPKT, &on));
	CALL(fcntl(p.master, F_SETFL, O_NONBLOCK));
	read_once("nothing", p.master, 10);
	CALL(tcflow(p.slave, TCOOFF));
	note_poll("stop", p.master);
	read_once("stop", p.master, 10);
	CALL(tcflow(p.slave, TCOON));
	read_once("start", p.master, 10);
	CALL(tcflush(p.slave, TCIFLUSH));
	read_once("flush input", p.master, 10);
	CALL(tcflush(p.slave, TCIOFLUSH));
	read_once("flush both", p.master, 10);
	CALL(tcgetattr(p.slave, &termios));
	termios.c_iflag &= ~IXON;
	CALL(tcsetattr(p.slave, TCSANOW, &termios));
	read_once("no ^S", p.master, 10);
	termios.c_iflag |= IXON;
	CALL(tcsetattr(p.slave, TCSANOW, &termios));
	read_once("^S", p.master, 10);
	termios.c_cc[VSTOP] = 'x';
	CALL(tcsetattr(p.slave, TCSANOW, &termios));
	read_once("other character", p.master, 10);
	termios.c_lflag |= EXTPROC;
	CALL(tcsetattr(p.slave, TCSANOW, &termios));
	read_once("EXTPROC", p.master, 10);
	note_poll("quiet", p.master);
}

CASE(packet_status_before_data)
{
	struct pair p = open_pair();
	int on = 1;

	CALL(ioctl(p.master, TIOCPKT, &on));
	CALL(write(p.slave, "data", 4));
	settle();
	CALL(tcflow(p.slave, TCOOFF));
	note_poll("both", p.master);
	read_once("status", p.master, 10);
	read_once("data", p.master, 10);
}

/* ---- window size ---- */

static void note_signal(int signo)
{
	static const char text[] = "signal ?\n";
	char line[sizeof(text)];

	memcpy(line, text, sizeof(text));
	line[7] = (char)(signo == SIGWINCH  ? 'W'
			 : signo == SIGINT  ? 'I'
			 : signo == SIGHUP  ? 'H'
			 : signo == SIGCONT ? 'C'
			 : signo == SIGTTIN ? 'i'
			 : signo == SIGTTOU ? 'o'
			 : signo == SIGQUIT ? 'Q'
			 : signo == SIGTSTP ? 'T'
					    : '?');
	(void)!write(1, line, sizeof(line) - 1);
}

static void catch (int signo)
{
	struct sigaction action = {.sa_handler = note_signal};

	sigaction(signo, &action, NULL);
}

/* A child that leads a session with @p as its terminal. */
static pid_t fork_session(struct pair *p)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe(ready) < 0)
		abort();
	pid = fork();
	if (pid == 0) {
		setsid();
		if (ioctl(p->slave, TIOCSCTTY, 0) < 0)
			NOTE("TIOCSCTTY: %s", errno_name(errno));
	}
	/* The parent goes on when the session stands. */
	close(ready[1]);
	if (pid > 0 && read(ready[0], &byte, 1) != 0)
		abort();
	close(ready[0]);
	return pid;
}

/* Until another group than its leader's, @pid's, is in the foreground. */
static void await_job(const struct pair *p, pid_t pid)
{
	while (tcgetpgrp(p->master) == pid)
		sleep_ms(1);
}

CASE(window_size)
{
	struct pair p = open_pair();
	struct winsize size = {0},
		       set = {.ws_row = 24, .ws_col = 80, .ws_xpixel = 7, .ws_ypixel = 9};

	CALL(ioctl(p.slave, TIOCGWINSZ, &size));
	NOTE("%d %d %d %d", size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel);
	CALL(ioctl(p.master, TIOCSWINSZ, &set));
	CALL(ioctl(p.slave, TIOCGWINSZ, &size));
	NOTE("%d %d %d %d", size.ws_row, size.ws_col, size.ws_xpixel, size.ws_ypixel);
	set.ws_row = 25;
	CALL(ioctl(p.slave, TIOCSWINSZ, &set));
	CALL(ioctl(p.master, TIOCGWINSZ, &size));
	NOTE("%d", size.ws_row);
}

CASE(window_change_signals)
{
	struct pair p = open_pair();
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	pid_t pid = fork_session(&p);

	if (pid == 0) {
		catch (SIGWINCH);
		CALL(ioctl(p.slave, TIOCSWINSZ, &size));
		NOTE("the same again");
		CALL(ioctl(p.slave, TIOCSWINSZ, &size));
		size.ws_row++;
		CALL(ioctl(p.master, TIOCSWINSZ, &size));
		_exit(0);
	}
	note_wait("child", pid);
}

/* ---- the controlling terminal ---- */

CASE(acquire_by_open)
{
	struct pair p = open_pair();
	pid_t pid = fork();

	if (pid == 0) {
		CALL(setsid() > 0);
		CALL(open("/dev/tty", O_RDWR));
		OK(open(p.name, O_RDWR | O_NOCTTY));
		CALL(open("/dev/tty", O_RDWR));
		OK(open(p.name, O_WRONLY));
		CALL(open("/dev/tty", O_RDWR));
		OK(open(p.name, O_RDWR));
		int fd = OK(open("/dev/tty", O_RDWR));
		TRUTH(tcgetpgrp(fd) == getpgrp());
		TRUTH(tcgetsid(fd) == getsid(0));
		NOTE("%s", ttyname(fd));
		CALL(write(fd, "through /dev/tty", 16));
		show("master", p.master);
		_exit(0);
	}
	note_wait("child", pid);
}

CASE(not_a_leader)
{
	struct pair p = open_pair();
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		pid_t inner = fork();
		if (inner == 0) {
			OK(open(p.name, O_RDWR));
			CALL(open("/dev/tty", O_RDWR));
			CALL(ioctl(p.slave, TIOCSCTTY, 0));
			_exit(0);
		}
		note_wait("inner", inner);
		_exit(0);
	}
	note_wait("child", pid);
}

CASE(acquire_by_ioctl)
{
	struct pair p = open_pair(), q = open_pair();
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		CALL(tcgetpgrp(p.slave));
		CALL(ioctl(p.slave, TIOCSCTTY, 0));
		CALL(ioctl(p.slave, TIOCSCTTY, 0));
		CALL(ioctl(q.slave, TIOCSCTTY, 0));
		TRUTH(tcgetpgrp(p.slave) == getpgrp());
		CALL(tcgetpgrp(q.slave));
		TRUTH(tcgetpgrp(p.master) == getpgrp());
		CALL(tcgetpgrp(q.master));
		pid_t inner = fork();
		if (inner == 0) {
			setsid();
			CALL(tcgetpgrp(p.slave));
			CALL(ioctl(p.slave, TIOCSCTTY, 0));
			CALL(ioctl(q.slave, TIOCSCTTY, 0));
			_exit(0);
		}
		note_wait("inner", inner);
		_exit(0);
	}
	note_wait("child", pid);
}

CASE(session_ids)
{
	struct pair p = open_pair();
	pid_t pid = fork_session(&p);

	if (pid == 0) {
		TRUTH(tcgetsid(p.slave) == getpid());
		TRUTH(tcgetsid(p.master) == getpid());
		_exit(0);
	}
	note_wait("child", pid);
	CALL(tcgetsid(p.slave));
	CALL(tcgetsid(p.master));
}

CASE(foreground_errors)
{
	struct pair p = open_pair();
	pid_t outside = getpgrp();
	pid_t pid = fork_session(&p);

	if (pid == 0) {
		CALL(tcsetpgrp(p.slave, -5));
		CALL(tcsetpgrp(p.slave, 0));
		CALL(tcsetpgrp(p.slave, 0x3ffffff));
		TRUTH(tcsetpgrp(p.slave, outside) == -1 && errno == EPERM);
		CALL(ioctl(p.slave, TIOCSPGRP, BAD_ADDRESS));
		CALL(tcsetpgrp(p.slave, getpgrp()));
		pid_t inner = fork();
		if (inner == 0) {
			pause();
			_exit(0);
		}
		CALL(setpgid(inner, inner));
		CALL(tcsetpgrp(p.slave, inner));
		TRUTH(tcgetpgrp(p.slave) == inner);
		kill(inner, SIGKILL);
		note_wait("inner", inner);
		TRUTH(tcgetpgrp(p.slave) == inner);
		_exit(0);
	}
	note_wait("child", pid);
	CALL(tcsetpgrp(p.slave, getpgrp()));
}

CASE(leader_lets_go)
{
	struct pair p = open_pair();
	pid_t pid = fork_session(&p);

	if (pid == 0) {
		catch (SIGHUP);
		catch (SIGCONT);
		CALL(ioctl(p.slave, TIOCNOTTY));
		CALL(open("/dev/tty", O_RDWR));
		CALL(ioctl(p.slave, TIOCNOTTY));
		CALL(tcgetpgrp(p.slave));
		CALL(ioctl(p.slave, TIOCSCTTY, 0));
		_exit(0);
	}
	note_wait("child", pid);
}

CASE(member_lets_go)
{
	struct pair p = open_pair();
	pid_t pid = fork_session(&p);

	if (pid == 0) {
		pid_t inner = fork();
		if (inner == 0) {
			CALL(ioctl(p.slave, TIOCNOTTY));
			CALL(open("/dev/tty", O_RDWR));
			_exit(0);
		}
		note_wait("inner", inner);
		OK(open("/dev/tty", O_RDWR));
		_exit(0);
	}
	note_wait("child", pid);
}

CASE(new_session_has_none)
{
	struct pair p = open_pair();
	pid_t pid = fork_session(&p);

	if (pid == 0) {
		pid_t inner = fork();
		if (inner == 0) {
			OK(open("/dev/tty", O_RDWR));
			CALL(setsid() > 0);
			CALL(open("/dev/tty", O_RDWR));
			_exit(0);
		}
		note_wait("inner", inner);
		_exit(0);
	}
	note_wait("child", pid);
}

CASE(login_tty_of_libc)
{
	int master;
	pid_t pid = forkpty(&master, NULL, NULL, NULL);

	if (pid == 0) {
		char line[100];
		ssize_t n = read(0, line, sizeof(line));

		printf("got %zd, leader %d\n", n, getsid(0) == getpid());
		fflush(stdout);
		_exit(5);
	}
	type(master, "hello\n");
	show("master", master);
	note_wait("child", pid);
}

/* ---- signals of characters ---- */

CASE(interrupt_character)
{
	struct pair p = open_pair();
	pid_t pid = fork_session(&p);

	if (pid == 0) {
		pause();
		_exit(1);
	}
	settle();
	type(p.master, "abc\003");
	note_wait("child", pid);
	show("echo", p.master);
}

CASE(quit_character)
{
	struct pair p = open_pair();
	struct rlimit {
		unsigned long cur, max;
	} none = {0, 0};
	pid_t pid;

	syscall(SYS_setrlimit, 4 /* RLIMIT_CORE */, &none);
	pid = fork_session(&p);
	if (pid == 0) {
		pause();
		_exit(1);
	}
	settle();
	type(p.master, "\034");
	note_wait("child", pid);
	show("echo", p.master);
}

CASE(interrupt_flushes)
{
	struct pair p = open_pair();
	pid_t pid = fork_session(&p);

	if (pid == 0) {
		catch (SIGINT);
		CALL(read(p.slave, NULL, 0));
		pause();
		settle();
		CALL(fcntl(p.slave, F_SETFL, O_NONBLOCK));
		read_once("input", p.slave, 100);
		set_modes(p.slave, USUAL_INPUT, OPOST, USUAL_LOCAL | NOFLSH);
		NOTE("ready");
		pause();
		settle();
		read_once("with NOFLSH", p.slave, 100);
		_exit(0);
	}
	settle();
	type(p.master, "lost\n\003");
	sleep_ms(200);
	type(p.master, "kept\n\003");
	note_wait("child", pid);
}

CASE(no_signals_without_isig)
{
	struct pair p = open_pair();
	pid_t pid = fork_session(&p);
	struct termios now;

	if (pid == 0) {
		set_modes(p.slave, USUAL_INPUT, OPOST, ICANON);
		read_once("read", p.slave, 100);
		_exit(0);
	}
	while (tcgetattr(p.master, &now) == 0 && (now.c_lflag & ISIG))
		sleep_ms(1);
	type(p.master, "\003\032\034\n");
	note_wait("child", pid);
}

CASE(other_signal_characters)
{
	struct pair p = open_pair();
	pid_t pid = fork_session(&p);

	if (pid == 0) {
		set_character(p.slave, VINTR, 'i');
		set_character(p.slave, VSUSP, 0);
		catch (SIGINT);
		pause();
		read_once("read", p.slave, 100);
		_exit(0);
	}
	sleep_ms(100);
	type(p.master, "\003\032i");
	type(p.master, "\003\032\n");
	note_wait("child", pid);
}

CASE(only_the_foreground_gets_it)
{
	struct pair p = open_pair();
	pid_t pid = fork_session(&p);

	if (pid == 0) {
		signal(SIGTTOU, SIG_IGN);
		pid_t inner = fork();
		if (inner == 0) {
			setpgid(0, 0);
			tcsetpgrp(p.slave, getpid());
			for (;;)
				pause();
		}
		note_wait("inner", inner);
		tcsetpgrp(p.slave, getpgrp());
		_exit(0);
	}
	await_job(&p, pid);
	type(p.master, "\003");
	note_wait("leader", pid);
}

CASE(stop_and_continue)
{
	struct pair p = open_pair();
	int reads[2];
	char byte;
	pid_t pid;

	if (pipe(reads) < 0)
		abort();
	pid = fork_session(&p);
	if (pid == 0) {
		signal(SIGTTOU, SIG_IGN);
		pid_t inner = fork();
		int status;

		if (inner == 0) {
			signal(SIGTTOU, SIG_DFL);
			setpgid(0, 0);
			while (tcgetpgrp(p.slave) != getpid())
				sleep_ms(5);
			write(reads[1], "r", 1);
			read_once("job", p.slave, 100);
			_exit(0);
		}
		setpgid(inner, inner);
		tcsetpgrp(p.slave, inner);
		waitpid(inner, &status, WUNTRACED);
		note_status("job", status);
		tcsetpgrp(p.slave, getpgrp());
		CALL(kill(-inner, SIGCONT));
		/* It goes on reading in the background. */
		waitpid(inner, &status, WUNTRACED);
		note_status("job", status);
		tcsetpgrp(p.slave, inner);
		CALL(kill(-inner, SIGCONT));
		waitpid(inner, &status, WUNTRACED);
		note_status("job", status);
		_exit(0);
	}
	read(reads[0], &byte, 1);
	type(p.master, "\032");
	sleep_ms(200);
	type(p.master, "input\n");
	note_wait("leader", pid);
	show("echo", p.master);
}

/* ---- the background ---- */

/* Runs @fn in a background group whose parent is the leader; notes how it stops or ends. */
static void in_background(struct pair *p, void (*fn)(struct pair *))
{
	pid_t pid = fork_session(p);

	if (pid == 0) {
		pid_t inner = fork();
		int status;

		if (inner == 0) {
			setpgid(0, 0);
			fn(p);
			_exit(0);
		}
		setpgid(inner, inner);
		waitpid(inner, &status, WUNTRACED);
		note_status("background", status);
		if (WIFSTOPPED(status)) {
			kill(-inner, SIGKILL);
			kill(-inner, SIGCONT);
			note_wait("background", inner);
		}
		_exit(0);
	}
	note_wait("leader", pid);
}

static void background_read(struct pair *p)
{
	read_once("read", p->slave, 10);
}

static void background_read_ignoring(struct pair *p)
{
	signal(SIGTTIN, SIG_IGN);
	read_once("read", p->slave, 10);
}

static void background_read_blocking(struct pair *p)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTTIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	read_once("read", p->slave, 10);
}

static void background_read_handling(struct pair *p)
{
	catch (SIGTTIN);
	read_once("read", p->slave, 10);
}

static void background_write(struct pair *p)
{
	CALL(write(p->slave, "seen", 4));
	show("output", p->master);
	set_modes(p->slave, USUAL_INPUT, OPOST, USUAL_LOCAL | TOSTOP);
	NOTE("not reached without TOSTOP allowed");
}

static void background_write_tostop(struct pair *p)
{
	CALL(write(p->slave, "unseen", 6));
}

static void background_write_handling(struct pair *p)
{
	catch (SIGTTOU);
	CALL(write(p->slave, "unseen", 6));
	signal(SIGTTOU, SIG_IGN);
	CALL(write(p->slave, "seen", 4));
	show("output", p->master);
}

static void background_modes(struct pair *p)
{
	struct termios termios;
	struct winsize size = {.ws_row = 3, .ws_col = 4};
	int count;

	CALL(tcgetattr(p->slave, &termios));
	CALL(ioctl(p->slave, TIOCSWINSZ, &size));
	CALL(ioctl(p->slave, FIONREAD, &count));
	catch (SIGTTOU);
	CALL(tcsetattr(p->slave, TCSANOW, &termios));
	CALL(tcflush(p->slave, TCIFLUSH));
	CALL(tcflow(p->slave, TCOON));
	CALL(tcdrain(p->slave));
	CALL(tcsetpgrp(p->slave, getpgrp()));
	signal(SIGTTOU, SIG_IGN);
	CALL(tcsetattr(p->slave, TCSANOW, &termios));
	CALL(tcsetpgrp(p->slave, getpgrp()));
	TRUTH(tcgetpgrp(p->slave) == getpgrp());
}

CASE(background_reads)
{
	struct pair p = open_pair();

	in_background(&p, background_read);
}

CASE(background_reads_ignoring)
{
	struct pair p = open_pair();

	in_background(&p, background_read_ignoring);
}

CASE(background_reads_blocking)
{
	struct pair p = open_pair();

	in_background(&p, background_read_blocking);
}

CASE(background_reads_handling)
{
	struct pair p = open_pair();

	in_background(&p, background_read_handling);
}

CASE(background_writes)
{
	struct pair p = open_pair();

	in_background(&p, background_write);
}

CASE(background_writes_tostop)
{
	struct pair p = open_pair();

	set_modes(p.slave, USUAL_INPUT, OPOST, USUAL_LOCAL | TOSTOP);
	in_background(&p, background_write_tostop);
}

CASE(background_writes_handling)
{
	struct pair p = open_pair();

	set_modes(p.slave, USUAL_INPUT, OPOST, USUAL_LOCAL | TOSTOP);
	in_background(&p, background_write_handling);
}

CASE(background_changes)
{
	struct pair p = open_pair();

	in_background(&p, background_modes);
}

CASE(orphans)
{
	struct pair p = open_pair();
	int fds[2];
	char byte;
	pid_t pid;

	CALL(pipe(fds));
	pid = fork_session(&p);
	if (pid == 0) {
		pid_t middle = fork();
		if (middle == 0) {
			if (fork() == 0) {
				setpgid(0, 0);
				while (getppid() == middle)
					sleep_ms(5);
				sleep_ms(50);
				read_once("read", p.slave, 10);
				CALL(tcsetpgrp(p.slave, getpgrp()));
				write(fds[1], "x", 1);
				_exit(0);
			}
			sleep_ms(20);
			_exit(0);
		}
		note_wait("middle", middle);
		read(fds[0], &byte, 1);
		_exit(0);
	}
	note_wait("leader", pid);
}

/* ---- hang-ups ---- */

CASE(leader_hears_of_hangup)
{
	struct pair p = open_pair();
	pid_t pid = fork_session(&p);

	if (pid == 0) {
		close(p.master);
		catch (SIGHUP);
		catch (SIGCONT);
		read_once("read", p.slave, 10);
		settle();
		CALL(open("/dev/tty", O_RDWR));
		CALL(tcgetpgrp(p.slave));
		_exit(0);
	}
	sleep_ms(100);
	close(p.master);
	note_wait("leader", pid);
}

CASE(leader_dies_of_hangup)
{
	struct pair p = open_pair();
	pid_t pid = fork_session(&p);

	if (pid == 0) {
		close(p.master);
		for (;;)
			pause();
	}
	sleep_ms(50);
	close(p.master);
	note_wait("leader", pid);
}

CASE(leader_exit_hangs_up_foreground)
{
	struct pair p = open_pair();
	int fds[2], ready[2];
	char byte;
	pid_t pid;

	CALL(pipe(fds));
	CALL(pipe(ready));
	pid = fork_session(&p);
	if (pid == 0) {
		signal(SIGTTOU, SIG_IGN);
		if (fork() == 0) {
			setpgid(0, 0);
			tcsetpgrp(p.slave, getpid());
			catch (SIGHUP);
			sleep_ms(5);
			write(ready[1], "r", 1);
			pause();
			CALL(open("/dev/tty", O_RDWR));
			CALL(tcgetpgrp(p.slave));
			write(fds[1], "d", 1);
			_exit(0);
		}
		read(ready[0], &byte, 1);
		sleep_ms(50);
		_exit(3);
	}
	CALL(read(fds[0], &byte, 1));
	note_wait("leader", pid);
	CALL(write(p.slave, "still open", 10));
	show("master", p.master);
}

CASE(hangup_call)
{
	struct pair p = open_pair();
	char byte;

	if (geteuid() != 0) {
		CALL(ioctl(p.slave, TIOCVHANGUP));
		return;
	}
	set_modes(p.slave, 0, 0, 0);
	NOTE("%s", ioctl(p.slave, TIOCVHANGUP) == 0 ? "hung up" : errno_name(errno));
	CALL(read(p.slave, &byte, 1));
	CALL(write(p.slave, "x", 1));
	note_poll("slave", p.slave);
	note_poll("master", p.master);
	p.slave = open(p.name, O_RDWR | O_NOCTTY);
	CALL(write(p.slave, "anew\n", 5));
	show("master", p.master);
}

CASE(many_pairs)
{
	int masters[50];
	bool fine = true;

	for (int i = 0; i < 50; i++) {
		masters[i] = posix_openpt(O_RDWR | O_NOCTTY);
		fine &= masters[i] >= 0;
	}
	TRUTH(fine);
	for (int i = 0; i < 50; i++)
		close(masters[i]);
}

/* ---- instances ------------------------------------------------------------------------------- */

static void note_stat(const char *name)
{
	struct stat st;

	if (stat(name, &st) < 0)
		NOTE("%s: %s", name, errno_name(errno));
	else
		NOTE("%s: mode %o uid %u gid %u device %u:%u", name, st.st_mode, st.st_uid,
			st.st_gid, major(st.st_rdev), minor(st.st_rdev));
}

static int number_of(int fd)
{
	int number = -1;

	ioctl(fd, TIOCGPTN, &number);
	return number;
}

CASE(instances_of_devpts)
{
	int first, second, other, peer, unlock = 0;

	own_mounts();
	mkdir("a", 0755);
	mkdir("b", 0755);
	CALL(mount("devpts", "a", "devpts", 0, "newinstance,ptmxmode=0666,mode=620,gid=5"));
	CALL(mount("devpts", "b", "devpts", 0, "max=1"));
	note_stat("a/ptmx");
	note_stat("b/ptmx");
	first = OK(open("a/ptmx", O_RDWR | O_NOCTTY));
	second = OK(open("a/ptmx", O_RDWR | O_NOCTTY));
	other = OK(open("b/ptmx", O_RDWR | O_NOCTTY));
	NOTE("%d %d %d", number_of(first), number_of(second), number_of(other));
	note_stat("a/0");
	note_stat("a/1");
	note_stat("a/2");
	note_stat("b/0");
	CALL(open("b/ptmx", O_RDWR | O_NOCTTY));
	ioctl(first, TIOCSPTLCK, &unlock);
	peer = OK(ioctl(first, TIOCGPTPEER, O_RDWR | O_NOCTTY));
	CALL(write(peer, "x", 1));
	CALL(close(second));
	note_stat("a/1");
	CALL(mount(NULL, "a", NULL, MS_REMOUNT, "mode=600,ptmxmode=0600"));
	note_stat("a/ptmx");
	second = OK(open("a/ptmx", O_RDWR | O_NOCTTY));
	note_stat("a/1");
	CALL(chmod("a/ptmx", 0640));
	note_stat("a/ptmx");
	CALL(umount("a"));
	CALL(umount2("a", MNT_DETACH));
	CALL(write(peer, "y", 1));
	CALL(mount("devpts", "a", "devpts", 0, "mode=9"));
	CALL(mount("devpts", "a", "devpts", 0, "nothing"));
}

/* The node of the device leads to the instance that is next to it. */
CASE(ptmx_beside_pts)
{
	own_mounts();
	mkdir("d", 0755);
	CALL(mount("dev", "d", "tmpfs", 0, NULL));
	CALL(mknod("d/ptmx", S_IFCHR | 0666, makedev(5, 2)));
	CALL(open("d/ptmx", O_RDWR | O_NOCTTY));
	mkdir("d/pts", 0755);
	CALL(open("d/ptmx", O_RDWR | O_NOCTTY));
	CALL(mount("devpts", "d/pts", "devpts", 0, "newinstance"));
	int fd = OK(open("d/ptmx", O_RDWR | O_NOCTTY));
	NOTE("number %d", number_of(fd));
	note_stat("d/pts/0");
	CALL(umount2("d/pts", MNT_DETACH));
	CALL(open("d/ptmx", O_RDWR | O_NOCTTY));
	CALL(open("d/pts/0", O_RDWR | O_NOCTTY));
}
