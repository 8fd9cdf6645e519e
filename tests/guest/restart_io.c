/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupted: calls on pipes, files, sockets, terminals and other descriptors. See restart.h. */
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "restart.h"

/* ---- pipes and files ---- */

static void fill(int fd)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (write(fd, buffer, 4096) > 0)
		;
	fcntl(fd, F_SETFL, 0);
}

static void make_full_pipe(void)
{
	make_pipe();
	fill(b);
}

static void drain_a(void)
{
	fcntl(a, F_SETFL, O_NONBLOCK);
	while (read(a, buffer, sizeof(buffer)) > 0)
		;
}

static long read_a(void)
{
	return read(a, buffer, 10);
}

static long readv_a(void)
{
	struct iovec vector[2] = {{buffer, 3}, {buffer + 3, 3}};

	return readv(a, vector, 2);
}

static long write_to_b(void)
{
	return write(b, buffer, 100);
}

ROW(pipe_read, make_pipe, read_a, write_b)
ROW(pipe_readv, make_pipe, readv_a, write_b)
ROW(pipe_write, make_full_pipe, write_to_b, drain_a)

/* Some of the bytes go before the signal comes: that is the result. */
static long write_much_to_b(void)
{
	return write(b, buffer, sizeof(buffer));
}

static void make_pipe_with_some_room(void)
{
	make_pipe();
	write(b, buffer, 4096);
}

ROW(pipe_write_in_part, make_pipe_with_some_room, write_much_to_b, drain_a)

static long splice_a(void)
{
	int fds[2];
	long n;

	pipe(fds);
	n = splice(a, NULL, fds[1], NULL, 10, 0);
	close(fds[0]);
	close(fds[1]);
	return n;
}

static long tee_a(void)
{
	int fds[2];
	long n;

	pipe(fds);
	n = tee(a, fds[1], 10, 0);
	close(fds[0]);
	close(fds[1]);
	return n;
}

static long vmsplice_b(void)
{
	struct iovec vector = {buffer, 100};

	return vmsplice(b, &vector, 1, 0);
}

static long sendfile_b(void)
{
	int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
	long n;

	write(fd, buffer, 100);
	lseek(fd, 0, SEEK_SET);
	n = sendfile(b, fd, NULL, 100);
	close(fd);
	return n;
}

ROW(pipe_splice, make_pipe, splice_a, write_b)
ROW(pipe_tee, make_pipe, tee_a, write_b)
ROW(pipe_vmsplice, make_full_pipe, vmsplice_b, drain_a)
ROW(pipe_sendfile, make_full_pipe, sendfile_b, drain_a)

static void make_fifo(void)
{
	unlink("fifo");
	mkfifo("fifo", 0600);
}

static long open_fifo_to_read(void)
{
	long fd = open("fifo", O_RDONLY);

	a = (int)fd;
	return fd < 0 ? fd : 0;
}

static long open_fifo_to_write(void)
{
	long fd = open("fifo", O_WRONLY);

	a = (int)fd;
	return fd < 0 ? fd : 0;
}

static void open_writer(void)
{
	open("fifo", O_RDWR);
	sleep_ms(100);
}

ROW(fifo_open_read, make_fifo, open_fifo_to_read, open_writer)
ROW(fifo_open_write, make_fifo, open_fifo_to_write, open_writer)

/* ---- locks: another process has them ---- */

static void hold(void (*take)(int fd))
{
	int fds[2];
	char byte;

	pipe(fds);
	fflush(stdout);
	other = fork();
	if (other == 0) {
		take(open("locked", O_RDWR | O_CREAT, 0600));
		write(fds[1], "x", 1);
		for (;;)
			pause();
	}
	read(fds[0], &byte, 1);
	close(fds[0]);
	close(fds[1]);
	a = open("locked", O_RDWR | O_CREAT, 0600);
}

static void take_flock(int fd)
{
	flock(fd, LOCK_EX);
}

static void take_record(int fd)
{
	struct flock lock = {.l_type = F_WRLCK};

	fcntl(fd, F_SETLK, &lock);
}

