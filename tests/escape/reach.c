/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reaches for what is the host's, by calls alone. `reach WHAT [NUMBER...]`:
 *
 *   descriptors          those that the launcher was started with, by number, /proc and messages
 *   sockets NAME PORT    an abstract and a TCP listener of the host; families beside AF_UNIX
 *   processes PID        a process of the host, by its number there
 *   terminal             the terminal behind standard input and output: TIOCSTI and relatives
 *
 * It says nothing but "over": the runner looks at the other ends.
 */
#include "armed.h"
#include "gadget.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define FDS_MAX 1100

static void raw_in_child(long nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	pid_t pid = fork();

	if (pid == 0) {
		alarm(2);
		gadget_call(nr, a0, a1, a2, 0, 0, 0);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void descriptors(void)
{
	char name[64], buffer[64];
	int sockets[2];

	socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets);
	for (int fd = 3; fd < FDS_MAX; fd++) {
		if (fd == sockets[0] || fd == sockets[1])
			continue;
		(void)!write(fd, "escaped", 7);
		(void)!dup2(fd, 2000);
		(void)!write(2000, "escaped", 7);
		ioctl(fd, TIOCSTI, "x");
		for (int i = 0; i < 2; i++) {
			snprintf(name, sizeof(name), i ? "/dev/fd/%d" : "/proc/self/fd/%d", fd);
			int again = open(name, O_RDWR | O_NONBLOCK);

			if (again >= 0 && again != fd) {
				(void)!write(again, "escaped", 7);
				(void)!read(again, buffer, sizeof(buffer));
			}
			close(again);
		}
	}
	/* The stub's own: the kill pipe, the slots of mappings. */
	for (int fd = 0; fd < 40; fd++) {
		raw_in_child(SYS_write, (uint64_t)fd, (uint64_t) "escaped", 7);
		raw_in_child(SYS_close, (uint64_t)fd, 0, 0);
		raw_in_child(SYS_mmap, 0, 4096, 3);
	}
}

static void sockets(const char *name, int port)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct sockaddr_in inet = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const socklen_t size =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));

	memcpy(local.sun_path + 1, name, strlen(name));
	for (int type = 1; type < 11; type++) {
		int fd = socket(AF_UNIX, type, 0);

		(void)!connect(fd, (struct sockaddr *)&local, size);
		(void)!sendto(fd, "escaped", 7, MSG_DONTWAIT | MSG_NOSIGNAL,
			(struct sockaddr *)&local, size);
		close(fd);
		for (int family = 2; family < 46; family++) {
			fd = socket(family, type, 0);
			if (fd < 0)
				continue;
			(void)!connect(fd, (struct sockaddr *)&inet, sizeof(inet));
			(void)!sendto(fd, "escaped", 7, MSG_DONTWAIT | MSG_NOSIGNAL,
				(struct sockaddr *)&inet, sizeof(inet));
			close(fd);
		}
	}
	/* A socket file of the host in a directory of ours, and through it. */
	strcpy(local.sun_path, "/vol/socket");
	(void)!connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&local, sizeof(local));
}

static void processes(pid_t pid)
{
	struct rlimit limit = {1, 1};
	char name[64], byte = 0;
	struct iovec iov = {&byte, 1}, remote = {(void *)0x400000, 1};
	cpu_set_t one;
	int fd;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	for (int signo = 1; signo < 65; signo++) {
		kill(pid, signo);
		kill(-pid, signo);
		syscall(SYS_tkill, pid, signo);
	}
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	syscall(SYS_pidfd_getfd, fd, 0, 0);
	ptrace(PTRACE_ATTACH, pid, 0, 0);
	ptrace(PTRACE_SEIZE, pid, 0, 0);
	process_vm_writev(pid, &iov, 1, &remote, 1, 0);
	sched_setaffinity(pid, sizeof(one), &one);
	setpriority(PRIO_PROCESS, (id_t)pid, 19);
	prlimit(pid, RLIMIT_NOFILE, &limit, NULL);
	setpgid(pid, pid);
	tcsetpgrp(0, pid);
	syscall(SYS_migrate_pages, pid, 0, NULL, NULL);
	for (unsigned i = 0; i < 4; i++) {
		static const char *const files[] = {"mem", "oom_score_adj", "comm", "fd/0"};

		snprintf(name, sizeof(name), "/proc/%d/%s", pid, files[i]);
		fd = open(name, O_WRONLY);
		(void)!write(fd, "0", 1);
		close(fd);
	}
}

static void terminal(void)
{
	static const char *const names[] = {"/dev/stdin", "/dev/tty", "/dev/console", "/dev/tty0",
		"/dev/tty1", "/dev/pts/0", "/dev/pts/1", "/dev/pts/2", "/proc/self/fd/0",
		"/proc/1/fd/0"};
	struct winsize window = {1, 1, 1, 1};
	struct termios raw;

	signal(SIGIO, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	setsid();
	for (int i = -3; i < (int)(sizeof(names) / sizeof(names[0])); i++) {
		int fd = i < 0 ? i + 3 : open(names[i], O_RDWR | O_NONBLOCK), group = getpid(),
		    number = 7;
		char linux_paste = 3, letter = 'e';

		if (fd < 0)
			continue;
		ioctl(fd, TIOCSCTTY, 1);
		for (int n = 0; n < 8; n++)
			ioctl(fd, TIOCSTI, &letter);
		ioctl(fd, TIOCLINUX, &linux_paste);
		ioctl(fd, TIOCSPGRP, &group);
		ioctl(fd, TIOCSWINSZ, &window);
		ioctl(fd, TIOCSETD, &number);
		ioctl(fd, TIOCCONS, 0);
		ioctl(fd, FIOASYNC, &number);
		if (tcgetattr(fd, &raw) == 0) {
			cfmakeraw(&raw);
			tcsetattr(fd, TCSANOW, &raw);
		}
		ioctl(fd, TIOCEXCL, 0);
		ioctl(fd, TIOCVHANGUP, 0);
		fcntl(fd, F_SETOWN, getpid());
		fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK);
	}
	vhangup();
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	gadget_find();
	if (strcmp(what, "descriptors") == 0)
		descriptors();
	else if (strcmp(what, "sockets") == 0 && argc > 3)
		sockets(argv[2], atoi(argv[3]));
	else if (strcmp(what, "processes") == 0 && argc > 2)
		processes(atoi(argv[2]));
	else if (strcmp(what, "terminal") == 0)
		terminal();
	puts("over");
	return 0;
}
