/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bombs: `bombs KIND` takes as much of one thing as it gets, in as many processes as it may have,
 * keeps it for a moment, and prints how it ended. What the host had to give meanwhile is the
 * runner's to measure. The kinds that start with `raw_` go past the Sentry.
 */
#include "armed.h"
#include "gadget.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define KEEP_SECONDS 1
#define SECONDS	     6 /* at most, for taking */
#define MIB	     (1ul << 20)

static time_t end;
static long taken;

static int more(long result)
{
	if (result < 0)
		return 0;
	taken++;
	return time(NULL) < end;
}

/* ---- tasks ---- */

static void *sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static void bomb_fork(void)
{
	for (;;) {
		pid_t pid = fork();

		if (pid == 0)
			continue; /* all of them go on */
		if (!more(pid))
			break;
	}
	sleep(KEEP_SECONDS);
	if (getpid() != 2)
		_exit(0);
}

static void bomb_thread(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	while (more(-pthread_create(&thread, &attr, sleep_for_ever, NULL)))
		;
}

/* Children that share everything and never leave. */
static int pause_for_ever(void *arg)
{
	sleep_for_ever(arg);
	return 0;
}

static void bomb_clone_vm(void)
{
	for (;;) {
		char *stack = mmap(
			NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (stack == MAP_FAILED || !more(clone(pause_for_ever, stack + 16384,
						   CLONE_VM | CLONE_FILES | SIGCHLD, NULL)))
			break;
	}
}

/* ---- memory ---- */

static void fill(char *memory, size_t size)
{
	for (size_t at = 0; at < size; at += 4096)
		memory[at] = 1;
}

static void bomb_anon(void)
{
	for (int i = 0; i < 2; i++)
		(void)!fork();
	for (;;) {
		char *memory = mmap(
			NULL, 64 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (!more(memory == MAP_FAILED ? -1 : 0))
			break;
		madvise(memory, 64 * MIB, MADV_HUGEPAGE);
		fill(memory, 64 * MIB);
	}
}

/* Quietly waits until nobody looks, then takes it at once, by host calls that the Sentry does not
 * see. */
static void bomb_anon_burst(void)
{
	const size_t size = 64ul << 30;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return;
	madvise(memory, size, MADV_HUGEPAGE);
	sleep(2);
	for (int i = 0; i < 2; i++)
		(void)!fork();
	for (size_t at = 0; at < size; at += 4096)
		memory[at] = 1;
}

static void *burst(void *memory)
{
	fill(memory, 64ul << 30);
	return NULL;
}

/* The first thread is gone: who counts by it counts nothing. */
static void bomb_leaderless(void)
{
	char *memory = mmap(NULL, 64ul << 30, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pthread_t thread;

	if (memory != MAP_FAILED && pthread_create(&thread, NULL, burst, memory) == 0)
		pthread_exit(NULL);
}

/* The same, behind the Sentry's back: by the host's exit. */
static void bomb_raw_leaderless(void)
{
	char *memory = mmap(NULL, 64ul << 30, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	pthread_t thread;

	if (gadget && memory != MAP_FAILED && fork() == 0 &&
		pthread_create(&thread, NULL, burst, memory) == 0)
		gadget_call(SYS_exit, 0, 0, 0, 0, 0, 0);
	wait(NULL);
}

static void bomb_raw_memory(void)
{
	const size_t size = 32ul << 30;
	uint64_t at;

	if (!gadget)
		return;
	(void)!fork();
	at = (uint64_t)gadget_call(SYS_mmap, 0x100000000000ull, size, 3, 0x4032, ~0ull, 0);
	if (at != 0x100000000000ull)
		return;
	gadget_call(SYS_madvise, at, size, 14 /* HUGEPAGE */, 0, 0, 0);
	gadget_call(SYS_madvise, at, size, 23 /* POPULATE_WRITE */, 0, 0, 0);
}

/* Pages that are read only and thus resident nowhere: what grows are the tables that say so. */
static void touch_tables(uint64_t begin, uint64_t size)
{
	for (uint64_t at = begin; at < begin + size; at += 2 * MIB)
		(void)*(volatile char *)at;
}

static void bomb_tables(void)
{
	const size_t size = 8ul << 40;
	char *memory =
		mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return;
	madvise(memory, size, MADV_NOHUGEPAGE);
	(void)!fork();
	touch_tables((uint64_t)memory, size);
}

static void bomb_raw_tables(void)
{
	const size_t size = 64ul << 40;

	if (!gadget || gadget_call(SYS_mmap, 0x100000000000ull, size, 1, 0x4032, ~0ull, 0) < 0)
		return;
	gadget_call(SYS_madvise, 0x100000000000ull, size, 15, 0, 0, 0);
	touch_tables(0x100000000000ull, size);
}

static void bomb_shared(void)
{
	for (;;) {
		char *memory = mmap(
			NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (!more(memory == MAP_FAILED ? -1 : 0))
			break;
		fill(memory, 16 * MIB);
	}
}

static void bomb_memfd(void)
{
	static char block[1 << 20];
	int fd = memfd_create("bomb", 0);

	memset(block, 1, sizeof(block));
	while (more(write(fd, block, sizeof(block)) > 0 ? 0 : -1))
		;
}

/* Many, each as large as it is told to be, one page touched. */
static void bomb_memfds(void)
{
	for (;;) {
		int fd = memfd_create("bomb", 0);

		if (fd >= 0 && ftruncate(fd, 1 << 30) == 0 &&
			pwrite(fd, "x", 1, (1 << 30) - 1) == 1)
			(void)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (!more(fd))
			break;
	}
}

/* Holes of a file that are read through mappings, which go again: they become pages of the file. */
static void bomb_holes(void)
{
	const off_t size = 64ll << 30;
	int fd = open("/tmp/holes", O_RDWR | O_CREAT, 0600);

	if (fd < 0 || ftruncate(fd, size) < 0)
		return;
	(void)!fork();
	for (off_t at = 0; at < size; at += 16 * MIB) {
		char *memory = mmap(NULL, 16 * MIB, PROT_READ, MAP_SHARED, fd, at);

		if (!more(memory == MAP_FAILED ? -1 : 0))
			break;
		for (size_t i = 0; i < 16 * MIB; i += 4096)
			(void)*(volatile char *)(memory + i);
		munmap(memory, 16 * MIB);
	}
}

static void bomb_shm(void)
{
	for (;;) {
		int id = shmget(IPC_PRIVATE, 16 * MIB, 0600 | IPC_CREAT);
		char *memory = id < 0 ? (void *)-1 : shmat(id, NULL, 0);

		if (!more(memory == (void *)-1 ? -1 : 0))
			break;
		fill(memory, 16 * MIB);
	}
}

static void bomb_mlock(void)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

	setrlimit(RLIMIT_MEMLOCK, &limit);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	while (more(mmap(NULL, MIB, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0) == MAP_FAILED
			    ? -1
			    : 0))
		;
}

static void bomb_vmas(void)
{
	(void)!fork();
	for (int i = 0; more(mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_NONE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
				     ? -1
				     : 0);
		i++)
		;
}

static void bomb_raw_vmas(void)
{
	(void)!fork();
	(void)!fork();
	for (uint64_t i = 0; gadget; i++)
		if (!more(gadget_call(SYS_mmap, 0x100000000000ull + i * 4096, 4096, i % 2 ? 1 : 0,
			    0x32, ~0ull, 0)))
			break;
}

static void bomb_stack(void)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
	char *argv[2000], *text = malloc(100000);

	setrlimit(RLIMIT_STACK, &limit);
	memset(text, 'x', 99999);
	text[99999] = 0;
	for (int i = 0; i < 1999; i++)
		argv[i] = text;
	argv[1999] = NULL;
	for (int i = 0; i < 20; i++)
		more(execv("/bin/true", argv));
}

/* ---- files ---- */

static void bomb_tmpfs(void)
{
	static char block[1 << 20];
	int fd = open("/tmp/bomb", O_CREAT | O_WRONLY, 0600);

	while (more(write(fd, block, sizeof(block)) > 0 ? 0 : -1))
		;
}

static void bomb_fallocate(void)
{
	int fd = open("/tmp/bomb", O_CREAT | O_WRONLY, 0600);

	for (off_t at = 0; more(fallocate(fd, 0, at, 64 << 20)); at += 64 << 20)
		;
}

static void bomb_inodes(void)
{
	char name[64];

	for (long i = 0;; i++) {
		snprintf(name, sizeof(name), "/tmp/i%ld", i);
		if (!more(i % 3 == 0 ? mknod(name, S_IFREG | 0600, 0)
			    : i % 3 == 1
				    ? mkdir(name, 0700)
				    : symlink("a long target that has to lie somewhere, of course",
					      name)))
			break;
	}
}

static void bomb_xattrs(void)
{
	static char value[60000];
	char name[64];
	int fd = open("/tmp/x", O_CREAT | O_WRONLY, 0600);

	for (long i = 0;; i++) {
		snprintf(name, sizeof(name), "user.%ld", i);
		if (!more(fsetxattr(fd, name, value, i % 2 ? 4 : sizeof(value), 0)))
			break;
	}
}

static void bomb_depth(void)
{
	if (chdir("/tmp") < 0)
		return;
	while (more(mkdir("d", 0700)) && chdir("d") == 0)
		;
}

static void bomb_links(void)
{
	char name[64];

	close(open("/tmp/one", O_CREAT | O_WRONLY, 0600));
	for (long i = 0;; i++) {
		snprintf(name, sizeof(name), "/tmp/l%ld", i);
		if (!more(link("/tmp/one", name)))
			break;
	}
}

static void bomb_locks(void)
{
	int fd = open("/tmp/locked", O_CREAT | O_RDWR, 0600);

	for (off_t i = 0;; i += 2) {
		struct flock lock = {.l_type = F_WRLCK, .l_start = i, .l_len = 1};

		if (!more(fcntl(fd, F_SETLK, &lock)))
			break;
	}
}

static void bomb_negative(void)
{
	char name[256];
	struct stat st;

	memset(name, 'n', sizeof(name));
	for (long i = 0; time(NULL) < end - 2; i++) {
		snprintf(name + 200, 30, "%ld", i);
		stat(name, &st);
		taken++;
	}
}

static void bomb_huge_file(void)
{
	struct rlimit limit = {MIB, MIB};
	int fd;

	/* The guest's own limit holds as well. */
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	fd = open("/tmp/large", O_CREAT | O_RDWR, 0600);
	if (pwrite(fd, "x", 1, 2 * MIB) == 1 || ftruncate(fd, 2 * MIB) == 0)
		puts("larger than RLIMIT_FSIZE");
	if (pwrite(fd, "x", 1, (off_t)1 << 62) == 1)
		puts("4 EiB");
}

/* ---- descriptors ---- */

static void raise_files(void)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < 4; i++)
		(void)!fork();
}

static void bomb_descriptors(void)
{
	raise_files();
	while (more(open("/etc/passwd", O_RDONLY)))
		;
}

static void bomb_directories(void)
{
	raise_files();
	while (more(open("/usr", O_RDONLY | O_DIRECTORY)))
		;
}

static void bomb_pipes(void)
{
	static char block[65536];
	int ends[2];

	raise_files();
	while (more(pipe2(ends, O_NONBLOCK)))
		while (write(ends[1], block, sizeof(block)) > 0)
			;
}

static void bomb_sockets(void)
{
	static char block[65536];
	int ends[2];

	raise_files();
	while (more(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends))) {
		while (write(ends[1], block, sizeof(block)) > 0)
			;
		while (write(ends[0], block, sizeof(block)) > 0)
			;
	}
}