static void take_ofd(int fd)
{
	struct flock lock = {.l_type = F_WRLCK};

	fcntl(fd, F_OFD_SETLK, &lock);
}

static void hold_flock(void)
{
	hold(take_flock);
}

static void hold_record(void)
{
	hold(take_record);
}

static void hold_ofd(void)
{
	hold(take_ofd);
}

static long wait_flock(void)
{
	return flock(a, LOCK_SH);
}

static long wait_record(void)
{
	struct flock lock = {.l_type = F_RDLCK};

	return fcntl(a, F_SETLKW, &lock);
}

static long wait_ofd(void)
{
	struct flock lock = {.l_type = F_RDLCK};

	return fcntl(a, F_OFD_SETLKW, &lock);
}

ROW(lock_flock, hold_flock, wait_flock, kill_other)
ROW(lock_record, hold_record, wait_record, kill_other)
ROW(lock_ofd, hold_ofd, wait_ofd, kill_other)

/* ---- sockets ---- */

static void make_sockets(int type)
{
	int fds[2];

	if (socketpair(AF_UNIX, type, 0, fds) < 0)
		abort();
	a = fds[0];
	b = fds[1];
}

static void make_streams(void)
{
	make_sockets(SOCK_STREAM);
}

static void make_datagrams(void)
{
	make_sockets(SOCK_DGRAM);
}

static void make_full_streams(void)
{
	make_streams();
	fill(b);
}

static void make_full_datagrams(void)
{
	make_datagrams();
	fcntl(b, F_SETFL, O_NONBLOCK);
	while (send(b, "x", 1, 0) > 0)
		;
	fcntl(b, F_SETFL, 0);
}

static void set_timeouts(void)
{
	struct timeval time = {.tv_usec = TIMEOUT_MS * 1000};

	setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
	setsockopt(b, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
}

static void make_timed_streams(void)
{
	make_streams();
	set_timeouts();
}

static void make_full_timed_streams(void)
{
	make_full_streams();
	set_timeouts();
}

static long recv_a(void)
{
	return recv(a, buffer, 10, 0);
}

static long recv_all_a(void)
{
	return recv(a, buffer, 3, MSG_WAITALL);
}

static long recvmsg_a(void)
{
	struct iovec vector = {buffer, 10};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

	return recvmsg(a, &message, 0);
}

static long recvmmsg_a(void)
{
	struct iovec vector = {buffer, 10};
	struct mmsghdr message = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};

	return SYS(SYS_recvmmsg, a, &message, 1, 0, NULL);
}

static long send_b(void)
{
	return send(b, "y", 1, 0);
}

static long sendmsg_b(void)
{
	struct iovec vector = {buffer, 10};
	struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

	return sendmsg(b, &message, 0);
}

ROW(stream_read, make_streams, read_a, write_b)
ROW(stream_recv, make_streams, recv_a, write_b)
ROW(stream_recvmsg, make_streams, recvmsg_a, write_b)
ROW(stream_send, make_full_streams, send_b, drain_a)
ROW(stream_write, make_full_streams, write_to_b, drain_a)
ROW(stream_recv_timed, make_timed_streams, recv_a, NULL)
ROW(stream_send_timed, make_full_timed_streams, send_b, NULL)
ROW(datagram_recvmsg, make_datagrams, recvmsg_a, write_b)
ROW(datagram_recvmmsg, make_datagrams, recvmmsg_a, write_b)
ROW(datagram_sendmsg, make_full_datagrams, sendmsg_b, drain_a)

/* A byte is there when the signal comes: the call ends with it. */
static void make_streams_with_byte(void)
{
	make_streams();
	write(b, "1", 1);
}

static void write_two(void)
{
	write(b, "23", 2);
}

ROW(stream_recv_all, make_streams_with_byte, recv_all_a, write_two)

static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};

static void make_listener(void)
{
	unlink("socket");
	a = socket(AF_UNIX, SOCK_STREAM, 0);
	bind(a, (const struct sockaddr *)&address, sizeof(address));
	listen(a, 0);
}

