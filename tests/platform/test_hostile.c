/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to stubs from outside, and to them when the Sentry dies. */
#include "tests/platform/driver.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/errno.h"
#include "abi/futex.h"
#include "abi/mman.h"

/* Live children of @parent other than @except. Returns how many of them are in @pids. */
static unsigned children_of(pid_t parent, pid_t except, pid_t *pids, unsigned max)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	unsigned count = 0;

	while (dir && (entry = readdir(dir)) && count < max) {
		char path[64], line[256] = "";
		int pid = atoi(entry->d_name), ppid;
		char state;
		const char *rest;
		FILE *file;

		if (pid <= 0 || pid == except)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(line, sizeof(line), file) && (rest = strrchr(line, ')')) &&
			sscanf(rest + 1, " %c %d", &state, &ppid) == 2 && ppid == parent &&
			state != 'Z' && state != 'X')
			pids[count++] = pid;
		fclose(file);
	}
	if (dir)
		closedir(dir);
	return count;
}

/* Until it is told; nobody stays stopped. */
static noreturn void pester(pid_t parent, const volatile bool *enough)
{
	static const int signals[] = {SIGSTOP, SIGCONT, SIGTRAP, SIGSEGV, SIGUSR1, SIGSYS, SIGCHLD,
		SIGSTOP, SIGTERM, SIGCONT, SIGILL, 40, SIGTSTP, SIGINT};
	unsigned round = 0, count;
	pid_t pids[64];

	while (!*enough && getppid() == parent) {
		count = children_of(parent, getpid(), pids, array_size(pids));
		/* Each gets all of them: SIGSTOP must not be one's share and SIGCONT another's. */
		for (unsigned i = 0; i < count; i++)
			kill(pids[i], signals[(round + i) % array_size(signals)]);
		usleep(1000);
		round++;
	}
	count = children_of(parent, getpid(), pids, array_size(pids));
	for (unsigned i = 0; i < count; i++)
		kill(pids[i], SIGCONT);
	_exit(0);
}

/* Signals from outside reach neither the guest nor the calls made on its behalf. */
void test_stray_signals(void)
{
	struct platform_thread *t = GUEST(syscalls);
	struct platform_futex futex = {
		.op = LX_FUTEX_WAIT, .uaddr = GADDR(DATA), .has_timeout = true};
	struct platform_event event;
	pid_t self = getpid(), pesterer;
	volatile bool *enough;
	unsigned i = 0;
	uint64_t end;
	int status;

	if (!t)
		return;
	enough = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(enough != MAP_FAILED);
	pesterer = fork();
	if (pesterer == 0)
		pester(self, enough);
	end = loop_monotonic_now() + 400000000;
	while ((loop_monotonic_now() < end || i <= 100) && failures < 5) {
		run(t, &event);
		CHECK_EQ(event.kind, PLATFORM_SYSCALL);
		CHECK_EQ(event.syscall.nr, 1000 + i);
		CHECK_EQ(t->regs.rbx, (uint64_t)i * 7);
		CHECK_EQ(platform->protect(t, GADDR(DATA), 4096, LX_PROT_READ | LX_PROT_WRITE), 0);
		if (i % 16 == 0) {
			struct platform_clone clone = {.new_as = i % 32 == 0, .regs = t->regs};
			struct platform_thread *child = NULL;

			CHECK_EQ(platform->thread_clone(t, &clone, &child), 0);
			guest_end(child);
		}
		if (i % 64 == 0) {
			futex.timeout_ns = loop_monotonic_now() + 2000000;
			CHECK_EQ(platform->futex(t, &futex), -ETIMEDOUT);
			CHECK(loop_monotonic_now() >= futex.timeout_ns);
		}
		t->regs.rax = 7;
		i++;
	}
	*enough = true;
	waitpid(pesterer, &status, 0);
	(void)munmap((void *)enough, 4096);
	guest_end(t);
}

struct storm {
	struct timer timer;
	struct platform_thread *thread;
	unsigned count;
};

