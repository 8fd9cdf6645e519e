/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the programs of the differential fuzzer (format.h, generate.py) and prints what came of each
 * call, in text that is the same on every kernel that behaves the same:
 *
 *	program ID
 *	call 3 0                          number, result (negative errno), then what it wrote:
 *	 out 0 00000000...                (dump number, bytes)
 *	signal 3 10 -6                    a handler ran before call 3 was over: signal, si_code
 *	fd 4 flags 8002 ...               what is open at the end
 *	end exited 0
 *	file f0 100644 ...                what is in the scratch directory
 *
 * Each program runs in a forked child, in a directory of its own, as a user without privileges and
 * with small limits. Random calls are hostile by nature, so this starts only when it was armed,
 *never as root, and natively only as tests/run-difffuzz starts it: in namespaces of its own.
 *
 * The child is alone with the calls: it prints nothing itself (its descriptors 0 to 2 are
 * /dev/null) but stores results in shared memory. A call that sleeps for long gets a signal, and if
 *that does not help the program is over.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <mqueue.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "format.h"

#define KICK_SIGNAL (SIGRTMAX - 1)
#define KICK_MS	    60
#define KICKS_MAX   4
#define PROGRAM_MS  4000
#define SIGNALS_MAX 64
#define FDS_SHOWN   48
#define RESULTS_AT  0x30000000ul
#define KEY_FIRST   0x5e41
#define KEY_COUNT   3

/* Magic handler of struct sigaction: ours, which logs. */
#define HANDLER_MAGIC 2

struct dump_result {
	bool changed;
	uint32_t hash;
	uint8_t bytes[DUMP_SHOWN];
};

struct call_result {
	bool done;
	long value;
	struct dump_result dumps[DUMP_MAX];
};

struct signal_record {
	int call, sig, code;
};

struct fd_record {
	bool open;
	int fd_flags, flags;
	long pos;
	unsigned mode, nlink;
	long size;
};

/* Written by the child, printed by its parent. */
struct results {
	volatile uint32_t progress;
	volatile int runner;
	volatile int current;
	volatile uint32_t signal_count;
	struct signal_record signals[SIGNALS_MAX];
	struct call_result calls[CALL_MAX];
	bool finished;
	uint64_t mask, pending;
	struct fd_record fds[FDS_SHOWN];
	uint8_t pages[PLAYGROUND_PAGES];
	char cwd[256];
};

struct call {
	struct call_record record;
	struct dump_record dumps[DUMP_MAX];
};

struct program {
	struct program_header header;
	struct call calls[CALL_MAX];
};

static struct results *results;
static sigjmp_buf fault_return;
static volatile sig_atomic_t fault_expected;

struct raw_sigaction {
	uint64_t handler, flags, restorer, mask;
};