/* Descriptors that nobody has any more but the queues of sockets. */
static void bomb_in_flight(void)
{
	int ends[2], carried[8];

	while (more(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends))) {
		char control[CMSG_SPACE(sizeof(carried))] = {0};
		struct iovec iov = {"x", 1};
		struct msghdr message = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control)};
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);

		for (unsigned i = 0; i < 8; i++)
			carried[i] = ends[i % 2];
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(carried));
		memcpy(CMSG_DATA(header), carried, sizeof(carried));
		while (sendmsg(ends[0], &message, MSG_DONTWAIT) > 0)
			;
		close(ends[0]);
		close(ends[1]);
	}
}

static void bomb_epoll(void)
{
	int last = eventfd(1, 0), first = epoll_create1(0), fd;

	raise_files();
	for (;;) {
		struct epoll_event event = {.events = EPOLLIN | EPOLLET};

		fd = epoll_create1(0);
		if (!more(fd))
			break;
		epoll_ctl(fd, EPOLL_CTL_ADD, last, &event);
		epoll_ctl(first, EPOLL_CTL_ADD, fd, &event);
		epoll_ctl(fd, EPOLL_CTL_ADD, first, &event); /* a ring */
		last = fd;
	}
}

static void bomb_inotify(void)
{
	int fd = inotify_init1(IN_NONBLOCK), other;
	char name[64];

	for (long i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "/tmp/w%ld", i);
		if (mkdir(name, 0700) < 0 || inotify_add_watch(fd, name, IN_ALL_EVENTS) < 0)
			break;
		taken++;
	}
	raise_files();
	while (more(other = inotify_init1(IN_NONBLOCK)))
		inotify_add_watch(other, "/tmp", IN_ALL_EVENTS);
	for (long i = 0; time(NULL) < end; i++) {
		snprintf(name, sizeof(name), "/tmp/%ld", i);
		close(open(name, O_CREAT | O_RDWR, 0600));
	}
}