static void connect_to_it(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	connect(fd, (const struct sockaddr *)&address, sizeof(address));
}

static void make_timed_listener(void)
{
	make_listener();
	set_timeouts();
}

static void make_full_listener(void)
{
	make_listener();
	b = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	connect(b, (const struct sockaddr *)&address, sizeof(address));
	c = socket(AF_UNIX, SOCK_STREAM, 0);
}

static long accept_a(void)
{
	b = accept(a, NULL, NULL);
	return b < 0 ? b : 0;
}

static long connect_c(void)
{
	return connect(c, (const struct sockaddr *)&address, sizeof(address));
}

static void accept_one(void)
{
	accept(a, NULL, NULL);
	sleep_ms(50);
}

ROW(listener_accept, make_listener, accept_a, connect_to_it)
ROW(listener_accept_timed, make_timed_listener, accept_a, NULL)
ROW(listener_connect, make_full_listener, connect_c, accept_one)

/* ---- terminals ---- */

static void make_terminal(void)
{
	struct pair p = open_pair();

	raw(p.slave, 1, 0);
	a = p.slave;
	b = p.master;
}

static void make_stopped_terminal(void)
{
	make_terminal();
	tcflow(a, TCOOFF);
}

static long write_terminal(void)
{
	return write(a, "x", 1);
}

static void start_terminal(void)
{
	tcflow(a, TCOON);
}

static void make_lines(void)
{
	struct pair p = open_pair();

	a = p.slave;
	b = p.master;
}

static void write_line(void)
{
	write(b, "line\n", 5);
}

static void make_master(void)
{
	make_lines();
	c = a;
	a = b;
	b = c;
	c = -1;
}

ROW(terminal_read, make_terminal, read_a, write_b)
ROW(terminal_read_line, make_lines, read_a, write_line)
ROW(terminal_write, make_stopped_terminal, write_terminal, start_terminal)
ROW(terminal_read_master, make_master, read_a, write_b)

/* ---- descriptors for events ---- */

static void make_eventfd(void)
{
	a = eventfd(0, 0);
	b = dup(a);
}

static long read_eventfd(void)
{
	uint64_t value;

	return read(a, &value, 8);
}

static void write_eventfd(void)
{
	uint64_t one = 1;

	write(b, &one, 8);
}

static void make_full_eventfd(void)
{
	uint64_t most = UINT64_MAX - 1;

	make_eventfd();
	write(a, &most, 8);
}

static long add_eventfd(void)
{
	uint64_t one = 1;

	return write(a, &one, 8);
}

static void empty_eventfd(void)
{
	read_eventfd();
}

static void make_timerfd(void)
{
	struct itimerspec when = {.it_value = {.tv_nsec = TIMEOUT_MS * 1000000l}};

	a = timerfd_create(CLOCK_MONOTONIC, 0);
	timerfd_settime(a, 0, &when, NULL);
}

static void make_signalfd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	a = signalfd(-1, &set, 0);
}

static long read_signalfd(void)
{
	struct signalfd_siginfo info;

	return read(a, &info, sizeof(info));
}

static void send_usr2(void)
{
	kill(caller, SIGUSR2);
}

static void make_inotify(void)
{
	unlink("seen");
	a = inotify_init();
	inotify_add_watch(a, ".", IN_CREATE);
}

static long read_inotify(void)
{
	return read(a, buffer, 1000) > 0 ? 0 : -1;
}

static void create_file(void)
{
	close(open("seen", O_CREAT | O_RDWR, 0600));
}

ROW(eventfd_read, make_eventfd, read_eventfd, write_eventfd)
ROW(eventfd_write, make_full_eventfd, add_eventfd, empty_eventfd)
ROW(timerfd_read, make_timerfd, read_eventfd, NULL)
ROW(signalfd_read, make_signalfd, read_signalfd, send_usr2)
ROW(inotify_read, make_inotify, read_inotify, create_file)