static long raw_call(long nr, const uint64_t v[6])
{
	register uint64_t r10 __asm__("r10") = v[3];
	register uint64_t r8 __asm__("r8") = v[4];
	register uint64_t r9 __asm__("r9") = v[5];
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(v[0]), "S"(v[1]), "d"(v[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

void restore_from_signal(void);
__asm__(".globl restore_from_signal\nrestore_from_signal:\n\tmov $15, %eax\n\tsyscall\n");

static void on_signal(int sig, siginfo_t *info, void *context)
{
	uint32_t n;

	(void)context;
	if ((sig == SIGSEGV || sig == SIGBUS) && fault_expected && info->si_code > 0) {
		fault_expected = 0;
		siglongjmp(fault_return, 256 + info->si_code + (sig == SIGBUS ? 64 : 0));
	}
	if (sig == KICK_SIGNAL)
		return;
	n = results->signal_count;
	if (n < SIGNALS_MAX) {
		results->signals[n] = (struct signal_record){results->current, sig, info->si_code};
		results->signal_count = n + 1;
	}
	/* A fault that is not of OP_PEEK or OP_POKE would be raised for ever. */
	if ((sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE) &&
		info->si_code > 0)
		_exit(70 + sig % 16);
}

static void install(int sig)
{
	struct raw_sigaction action = {
		(uint64_t)on_signal, SA_SIGINFO | 0x04000000, (uint64_t)restore_from_signal, 0};

	raw_call(SYS_rt_sigaction, (uint64_t[6]){(uint64_t)sig, (uint64_t)&action, 0, 8});
}

static bool in_arena(uint64_t address, uint64_t size)
{
	return address >= ARENA && size <= ARENA_SIZE && address - ARENA <= ARENA_SIZE - size;
}

/* A sigaction that wants our handler gets its address; on the way out the address is the magic
 * again. */
static long do_sigaction(uint64_t v[6])
{
	struct raw_sigaction *given = (struct raw_sigaction *)v[1], changed;
	bool known = in_arena(v[1], sizeof(changed));
	long ret;

	if (known) {
		changed = *given;
		if (changed.handler == HANDLER_MAGIC)
			changed.handler = (uint64_t)on_signal;
		changed.flags |= 0x04000000;
		changed.restorer = (uint64_t)restore_from_signal;
		v[1] = (uint64_t)&changed;
	}
	ret = raw_call(SYS_rt_sigaction, v);
	if (ret == 0 && in_arena(v[2], sizeof(changed))) {
		struct raw_sigaction *old = (struct raw_sigaction *)v[2];

		if (old->handler == (uint64_t)on_signal)
			old->handler = HANDLER_MAGIC;
		if (old->restorer == (uint64_t)restore_from_signal)
			old->restorer = 1;
	}
	return ret;
}

static long touch(uint64_t address, bool write, uint8_t byte)
{
	volatile uint8_t *at = (volatile uint8_t *)address;
	int fault = sigsetjmp(fault_return, 1);
	long value = 0;

	if (fault)
		return fault;
	fault_expected = 1;
	if (write)
		*at = byte;
	else
		value = *at;
	fault_expected = 0;
	return value;
}

static int run_calls(const struct program *program, int from, int to);

/* The child's end is awaited, not collected: that is for the program to do. */
static long do_fork(const struct program *program, int from, int to)
{
	pid_t pid = fork();
	siginfo_t info;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		results->runner = getpid();
		run_calls(program, from, to);
		_exit(7);
	}
	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WSTOPPED | WNOWAIT) < 0 && errno == EINTR)
		;
	results->runner = getpid();
	return pid;
}

