/* SPDX-License-Identifier: Apache-2.0 */
/* Linux' native asynchronous I/O (io_submit(2)). */
#include <linux/aio_abi.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

#include "memory.h"

static aio_context_t new_context(unsigned nr)
{
	aio_context_t context = 0;

	if (SYS(SYS_io_setup, nr, &context) < 0) {
		if (errno == ENOSYS)
			SKIP("no native asynchronous I/O");
		NOTE("io_setup: %s", errno_name(errno));
		exit(1);
	}
	return context;
}

static int submit(aio_context_t context, struct iocb *one)
{
	return (int)SYS(SYS_io_submit, context, 1, &one);
}

static void get(aio_context_t context, long least, long most, struct timespec *timeout)
{
	struct io_event events[8];
	long n = SYS(SYS_io_getevents, context, least, most, events, timeout);

	if (n < 0)
		NOTE("io_getevents: %s", errno_name(errno));
	else
		NOTE("io_getevents: %ld", n);
	for (long i = 0; i < n; i++)
		NOTE("  data %lld result %lld %lld", (long long)events[i].data,
			(long long)events[i].res, (long long)events[i].res2);
}

static struct iocb request(int op, int fd, void *buffer, size_t size, off_t offset, int data)
{
	return (struct iocb){.aio_lio_opcode = (uint16_t)op,
		.aio_fildes = (uint32_t)fd,
		.aio_buf = (uintptr_t)buffer,
		.aio_nbytes = size,
		.aio_offset = offset,
		.aio_data = (uint64_t)data};
}

CASE(write_and_read)
{
	aio_context_t context = new_context(8);
	int fd = open("f", O_CREAT | O_RDWR, 0600);
	char in[16] = {0};
	struct iocb w = request(IOCB_CMD_PWRITE, fd, "hello world", 11, 5, 1);
	struct iocb r = request(IOCB_CMD_PREAD, fd, in, 16, 5, 2);
	struct iocb s = request(IOCB_CMD_FSYNC, fd, NULL, 0, 0, 3);

	CALL(submit(context, &w));
	get(context, 1, 8, NULL);
	CALL(submit(context, &r));
	get(context, 1, 8, NULL);
	NOTE("%s", in);
	CALL(submit(context, &s));
	get(context, 1, 8, NULL);
	s.aio_lio_opcode = IOCB_CMD_FDSYNC;
	CALL(submit(context, &s));
	get(context, 1, 8, NULL);
	note_file("f");
	CALL(SYS(SYS_io_destroy, context));
	CALL(SYS(SYS_io_destroy, context));
	CALL(submit(context, &r));
}

CASE(vectors)
{
	aio_context_t context = new_context(8);
	int fd = open("f", O_CREAT | O_RDWR, 0600);
	char a[4] = {0}, b[8] = {0};
	struct iovec out[] = {{"abc", 3}, {"defg", 4}}, in[] = {{a, 3}, {b, 7}};
	struct iocb w = request(IOCB_CMD_PWRITEV, fd, out, 2, 0, 1);
	struct iocb r = request(IOCB_CMD_PREADV, fd, in, 2, 0, 2);

	CALL(submit(context, &w));
	get(context, 1, 8, NULL);
	CALL(submit(context, &r));
	get(context, 1, 8, NULL);
	NOTE("%s %s", a, b);
}

CASE(several_at_once)
{
	aio_context_t context = new_context(8);
	int fd = open("f", O_CREAT | O_RDWR, 0600);
	struct iocb a = request(IOCB_CMD_PWRITE, fd, "aa", 2, 0, 1);
	struct iocb b = request(IOCB_CMD_PWRITE, fd, "bb", 2, 2, 2);
	struct iocb bad = request(99, fd, "bb", 2, 2, 3);
	struct iocb *list[] = {&a, &b, &bad, &a}, *broken[] = {&bad, &a};

	CALL(SYS(SYS_io_submit, context, 2, list));
	get(context, 2, 8, NULL);
	CALL(SYS(SYS_io_submit, context, 4, list));
	get(context, 2, 8, NULL);
	CALL(SYS(SYS_io_submit, context, 2, broken));
	CALL(SYS(SYS_io_submit, context, 0, list));
	CALL(SYS(SYS_io_submit, context, -1, list));
	CALL(SYS(SYS_io_submit, context, 1, BAD_ADDRESS));
	note_file("f");
}