static void bomb_timerfds(void)
{
	struct itimerspec soon = {{0, 1}, {0, 1}};

	raise_files();
	for (;;) {
		int fd = timerfd_create(CLOCK_MONOTONIC, 0);

		if (!more(fd))
			break;
		timerfd_settime(fd, 0, &soon, NULL);
	}
}

static void bomb_timers(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
	struct itimerspec soon = {{0, 1}, {0, 1}};
	timer_t timer;

	signal(SIGRTMIN, SIG_IGN);
	while (more(timer_create(CLOCK_MONOTONIC, &event, &timer)))
		timer_settime(timer, 0, &soon, NULL);
}

static void bomb_ptys(void)
{
	raise_files();
	while (more(open("/dev/ptmx", O_RDWR | O_NOCTTY)))
		;
}

/* ---- signals, messages, and the like ---- */

static void bomb_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (int i = 0; i < 3; i++)
		(void)!fork();
	for (;;)
		if (!more(sigqueue(getpid(), SIGRTMIN + (int)(taken % 20),
			    (union sigval){.sival_int = 1})))
			break;
}

static void bomb_queues(void)
{
	struct mq_attr attr = {.mq_maxmsg = 10, .mq_msgsize = 8192};
	static char text[8192];
	char name[64];

	for (long i = 0;; i++) {
		mqd_t queue;

		snprintf(name, sizeof(name), "/q%ld-%d", i, getpid());
		queue = mq_open(name, O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attr);
		if (!more(queue))
			break;
		while (mq_send(queue, text, sizeof(text), 1) == 0)
			;
	}
}

