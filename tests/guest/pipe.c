/* SPDX-License-Identifier: Apache-2.0 */
/* pipe(7), fifo(7), splice(2), tee(2) */
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "case.h"

static char big[1 << 20];

static void make(int fds[2], int flags)
{
	OK(pipe2(fds, flags));
}

CASE(create_errors)
{
	int fds[2];

	CALL(SYS(SYS_pipe2, fds, 0x10));
	CALL(SYS(SYS_pipe2, BAD_ADDRESS, 0));
	CALL(SYS(SYS_pipe, BAD_ADDRESS));
	/* nothing stayed open */
	CALL(pipe(fds));
	NOTE("%d %d", fds[0], fds[1]);
}

CASE(create_flags)
{
	int fds[2];

	make(fds, O_CLOEXEC | O_NONBLOCK);
	NOTE("fl %o %o", fcntl(fds[0], F_GETFL), fcntl(fds[1], F_GETFL));
	NOTE("fd %d %d", fcntl(fds[0], F_GETFD), fcntl(fds[1], F_GETFD));
	make(fds, O_DIRECT);
	NOTE("fl %o %o", fcntl(fds[0], F_GETFL), fcntl(fds[1], F_GETFL));
}

CASE(wrong_direction)
{
	int fds[2];
	char c;

	make(fds, 0);
	CALL(write(fds[0], "x", 1));
	CALL(read(fds[1], &c, 1));
	CALL(lseek(fds[0], 0, SEEK_CUR));
	CALL(pread(fds[0], &c, 1, 0));
	CALL(pwrite(fds[1], &c, 1, 0));
	CALL(ftruncate(fds[1], 0));
	CALL(fsync(fds[0]));
	CALL(fdatasync(fds[1]));
}

CASE(stat)
{
	struct stat a, b;
	int fds[2];
	char name[64], target[64] = "";

	make(fds, 0);
	CALL(fstat(fds[0], &a));
	CALL(fstat(fds[1], &b));
	NOTE("mode %o %o, same inode %d, nlink %d, size %d, blksize %d", a.st_mode, b.st_mode,
		a.st_ino == b.st_ino, (int)a.st_nlink, (int)a.st_size, (int)a.st_blksize);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fds[0]);
	OK(readlink(name, target, sizeof(target) - 1));
	target[6] = 0;
	NOTE("%s", target);
}

CASE(bytes_and_end)
{
	int fds[2];
	char buf[16];

	make(fds, 0);
	CALL(write(fds[1], "hello", 5));
	CALL(write(fds[1], " world", 6));
	CALL(read(fds[0], buf, 4));
	CALL(read(fds[0], buf, sizeof(buf)));
	NOTE("%.7s", buf);
	CALL(write(fds[1], "x", 0));
	close(fds[1]);
	CALL(read(fds[0], buf, 1));
	CALL(read(fds[0], buf, 0));
}

CASE(bad_memory)
{
	int fds[2];
	char c;
	struct iovec iov[2] = {{"ab", 2}, {BAD_ADDRESS, 3}};

	make(fds, O_NONBLOCK);
	CALL(write(fds[1], BAD_ADDRESS, 3));
	CALL(read(fds[0], &c, 1));
	CALL(write(fds[1], "abc", 3));
	CALL(read(fds[0], BAD_ADDRESS, 3));
	CALL(read(fds[0], big, 10));
	CALL(writev(fds[1], iov, 2));
	CALL(read(fds[0], big, 10));
}

CASE(nonblocking)
{
	int fds[2];
	char c;

	make(fds, O_NONBLOCK);
	CALL(read(fds[0], &c, 1));
	CALL(write(fds[1], big, sizeof(big)));
	CALL(write(fds[1], big, 1));
	CALL(write(fds[1], big, 4096));
	CALL(read(fds[0], big, 4095));
	CALL(write(fds[1], "x", 1));
	CALL(read(fds[0], big, 1));
	CALL(write(fds[1], big, 4097));
	CALL(write(fds[1], big, 5000));
	CALL(read(fds[0], big, 5000));
	CALL(write(fds[1], big, 5000));
}

CASE(merging)
{
	int fds[2], total = 0;

	make(fds, O_NONBLOCK);
	while (write(fds[1], "y", 1) == 1)
		total++;
	NOTE("%d single bytes", total);
	CALL(read(fds[0], big, sizeof(big)));
	for (total = 0; write(fds[1], big, 3000) == 3000;)
		total++;
	NOTE("%d of 3000", total);
	CALL(read(fds[0], big, sizeof(big)));
}