CASE(submit_errors)
{
	aio_context_t context = new_context(2);
	int fd = open("f", O_CREAT | O_RDWR, 0600), r = open("f", O_RDONLY),
	    w = open("f", O_WRONLY);
	char c;
	struct iocb one = request(IOCB_CMD_PREAD, 999, &c, 1, 0, 1), *bad = BAD_ADDRESS;

	CALL(submit(context, &one));
	one.aio_fildes = (uint32_t)w;
	CALL(submit(context, &one));
	one.aio_fildes = (uint32_t)r;
	one.aio_lio_opcode = IOCB_CMD_PWRITE;
	CALL(submit(context, &one));
	one.aio_fildes = (uint32_t)fd;
	one.aio_reserved2 = 1;
	CALL(submit(context, &one));
	one.aio_reserved2 = 0;
	one.aio_nbytes = (uint64_t)-1;
	CALL(submit(context, &one));
	one.aio_nbytes = 1;
	one.aio_lio_opcode = IOCB_CMD_FSYNC;
	CALL(submit(context, &one));
	one.aio_lio_opcode = 4;
	CALL(submit(context, &one));
	one = request(IOCB_CMD_PREAD, fd, &c, 1, 0, 1);
	one.aio_flags = IOCB_FLAG_RESFD;
	one.aio_resfd = 999;
	CALL(submit(context, &one));
	one.aio_resfd = (uint32_t)fd;
	CALL(submit(context, &one));
	CALL(SYS(SYS_io_submit, context, 1, &bad));
	CALL(SYS(SYS_io_submit, (aio_context_t)0x1234000, 1, &bad));
	get(context, 0, 8, NULL);
}

CASE(results_that_fail)
{
	aio_context_t context = new_context(8);
	int fd = open("f", O_CREAT | O_RDWR, 0600);
	char c;
	struct iocb fault = request(IOCB_CMD_PWRITE, fd, BAD_ADDRESS, 10, 0, 1);
	struct iocb end = request(IOCB_CMD_PREAD, fd, &c, 1, 100, 2);
	struct iocb negative = request(IOCB_CMD_PREAD, fd, &c, 1, -5, 3);

	CALL(submit(context, &fault));
	get(context, 1, 8, NULL);
	CALL(submit(context, &end));
	get(context, 1, 8, NULL);
	CALL(submit(context, &negative));
	get(context, 0, 8, NULL);
}

CASE(setup_errors)
{
	aio_context_t context = 1;

	CALL(SYS(SYS_io_setup, 8, &context));
	context = 0;
	CALL(SYS(SYS_io_setup, 0, &context));
	CALL(SYS(SYS_io_setup, 0xffffffff, &context));
	CALL(SYS(SYS_io_setup, 8, BAD_ADDRESS));
	CALL(SYS(SYS_io_destroy, (aio_context_t)0));
	CALL(SYS(SYS_io_destroy, (aio_context_t)0x1234000));
}

static void on_alarm(int signo)
{
}

CASE(waiting)
{
	aio_context_t context = new_context(8);
	struct sigaction sa = {.sa_handler = on_alarm};
	struct timespec t = {0, 20000000}, zero = {0, 0};
	long long start = now_ms();

	get(context, 1, 8, &t);
	TRUTH(now_ms() - start >= 19);
	get(context, 1, 8, &zero);
	get(context, 0, 8, NULL);
	get(context, 2, 1, NULL);
	get(context, -1, 1, NULL);
	CALL(SYS(SYS_io_getevents, context, 0, 1, NULL, BAD_ADDRESS));
	sigaction(SIGALRM, &sa, NULL);
	ualarm(20000, 0);
	get(context, 1, 8, NULL);
}

CASE(pgetevents)
{
	aio_context_t context = new_context(8);
	struct sigaction sa = {.sa_handler = on_alarm};
	struct {
		sigset_t *set;
		size_t size;
	} sig;
	struct timespec t = {0, 30000000};
	struct io_event event;
	sigset_t block, now;

	sigemptyset(&block);
	sigaddset(&block, SIGALRM);
	sig.set = &block;
	sig.size = 8;
	sigaction(SIGALRM, &sa, NULL);
	ualarm(5000, 0);
	CALL(SYS(SYS_io_pgetevents, context, 1, 1, &event, &t, &sig));
	sigprocmask(SIG_BLOCK, NULL, &now);
	TRUTH(sigismember(&now, SIGALRM));
	sig.size = 4;
	CALL(SYS(SYS_io_pgetevents, context, 1, 1, &event, &t, &sig));
	CALL(SYS(SYS_io_pgetevents, context, 1, 1, &event, &t, BAD_ADDRESS));
}