static uint32_t hash_of(const uint8_t *bytes, uint64_t size)
{
	uint32_t hash = 2166136261u;

	for (uint64_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

static uint64_t value_of(const struct program *program, int call, int arg)
{
	uint64_t value = program->calls[call].record.values[arg];

	switch (program->calls[call].record.kinds[arg]) {
	case ARG_RESULT:
		if (value >= CALL_MAX || !results->calls[value].done ||
			results->calls[value].value < 0)
			return (uint64_t)-1;
		return (uint64_t)results->calls[value].value;
	case ARG_LOAD: {
		int loaded;

		if (!in_arena(value, sizeof(loaded)))
			return (uint64_t)-1;
		memcpy(&loaded, (void *)value, sizeof(loaded));
		return (uint64_t)(int64_t)loaded;
	}
	case ARG_LOAD64: {
		uint64_t loaded;

		if (!in_arena(value, sizeof(loaded)))
			return (uint64_t)-1;
		memcpy(&loaded, (void *)value, sizeof(loaded));
		return loaded;
	}
	default:
		return value;
	}
}

static void run_call(const struct program *program, int i)
{
	static uint32_t before[DUMP_MAX];
	const struct call *call = &program->calls[i];
	struct call_result *result = &results->calls[i];
	uint64_t v[6];

	for (int a = 0; a < 6; a++)
		v[a] = value_of(program, i, a);
	for (uint32_t d = 0; d < call->record.dump_count; d++)
		before[d] = hash_of((uint8_t *)call->dumps[d].address, call->dumps[d].size);
	/* Never everybody: that would be the executor too. */
	if (call->record.nr == SYS_kill && (int)v[0] == -1)
		v[0] = 0x7ffffff;
	results->current = i;
	switch (call->record.nr) {
	case OP_PEEK:
		result->value = touch(v[0], false, 0);
		break;
	case OP_POKE:
		result->value = touch(v[0], true, (uint8_t)v[1]);
		break;
	case SYS_rt_sigaction:
		result->value = do_sigaction(v);
		break;
	default:
		result->value = raw_call(call->record.nr, v);
	}
	for (uint32_t d = 0; d < call->record.dump_count; d++) {
		const uint8_t *bytes = (uint8_t *)call->dumps[d].address;
		uint64_t size = call->dumps[d].size;

		result->dumps[d].hash = hash_of(bytes, size);
		result->dumps[d].changed = result->dumps[d].hash != before[d];
		memcpy(result->dumps[d].bytes, bytes, size < DUMP_SHOWN ? size : DUMP_SHOWN);
	}
	result->done = true;
	results->progress++;
}

static int run_calls(const struct program *program, int from, int to)
{
	for (int i = from; i < to; i++) {
		const struct call_record *record = &program->calls[i].record;

		if (record->nr == (uint32_t)-1)
			continue;
		if (record->nr == OP_FORK) {
			int last = i + 1 + (int)record->values[0];

			if (last > to)
				last = to;
			results->current = i;
			results->calls[i].value = do_fork(program, i + 1, last);
			results->calls[i].done = true;
			results->progress++;
			i = last - 1;
			continue;
		}
		run_call(program, i);
	}
	return 0;
}

static void look_at_state(void)
{
	uint64_t pending = 0;

	raw_call(SYS_rt_sigprocmask, (uint64_t[6]){0, 0, (uint64_t)&results->mask, 8});
	raw_call(SYS_rt_sigpending, (uint64_t[6]){(uint64_t)&pending, 8});
	results->pending = pending;
	for (int fd = 0; fd < FDS_SHOWN; fd++) {
		struct fd_record *record = &results->fds[fd];
		struct stat st;

		record->fd_flags = fcntl(fd, F_GETFD);
		if (record->fd_flags < 0)
			continue;
		record->open = true;
		record->flags = fcntl(fd, F_GETFL);
		record->pos = lseek(fd, 0, SEEK_CUR);
		if (record->pos < 0)
			record->pos = -errno;
		if (fstat(fd, &st) == 0) {
			record->mode = st.st_mode;
			record->nlink = (unsigned)st.st_nlink;
			if (S_ISDIR(st.st_mode))
				record->pos = 0; /* each file system counts in its own way */
			record->size = S_ISDIR(st.st_mode) ? 0 : st.st_size;
		}
	}
	for (int i = 0; i < PLAYGROUND_PAGES; i++)
		results->pages[i] =
			msync((void *)(PLAYGROUND + (unsigned)i * 4096), 4096, MS_ASYNC) == 0;
	if (!getcwd(results->cwd, sizeof(results->cwd)))
		snprintf(results->cwd, sizeof(results->cwd), "errno %d", errno);
}

static void child(const struct program *program, const char *scratch)
{
	sigset_t none;
	int null;

	sigemptyset(&none);
	setsid();
	if (chdir(scratch) < 0)
		_exit(98);
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	install(KICK_SIGNAL);
	install(SIGSEGV);
	install(SIGBUS);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	results->runner = getpid();
	run_calls(program, 0, (int)program->header.call_count);
	results->current = -1;
	look_at_state();
	results->finished = true;
	_exit(0);
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits for @pid, with a signal now and then when nothing moves. */
static int await(pid_t pid)
{
	struct timespec patience = {0, KICK_MS * 1000000l};
	uint32_t seen = 0;
	long begin = now_ms();
	int kicks = 0, status;
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	for (;;) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid)
			return status;
		if (sigtimedwait(&chld, NULL, &patience) > 0)
			continue;
		if (results->progress != seen)
			kicks = 0;
		seen = results->progress;
		if (++kicks > KICKS_MAX || now_ms() - begin > PROGRAM_MS) {
			kill(-pid, SIGKILL);
			kill(pid, SIGKILL);
			if (results->runner > 0)
				kill(results->runner, SIGKILL);
		} else if (kicks > 1 && results->runner > 0) {
			kill(results->runner, KICK_SIGNAL);
		}
	}
}

static int show_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	uint8_t bytes[4096];
	char target[256];
	ssize_t n = 0;
	int fd;

	(void)type;
	if (ftw->level == 0)
		return 0;
	path = strstr(path, "/w");
	if (S_ISLNK(st->st_mode)) {
		n = readlinkat(AT_FDCWD, path + 3, target, sizeof(target));
		printf("file %s %o %.*s\n", path, st->st_mode, n < 0 ? 0 : (int)n, target);
		return 0;
	}
	printf("file %s %o links %lu size %lld blocks %lld", path, st->st_mode,
		(unsigned long)(S_ISDIR(st->st_mode) ? 0 : st->st_nlink),
		(long long)(S_ISDIR(st->st_mode) ? 0 : st->st_size),
		(long long)(S_ISDIR(st->st_mode) ? 0 : st->st_blocks));
	if (S_ISREG(st->st_mode)) {
		fd = open(path + 3, O_RDONLY | O_NONBLOCK);
		n = fd >= 0 ? read(fd, bytes, sizeof(bytes)) : -errno;
		printf(" content %d %08x", (int)n, n > 0 ? hash_of(bytes, (uint64_t)n) : 0);
		if (fd >= 0)
			close(fd);
	}
	putchar('\n');
	return 0;
}

