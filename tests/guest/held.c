/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that are made again and again on the same descriptors: transfers of /dev/null and
 * /dev/zero, epoll_ctl, umask. A platform may answer them by what it was told of them, so each case
 * makes many before it begins, and then others change or look at what they are about: threads,
 * children, other descriptors of the same file. Who is to know of a change first is told in shared
 * memory.
 */
#include "case.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define MANY 200

struct shared {
	volatile int step;
	volatile int epoll, fd;
};

static struct shared *shared_memory(void)
{
	struct shared *shared = mmap(
		NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		exit(9);
	return shared;
}

static void wait_step(const struct shared *shared, int step)
{
	while (__atomic_load_n(&shared->step, __ATOMIC_SEQ_CST) < step)
		sched_yield();
}

static void set_step(struct shared *shared, int step)
{
	__atomic_store_n(&shared->step, step, __ATOMIC_SEQ_CST);
}

/* ---- devices ---- */

static void warm_device(int fd, bool writes)
{
	char bytes[16] = {1};

	for (int i = 0; i < MANY; i++) {
		ssize_t done = writes ? write(fd, bytes, 7) : read(fd, bytes, 7);

		if (done != 7 && done != 0) {
			NOTE("call %d: %zd", i, done);
			return;
		}
	}
}

CASE(held_zero)
{
	char *pages = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/dev/zero", O_RDWR), wrong = 0;

	munmap(pages + 8192, 4096);
	warm_device(fd, false);
	memset(pages, 'x', 8192);
	CALL(read(fd, pages + 100, 1000));
	for (int i = 0; i < 8192; i++)
		wrong += pages[i] != (i >= 100 && i < 1100 ? 0 : 'x');
	NOTE("%d bytes are wrong", wrong);
	CALL(read(fd, pages + 8190, 2));
	CALL(read(fd, pages + 8190, 10));
	CALL(read(fd, pages, 8192));
	CALL(read(fd, pages, 0));
	CALL(read(fd, BAD_ADDRESS, 1));
	CALL(read(fd, BAD_ADDRESS, 0));
	CALL(read(fd, (void *)(1ul << 63), 1));
	CALL(write(fd, BAD_ADDRESS, 1));
	CALL(write(fd, (void *)(1ul << 63), 1));
	CALL(write(fd, pages, 1ul << 33));
	CALL(lseek(fd, 100, SEEK_SET));
	CALL(read(fd, pages, 5));
	CALL(lseek(fd, 0, SEEK_CUR));
	mprotect(pages, 4096, PROT_READ);
	CALL(read(fd, pages, 5));
	CALL(SYS(SYS_read, 0x100000000ul + (unsigned)fd, pages + 4096, 5));
}

CASE(held_null)
{
	int fd = open("/dev/null", O_RDWR), out = open("/dev/null", O_WRONLY),
	    in = open("/dev/null", O_RDONLY);
	char bytes[8];

	warm_device(fd, true);
	warm_device(out, true);
	warm_device(in, false);
	CALL(write(fd, bytes, 8));
	CALL(read(fd, bytes, 8));
	CALL(read(fd, BAD_ADDRESS, 8));
	CALL(read(fd, (void *)(1ul << 63), 8));
	CALL(read(out, bytes, 8));
	CALL(write(in, bytes, 8));
	CALL(write(out, BAD_ADDRESS, 8));
	CALL(write(out, NULL, 0));
	CALL(write(out, bytes, ~0ul));
	CALL(write(out, BAD_ADDRESS, 0x7ffff001));
}

static void *close_it(void *fd)
{
	close(*(int *)fd);
	return NULL;
}

CASE(held_device_closed)
{
	int fd = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY), other;
	char byte = 'x';
	pthread_t thread;

	warm_device(fd, false);
	CALL(close(fd));
	CALL(read(fd, &byte, 1));
	write_file("f", "abc");
	other = open("f", O_RDONLY);
	TRUTH(other == fd);
	CALL(read(fd, &byte, 1));
	NOTE("%c", byte);
	dup2(null, fd);
	warm_device(fd, true);
	close(fd);
	CALL(write(fd, "a", 1));
	other = open("/dev/zero", O_RDONLY);
	warm_device(other, false);
	dup2(null, other);
	CALL(read(other, &byte, 1));
	warm_device(null, true);
	pthread_create(&thread, NULL, close_it, &null);
	pthread_join(thread, NULL);
	CALL(write(null, "a", 1));
	null = open("/dev/null", O_WRONLY);
	warm_device(null, true);
	fcntl(null, F_SETFD, FD_CLOEXEC);
	close_range((unsigned)null, (unsigned)null, 0);
	CALL(write(null, "a", 1));
}