CASE(eventfd_is_told)
{
	aio_context_t context = new_context(8);
	int fd = open("f", O_CREAT | O_RDWR, 0600), efd = eventfd(0, EFD_NONBLOCK);
	struct iocb w = request(IOCB_CMD_PWRITE, fd, "x", 1, 0, 9);
	uint64_t count = 0;

	w.aio_flags = IOCB_FLAG_RESFD;
	w.aio_resfd = (uint32_t)efd;
	CALL(submit(context, &w));
	CALL(submit(context, &w));
	sleep_ms(10);
	CALL(read(efd, &count, 8));
	NOTE("count %llu", (unsigned long long)count);
	get(context, 2, 8, NULL);
}

CASE(cancel)
{
	aio_context_t context = new_context(8);
	int fd = open("f", O_CREAT | O_RDWR, 0600);
	struct iocb w = request(IOCB_CMD_PWRITE, fd, "x", 1, 0, 9);
	struct io_event event;

	CALL(submit(context, &w));
	get(context, 1, 1, NULL);
	CALL(SYS(SYS_io_cancel, context, &w, &event));
	CALL(SYS(SYS_io_cancel, context, BAD_ADDRESS, &event));
	w.aio_key = 7;
	CALL(SYS(SYS_io_cancel, context, &w, &event));
}

CASE(not_inherited)
{
	aio_context_t context = new_context(8);
	pid_t pid = fork();

	if (pid == 0) {
		get(context, 0, 1, NULL);
		_exit(0);
	}
	note_wait("child", pid);
	get(context, 0, 1, NULL);
}

/* ---- IOCB_CMD_POLL ----------------------------------------------------------------------------
 */

static struct iocb poll_request(int fd, int events, int data)
{
	return request(IOCB_CMD_POLL, fd, (void *)(uintptr_t)events, 0, 0, data);
}

/* Which of the polls of @context are over, with the events that were asked for. */
static void get_polls(aio_context_t context, long least, struct timespec *timeout)
{
	struct io_event events[8];
	long n = SYS(SYS_io_getevents, context, least, 8, events, timeout);

	NOTE("events: %ld", n);
	/* In which order is not promised. */
	for (long i = 1; i < n; i++)
		for (long j = i; j > 0 && events[j].data < events[j - 1].data; j--) {
			struct io_event swap = events[j];

			events[j] = events[j - 1];
			events[j - 1] = swap;
		}
	for (long i = 0; i < n; i++)
		NOTE("  data %lld in %d out %d hup %d", (long long)events[i].data,
			(int)(events[i].res & POLLIN), (int)(events[i].res & POLLOUT),
			(int)(events[i].res & POLLHUP));
}

CASE(poll_that_is_ready)
{
	aio_context_t context = new_context(8);
	int pipes[2], fd = open("f", O_CREAT | O_RDWR, 0600);
	struct iocb p;

	CALL(pipe(pipes));
	CALL(write(pipes[1], "x", 1));
	p = poll_request(pipes[0], POLLIN, 1);
	CALL(submit(context, &p));
	get_polls(context, 1, NULL);
	p = poll_request(pipes[1], POLLOUT, 2);
	CALL(submit(context, &p));
	get_polls(context, 1, NULL);
	p = poll_request(fd, POLLIN | POLLOUT, 3);
	CALL(submit(context, &p));
	get_polls(context, 1, NULL);
	p = poll_request(fd, POLLPRI, 4);
	CALL(submit(context, &p));
	CALL(SYS(SYS_io_destroy, context));
}

CASE(poll_that_waits)
{
	aio_context_t context = new_context(4);
	struct timespec none = {0, 0};
	int counter = eventfd(0, 0), told = eventfd(0, EFD_NONBLOCK);
	struct iocb p = poll_request(counter, POLLIN, 1), q, r;
	uint64_t value = 1;

	p.aio_flags = IOCB_FLAG_RESFD;
	p.aio_resfd = (uint32_t)told;
	CALL(submit(context, &p));
	get_polls(context, 0, &none);
	q = poll_request(counter, POLLIN, 2);
	CALL(submit(context, &q));
	r = poll_request(counter, POLLIN, 3);
	CALL(submit(context, &r));
	CALL(write(counter, &value, 8));
	get_polls(context, 3, NULL);
	CALL(read(told, &value, 8));
	NOTE("told %d", (int)value);
	CALL(submit(context, &r));
	get_polls(context, 1, NULL);
}

CASE(poll_wakes_a_waiter)
{
	aio_context_t context = new_context(2);
	int pipes[2], go[2];
	struct iocb p;
	pid_t pid;
	char c;

	CALL(pipe(pipes));
	CALL(pipe(go));
	p = poll_request(pipes[0], POLLIN, 7);
	CALL(submit(context, &p));
	pid = fork();
	if (pid == 0) {
		(void)!read(go[0], &c, 1);
		(void)!write(pipes[1], "x", 1);
		_exit(0);
	}
	close(pipes[0]); /* the request keeps it open */
	CALL(write(go[1], "g", 1));
	get_polls(context, 1, NULL);
	note_wait("child", pid);
}