CASE(sigpipe_default)
{
	int fds[2];

	make(fds, 0);
	close(fds[0]);
	CALL(write(fds[1], "x", 0));
	CALL(write(fds[1], "x", 1));
	NOTE("not reached");
}

static volatile sig_atomic_t got;

static void count_signal(int signo)
{
	got++;
}

CASE(sigpipe_handled)
{
	struct pollfd p;
	int fds[2];

	signal(SIGPIPE, count_signal);
	make(fds, 0);
	p = (struct pollfd){fds[1], POLLOUT, 0};
	CALL(poll(&p, 1, 0));
	NOTE("revents %x", p.revents);
	close(fds[0]);
	CALL(write(fds[1], "x", 1));
	NOTE("signals %d", (int)got);
	CALL(poll(&p, 1, 0));
	NOTE("revents %x", p.revents);
	signal(SIGPIPE, SIG_IGN);
	CALL(write(fds[1], "x", 1));
}

/* The reader goes while a write is half done: a short count and a signal. */
CASE(sigpipe_after_part)
{
	int fds[2];
	pid_t pid;

	signal(SIGPIPE, count_signal);
	make(fds, 0);
	pid = fork();
	if (pid == 0) {
		close(fds[1]);
		sleep_ms(50);
		_exit(0);
	}
	close(fds[0]);
	CALL(write(fds[1], big, 100000));
	NOTE("signals %d", (int)got);
	note_wait("child", pid);
}

CASE(poll_masks)
{
	int fds[2];
	struct pollfd p[2];

	make(fds, O_NONBLOCK);
	p[0] = (struct pollfd){fds[0], POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLPRI, 0};
	p[1] = (struct pollfd){fds[1], POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLPRI, 0};
	CALL(poll(p, 2, 0));
	NOTE("%x %x", p[0].revents, p[1].revents);
	OK(write(fds[1], big, sizeof(big)));
	CALL(poll(p, 2, 0));
	NOTE("%x %x", p[0].revents, p[1].revents);
	close(fds[1]);
	CALL(poll(p, 1, 0));
	NOTE("%x", p[0].revents);
	while (read(fds[0], big, sizeof(big)) > 0)
		;
	CALL(poll(p, 1, 0));
	NOTE("%x", p[0].revents);
}