static void storm_expired(struct timer *timer)
{
	struct storm *storm = timer->data;

	platform->interrupt(storm->thread);
	storm->count++;
	(void)timer_arm(timer, loop_monotonic_now() + 10000 + storm->count % 64 * 500);
}

/* Interruptions at every moment of a busy life: no call is lost or seen twice, no register changes.
 */
void test_interrupt_storm(void)
{
	struct platform_thread *t = GUEST(syscalls);
	struct storm storm = {.thread = t};
	struct platform_event event;
	unsigned calls = 0, interruptions = 0;

	if (!t)
		return;
	timer_init(&storm.timer, storm_expired, &storm);
	CHECK_EQ(timer_arm(&storm.timer, 1), 0);
	while (calls < 20000 && failures < 5) {
		platform->run(t, &event);
		if (event.kind == PLATFORM_SYSCALL) {
			CHECK_EQ(event.syscall.nr, 1000 + calls);
			CHECK_EQ(platform_regs(t)->rbx, (uint64_t)calls * 3);
			calls++;
			t->regs.rax = 3;
			if (calls % 8 == 0)
				fiber_yield();
			if (calls % 64 == 0)
				CHECK_EQ(platform->protect(t, GADDR(DATA), 4096, LX_PROT_READ), 0);
		} else {
			CHECK_EQ(event.kind, PLATFORM_INTERRUPTED);
			interruptions++;
		}
	}
	timer_cancel(&storm.timer);
	CHECK(storm.count > 100);
	guest_end(t);
}

/* Kills the children of @parent that are not among @before: ids wrap, so the newest need not be the
 * highest. */
static noreturn void kill_new(
	pid_t parent, const pid_t *before, unsigned before_count, unsigned delay_us)
{
	pid_t pids[64];
	unsigned count = children_of(parent, getpid(), pids, array_size(pids));

	usleep(delay_us);
	for (unsigned i = 0; i < count; i++) {
		bool is_old = false;

		for (unsigned j = 0; j < before_count; j++)
			is_old |= before[j] == pids[i];
		if (!is_old)
			kill(pids[i], SIGKILL);
	}
	_exit(0);
}

/* A process that dies by somebody else's hand, at any moment of its life. */
void test_sudden_death(void)
{
	for (unsigned delay = 0; delay < 40; delay++) {
		pid_t before[64], self = getpid();
		unsigned before_count = children_of(self, 0, before, array_size(before));
		struct platform_thread *t = GUEST(syscalls);
		struct platform_event event;
		pid_t killer;
		int status;

		if (!t)
			return;
		killer = fork();
		if (killer == 0)
			kill_new(self, before, before_count, delay * 50);
		for (;;) {
			struct platform_clone clone = {.regs = t->regs};
			struct platform_thread *other;
			int err;

			run(t, &event);
			if (event.kind == PLATFORM_EXITED)
				break;
			CHECK_EQ(event.kind, PLATFORM_SYSCALL);
			err = platform->protect(t, GADDR(DATA), 4096, LX_PROT_READ | LX_PROT_WRITE);
			CHECK(err == 0 || err == -ESRCH);
			clone.new_as = false;
			err = platform->thread_clone(t, &clone, &other);
			CHECK(err == 0 || err == -ESRCH);
			if (err == 0)
				guest_end(other);
		}
		guest_end(t);
		waitpid(killer, &status, 0);
	}
}

void hold(void *arg)
{
	struct platform_thread *t = GUEST(syscalls);
	struct platform_event event;
	struct fiber *fiber;

	for (unsigned i = 0; i < 8; i++) {
		struct platform_thread *spinner = GUEST(spin);

		(void)fiber_create(
			&fiber, "spin", count_fiber, &(struct counter){.thread = spinner});
		fiber_yield();
	}
	if (write(3, "", 1) != 1)
		_exit(1);
	for (unsigned i = 0;; i++) {
		struct platform_clone clone = {.new_as = true, .regs = t->regs};
		struct platform_thread *child;

		run(t, &event);
		if (platform->thread_clone(t, &clone, &child) == 0)
			guest_end(child);
	}
}

