/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random system calls with random arguments: syscall_fuzz SEED SECONDS.
 *
 * The main process only starts workers and ends them after a while. A worker is a process with some
 * threads that share everything; each issues calls from the table (made from sentry/syscalls.def)
 * with arguments that fit their types most of the time: descriptors that exist, addresses in an
 * arena full of plausible structs, sizes at the edges. Whatever becomes of the guest is fine; the
 * kernel below must survive it.
 */
#include "armed.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS	      3
#define THREADS	      3
#define WORKER_MS     700
#define ARENA_SIZE    0x40000ul
#define ARENA_GUARD   0x10000ul
#define INTERESTING_N (sizeof(interesting) / sizeof(interesting[0]))
#define COUNT(array)  (sizeof(array) / sizeof((array)[0]))

enum argument {
	ARG_ANY,
	ARG_FD,
	ARG_DIRFD,
	ARG_PID,
	ARG_SIG,
	ARG_PATH,
	ARG_STR,
	ARG_STRV,
	ARG_SIZE,
	ARG_OFF,
	ARG_ADDR,
	ARG_MODE,
	ARG_CLOCK,
	ARG_SMALL,
	ARG_INT,
	ARG_ID,
	ARG_TIME,
	ARG_POINTER,
	ARG_IOVEC,
	ARG_FCNTL,
	ARG_IOCTL,
	ARG_PRCTL,
	ARG_OPEN,
	ARG_AT,
	ARG_MAP,
	ARG_FLAGS,
};

static const struct call {
	int nr;
	const char *name;
	int count;
	enum argument args[6];
} calls[] = {
#include "tests/escape/syscall_fuzz_table.h"
};

static const uint64_t interesting[] = {0, 1, 2, 3, 7, 8, 16, 63, 64, 65, 127, 128, 255, 256, 511,
	512, 1023, 1024, 1025, 4095, 4096, 4097, 8192, 65535, 65536, 65537, 131072, 1u << 20,
	1u << 24, 0x7ffff000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x100000000,
	0x7fffffffffff, 0x7ffffffff000, 0x7ffb00000000, 0x800000000000, 0x7ffffffffffff000,
	0x7fffffffffffffff, 0x8000000000000000, 0xffffffff80000000, 0xfffffffffffff000,
	0xffffffffffffff9c, 0xfffffffffffffffe, 0xffffffffffffffff, 999999999, 1000000000};

static const char *const paths[] = {"/tmp", "/tmp/a", "/tmp/b", "/tmp/a/b", "/tmp/a/../b", "/tmp/f",
	"/tmp/g", "/tmp/link", "/tmp/fifo", "/tmp/sock", "a", "b", ".", "..", "../..", "", "/",
	"//", "/proc/self/maps", "/proc/self/fd", "/proc/self/fd/3", "/proc/self/task",
	"/proc/self/mem", "/proc/self/environ", "/proc/self/stat", "/proc/self/status",
	"/proc/self/mountinfo", "/proc/1", "/proc/self/fdinfo/5", "/proc/self/exe",
	"/proc/self/cwd", "/proc/self/root/tmp", "/proc", "/proc/stat", "/proc/self/oom_score_adj",
	"/proc/sys/kernel/hostname", "/proc/thread-self/comm", "/proc/self/limits",
	"/proc/net/unix", "/proc/uptime", "/dev", "/dev/null", "/dev/zero", "/dev/full",
	"/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts/0", "/dev/pts", "/dev/shm/x",
	"/etc/passwd", "/usr/bin", "/usr/bin/env", "/usr/lib", "/bin/true", "/sys", "/hostile",
	"/hostile/syscall_fuzz", "/tmp/a/b/c/d/e/f", "user.x"};

static const uint32_t ioctls[] = {0x5401, 0x5402, 0x5403, 0x5404, 0x5405, 0x5406, 0x5409, 0x540a,
	0x540b, 0x540c, 0x540e, 0x540f, 0x5410, 0x5411, 0x5412, 0x5413, 0x5414, 0x5415, 0x541b,
	0x541d, 0x5420, 0x5421, 0x5422, 0x5423, 0x5424, 0x5425, 0x5429, 0x80045430, 0x40045431,
	0x80045439, 0x5441, 0x5450, 0x5451, 0x5452, 0x5460, 2, 0x8905, 0x8910, 0x8912, 0x8913,
	0x8915, 0x40049409, 0x4020940d, 0xc0189436, 0x80086601, 0x40086602, 0xc020660b, 0x40086607};