CASE(held_device_numbers)
{
	int fd = open("/dev/zero", O_RDONLY), far = dup2(open("/dev/null", O_WRONLY), fd + 128);
	char byte = 'x';

	for (int i = 0; i < 3; i++) {
		warm_device(fd, false);
		warm_device(far, true);
	}
	CALL(read(fd, &byte, 1));
	CALL(write(fd, &byte, 1));
	CALL(write(far, &byte, 1));
	CALL(read(far, &byte, 1));
}

CASE(held_device_watched)
{
	int fd = open("/dev/zero", O_RDONLY), watch = inotify_init1(IN_NONBLOCK);
	char events[4096], byte;

	warm_device(fd, false);
	OK(inotify_add_watch(watch, "/dev/zero", IN_ACCESS));
	read(fd, &byte, 1);
	TRUTH(read(watch, events, sizeof(events)) > 0);
	warm_device(fd, false);
	TRUTH(read(watch, events, sizeof(events)) > 0);
}

/* ---- the file mode creation mask ---- */

static void note_mask(const char *what, pid_t pid)
{
	char name[64], line[256];
	FILE *file;

	snprintf(name, sizeof(name), "/proc/%d/status", (int)pid);
	file = fopen(name, "r");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "Umask", 5) == 0)
			NOTE("%s: %.11s", what, line);
	if (file)
		fclose(file);
}

static void note_mode(const char *name)
{
	struct stat st;

	close(open(name, O_CREAT | O_WRONLY, 0777));
	NOTE("%s: %o", name, stat(name, &st) ? 0 : st.st_mode);
}

static void *change_mask(void *unused)
{
	(void)unused;
	NOTE("in a thread: %o", umask(031));
	return NULL;
}

static void *mask_of_its_own(void *unused)
{
	(void)unused;
	if (unshare(CLONE_FS) == 0)
		NOTE("unshared: %o, %o", umask(0111), umask(0222));
	note_mode("unshared");
	return NULL;
}

CASE(held_umask)
{
	pthread_t thread;
	pid_t pid;

	umask(0);
	for (unsigned i = 0; i < MANY; i++)
		if (umask((i + 1) & 07777) != (i & 0777))
			NOTE("wrong at %u", i);
	NOTE("%o", umask(0712345));
	NOTE("%o", umask(027));
	note_mode("a");
	note_mask("self", getpid());
	mkdir("d", 0777);
	umask(077);
	pid = fork();
	if (pid == 0) {
		NOTE("child: %o %o", umask(1), umask(2));
		note_mode("b");
		exit(0);
	}
	note_wait("child", pid);
	note_mode("c");
	pthread_create(&thread, NULL, change_mask, NULL);
	pthread_join(thread, NULL);
	NOTE("%o", umask(022));
	pthread_create(&thread, NULL, mask_of_its_own, NULL);
	pthread_join(thread, NULL);
	NOTE("%o", umask(05));
	pid = vfork();
	if (pid == 0) {
		umask(06);
		_exit(0);
	}
	note_wait("vfork", pid);
	NOTE("%o", umask(07));
	umask(0351);
	pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "umask > mask", NULL);
		exit(1);
	}
	note_wait("exec", pid);
	umask(0);
	note_file("mask");
}

CASE(held_umask_of_another)
{
	struct shared *shared = shared_memory();
	pid_t pid = fork(), parent = getppid();

	if (pid == 0) {
		wait_step(shared, 1);
		note_mask("while it computes", parent);
		set_step(shared, 2);
		exit(0);
	}
	for (int i = 0; i < MANY; i++)
		umask(0);
	umask(0246);
	set_step(shared, 1);
	wait_step(shared, 2);
	note_wait("child", pid);
}

/* ---- epoll ---- */

static void note_events(const char *what, int epoll)
{
	struct epoll_event events[4];
	int found = epoll_wait(epoll, events, 4, 0);
	uint64_t data = 0;
	uint32_t bits = 0;

	for (int i = 0; i < found; i++) {
		data += events[i].data.u64;
		bits |= events[i].events;
	}
	NOTE("%s: %d, events %x, data %llx", what, found, bits, (unsigned long long)data);
}

static int control(int epoll, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	return epoll_ctl(epoll, op, fd, &event);
}