/* Maps @fd in @t and says whether its first byte arrived. */
static bool maps_right(struct platform_thread *t, int fd, char expected)
{
	const struct platform_map map = {
		GADDR(0x20000000), 4096, LX_PROT_READ, false, fd, 0, false};
	char byte = 0;
	int err = platform->map(t, &map);

	if (err < 0)
		return false;
	return platform->copy_in(t, &byte, map.addr, 1) == 1 && byte == expected;
}

struct scribbler {
	struct platform_thread *thread;
	bool stop, stopped;
};

static void scribble_fiber(void *arg)
{
	struct scribbler *scribbler = arg;
	struct platform_event event = {.kind = PLATFORM_INTERRUPTED};

	while (!scribbler->stop && event.kind == PLATFORM_INTERRUPTED)
		platform->run(scribbler->thread, &event);
	scribbler->stopped = true;
}

/*
 * A thread writes over whatever the platform keeps above the guest's end while others map files:
 * they may fail, but nobody gets another's file, and other processes do not notice.
 */
void test_scribble(void)
{
	enum { FILES = 4 };
	struct platform_thread *victim = GUEST(syscalls), *t = GUEST(count), *scribbler;
	struct platform_clone clone = {0};
	struct scribbler running;
	struct fiber *fiber;
	unsigned wrong = 0;
	int fds[FILES];

	if (!victim || !t)
		return;
	for (unsigned i = 0; i < FILES; i++) {
		char byte = (char)('a' + i);

		fds[i] = memfd_create("scribble", MFD_CLOEXEC);
		CHECK_EQ(write(fds[i], &byte, 1), 1);
	}
	/* The message header, its iovec, the control data. Elsewhere than on ptrace these addresses
	 * just fault. */
	for (uint64_t offset = 0; offset <= 144; offset += 8) {
		clone.regs = t->regs;
		clone.regs.rdi = 0x7fffffffc000 + offset;
		clone.regs.rsi = 1ull << 40;
		CHECK_EQ(platform->thread_clone(t, &clone, &scribbler), 0);
		running = (struct scribbler){.thread = scribbler};
		CHECK_EQ(fiber_create(&fiber, "scribble", scribble_fiber, &running), 0);
		for (unsigned i = 0; i < 20; i++) {
			fiber_yield();
			(void)maps_right(t, fds[i % FILES], (char)('a' + i % FILES));
			wrong += !maps_right(victim, fds[i % FILES], (char)('a' + i % FILES));
		}
		running.stop = true;
		platform->interrupt(scribbler);
		while (!running.stopped)
			sleep_ns(100000);
		guest_end(scribbler);
	}
	CHECK_EQ(wrong, 0);
	for (unsigned i = 0; i < FILES; i++)
		close(fds[i]);
	guest_end(t);
	guest_end(victim);
}

/* However the Sentry dies, its stubs are gone 100 ms later. */
void test_sentry_death(void)
{
	pid_t pids[256], sentry;
	unsigned count, alive = 0;
	int ready[2], status;
	char byte;

	if (pipe(ready) < 0)
		return;
	sentry = fork();
	if (sentry == 0) {
		dup2(ready[1], 3);
		execl("/proc/self/exe", "platform_test", platform->name, "--hold", NULL);
		_exit(1);
	}
	close(ready[1]);
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	usleep(20000);
	count = children_of(sentry, 0, pids, array_size(pids));
	CHECK(count >= 9);
	kill(sentry, SIGKILL);
	waitpid(sentry, &status, 0);
	usleep(100000);
	for (unsigned i = 0; i < count; i++) {
		char path[64], line[256] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/stat", pids[i]);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(line, sizeof(line), file) && !strstr(line, ") Z") && !strstr(line, ") X"))
			alive++;
		fclose(file);
	}
	CHECK_EQ(alive, 0);
	close(ready[0]);
}