static void bomb_messages(void)
{
	static struct {
		long type;
		char text[8192];
	} message = {.type = 1};

	for (;;) {
		int id = msgget(IPC_PRIVATE, 0600);

		if (!more(id))
			break;
		while (msgsnd(id, &message, sizeof(message.text), IPC_NOWAIT) == 0)
			;
	}
}

static void bomb_semaphores(void)
{
	while (more(semget(IPC_PRIVATE, 32000, 0600)))
		;
}

static void bomb_aio(void)
{
	aio_context_t context;

	for (;;) {
		context = 0;
		if (!more(syscall(SYS_io_setup, 1024, &context)))
			break;
	}
}

static uint32_t word;

static void *wait_for_word(void *arg)
{
	syscall(SYS_futex, arg, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	return NULL;
}

static void bomb_futexes(void)
{
	static struct futex_waitv {
		uint64_t val, uaddr;
		uint32_t flags, reserved;
	} waiters[128];
	pthread_t thread;

	for (unsigned i = 0; i < 128; i++)
		waiters[i] = (struct futex_waitv){.uaddr = (uint64_t)&word, .flags = 2};
	while (more(-pthread_create(&thread, NULL, wait_for_word, &word)))
		;
	end = time(NULL) + 2;
	while (time(NULL) < end)
		for (int i = 0; i < 1000; i++)
			syscall(SYS_futex, &word, FUTEX_REQUEUE, 1, 1000,
				(uint32_t *)&waiters[i % 128], 0);
	(void)waiters;
}

static void bomb_namespaces(void)
{
	for (;;) {
		pid_t pid = fork();

		if (pid == 0) {
			while (more(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC |
					    CLONE_NEWUTS | CLONE_NEWNET)))
				;
			sleep(KEEP_SECONDS);
			_exit(0);
		}
		if (!more(pid))
			break;
	}
}