static uint8_t *arena;

struct worker {
	uint64_t state;
};

static uint64_t next(struct worker *worker)
{
	uint64_t x = worker->state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	worker->state = x;
	return x * 0x2545f4914f6cdd1dull >> 3;
}

static uint64_t below(struct worker *worker, uint64_t limit)
{
	return next(worker) % limit;
}

static uint64_t one_interesting(struct worker *worker)
{
	return interesting[below(worker, INTERESTING_N)];
}

static uint64_t a_descriptor(struct worker *worker)
{
	switch (below(worker, 24)) {
	case 0:
		return one_interesting(worker);
	case 1:
		return below(worker, 1024);
	default:
		return 3 + below(worker, 40);
	}
}

/* Some place in the arena: anywhere, at a page's end, at its own end. */
static uint64_t a_place(struct worker *worker)
{
	uint64_t base = (uint64_t)arena;

	switch (below(worker, 16)) {
	case 0:
		return base + ARENA_SIZE - below(worker, 64);
	case 1:
		return base + below(worker, ARENA_SIZE);
	case 2:
		return base + ARENA_SIZE + below(worker, ARENA_GUARD);
	case 3:
		return base + (below(worker, ARENA_SIZE / 4096) + 1) * 4096 - below(worker, 32);
	default:
		return base + below(worker, ARENA_SIZE / 4096) * 4096 + below(worker, 64) * 16;
	}
}

static uint64_t a_number(struct worker *worker)
{
	switch (below(worker, 8)) {
	case 0:
		return one_interesting(worker);
	case 1:
		return next(worker);
	case 2:
		return 1ull << below(worker, 64);
	case 3:
		return a_place(worker);
	case 4:
		return a_descriptor(worker);
	default:
		return below(worker, 40);
	}
}

/* A word that makes sense in some struct. */
static void scatter(struct worker *worker, uint64_t place)
{
	uint8_t *end = arena + ARENA_SIZE;
	uint8_t *p = (uint8_t *)place;
	unsigned count = (unsigned)below(worker, 24);

	if (p < arena || p >= end)
		return;
	for (unsigned i = 0; i < count && p + 8 <= end; i++) {
		uint64_t value = a_number(worker);
		unsigned size = below(worker, 4) ? 8 : 4;

		memcpy(p, &value, size);
		p += size;
	}
}

static uint64_t a_string(struct worker *worker, const char *text)
{
	uint8_t *p = (uint8_t *)a_place(worker);

	if (p < arena || p + strlen(text) + 1 > arena + ARENA_SIZE)
		return (uint64_t)p;
	if (below(worker, 60) == 0)
		memset(p, 'x', 64);
	else
		strcpy((char *)p, text);
	return (uint64_t)p;
}

static uint64_t a_vector(struct worker *worker, unsigned stride)
{
	uint64_t *p = (uint64_t *)a_place(worker);
	unsigned count = (unsigned)below(worker, 6);

	if ((uint8_t *)p < arena || (uint8_t *)(p + 16) > arena + ARENA_SIZE)
		return (uint64_t)p;
	for (unsigned i = 0; i < count; i++) {
		p[i * stride] = stride == 1 ? a_string(worker, paths[below(worker, COUNT(paths))])
					    : a_place(worker);
		if (stride == 2)
			p[i * stride + 1] =
				below(worker, 3) ? below(worker, 300) : one_interesting(worker);
	}
	if (below(worker, 10))
		p[count * stride] = 0;
	return (uint64_t)p;
}

/* Short times mostly: a worker lives less than a second. */
static uint64_t a_time(struct worker *worker)
{
	uint64_t *p = (uint64_t *)a_place(worker);

	if (below(worker, 10) == 0)
		return 0;
	if ((uint8_t *)p < arena || (uint8_t *)(p + 4) > arena + ARENA_SIZE)
		return (uint64_t)p;
	for (int i = 0; i < 4; i += 2) {
		p[i] = below(worker, 12) ? 0 : one_interesting(worker);
		p[i + 1] = below(worker, 12) ? below(worker, 3000) : one_interesting(worker);
	}
	return (uint64_t)p;
}