static int open_up(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)ftw;
	(void)st;
	if (type == FTW_D || type == FTW_DNR)
		chmod(path, 0700);
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type == FTW_DP || type == FTW_D || type == FTW_DNR)
		rmdir(path);
	else
		unlink(path);
	return 0;
}

static void clean_up(const char *top)
{
	static const char *const queues[] = {"/q0", "/q1"};

	nftw(top, open_up, 16, FTW_PHYS);
	nftw(top, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	for (int i = 0; i < KEY_COUNT; i++) {
		int id = shmget(KEY_FIRST + i, 0, 0);

		if (id >= 0)
			shmctl(id, IPC_RMID, NULL);
		id = semget(KEY_FIRST + i, 0, 0);
		if (id >= 0)
			semctl(id, 0, IPC_RMID);
		id = msgget(KEY_FIRST + i, 0);
		if (id >= 0)
			msgctl(id, IPC_RMID, NULL);
	}
	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++)
		mq_unlink(queues[i]);
}

static void show(const struct program *program, int status)
{
	printf("program %u\n", program->header.id);
	for (uint32_t i = 0; i < program->header.call_count; i++) {
		const struct call *call = &program->calls[i];
		const struct call_result *result = &results->calls[i];

		if (!result->done)
			continue;
		printf("call %u %ld\n", i, result->value);
		for (uint32_t d = 0; d < call->record.dump_count; d++) {
			uint64_t size = call->dumps[d].size;

			if (!result->dumps[d].changed)
				continue;
			printf(" out %u ", d);
			for (uint64_t b = 0; b < size && b < DUMP_SHOWN; b++)
				printf("%02x", result->dumps[d].bytes[b]);
			if (size > DUMP_SHOWN)
				printf("+%08x", result->dumps[d].hash);
			putchar('\n');
		}
	}
	for (uint32_t i = 0; i < results->signal_count && i < SIGNALS_MAX; i++)
		printf("signal %d %d %d\n", results->signals[i].call, results->signals[i].sig,
			results->signals[i].code);
	if (results->finished) {
		printf("mask %llx pending %llx cwd %s\n", (unsigned long long)results->mask,
			(unsigned long long)results->pending, results->cwd);
		for (int fd = 0; fd < FDS_SHOWN; fd++) {
			const struct fd_record *r = &results->fds[fd];

			if (r->open)
				printf("fd %d %d flags %o pos %ld mode %o links %u size %ld\n", fd,
					r->fd_flags, r->flags, r->pos, r->mode, r->nlink, r->size);
		}
		printf("pages ");
		for (int i = 0; i < PLAYGROUND_PAGES; i++)
			putchar(results->pages[i] ? '#' : '.');
		putchar('\n');
	}
	if (WIFEXITED(status))
		printf("end exited %d\n", WEXITSTATUS(status));
	else
		printf("end killed by %d\n", WTERMSIG(status));
}

static void run_program(const struct program *program)
{
	char top[64], scratch[96];
	int status;
	pid_t pid;

	/* Some levels deep, so that a few steps up stay within what is removed afterwards. */
	snprintf(top, sizeof(top), "/tmp/p%u", program->header.id);
	snprintf(scratch, sizeof(scratch), "%s/a", top);
	mkdir(top, 0755);
	mkdir(scratch, 0755);
	strcat(scratch, "/b");
	mkdir(scratch, 0755);
	strcat(scratch, "/w");
	mkdir(scratch, 0755);
	memset(results, 0, sizeof(*results));
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		child(program, scratch);
	if (pid < 0) {
		printf("program %u\nend no process: %d\n", program->header.id, errno);
		return;
	}
	status = await(pid);
	show(program, status);
	/* A child that it left would hold what the next program wants. */
	kill(-pid, SIGKILL);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	nftw(top, open_up, 16, FTW_PHYS);
	if (chdir(scratch) == 0)
		nftw(scratch, show_file, 16, FTW_PHYS);
	if (chdir("/") < 0)
		exit(97);
	clean_up(top);
	printf("done %u\n", program->header.id);
}

static bool get(void *to, size_t size)
{
	return fread(to, 1, size, stdin) == size;
}