static void bomb_mounts(void)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return;
	mkdir("/tmp/m", 0700);
	while (more(mount("bomb", "/tmp/m", "tmpfs", 0, "size=1g")))
		;
}

static void bomb_output(void)
{
	static char block[65536];

	memset(block, 'o', sizeof(block));
	while (more(write(1, block, sizeof(block)) > 0 ? 0 : -1) && taken < 400)
		;
	while (write(2, block, sizeof(block)) > 0 && ++taken < 800)
		;
}

static void bomb_spin(void)
{
	for (int i = 0; i < 16; i++)
		if (fork() == 0)
			for (;;)
				;
	while (time(NULL) < end - 3)
		sched_yield();
}

static const struct {
	const char *name;
	void (*run)(void);
} bombs[] = {
#define BOMB(name)                                                                                 \
	{                                                                                          \
#name, bomb_##name                                                                 \
	}
	BOMB(fork),
	BOMB(thread),
	BOMB(clone_vm),
	BOMB(anon),
	BOMB(anon_burst),
	BOMB(leaderless),
	BOMB(raw_leaderless),
	BOMB(raw_memory),
	BOMB(tables),
	BOMB(raw_tables),
	BOMB(holes),
	BOMB(shared),
	BOMB(memfd),
	BOMB(memfds),
	BOMB(shm),
	BOMB(mlock),
	BOMB(vmas),
	BOMB(raw_vmas),
	BOMB(stack),
	BOMB(tmpfs),
	BOMB(fallocate),
	BOMB(inodes),
	BOMB(xattrs),
	BOMB(depth),
	BOMB(links),
	BOMB(locks),
	BOMB(negative),
	BOMB(huge_file),
	BOMB(descriptors),
	BOMB(directories),
	BOMB(pipes),
	BOMB(sockets),
	BOMB(in_flight),
	BOMB(epoll),
	BOMB(inotify),
	BOMB(timerfds),
	BOMB(timers),
	BOMB(ptys),
	BOMB(signals),
	BOMB(queues),
	BOMB(messages),
	BOMB(semaphores),
	BOMB(aio),
	BOMB(futexes),
	BOMB(namespaces),
	BOMB(mounts),
	BOMB(output),
	BOMB(spin),
};

int main(int argc, char **argv)
{
	end = time(NULL) + SECONDS;
	gadget_find();
	for (unsigned i = 0; i < sizeof(bombs) / sizeof(bombs[0]); i++) {
		pid_t self = getpid();

		if (argc < 2 || strcmp(argv[1], bombs[i].name) != 0)
			continue;
		errno = 0;
		bombs[i].run();
		if (getpid() != self) { /* one of many */
			sleep(KEEP_SECONDS);
			_exit(0);
		}
		fprintf(stderr, "%s: %ld, %s\n", bombs[i].name, taken, strerrorname_np(errno));
		sleep(KEEP_SECONDS);
		fputs("over\n", stderr);
		return 0;
	}
	for (unsigned i = 0; argc < 2 && i < sizeof(bombs) / sizeof(bombs[0]); i++)
		puts(bombs[i].name);
	return 2;
}
