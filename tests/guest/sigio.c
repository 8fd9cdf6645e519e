/* SPDX-License-Identifier: Apache-2.0 */
/* Signals instead of polling: O_ASYNC, F_SETOWN, F_SETSIG. */
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "memory.h"

static volatile sig_atomic_t count, last_signo, last_code, last_fd, last_band;

static void on_io(int signo, siginfo_t *info, void *context)
{
	count++;
	last_signo = signo;
	last_code = info->si_code;
	last_fd = info->si_fd;
	last_band = (int)info->si_band;
}

static void listen_to(int signo)
{
	struct sigaction sa = {.sa_sigaction = on_io, .sa_flags = SA_SIGINFO | SA_RESTART};

	sigaction(signo, &sa, NULL);
}

static void arm(int fd, int signo)
{
	CALL(fcntl(fd, F_SETOWN, getpid()) == 0);
	if (signo)
		CALL(fcntl(fd, F_SETSIG, signo));
	CALL(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC));
}

CASE(pipe_input)
{
	int p[2];
	char c;

	listen_to(SIGIO);
	if (pipe(p) < 0)
		exit(1);
	arm(p[0], 0);
	CALL(write(p[1], "a", 1));
	NOTE("signals %d code %d", count, last_code == SI_KERNEL || last_code == POLL_IN);
	CALL(read(p[0], &c, 1));
	CALL(write(p[1], "b", 1));
	NOTE("signals %d", count);
	CALL(fcntl(p[0], F_SETFL, 0));
	CALL(read(p[0], &c, 1));
	CALL(write(p[1], "b", 1));
	NOTE("signals %d", count);
}

CASE(chosen_signal)
{
	int p[2];

	listen_to(SIGRTMIN + 3);
	if (pipe(p) < 0)
		exit(1);
	arm(p[0], SIGRTMIN + 3);
	CALL(write(p[1], "a", 1));
	NOTE("signals %d signo %d code %d fd %d band %x", count, last_signo == SIGRTMIN + 3,
		last_code, last_fd == p[0], (unsigned)last_band);
	CALL(fcntl(p[0], F_GETSIG) == SIGRTMIN + 3);
	CALL(fcntl(p[0], F_SETSIG, 65));
	CALL(fcntl(p[0], F_SETSIG, -1));
}

CASE(nobody_owns_it)
{
	int p[2];

	listen_to(SIGIO);
	if (pipe(p) < 0)
		exit(1);
	CALL(fcntl(p[0], F_SETFL, O_ASYNC));
	CALL(write(p[1], "a", 1));
	NOTE("signals %d", count);
	CALL(fcntl(p[0], F_GETOWN));
}

CASE(writer_goes)
{
	int p[2];

	listen_to(SIGIO);
	if (pipe(p) < 0)
		exit(1);
	arm(p[0], 0);
	CALL(close(p[1]));
	TRUTH(count >= 1);
}

CASE(room_in_a_pipe)
{
	int p[2];
	static char block[65536];

	if (pipe(p) < 0)
		exit(1);
	listen_to(SIGUSR1);
	CALL(write(p[1], block, sizeof(block)));
	arm(p[1], SIGUSR1);
	CALL(read(p[0], block, sizeof(block)));
	NOTE("signalled %d code %d", count >= 1, last_code);
}

CASE(socket_input)
{
	int s[2];
	char c;

	listen_to(SIGUSR2);
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	arm(s[0], SIGUSR2);
	CALL(write(s[1], "x", 1));
	NOTE("signals %d code %d fd %d", count, last_code, last_fd == s[0]);
	CALL(read(s[0], &c, 1));
	NOTE("signals %d", count);
}

CASE(by_ioctl)
{
	int p[2], on = 1, off = 0, fd = open("f", O_CREAT | O_RDWR, 0600);

	listen_to(SIGIO);
	if (pipe(p) < 0)
		exit(1);
	CALL(fcntl(p[0], F_SETOWN, getpid()));
	CALL(ioctl(p[0], FIOASYNC, &on));
	TRUTH((fcntl(p[0], F_GETFL) & O_ASYNC) != 0);
	CALL(write(p[1], "a", 1));
	NOTE("signals %d", count);
	CALL(ioctl(p[0], FIOASYNC, &off));
	CALL(ioctl(fd, FIOASYNC, &on));
	CALL(ioctl(p[0], FIOASYNC, BAD_ADDRESS));
}