/* Leaves @fd, which is writable, registered for nothing. */
static void warm(int epoll, int fd)
{
	control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 1);
	for (int i = 0; i < MANY / 4; i++) {
		if (control(epoll, EPOLL_CTL_MOD, fd, EPOLLOUT, (uint64_t)i) ||
			control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 1) ||
			control(epoll, EPOLL_CTL_DEL, fd, 0, 0) ||
			control(epoll, EPOLL_CTL_ADD, fd, 0, 0))
			NOTE("wrong at %d", i);
	}
}

CASE(held_epoll_results)
{
	int epoll = epoll_create1(0), fd = eventfd(1, 0), same = dup(fd);

	warm(epoll, fd);
	note_events("nothing", epoll);
	CALL(control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 2));
	CALL(control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 3));
	note_events("readable", epoll);
	CALL(control(epoll, EPOLL_CTL_MOD, fd, EPOLLOUT, 0x123456789abcdef0));
	CALL(control(epoll, EPOLL_CTL_MOD, fd, EPOLLOUT | EPOLLIN, 0x5123456789abcdef));
	note_events("both", epoll);
	CALL(control(epoll, EPOLL_CTL_DEL, fd, 0, 0));
	CALL(control(epoll, EPOLL_CTL_DEL, fd, 0, 0));
	CALL(control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 4));
	note_events("gone", epoll);
	CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, NULL));
	CALL(epoll_ctl(epoll, 4, fd, NULL));
	CALL(epoll_ctl(epoll, 0, fd, NULL));
	CALL(control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 5));
	CALL(epoll_ctl(epoll, EPOLL_CTL_MOD, fd, BAD_ADDRESS));
	CALL(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, BAD_ADDRESS));
	CALL(control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLEXCLUSIVE, 6));
	CALL(control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 7));
	CALL(control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 7));
	note_events("exclusive", epoll);
	CALL(control(epoll, EPOLL_CTL_DEL, fd, 0, 0));
	CALL(control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 8));
	CALL(control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLEXCLUSIVE, 9));
	CALL(control(epoll, EPOLL_CTL_ADD, same, EPOLLIN, 0x10));
	note_events("two numbers", epoll);
	CALL(SYS(SYS_epoll_ctl, 0x100000000ul + (unsigned)epoll, EPOLL_CTL_DEL, same, NULL));
	note_events("one", epoll);
}

CASE(held_epoll_modes)
{
	int epoll = epoll_create1(0), fd = eventfd(1, 0);

	warm(epoll, fd);
	control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET, 1);
	note_events("edge", epoll);
	note_events("no edge", epoll);
	control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET, 2);
	note_events("again", epoll);
	control(epoll, EPOLL_CTL_MOD, fd, EPOLLOUT | EPOLLET, 3);
	control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET, 4);
	note_events("two changes", epoll);
	note_events("no edge", epoll);
	control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT, 5);
	note_events("once", epoll);
	note_events("spent", epoll);
	control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT, 6);
	control(epoll, EPOLL_CTL_DEL, fd, 0, 0);
	control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT, 7);
	note_events("anew", epoll);
	note_events("spent", epoll);
}

CASE(held_epoll_descriptors)
{
	int epoll = epoll_create1(0), same = dup(epoll), fd = eventfd(1, 0), other = eventfd(1, 0);
	int far = dup2(fd, fd + 128), number = fd;

	warm(epoll, fd);
	warm(epoll, far);
	warm(epoll, other);
	CALL(control(same, EPOLL_CTL_DEL, fd, 0, 0));
	CALL(control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 1));
	CALL(control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 1));
	CALL(control(epoll, EPOLL_CTL_MOD, far, EPOLLOUT, 2));
	note_events("at another number", same);
	CALL(close(fd));
	CALL(control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 3));
	note_events("its item stays", epoll);
	close(far);
	note_events("and goes", epoll);
	fd = eventfd(1, 0);
	TRUTH(fd == number);
	CALL(control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 4));
	CALL(control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 5));
	CALL(control(epoll, EPOLL_CTL_MOD, other, EPOLLIN, 0x60));
	note_events("both", epoll);
	CALL(control(epoll, EPOLL_CTL_MOD, other, EPOLLOUT, 0x70));
	dup2(fd, other);
	CALL(control(epoll, EPOLL_CTL_DEL, other, 0, 0));
	note_events("replaced", epoll);
	close(epoll);
	CALL(control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 8));
	CALL(control(same, EPOLL_CTL_MOD, fd, EPOLLIN, 9));
	epoll = epoll_create1(0);
	CALL(control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 10));
	note_events("another instance", epoll);
	note_events("the old one", same);
}