CASE(blocking_writer)
{
	int fds[2], total = 0;
	ssize_t n;
	pid_t pid;

	make(fds, 0);
	pid = fork();
	if (pid == 0) {
		ssize_t w;

		close(fds[0]);
		memset(big, 'z', 300000);
		w = write(fds[1], big, 300000);
		_exit(w == 300000 ? 0 : 1);
	}
	close(fds[1]);
	while ((n = read(fds[0], big, 7777)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			total += big[i] == 'z';
	}
	NOTE("%d bytes, end %zd", total, n);
	note_wait("writer", pid);
}

/* Writes of PIPE_BUF do not mix. */
CASE(atomic_writes)
{
	int fds[2], mixed = 0, blocks = 0;
	size_t have = 0;
	ssize_t n;

	make(fds, 0);
	for (int c = 0; c < 3; c++) {
		if (fork() == 0) {
			char block[512];

			memset(block, 'a' + c, sizeof(block));
			for (int i = 0; i < 200; i++)
				if (write(fds[1], block, sizeof(block)) != sizeof(block))
					_exit(1);
			_exit(0);
		}
	}
	close(fds[1]);
	while ((n = read(fds[0], big + have, sizeof(big) - have)) > 0)
		have += (size_t)n;
	for (size_t i = 0; i + 512 <= have; i += 512, blocks++)
		for (size_t j = 1; j < 512; j++)
			mixed += big[i + j] != big[i];
	NOTE("%zu bytes, %d blocks, %d mixed", have, blocks, mixed);
	for (int c = 0; c < 3; c++)
		OK(wait(NULL));
}

CASE(interrupted_read)
{
	struct sigaction sa = {.sa_handler = count_signal};
	struct itimerval timer = {.it_value = {0, 20000}};
	int fds[2];
	char c;

	make(fds, 0);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	CALL(read(fds[0], &c, 1));
	NOTE("signals %d", (int)got);
}

CASE(restarted_read)
{
	struct sigaction sa = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
	struct itimerval timer = {.it_value = {0, 20000}};
	int fds[2];
	pid_t pid;
	char c;

	make(fds, 0);
	pid = fork();
	if (pid == 0) {
		sleep_ms(80);
		_exit(write(fds[1], "k", 1) != 1);
	}
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	CALL(read(fds[0], &c, 1));
	NOTE("%c, signals %d", c, (int)got);
	note_wait("child", pid);
}

CASE(packet_mode)
{
	int fds[2];

	make(fds, O_DIRECT | O_NONBLOCK);
	CALL(write(fds[1], "abcdef", 6));
	CALL(write(fds[1], "gh", 2));
	CALL(read(fds[0], big, 3));
	CALL(read(fds[0], big, 100));
	CALL(write(fds[1], big, 6000));
	CALL(read(fds[0], big, 6000));
	CALL(read(fds[0], big, 6000));
	CALL(write(fds[1], "1", 1));
	CALL(fcntl(fds[1], F_SETFL, O_NONBLOCK));
	CALL(write(fds[1], "2", 1));
	CALL(write(fds[1], "3", 1));
	CALL(read(fds[0], big, 10));
	CALL(read(fds[0], big, 10));
}

CASE(size)
{
	int fds[2];

	make(fds, O_NONBLOCK);
	CALL(fcntl(fds[0], F_GETPIPE_SZ));
	CALL(fcntl(fds[1], F_SETPIPE_SZ, 5000));
	CALL(fcntl(fds[1], F_SETPIPE_SZ, 0));
	CALL(write(fds[1], big, 10000));
	CALL(fcntl(fds[1], F_SETPIPE_SZ, 200000));
	CALL(write(fds[1], big, 300000));
	CALL(fcntl(fds[1], F_SETPIPE_SZ, 4096));
	CALL(read(fds[0], big, 300000));
	CALL(fcntl(fds[1], F_SETPIPE_SZ, 4096));
	CALL(fcntl(0, F_GETPIPE_SZ));
	CALL(fcntl(fds[1], F_SETPIPE_SZ, -1));
}

CASE(fionread)
{
	int fds[2], n = -1;

	make(fds, 0);
	CALL(ioctl(fds[0], FIONREAD, &n));
	NOTE("%d", n);
	OK(write(fds[1], big, 5000));
	CALL(ioctl(fds[0], FIONREAD, &n));
	NOTE("%d", n);
	CALL(ioctl(fds[1], FIONREAD, &n));
	CALL(ioctl(fds[0], FIONREAD, BAD_ADDRESS));
	CALL(ioctl(fds[0], TIOCGWINSZ, &n));
	CALL(isatty(fds[0]));
}

CASE(reopen_through_proc)
{
	int fds[2], again;
	char name[64], c;

	make(fds, 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fds[0]);
	again = OK(open(name, O_WRONLY));
	CALL(write(again, "r", 1));
	CALL(read(fds[0], &c, 1));
	close(fds[1]);
	CALL(write(again, "s", 1));
	CALL(read(fds[0], &c, 1));
	close(again);
	CALL(read(fds[0], &c, 1));
}

/* ---- FIFOs ---- */

CASE(fifo_nonblocking_open)
{
	int r, w;
	char c;
	struct pollfd p;

	CALL(mkfifo("f", 0600));
	CALL(mkfifo("f", 0600));
	CALL(open("f", O_WRONLY | O_NONBLOCK));
	r = OK(open("f", O_RDONLY | O_NONBLOCK));
	p = (struct pollfd){r, POLLIN, 0};
	CALL(poll(&p, 1, 0)); /* no hang-up before the first writer */
	CALL(read(r, &c, 1));
	w = OK(open("f", O_WRONLY | O_NONBLOCK));
	CALL(write(w, "x", 1));
	CALL(read(r, &c, 1));
	CALL(read(r, &c, 1));
	close(w);
	CALL(poll(&p, 1, 0));
	NOTE("%x", p.revents);
	CALL(read(r, &c, 1));
	w = OK(open("f", O_WRONLY));
	CALL(poll(&p, 1, 0));
	CALL(read(r, &c, 1));
}

CASE(fifo_read_write_open)
{
	int fd;
	char c;

	CALL(mkfifo("f", 0600));
	fd = OK(open("f", O_RDWR));
	CALL(write(fd, "q", 1));
	CALL(read(fd, &c, 1));
	CALL(lseek(fd, 0, SEEK_SET));
	CALL(unlink("f"));
	CALL(write(fd, "q", 1));
	CALL(read(fd, &c, 1));
}

CASE(fifo_open_waits)
{
	pid_t pid;
	int fd;
	char buf[8];

	CALL(mkfifo("f", 0600));
	pid = fork();
	if (pid == 0) {
		sleep_ms(30);
		fd = open("f", O_WRONLY);
		_exit(write(fd, "late", 4) != 4);
	}
	fd = OK(open("f", O_RDONLY));
	CALL(read(fd, buf, sizeof(buf)));
	CALL(read(fd, buf, sizeof(buf)));
	note_wait("writer", pid);
}

CASE(fifo_open_interrupted)
{
	struct sigaction sa = {.sa_handler = count_signal};
	struct itimerval timer = {.it_value = {0, 20000}};

	CALL(mkfifo("f", 0600));
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	CALL(open("f", O_RDONLY));
	setitimer(ITIMER_REAL, &timer, NULL);
	CALL(open("f", O_WRONLY));
	CALL(open("f", O_WRONLY | O_NONBLOCK));
}

CASE(fifo_stat_and_permissions)
{
	struct stat st;

	umask(022);
	CALL(mkfifo("f", 0666));
	CALL(stat("f", &st));
	NOTE("%o", st.st_mode);
	CALL(mknod("g", S_IFIFO | 0600, 0));
	CALL(open("f", O_RDONLY | O_DIRECTORY));
	CALL(truncate("f", 0));
}

/* ---- splice, tee ---- */

CASE(splice_file_to_pipe_and_back)
{
	int fds[2], in, out;
	loff_t off = 2;

	write_file("in", "0123456789");
	in = OK(open("in", O_RDONLY));
	out = OK(open("out", O_RDWR | O_CREAT, 0600));
	make(fds, 0);
	CALL(splice(in, &off, fds[1], NULL, 5, 0));
	NOTE("off %d, pos %d", (int)off, (int)lseek(in, 0, SEEK_CUR));
	CALL(splice(in, NULL, fds[1], NULL, 3, 0));
	NOTE("pos %d", (int)lseek(in, 0, SEEK_CUR));
	CALL(splice(fds[0], NULL, out, NULL, 100, 0));
	note_file("out");
	off = 10;
	CALL(splice(in, &off, fds[1], NULL, 5, 0));
	CALL(splice(fds[0], NULL, out, NULL, 100, SPLICE_F_NONBLOCK));
}

CASE(splice_errors)
{
	int fds[2], file;
	loff_t off = 0, negative = -1;

	write_file("f", "abc");
	file = OK(open("f", O_RDWR));
	make(fds, 0);
	CALL(splice(file, NULL, file, NULL, 1, 0));
	CALL(splice(fds[0], &off, file, NULL, 1, 0));
	CALL(splice(file, NULL, fds[1], &off, 1, 0));
	CALL(splice(fds[0], NULL, fds[1], NULL, 1, 0));
	CALL(splice(fds[1], NULL, file, NULL, 1, 0));
	CALL(splice(file, NULL, fds[0], NULL, 1, 0));
	CALL(splice(-1, NULL, fds[1], NULL, 1, 0));
	CALL(splice(file, NULL, fds[1], NULL, 1, 0x100));
	CALL(splice(file, NULL, fds[1], NULL, 0, 0));
	CALL(splice(file, BAD_ADDRESS, fds[1], NULL, 1, 0));
	CALL(splice(file, &negative, fds[1], NULL, 1, 0));
	CALL(tee(file, fds[1], 1, 0));
	CALL(tee(fds[0], fds[1], 1, 0));
}

CASE(splice_append)
{
	int fds[2], file;

	write_file("f", "abc");
	file = OK(open("f", O_WRONLY | O_APPEND));
	make(fds, 0);
	OK(write(fds[1], "xyz", 3));
	CALL(splice(fds[0], NULL, file, NULL, 3, 0));
}

CASE(tee_keeps)
{
	int a[2], b[2];

	make(a, O_NONBLOCK);
	make(b, O_NONBLOCK);
	CALL(tee(a[0], b[1], 10, 0));
	OK(write(a[1], "hello", 5));
	CALL(tee(a[0], b[1], 3, 0));
	CALL(tee(a[0], b[1], 100, 0));
	CALL(read(a[0], big, 100));
	CALL(read(b[0], big, 100));
	NOTE("%.8s", big);
	OK(write(a[1], "move", 4));
	CALL(splice(a[0], NULL, b[1], NULL, 100, 0));
	CALL(read(a[0], big, 100));
	CALL(read(b[0], big, 100));
	close(a[1]);
	CALL(splice(a[0], NULL, b[1], NULL, 100, 0));
	close(b[0]);
	signal(SIGPIPE, SIG_IGN);
	CALL(splice(a[0], NULL, b[1], NULL, 100, 0));
}

CASE(set_nonblock_later)
{
	int fds[2], one = 1, zero = 0;
	char c;

	make(fds, 0);
	CALL(fcntl(fds[0], F_SETFL, O_NONBLOCK));
	CALL(read(fds[0], &c, 1));
	CALL(ioctl(fds[0], FIONBIO, &zero));
	NOTE("%o", fcntl(fds[0], F_GETFL));
	CALL(ioctl(fds[0], FIONBIO, &one));
	CALL(read(fds[0], &c, 1));
}