static uint64_t argument(struct worker *worker, enum argument kind)
{
	uint64_t place;

	if (below(worker, 50) == 0)
		return a_number(worker);
	switch (kind) {
	case ARG_FD:
		return a_descriptor(worker);
	case ARG_DIRFD:
		return below(worker, 2) ? (uint64_t)AT_FDCWD : a_descriptor(worker);
	case ARG_PID:
		return below(worker, 3)	  ? 0
		       : below(worker, 2) ? below(worker, 60)
					  : (uint64_t)getpid();
	case ARG_SIG:
		return below(worker, 3) ? 0 : below(worker, 66);
	case ARG_PATH:
	case ARG_STR:
		return a_string(worker, paths[below(worker, COUNT(paths))]);
	case ARG_STRV:
		return a_vector(worker, 1);
	case ARG_IOVEC:
		return a_vector(worker, 2);
	case ARG_SIZE:
		return below(worker, 2) ? below(worker, 600) : one_interesting(worker);
	case ARG_OFF:
		return below(worker, 2) ? below(worker, 9000) : one_interesting(worker);
	case ARG_ADDR:
		return a_place(worker) & (below(worker, 2) ? ~4095ull : ~0ull);
	case ARG_MODE:
		return (1ull << (12 + below(worker, 4))) | below(worker, 4096);
	case ARG_CLOCK:
		return below(worker, 14);
	case ARG_SMALL:
		return below(worker, 24);
	case ARG_INT:
		return below(worker, 2) ? below(worker, 70) : one_interesting(worker);
	case ARG_ID:
		return below(worker, 2) ? getuid() : one_interesting(worker);
	case ARG_TIME:
		return a_time(worker);
	case ARG_POINTER:
		if (below(worker, 12) == 0)
			return 0;
		place = a_place(worker);
		if (below(worker, 2))
			scatter(worker, place);
		return place;
	case ARG_FCNTL:
		return below(worker, 2) ? below(worker, 40) : 1024 + below(worker, 16);
	case ARG_IOCTL:
		return ioctls[below(worker, COUNT(ioctls))];
	case ARG_PRCTL:
		return below(worker, 80);
	case ARG_OPEN:
		return below(worker, 3) | (below(worker, 2) ? 0 : 0100) |
		       (below(worker, 3) ? 0 : 04000) |
		       (below(worker, 6) ? 0 : 1ull << below(worker, 24));
	case ARG_AT:
		return below(worker, 2) ? 0 : 1ull << below(worker, 16);
	case ARG_MAP:
		return (1 + below(worker, 3)) | (below(worker, 2) ? 0x20 : 0) |
		       (below(worker, 4) ? 0 : 1ull << below(worker, 22));
	case ARG_FLAGS:
		return below(worker, 2)	  ? 0
		       : below(worker, 2) ? below(worker, 16)
					  : 1ull << below(worker, 32);
	case ARG_ANY:
	default:
		return a_number(worker);
	}
}

/* What ends the worker at once is tried rarely. */
static int is_wanted(struct worker *worker, const struct call *call, uint64_t *args)
{
	switch (call->nr) {
	case SYS_exit:
	case SYS_exit_group:
	case SYS_rt_sigreturn:
	case SYS_execve:
	case SYS_execveat:
		return below(worker, 60) == 0;
	case SYS_kill:
	case SYS_tkill:
	case SYS_tgkill:
	case SYS_rt_sigqueueinfo:
	case SYS_rt_tgsigqueueinfo:
	case SYS_pidfd_send_signal:
	case SYS_pause:
	case SYS_rt_sigsuspend:
		return below(worker, 20) == 0;
	case SYS_close_range:
		return below(worker, 30) == 0;
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_mremap:
	case SYS_brk:
	case SYS_rt_sigprocmask:
	case SYS_rt_sigaction:
	case SYS_setrlimit:
	case SYS_prlimit64:
	case SYS_alarm:
		return below(worker, 6) == 0;
	case SYS_mmap:
		if (below(worker, 3))
			args[3] &= ~0x10ull;
		args[1] &= 0xffffff;
		return 1;
	case SYS_clone:
		/* Without memory of its own a child needs a stack: seldom. */
		args[0] = below(worker, 30) ? 17 | (below(worker, 3) ? 0 : args[0] & ~0x100ull)
					    : args[0];
		return below(worker, 6) == 0;
	case SYS_vfork:
	case SYS_clone3:
	case SYS_fork:
		return below(worker, 6) == 0;
	default:
		return 1;
	}
}