struct waiter {
	struct shared *shared;
	int epoll, fd;
};

static void *look(void *arg)
{
	struct waiter *waiter = arg;

	wait_step(waiter->shared, 1);
	note_events("looked at", waiter->epoll);
	set_step(waiter->shared, 2);
	return NULL;
}

static void *wait_for(void *arg)
{
	struct waiter *waiter = arg;
	struct epoll_event event;
	int found;

	set_step(waiter->shared, 1);
	found = epoll_wait(waiter->epoll, &event, 1, 10000);
	NOTE("waited: %d, data %d", found, (int)event.data.u64);
	return NULL;
}

static void *poll_for(void *arg)
{
	struct waiter *waiter = arg;
	struct pollfd poller = {.fd = waiter->epoll, .events = POLLIN};

	set_step(waiter->shared, 1);
	NOTE("polled: %d", poll(&poller, 1, 10000));
	NOTE("events %x", (unsigned)poller.revents);
	return NULL;
}

/* What changed before another thread asks, it sees; what changes while it sleeps, wakes it. */
CASE(held_epoll_threads)
{
	int epoll = epoll_create1(0), fd = eventfd(1, 0);
	struct waiter waiter = {shared_memory(), epoll, fd};
	pthread_t thread;
	int result;

	for (int i = 0; i < 3; i++) {
		warm(epoll, fd);
		set_step(waiter.shared, 0);
		pthread_create(&thread, NULL, look, &waiter);
		control(epoll, EPOLL_CTL_MOD, fd, EPOLLOUT, 0x77);
		set_step(waiter.shared, 1);
		wait_step(waiter.shared, 2);
		CALL(control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 1));
		pthread_join(thread, NULL);
		control(epoll, EPOLL_CTL_DEL, fd, 0, 0);
		warm(epoll, fd);
		set_step(waiter.shared, 0);
		pthread_create(&thread, NULL, wait_for, &waiter);
		wait_step(waiter.shared, 1);
		for (int n = 0; n < 100; n++)
			control(epoll, EPOLL_CTL_MOD, fd, n & 1 ? 0 : EPOLLPRI, 1);
		result = control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 5);
		pthread_join(thread, NULL);
		NOTE("%d", result);
		control(epoll, EPOLL_CTL_MOD, fd, 0, 0);
		set_step(waiter.shared, 0);
		pthread_create(&thread, NULL, poll_for, &waiter);
		wait_step(waiter.shared, 1);
		for (int n = 0; n < 100; n++)
			control(epoll, EPOLL_CTL_MOD, fd, n & 1 ? 0 : EPOLLPRI, 1);
		result = control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 5);
		pthread_join(thread, NULL);
		NOTE("%d", result);
		control(epoll, EPOLL_CTL_DEL, fd, 0, 0);
	}
}

CASE(held_epoll_closed_by_thread)
{
	int epoll = epoll_create1(0), fd = eventfd(1, 0), keep = dup(fd);
	pthread_t thread;

	warm(epoll, fd);
	control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 3);
	pthread_create(&thread, NULL, close_it, &fd);
	pthread_join(thread, NULL);
	CALL(control(epoll, EPOLL_CTL_MOD, fd, EPOLLOUT, 4));
	note_events("its item stays", epoll);
	warm(epoll, keep);
	control(epoll, EPOLL_CTL_MOD, keep, EPOLLIN, 5);
	pthread_create(&thread, NULL, close_it, &epoll);
	pthread_join(thread, NULL);
	CALL(control(epoll, EPOLL_CTL_MOD, keep, EPOLLOUT, 6));
}

CASE(held_epoll_nested)
{
	int epoll = epoll_create1(0), outer = epoll_create1(0), fd = eventfd(1, 0);
	struct waiter waiter = {shared_memory(), outer, fd};
	pthread_t thread;
	int result;

	warm(epoll, fd);
	CALL(control(outer, EPOLL_CTL_ADD, epoll, EPOLLIN, 0x99));
	pthread_create(&thread, NULL, wait_for, &waiter);
	wait_step(waiter.shared, 1);
	for (int n = 0; n < 100; n++)
		control(epoll, EPOLL_CTL_MOD, fd, n & 1 ? 0 : EPOLLPRI, 1);
	result = control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 5);
	pthread_join(thread, NULL);
	NOTE("%d", result);
	CALL(control(outer, EPOLL_CTL_DEL, epoll, 0, 0));
	warm(outer, fd);
	CALL(control(outer, EPOLL_CTL_ADD, epoll, EPOLLIN, 1));
	for (int n = 0; n < 50; n++)
		control(outer, EPOLL_CTL_MOD, epoll, EPOLLIN, (uint64_t)n);
	note_events("outer", outer);
}