CASE(files_are_silent)
{
	int fd = open("f", O_CREAT | O_RDWR, 0600);

	listen_to(SIGIO);
	CALL(fcntl(fd, F_SETOWN, getpid()));
	CALL(fcntl(fd, F_SETFL, O_ASYNC));
	CALL(write(fd, "abc", 3));
	NOTE("signals %d", count);
}

CASE(another_process)
{
	int p[2], ready[2];
	char c;
	pid_t pid;

	if (pipe(p) < 0 || pipe(ready) < 0)
		exit(1);
	pid = fork();
	if (pid == 0) {
		listen_to(SIGIO);
		write(ready[1], "x", 1);
		for (int i = 0; i < 2000 && !count; i++)
			sleep_ms(2);
		_exit(count);
	}
	read(ready[0], &c, 1);
	CALL(fcntl(p[0], F_SETOWN, pid));
	CALL(fcntl(p[0], F_SETFL, O_ASYNC));
	CALL(write(p[1], "a", 1));
	note_wait("owner", pid);
	CALL(fcntl(p[0], F_SETOWN, 0x3ffffff));
}

CASE(process_group)
{
	int p[2];
	struct f_owner_ex owner;

	listen_to(SIGIO);
	setpgid(0, 0);
	if (pipe(p) < 0)
		exit(1);
	CALL(fcntl(p[0], F_SETOWN, -getpid()));
	CALL(fcntl(p[0], F_GETOWN_EX, &owner));
	NOTE("type %d own %d", owner.type, owner.pid == getpid());
	CALL(fcntl(p[0], F_SETFL, O_ASYNC));
	CALL(write(p[1], "a", 1));
	NOTE("signals %d", count);
	owner.type = F_OWNER_TID;
	owner.pid = (pid_t)SYS(SYS_gettid);
	CALL(fcntl(p[0], F_SETOWN_EX, &owner));
	CALL(write(p[1], "a", 1));
	NOTE("signalled again %d", count >= 1);
}

CASE(directory_changes)
{
	int fd;

	listen_to(SIGRTMIN + 4);
	mkdir("d", 0700);
	write_file("d/old", "x");
	fd = open("d", O_RDONLY | O_DIRECTORY);
	CALL(fcntl(fd, F_SETSIG, SIGRTMIN + 4));
	CALL(fcntl(fd, F_NOTIFY, DN_CREATE | DN_DELETE));
	write_file("d/new", "x");
	NOTE("signals %d code %d fd %d band %x", count, last_code, last_fd == fd,
		(unsigned)last_band);
	CALL(unlink("d/new"));
	NOTE("signals %d: once only", count);
	CALL(fcntl(fd, F_NOTIFY, DN_CREATE | DN_DELETE | DN_MULTISHOT));
	write_file("d/new", "x");
	CALL(unlink("d/new"));
	CALL(rmdir("d"));
	NOTE("signals %d", count);
	CALL(chmod("d/old", 0600));
	NOTE("signals %d: attributes do not count", count);
	CALL(fcntl(fd, F_NOTIFY, DN_ATTRIB | DN_MULTISHOT));
	CALL(chmod("d/old", 0644));
	NOTE("signals %d", count);
	CALL(fcntl(fd, F_NOTIFY, 0));
	CALL(unlink("d/old"));
	NOTE("signals %d", count);
	TRUTH(fcntl(fd, F_GETOWN) == getpid());
}

CASE(directory_errors)
{
	int fd = open("f", O_CREAT | O_RDWR, 0600), dir = open(".", O_RDONLY), same;

	CALL(fcntl(fd, F_NOTIFY, DN_CREATE));
	CALL(fcntl(fd, F_NOTIFY, 0));
	CALL(fcntl(-1, F_NOTIFY, DN_CREATE));
	CALL(fcntl(dir, F_NOTIFY, DN_MULTISHOT));
	listen_to(SIGIO);
	CALL(fcntl(dir, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
	close(open("g", O_CREAT | O_RDWR, 0600));
	NOTE("signals %d", count);
	same = dup(dir);
	close(same);
	close(open("h", O_CREAT | O_RDWR, 0600));
	NOTE("signals %d: closing a copy ends it", count);
}

CASE(directory_of_parent)
{
	int dir = open(".", O_RDONLY);
	pid_t pid;

	listen_to(SIGIO);
	CALL(fcntl(dir, F_NOTIFY, DN_CREATE | DN_MULTISHOT));
	pid = fork();
	if (pid == 0) {
		close(dir);
		close(open("g", O_CREAT | O_RDWR, 0600));
		_exit(count);
	}
	note_wait("child", pid);
	NOTE("signals %d", count);
}