/* Reads one program, blobs straight into the arena. False: no more. */
static bool read_program(struct program *program)
{
	struct program_header *header = &program->header;

	if (!get(header, sizeof(*header)))
		return false;
	if (header->magic != PROGRAM_MAGIC || header->call_count > CALL_MAX)
		return false;
	memset((void *)ARENA, ARENA_FILL, ARENA_SIZE);
	for (uint32_t i = 0; i < header->blob_count; i++) {
		struct blob_header blob;
		char padding[8];

		if (!get(&blob, sizeof(blob)) || !in_arena(blob.address, blob.size) ||
			!get((void *)blob.address, blob.size) || !get(padding, -blob.size & 7))
			return false;
	}
	for (uint32_t i = 0; i < header->call_count; i++) {
		struct call *call = &program->calls[i];

		if (!get(&call->record, sizeof(call->record)) ||
			call->record.dump_count > DUMP_MAX ||
			!get(call->dumps, call->record.dump_count * sizeof(call->dumps[0])))
			return false;
		for (uint32_t d = 0; d < call->record.dump_count; d++)
			if (!in_arena(call->dumps[d].address, call->dumps[d].size))
				return false;
	}
	return true;
}

static void set_limit(int resource, rlim_t soft, rlim_t hard)
{
	struct rlimit limit = {soft, hard};

	if (setrlimit(resource, &limit) < 0) {
		getrlimit(resource, &limit);
		if (limit.rlim_max < soft)
			soft = limit.rlim_max;
		limit.rlim_cur = soft;
		setrlimit(resource, &limit);
	}
}

/* Every limit, so that they are the same everywhere. */
static void set_limits(void)
{
	set_limit(RLIMIT_AS, 1ul << 30, 1ul << 30);
	set_limit(RLIMIT_CORE, 0, 0);
	set_limit(RLIMIT_CPU, 300, 300);
	set_limit(RLIMIT_DATA, 1ul << 30, 1ul << 30);
	set_limit(RLIMIT_FSIZE, 16 << 20, 32 << 20);
	set_limit(RLIMIT_LOCKS, 1000, 1000);
	set_limit(RLIMIT_MEMLOCK, 64 << 10, 64 << 10);
	set_limit(RLIMIT_MSGQUEUE, 819200, 819200);
	set_limit(RLIMIT_NICE, 0, 0);
	set_limit(RLIMIT_NOFILE, 64, 128);
	set_limit(RLIMIT_NPROC, 100, 100);
	set_limit(RLIMIT_RSS, 1ul << 30, 1ul << 30);
	set_limit(RLIMIT_RTPRIO, 0, 0);
	set_limit(RLIMIT_RTTIME, 1000000, 1000000);
	set_limit(RLIMIT_SIGPENDING, 256, 256);
	set_limit(RLIMIT_STACK, 8 << 20, 8 << 20);
}

static void refuse(const char *why)
{
	fprintf(stderr, "difffuzz executor: %s; it runs only under tests/run-difffuzz\n", why);
	exit(99);
}

int main(void)
{
	static struct program program;
	const char *armed = getenv("SENTRY_TEST_ARMED");
	struct utsname name;
	sigset_t chld;

	if (!armed || strcmp(armed, "1") != 0)
		refuse("not armed");
	if (getuid() == 0 || geteuid() == 0)
		refuse("will not run as root");
	/* Natively only in a pid namespace of its own: the first process there. */
	if (uname(&name) < 0 || (!strstr(name.release, "sentry") && getpid() != 1))
		refuse("not contained");
	if (getpid() == 1) {
		/* As in the sandbox: pid 1 collects orphans, the executor is 2. */
		pid_t pid = fork(), got;
		int status;

		if (pid < 0)
			refuse("no process");
		while (pid > 0) {
			got = wait(&status);
			if (got == pid || (got < 0 && errno == ECHILD))
				_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128);
		}
	}
	/* A new user namespace may give capabilities; the program is to have none on either side.
	 */
	for (int cap = 0; cap < 64; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		refuse("no_new_privs");
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	set_limits();
	umask(022);
	if (mmap((void *)ARENA, ARENA_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)ARENA ||
		mmap((void *)RESULTS_AT, sizeof(*results), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			0) != (void *)RESULTS_AT)
		refuse("fixed addresses are taken");
	results = (struct results *)RESULTS_AT;
	while (read_program(&program)) {
		sigprocmask(SIG_BLOCK, &chld, NULL);
		run_program(&program);
	}
	return 0;
}