/* An instance that a child has, too, who looks at it, changes it, or ends with changes. */
CASE(held_epoll_processes)
{
	int epoll = epoll_create1(0), fd = eventfd(1, 0);
	struct shared *shared = shared_memory();
	pid_t pid;

	warm(epoll, fd);
	pid = fork();
	if (pid == 0) {
		wait_step(shared, 1);
		note_events("in the child", epoll);
		CALL(control(epoll, EPOLL_CTL_DEL, fd, 0, 0));
		set_step(shared, 2);
		wait_step(shared, 3);
		warm(epoll, fd);
		control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 0x42);
		set_step(shared, 4);
		for (;;)
			sched_yield();
	}
	for (int i = 0; i < MANY; i++)
		control(epoll, EPOLL_CTL_MOD, fd, EPOLLPRI, 1);
	control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 0x24);
	set_step(shared, 1);
	wait_step(shared, 2);
	CALL(control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 0x25));
	note_events("in the parent", epoll);
	set_step(shared, 3);
	wait_step(shared, 4);
	note_events("before its end", epoll);
	kill(pid, SIGKILL);
	note_wait("child", pid);
	note_events("behind it", epoll);
}

CASE(held_epoll_killed)
{
	int epoll = epoll_create1(0), fd = eventfd(1, 0);
	struct shared *shared = shared_memory();
	pid_t pid = fork();

	if (pid == 0) {
		warm(epoll, fd);
		control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 0x42);
		set_step(shared, 1);
		for (;;)
			;
	}
	wait_step(shared, 1);
	kill(pid, SIGKILL);
	note_wait("child", pid);
	note_events("what it changed", epoll);
	CALL(control(epoll, EPOLL_CTL_DEL, fd, 0, 0));
}

static void send_fd(int to, int fd)
{
	char control_data[CMSG_SPACE(sizeof(fd))] = {0}, byte = 1;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control_data,
		.msg_controllen = sizeof(control_data)};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	sendmsg(to, &msg, 0);
}

static int receive_fd(int from)
{
	char control_data[CMSG_SPACE(sizeof(int))] = {0}, byte;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control_data,
		.msg_controllen = sizeof(control_data)};
	int fd = -1;

	recvmsg(from, &msg, 0);
	if (CMSG_FIRSTHDR(&msg))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

CASE(held_epoll_sent)
{
	int epoll, fd, pair[2];
	struct shared *shared = shared_memory();
	pid_t pid;

	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	pid = fork();
	if (pid == 0) {
		epoll = receive_fd(pair[1]);
		set_step(shared, 1);
		wait_step(shared, 2);
		note_events("received", epoll);
		set_step(shared, 3);
		exit(0);
	}
	epoll = epoll_create1(0);
	fd = eventfd(1, 0);
	warm(epoll, fd);
	send_fd(pair[0], epoll);
	wait_step(shared, 1);
	warm(epoll, fd);
	CALL(control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 0));
	control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 0x33);
	set_step(shared, 2);
	wait_step(shared, 3);
	note_wait("child", pid);
}

CASE(held_epoll_shown)
{
	int epoll = epoll_create1(0), fd = eventfd(1, 0);
	char name[64], line[256];
	pid_t pid, parent = getpid();
	struct shared *shared = shared_memory();

	warm(epoll, fd);
	pid = fork();
	if (pid == 0) {
		FILE *file;

		wait_step(shared, 1);
		snprintf(name, sizeof(name), "/proc/%d/fdinfo/%d", (int)parent, epoll);
		file = fopen(name, "r");
		while (file && fgets(line, sizeof(line), file))
			if (strncmp(line, "tfd", 3) == 0)
				NOTE("%.50s", strstr(line, "events"));
		set_step(shared, 2);
		exit(0);
	}
	warm(epoll, fd);
	control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT, 0xabc);
	set_step(shared, 1);
	wait_step(shared, 2);
	note_wait("child", pid);
}

/* Changes of a process that runs another program are in the instance that it leaves open. */
CASE(held_epoll_exec)
{
	int epoll = epoll_create1(0), fd = eventfd(1, 0);
	pid_t pid = fork();

	if (pid == 0) {
		warm(epoll, fd);
		control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 0x42);
		execl("/bin/true", "true", NULL);
		exit(1);
	}
	note_wait("child", pid);
	note_events("what it changed", epoll);
}