static void *run(void *arg)
{
	struct worker worker = {.state = (uint64_t)arg | 1};

	for (;;) {
		const struct call *call = &calls[below(&worker, COUNT(calls))];
		uint64_t args[6];
		int pid = getpid();

		for (int i = 0; i < 6; i++)
			args[i] =
				i < call->count ? argument(&worker, call->args[i]) : next(&worker);
		if (!is_wanted(&worker, call, args))
			continue;
		if (call->nr == SYS_vfork) {
			if (vfork() == 0)
				_exit(0);
			continue;
		}
		(void)syscall(call->nr, args[0], args[1], args[2], args[3], args[4], args[5]);
		if (getpid() != pid && below(&worker, 2))
			_exit(3);
	}
	return NULL;
}

static void wake_up(int signo)
{
	(void)signo;
}

/* Something of each kind to play with. */
static void open_things(void)
{
	int pair[2];

	(void)pipe(pair);
	(void)pipe2(pair, O_NONBLOCK);
	for (int type = SOCK_STREAM; type <= SOCK_SEQPACKET; type += type == SOCK_DGRAM ? 3 : 1)
		(void)socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, pair);
	(void)socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	(void)eventfd(3, EFD_NONBLOCK);
	(void)syscall(SYS_epoll_create1, 0);
	(void)syscall(SYS_epoll_create1, 0);
	(void)syscall(SYS_inotify_init1, O_NONBLOCK);
	(void)syscall(SYS_timerfd_create, 1, O_NONBLOCK);
	(void)syscall(SYS_memfd_create, "m", 3);
	(void)syscall(SYS_pidfd_open, getpid(), 0);
	(void)open("/tmp/f", O_RDWR | O_CREAT, 0644);
	(void)open("/tmp/g", O_RDWR | O_CREAT | O_APPEND, 0644);
	(void)open("/tmp", O_RDONLY | O_DIRECTORY);
	(void)open("/proc/self", O_RDONLY | O_DIRECTORY);
	(void)open("/proc/self/maps", O_RDONLY);
	(void)open("/dev/ptmx", O_RDWR | O_NOCTTY);
	(void)open("/dev/zero", O_RDWR);
	(void)open("/usr/bin/env", O_RDONLY);
	(void)socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	(void)socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
}

static void work(uint64_t seed)
{
	struct sigaction action = {.sa_handler = wake_up};
	struct itimerval interval = {{0, 10000}, {0, 10000}};
	struct worker worker = {.state = seed | 1};
	pthread_t thread;

	arena = mmap(NULL, ARENA_SIZE + ARENA_GUARD, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	(void)mprotect(arena + ARENA_SIZE, ARENA_GUARD, PROT_NONE);
	for (unsigned i = 0; i < 2000; i++)
		scatter(&worker, a_place(&worker));
	(void)sigaction(SIGALRM, &action, NULL);
	(void)setitimer(ITIMER_REAL, &interval, NULL);
	(void)chdir("/tmp");
	(void)mkdir("/tmp/a", 0755);
	open_things();
	for (int i = 1; i < THREADS; i++)
		(void)pthread_create(&thread, NULL, run, (void *)next(&worker));
	run((void *)next(&worker));
}

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : (uint64_t)time(NULL);
	double end = now() + (argc > 2 ? atof(argv[2]) : 10);
	struct worker worker = {.state = seed * 0x9e3779b97f4a7c15ull | 1};
	struct {
		pid_t pid;
		double until;
	} workers[WORKERS] = {{0}};
	unsigned started = 0;

	printf("seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	while (now() < end) {
		for (int i = 0; i < WORKERS; i++) {
			if (workers[i].pid > 0 && now() > workers[i].until)
				(void)kill(workers[i].pid, SIGKILL);
			if (workers[i].pid > 0 && waitpid(workers[i].pid, NULL, WNOHANG) == 0)
				continue;
			(void)next(&worker);
			workers[i].pid = fork();
			if (workers[i].pid == 0) {
				(void)setpgid(0, 0);
				work(worker.state);
			}
			workers[i].until = now() + WORKER_MS / 1000.0;
			started++;
		}
		while (waitpid(-1, NULL, WNOHANG) > 0 && now() < end)
			;
		usleep(5000);
	}
	printf("%u workers\n", started);
	return 0;
}
