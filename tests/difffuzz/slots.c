/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A task of a program of the differential fuzzer: it waits for its turn, makes the calls, stores
 * what came of them in shared memory. It prints nothing itself (its descriptors 0 to 2 are
 * /dev/null).
 *
 * Tasks may share memory, with each other's C library too, so nothing here is kept in variables
 * while a call may sleep, and a task knows who it is by the stack that it runs on.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "executor.h"

static sigjmp_buf fault_return;
static volatile sig_atomic_t fault_expected;
/* Who runs on the stack that execve made. */
static int slot_of_image;

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

#define RAW(nr, ...) raw_call(nr, (uint64_t[6]){__VA_ARGS__})

static int my_slot(void)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0);

	if (here >= STACKS_AT && here < STACKS_AT + SLOT_MAX * STACK_SIZE)
		return (int)((here - STACKS_AT) / STACK_SIZE);
	return slot_of_image;
}

void restore_from_signal(void);
__asm__(".globl restore_from_signal\nrestore_from_signal:\n\tmov $15, %eax\n\tsyscall\n");

static void on_signal(int sig, siginfo_t *info, void *context)
{
	int slot = my_slot();
	uint32_t n;

	(void)context;
	if ((sig == SIGSEGV || sig == SIGBUS) && fault_expected && info->si_code > 0) {
		fault_expected = 0;
		siglongjmp(fault_return, 256 + info->si_code + (sig == SIGBUS ? 64 : 0));
	}
	if (sig == KICK_SIGNAL)
		return;
	n = SHARED->signal_count;
	if (n < SIGNALS_MAX) {
		SHARED->signals[n] = (struct signal_record){
			slot, SHARED->slots[slot].current, sig, info->si_code};
		SHARED->signal_count = n + 1;
	}
	/* A fault that is not of OP_PEEK or OP_POKE would be raised for ever. */
	if ((sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE) &&
		info->si_code > 0)
		_exit(70 + sig % 16);
}

/* Without SA_SIGINFO there is nothing to look at. */
static void on_plain_signal(int sig)
{
	siginfo_t nothing = {0};

	on_signal(sig, &nothing, NULL);
}