CASE(poll_tells_an_eventfd)
{
	aio_context_t context = new_context(2);
	int pipes[2], told = eventfd(0, 0);
	uint64_t value = 0;
	struct iocb p;
	pid_t pid;

	CALL(pipe(pipes));
	p = poll_request(pipes[0], POLLIN, 7);
	p.aio_flags = IOCB_FLAG_RESFD;
	p.aio_resfd = (uint32_t)told;
	CALL(submit(context, &p));
	pid = fork();
	if (pid == 0)
		_exit(write(pipes[1], "x", 1) != 1);
	CALL(read(told, &value, 8));
	NOTE("told %d", (int)value);
	get_polls(context, 1, NULL);
	note_wait("child", pid);
}

CASE(poll_sees_the_end)
{
	aio_context_t context = new_context(2);
	struct timespec none = {0, 0};
	struct iocb p;
	int pipes[2];

	CALL(pipe(pipes));
	p = poll_request(pipes[0], 0, 1);
	CALL(submit(context, &p));
	CALL(write(pipes[1], "x", 1));
	get_polls(context, 0, &none);
	close(pipes[1]);
	get_polls(context, 1, NULL);
}

CASE(poll_cancelled)
{
	aio_context_t context = new_context(4);
	struct timespec none = {0, 0};
	struct iocb p, other = {0};
	struct io_event event;
	int pipes[2];

	CALL(pipe(pipes));
	p = poll_request(pipes[0], POLLIN, 1);
	CALL(submit(context, &p));
	CALL(SYS(SYS_io_cancel, context, &other, &event));
	CALL(SYS(SYS_io_cancel, context, &p, &event));
	get_polls(context, 1, NULL);
	CALL(SYS(SYS_io_cancel, context, &p, &event));
	CALL(SYS(SYS_io_cancel, context + 1, &p, &event));
	CALL(SYS(SYS_io_cancel, context, BAD_ADDRESS, &event));
	CALL(write(pipes[1], "x", 1));
	get_polls(context, 0, &none);
	CALL(submit(context, &p));
	CALL(read(pipes[0], &event, 1));
	CALL(submit(context, &p));
	CALL(SYS(SYS_io_destroy, context));
	CALL(write(pipes[1], "x", 1));
}

CASE(poll_refused)
{
	aio_context_t context = new_context(4);
	struct iocb p;
	int pipes[2];

	CALL(pipe(pipes));
	p = poll_request(pipes[0], 0x10001, 1);
	CALL(submit(context, &p));
	p = poll_request(pipes[0], POLLIN, 1);
	p.aio_offset = 1;
	CALL(submit(context, &p));
	p = poll_request(pipes[0], POLLIN, 1);
	p.aio_nbytes = 1;
	CALL(submit(context, &p));
	p = poll_request(pipes[0], POLLIN, 1);
	p.aio_rw_flags = RWF_NOWAIT;
	CALL(submit(context, &p));
	p = poll_request(-1, POLLIN, 1);
	CALL(submit(context, &p));
	p = poll_request(pipes[0], POLLIN, 1);
	p.aio_flags = IOCB_FLAG_RESFD;
	p.aio_resfd = (uint32_t)-1;
	CALL(submit(context, &p));
	p.aio_resfd = (uint32_t)pipes[0];
	CALL(submit(context, &p));
}

CASE(vectors_are_read_when_given)
{
	aio_context_t context = new_context(4);
	int fd = open("/dev/zero", O_RDWR);
	struct iovec bad = {(void *)0x7fffffffffff, ~0ul}, lost = {BAD_ADDRESS, 4};
	struct timespec none = {0, 0};
	struct iocb r;

	r = request(IOCB_CMD_PREADV, fd, BAD_ADDRESS, 1, 0, 1);
	CALL(submit(context, &r));
	r = request(IOCB_CMD_PWRITEV, fd, &bad, 1, 0, 2);
	CALL(submit(context, &r));
	r = request(IOCB_CMD_PREADV, fd, &bad, 5000, 0, 3);
	CALL(submit(context, &r));
	r = request(IOCB_CMD_PREAD, fd, (void *)~0xfffull, 4096, 0, 4);
	CALL(submit(context, &r));
	get(context, 0, 4, &none);
	r = request(IOCB_CMD_PREADV, fd, &lost, 1, 0, 5);
	CALL(submit(context, &r));
	get(context, 1, 4, NULL);
}