static void install(int sig)
{
	struct raw_sigaction action = {
		(uint64_t)on_signal, SA_SIGINFO | 0x04000000, (uint64_t)restore_from_signal, 0};

	RAW(SYS_rt_sigaction, (uint64_t)sig, (uint64_t)&action, 0, 8);
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
			changed.handler = changed.flags & SA_SIGINFO ? (uint64_t)on_signal
								     : (uint64_t)on_plain_signal;
		changed.flags |= 0x04000000;
		changed.restorer = (uint64_t)restore_from_signal;
		v[1] = (uint64_t)&changed;
	}
	ret = raw_call(SYS_rt_sigaction, v);
	if (ret == 0 && in_arena(v[2], sizeof(changed))) {
		struct raw_sigaction *old = (struct raw_sigaction *)v[2];

		if (old->handler == (uint64_t)on_signal ||
			old->handler == (uint64_t)on_plain_signal)
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

static void run_calls(int from, int to);

/* The child's end is awaited, not collected: that is for the program to do. */
static long do_fork(int from, int to)
{
	int runner = SHARED->runner;
	long pid = RAW(SYS_clone, SIGCHLD);
	siginfo_t info;

	if (pid < 0)
		return pid;
	if (pid == 0) {
		SHARED->runner = (int)RAW(SYS_getpid, 0);
		run_calls(from, to);
		_exit(7);
	}
	while (RAW(SYS_waitid, P_PID, (uint64_t)pid, (uint64_t)&info, WEXITED | WSTOPPED | WNOWAIT,
		       0) == -EINTR)
		;
	SHARED->runner = runner;
	return pid;
}

static void slot_loop(int slot) __attribute__((noreturn));

static int slot_begin(void *unused)
{
	int slot = my_slot();

	(void)unused;
	if (SHARED->slots[slot].vfork) {
		SHARED->slots[slot].pid = (int)RAW(SYS_getpid, 0);
		SHARED->slots[slot].tid = (int)RAW(SYS_gettid, 0);
	}
	slot_loop(slot);
}

static long do_spawn(uint64_t slot, uint64_t flags)
{
	long tid;

	if (slot == 0 || slot >= SLOT_MAX || SHARED->slots[slot].tid)
		return -EINVAL;
	SHARED->slots[slot].current = -1;
	SHARED->slots[slot].vfork = flags & CLONE_VFORK;
	tid = clone(
		slot_begin, (void *)(STACKS_AT + (slot + 1) * STACK_SIZE - 64), (int)flags, NULL);
	if (tid < 0)
		return -errno;
	/* What the creator calls it: its own number may be one of a namespace of its own. */
	if (!(flags & CLONE_VFORK)) {
		SHARED->slots[slot].pid = flags & CLONE_THREAD ? (int)RAW(SYS_getpid, 0) : (int)tid;
		SHARED->slots[slot].tid = (int)tid;
	}
	return tid;
}

/* Returns only on failure. */
static long do_exec(int slot, int call, uint64_t way)
{
	char number[8], *argv[] = {"executor", "--stage", number, NULL};
	char *envp[] = {"SENTRY_TEST_ARMED=1", NULL};

	(void)call;
	number[0] = (char)('0' + slot);
	number[1] = '\0';
	memcpy(SHARED->arena, (void *)ARENA, ARENA_SIZE);
	if (way == 1)
		return RAW(SYS_execveat, SELF_FD, (uint64_t) "", (uint64_t)argv, (uint64_t)envp,
			AT_EMPTY_PATH);
	return RAW(SYS_execve, (uint64_t) "/proc/thread-self/exe", (uint64_t)argv, (uint64_t)envp);
}

static uint64_t value_of(int call, int arg)
{
	const struct call_record *record = &SHARED->program.calls[call].record;
	uint64_t value = record->values[arg];

	switch (record->kinds[arg]) {
	case ARG_RESULT:
		if (value >= CALL_MAX || !SHARED->calls[value].done ||
			SHARED->calls[value].value < 0)
			return (uint64_t)-1;
		return (uint64_t)SHARED->calls[value].value;
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

/* Both are one regular file: what becomes of a copy onto itself is nobody's promise. */
static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && S_ISREG(x.st_mode) &&
	       x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* What must not be asked of a kernel that is not ours, or has no answer. */
static void defuse(long nr, uint64_t v[6])
{
	/* Never everybody: that would be the driver too. */
	if (nr == SYS_kill && (int)v[0] == -1)
		v[0] = 0x7ffffff;
	if (nr == SYS_sendfile && same_file((int)v[0], (int)v[1]))
		v[1] = (uint64_t)-1;
}

static void finish_call(int i, const uint32_t before[DUMP_MAX], long value)
{
	const struct call *call = &SHARED->program.calls[i];
	struct call_result *result = &SHARED->calls[i];

	result->value = value;
	for (uint32_t d = 0; d < call->record.dump_count; d++) {
		const uint8_t *bytes = (uint8_t *)call->dumps[d].address;
		uint64_t size = call->dumps[d].size;

		result->dumps[d].hash = hash_of(bytes, size);
		result->dumps[d].changed = result->dumps[d].hash != before[d];
		memcpy(result->dumps[d].bytes, bytes, size < DUMP_SHOWN ? size : DUMP_SHOWN);
	}
	result->done = true;
	SHARED->progress++;
}

static void run_call(int slot, int i)
{
	const struct call *call = &SHARED->program.calls[i];
	uint32_t before[DUMP_MAX];
	uint64_t v[6];
	long value;

	for (int a = 0; a < 6; a++)
		v[a] = value_of(i, a);
	for (uint32_t d = 0; d < call->record.dump_count; d++)
		before[d] = hash_of((uint8_t *)call->dumps[d].address, call->dumps[d].size);
	defuse(call->record.nr, v);
	SHARED->slots[slot].current = i;
	switch (call->record.nr) {
	case OP_PEEK:
		value = touch(v[0], false, 0);
		break;
	case OP_POKE:
		value = touch(v[0], true, (uint8_t)v[1]);
		break;
	case OP_SPAWN:
		value = do_spawn(v[0], v[1]);
		break;
	case OP_EXEC:
		value = do_exec(slot, i, v[0]);
		break;
	case SYS_rt_sigaction:
		value = do_sigaction(v);
		break;
	default:
		value = raw_call(call->record.nr, v);
	}
	finish_call(i, before, value);
}

static void run_calls(int from, int to)
{
	int slot = my_slot();

	for (int i = from; i < to; i++) {
		const struct call_record *record = &SHARED->program.calls[i].record;

		if (record->nr == (uint32_t)-1)
			continue;
		if (record->nr == OP_FORK) {
			int last = i + 1 + (int)record->values[0];

			if (last > to)
				last = to;
			SHARED->slots[slot].current = i;
			SHARED->calls[i].value = do_fork(i + 1, last);
			SHARED->calls[i].done = true;
			SHARED->progress++;
			i = last - 1;
			continue;
		}
		run_call(slot, i);
	}
}

static void look_at_state(struct state *state)
{
	uint64_t pending = 0, mask = 0;

	RAW(SYS_rt_sigprocmask, 0, 0, (uint64_t)&mask, 8);
	RAW(SYS_rt_sigpending, (uint64_t)&pending, 8);
	state->mask = mask;
	state->pending = pending;
	for (int fd = 0; fd < FDS_SHOWN; fd++) {
		struct fd_record *record = &state->fds[fd];
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
		state->pages[i] =
			msync((void *)(PLAYGROUND + (unsigned)i * 4096), 4096, MS_ASYNC) == 0;
	if (!getcwd(state->cwd, sizeof(state->cwd)))
		snprintf(state->cwd, sizeof(state->cwd), "errno %d", errno);
	state->shown = true;
}

static void end_turn(int slot)
{
	char byte = (char)slot;

	SHARED->slots[slot].current = -1;
	SHARED->slots[slot].busy = false;
	while (RAW(SYS_write, DONE_FD, (uint64_t)&byte, 1) == -EINTR)
		;
}

static void slot_loop(int slot)
{
	for (;;) {
		struct turn turn;
		long n = RAW(SYS_read, (uint64_t)TURN_FD(slot), (uint64_t)&turn, sizeof(turn));

		if (n == -EINTR)
			continue;
		if (n != sizeof(turn)) /* taken away by the program */
			RAW(SYS_exit, 97);
		if (turn.from < 0) {
			look_at_state(&SHARED->states[slot]);
			RAW(SYS_exit, (uint64_t)(slot ? 40 + slot : 0));
		}
		SHARED->slots[slot].to = turn.to;
		run_calls(turn.from, turn.to);
		end_turn(slot);
	}
}

bool map_memory(void)
{
	return mmap((void *)ARENA, ARENA_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == (void *)ARENA &&
	       mmap((void *)STACKS_AT, SLOT_MAX * STACK_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		       0) == (void *)STACKS_AT &&
	       mmap((void *)SHARED_AT, sizeof(*SHARED), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_FIXED_NOREPLACE, SHARED_FD, 0) == (void *)SHARED_AT;
}

void slot_first(const char *scratch)
{
	static const struct raw_sigaction standard;
	sigset_t none;
	int null;

	sigemptyset(&none);
	setsid();
	if (chdir(scratch) < 0)
		_exit(98);
	for (int n = 0; n < SLOT_MAX; n++)
		close(GIVE_FD(n));
	close(DONE_READ_FD);
	set_limit(RLIMIT_NOFILE, 64, 128);
	null = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	RAW(SYS_rt_sigaction, SIGCHLD, (uint64_t)&standard, 0, 8);
	RAW(SYS_rt_sigaction, SIGPIPE, (uint64_t)&standard, 0, 8);
	install(KICK_SIGNAL);
	install(SIGSEGV);
	install(SIGBUS);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	SHARED->slots[0].pid = SHARED->slots[0].tid = getpid();
	slot_loop(0);
}

void slot_stage(int slot)
{
	static const uint32_t before[DUMP_MAX];
	struct slot *me = &SHARED->slots[slot];
	int call = me->current;

	slot_of_image = slot;
	install(KICK_SIGNAL);
	install(SIGSEGV);
	install(SIGBUS);
	memcpy((void *)ARENA, SHARED->arena, ARENA_SIZE);
	/* A thread that executes is its process's first one from then on. */
	me->tid = me->pid;
	finish_call(call, before, 0);
	run_calls(call + 1, me->to);
	end_turn(slot);
	slot_loop(slot);
}
