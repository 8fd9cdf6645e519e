/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signal mask, which a platform may change without its kernel: errors in the kernel's order,
 * inheritance, and storms in which threads change their masks while others send. No signal may get
 * lost, none may be handled while it is blocked.
 */
#include "case.h"

#include <pthread.h>
#include <sys/signalfd.h>
#include <ucontext.h>

#define RT SIGRTMIN

static void set_of(sigset_t *set, int signo)
{
	sigemptyset(set);
	if (signo)
		sigaddset(set, signo);
}

static void handle(int signo, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

	sigemptyset(&action.sa_mask);
	sigaction(signo, &action, NULL);
}

static unsigned long long mask_now(void)
{
	unsigned long long mask = 0;

	SYS(SYS_rt_sigprocmask, 0, NULL, &mask, 8);
	return mask;
}

static void raw_set(unsigned long long mask)
{
	SYS(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8);
}

static unsigned long long status_mask(const char *path)
{
	unsigned long long mask = 0xdead;
	char line[256];
	FILE *f = fopen(path, "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "SigBlk: %llx", &mask) == 1)
			break;
	if (f)
		fclose(f);
	return mask;
}

/* ---- errors ---- */

CASE(sizes)
{
	unsigned long long mask = 1ull << (SIGUSR1 - 1), old = 7;

	for (size_t size = 0; size <= 17; size++)
		CALL(SYS(SYS_rt_sigprocmask, SIG_BLOCK, &mask, &old, size));
	NOTE("%llx %llx", mask_now(), old);
	CALL(SYS(SYS_rt_sigprocmask, SIG_BLOCK, BAD_ADDRESS, NULL, 4));
	CALL(SYS(SYS_rt_sigprocmask, 9, NULL, NULL, 4));
	CALL(SYS(SYS_rt_sigprocmask, SIG_BLOCK, &mask, &old, 0x100000008));
}

CASE(hows)
{
	unsigned long long mask = 1ull << (SIGUSR1 - 1), old = 7;

	for (int how = -2; how < 6; how++) {
		CALL(SYS(SYS_rt_sigprocmask, how, &mask, &old, 8));
		NOTE("how %d: %llx old %llx", how, mask_now(), old);
	}
	CALL(SYS(SYS_rt_sigprocmask, 77, NULL, &old, 8));
	CALL(SYS(SYS_rt_sigprocmask, 77, NULL, NULL, 8));
	CALL(SYS(SYS_rt_sigprocmask, 0x100000002, &old, NULL, 8));
	NOTE("%llx", mask_now());
}

CASE(bad_addresses)
{
	unsigned long long mask = 1ull << (SIGUSR1 - 1), old = 7;
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CALL(SYS(SYS_rt_sigprocmask, SIG_BLOCK, BAD_ADDRESS, NULL, 8));
	CALL(SYS(SYS_rt_sigprocmask, 77, BAD_ADDRESS, NULL, 8));
	CALL(SYS(SYS_rt_sigprocmask, 77, &mask, BAD_ADDRESS, 8));
	NOTE("%llx", mask_now());
	/* The mask is set, then the old one cannot be written. */
	CALL(SYS(SYS_rt_sigprocmask, SIG_BLOCK, &mask, BAD_ADDRESS, 8));
	NOTE("%llx", mask_now());
	CALL(SYS(SYS_rt_sigprocmask, SIG_UNBLOCK, &mask, -1L, 8));
	NOTE("%llx", mask_now());
	CALL(SYS(SYS_rt_sigprocmask, SIG_BLOCK, 0x8000000000000000, NULL, 8));
	CALL(SYS(SYS_rt_sigprocmask, SIG_BLOCK, 0xffffffff81000000, NULL, 8));
	CALL(SYS(SYS_rt_sigprocmask, SIG_BLOCK, &mask, 0x8000000000000000, 8));
	NOTE("%llx", mask_now());
	mprotect(page + 4096, 4096, PROT_NONE);
	CALL(SYS(SYS_rt_sigprocmask, SIG_SETMASK, page + 4092, NULL, 8));
	CALL(SYS(SYS_rt_sigprocmask, SIG_SETMASK, page + 4088, page + 4091, 8));
	mprotect(page, 4096, PROT_READ);
	CALL(SYS(SYS_rt_sigprocmask, SIG_SETMASK, page, page, 8));
	CALL(SYS(SYS_rt_sigprocmask, SIG_SETMASK, page, &old, 8));
	NOTE("%llx", mask_now());
}

CASE(what_cannot_be_blocked)
{
	unsigned long long mask = ~0ull, old;

	CALL(SYS(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8));
	CALL(SYS(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &old, 8));
	NOTE("%llx %llx", old, status_mask("/proc/self/status"));
	mask = 1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1);
	CALL(SYS(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &mask, 8));
	NOTE("%llx %llx", mask, mask_now());
}

CASE(same_memory_for_both)
{
	unsigned long long mask = 1ull << (SIGUSR1 - 1);

	CALL(SYS(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &mask, 8));
	NOTE("%llx", mask);
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	/* Something is pending: the other way. */
	mask = 0;
	CALL(SYS(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &mask, 8));
	NOTE("%llx %llx", mask, mask_now());
}

/* ---- inheritance ---- */

static void *note_mask(void *what)
{
	NOTE("%s: %llx", (char *)what, mask_now());
	raw_set(0x10);
	return NULL;
}

CASE(inherited)
{
	volatile unsigned long long seen = 0;
	pthread_t thread;
	pid_t pid;

	raw_set(0xabc00);
	pid = fork();
	if (pid == 0) {
		NOTE("fork: %llx", mask_now());
		raw_set(1);
		_exit(0);
	}
	note_wait("child", pid);
	raw_set(0xabc01);
	pid = vfork();
	if (pid == 0) {
		unsigned long long mask = 0;

		SYS(SYS_rt_sigprocmask, 0, NULL, &mask, 8);
		seen = mask;
		mask = 2;
		SYS(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8);
		_exit(0);
	}
	note_wait("vfork", pid);
	NOTE("vfork: %llx, here %llx", seen, mask_now());
	pthread_create(&thread, NULL, note_mask, "thread");
	pthread_join(thread, NULL);
	NOTE("here %llx", mask_now());
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		raw_set(0xabc02);
		execl("/bin/sed", "sed", "-n", "s/^SigBlk/exec &/p", "/proc/self/status", NULL);
		_exit(1);
	}
	note_wait("exec", pid);
}

static volatile int stage;
static volatile pid_t other_tid;

static void *set_and_spin(void *arg)
{
	other_tid = (pid_t)SYS(SYS_gettid);
	raw_set(0x200);
	stage = 1;
	while (stage == 1)
		;
	raw_set(0x400);
	stage = 3;
	while (stage == 3)
		;
	return NULL;
}

CASE(seen_by_others)
{
	pthread_t thread;
	char path[64];

	pthread_create(&thread, NULL, set_and_spin, NULL);
	while (stage != 1)
		sched_yield();
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", other_tid);
	NOTE("%llx", status_mask(path));
	stage = 2;
	while (stage != 3)
		sched_yield();
	NOTE("%llx", status_mask(path));
	stage = 4;
	pthread_join(thread, NULL);
}

/* ---- handlers ---- */

static void change_in_handler(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	NOTE("in handler: %llx", mask_now());
	raw_set(0);
	NOTE("in handler, set: %llx", mask_now());
	if (info->si_value.sival_int == 1)
		sigaddset(&uc->uc_sigmask, SIGUSR2);
}

CASE(handlers_and_return)
{
	union sigval value = {.sival_int = 0};

	raw_set(0x40000);
	handle(SIGUSR1, change_in_handler, 0);
	sigqueue(getpid(), SIGUSR1, value);
	NOTE("after: %llx", mask_now());
	value.sival_int = 1;
	sigqueue(getpid(), SIGUSR1, value);
	NOTE("after: %llx", mask_now());
}

static volatile sig_atomic_t count;

static void count_it(int signo, siginfo_t *info, void *context)
{
	count++;
}

CASE(unblocking_delivers_at_once)
{
	sigset_t set, none, pending;
	int lost = 0, early = 0;

	handle(SIGUSR1, count_it, 0);
	set_of(&set, SIGUSR1);
	set_of(&none, 0);
	for (int i = 0; i < 2000; i++) {
		sigprocmask(SIG_BLOCK, &set, NULL);
		if (i % 2)
			kill(getpid(), SIGUSR1);
		else
			raise(SIGUSR1);
		early += count != i;
		sigpending(&pending);
		lost += !sigismember(&pending, SIGUSR1);
		sigprocmask(i % 3 ? SIG_UNBLOCK : SIG_SETMASK, i % 3 ? &set : &none, NULL);
		lost += count != i + 1;
	}
	NOTE("lost %d early %d", lost, early);
}

CASE(blocked_and_deadly)
{
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t set;

		set_of(&set, SIGTERM);
		sigprocmask(SIG_BLOCK, &set, NULL);
		kill(getpid(), SIGTERM);
		sched_yield();
		NOTE("alive");
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		NOTE("not reached");
	}
	note_wait("child", pid);
}

CASE(deadly_from_outside)
{
	int fd[2];
	pid_t pid;
	char byte;

	for (int i = 0; i < 20; i++) {
		pipe(fd);
		pid = fork();
		if (pid == 0) {
			unsigned long long mask = 1ull << (SIGTERM - 1);

			raw_set(mask);
			write(fd[1], "x", 1);
			/* The end comes at one of these. */
			for (;;) {
				raw_set(0);
				raw_set(mask);
			}
		}
		read(fd[0], &byte, 1);
		kill(pid, SIGTERM);
		if (i == 0 || i == 19) {
			note_wait("child", pid);
		} else {
			int status;

			waitpid(pid, &status, 0);
			if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGTERM)
				note_status("another end", status);
		}
		close(fd[0]);
		close(fd[1]);
	}
}

CASE(ignored_while_blocked)
{
	sigset_t set, pending;

	set_of(&set, SIGUSR1);
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigpending(&pending);
	TRUTH(sigismember(&pending, SIGUSR1));
	raise(SIGUSR1);
	sigpending(&pending);
	TRUTH(sigismember(&pending, SIGUSR1));
	handle(SIGUSR1, count_it, 0);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	NOTE("%d", count);
}

/* ---- storms ---- */

#define STORM_SIGNALS 3000
#define STORM_THREADS 4

static __thread volatile int inside; /* the signal is blocked for certain */
static int handled, wrong, out_of_order, last_value;
static volatile int storm_over;
static bool in_order;

static void storm_handler(int signo, siginfo_t *info, void *context)
{
	if (inside)
		__atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
	if (in_order) {
		if (info->si_value.sival_int != last_value + 1)
			out_of_order++;
		last_value = info->si_value.sival_int;
	}
	__atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
}

static pid_t storm_tids[STORM_THREADS];
static volatile int storm_ready;

static void *toggle(void *arg)
{
	long index = (long)arg;
	sigset_t set, old;

	set_of(&set, RT);
	storm_tids[index] = (pid_t)SYS(SYS_gettid);
	__atomic_fetch_add(&storm_ready, 1, __ATOMIC_SEQ_CST);
	while (!storm_over) {
		pthread_sigmask(SIG_BLOCK, &set, &old);
		inside = 1;
		for (volatile int i = 0; i < (int)index * 20; i++)
			;
		inside = 0;
		pthread_sigmask(SIG_SETMASK, &old, NULL);
	}
	return NULL;
}

/* What is still on its way when the sender is done. */
static void wait_handled(int wanted)
{
	for (int i = 0; i < 5000 && __atomic_load_n(&handled, __ATOMIC_RELAXED) < wanted; i++)
		sleep_ms(1);
}

static int send_thread(pid_t tid, int value)
{
	siginfo_t info = {.si_code = SI_QUEUE, .si_signo = RT};

	info.si_pid = getpid();
	info.si_value.sival_int = value;
	return (int)SYS(SYS_rt_tgsigqueueinfo, getpid(), tid, RT, &info);
}

static void storm(bool to_process, int threads)
{
	pthread_t thread[STORM_THREADS];
	sigset_t set;
	int sent = 0;

	handle(RT, storm_handler, SA_RESTART);
	for (long i = 0; i < threads; i++)
		pthread_create(&thread[i], NULL, toggle, (void *)i);
	/* The sender itself takes none. */
	set_of(&set, RT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (storm_ready < threads)
		sched_yield();
	while (sent < STORM_SIGNALS) {
		union sigval value = {.sival_int = sent + 1};
		int r = to_process ? sigqueue(getpid(), RT, value)
				   : send_thread(storm_tids[sent % threads], sent + 1);

		if (r == 0)
			sent++;
		else if (errno != EAGAIN)
			CALL(r);
	}
	wait_handled(STORM_SIGNALS);
	storm_over = 1;
	for (int i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	NOTE("handled %d, while blocked %d, out of order %d", handled, wrong, out_of_order);
}

CASE(storm_to_one_thread)
{
	in_order = true;
	storm(false, 1);
}

CASE(storm_to_threads)
{
	storm(false, STORM_THREADS);
}

CASE(storm_to_process)
{
	storm(true, STORM_THREADS);
}

CASE(storm_to_process_of_one_toggler)
{
	in_order = true;
	storm(true, 1);
}

/* From another process, a standard signal in rounds: each must arrive, however the mask stands. */
CASE(storm_in_rounds)
{
	int to[2], from[2], status;
	sigset_t set;
	pid_t pid;
	char byte;

	handle(SIGUSR1, count_it, SA_RESTART);
	set_of(&set, SIGUSR1);
	pipe(to);
	pipe(from);
	fcntl(from[0], F_SETFL, O_NONBLOCK);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 1000; i++) {
			read(to[0], &byte, 1);
			kill(getppid(), SIGUSR1);
		}
		_exit(0);
	}
	for (int i = 0; i < 1000; i++) {
		write(to[1], "x", 1);
		while (count == i) {
			sigprocmask(SIG_BLOCK, &set, NULL);
			sigprocmask(SIG_UNBLOCK, &set, NULL);
		}
	}
	waitpid(pid, &status, 0);
	NOTE("%d", count);
}

/* The thread that was chosen blocks the signal before it can take it: then it is the other's. */
static volatile int round_nr;

static void *send_rounds(void *arg)
{
	sigset_t set;

	set_of(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 150; i++) {
		while (round_nr != i + 1)
			;
		for (volatile int n = 0; n < i % 50 * 20; n++)
			;
		kill(getpid(), SIGUSR1);
	}
	return NULL;
}

static void *take_what_is_left(void *arg)
{
	while (!storm_over)
		;
	return NULL;
}

CASE(chosen_but_blocked)
{
	pthread_t sender, other;
	sigset_t set;

	handle(SIGUSR1, count_it, SA_RESTART);
	set_of(&set, SIGUSR1);
	pthread_create(&other, NULL, take_what_is_left, NULL);
	pthread_create(&sender, NULL, send_rounds, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 150; i++) {
		round_nr = i + 1;
		for (int n = 0; n < 20; n++) {
			sigprocmask(SIG_UNBLOCK, &set, NULL);
			sigprocmask(SIG_BLOCK, &set, NULL);
		}
		while (count == i)
			sched_yield();
	}
	pthread_join(sender, NULL);
	storm_over = 1;
	pthread_join(other, NULL);
	NOTE("%d", count);
}

/* Blocked, then told so by memory: what is sent from then on must wait. */
static volatile int turn, unblocked;
static int too_early;
/* The two hand over to each other by watching a word: on a busy machine a turn takes a time slice.
 */

static void count_early(int signo, siginfo_t *info, void *context)
{
	if (!unblocked)
		too_early++;
	count++;
}

#define TURNS 500

static void *block_in_turns(void *arg)
{
	sigset_t set;

	set_of(&set, SIGUSR2);
	other_tid = (pid_t)SYS(SYS_gettid);
	for (int i = 0; i < TURNS; i++) {
		pthread_sigmask(SIG_BLOCK, &set, NULL);
		unblocked = 0;
		turn = 2 * i + 1;
		while (turn != 2 * i + 2)
			sched_yield();
		unblocked = 1;
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
		if (count != i + 1) {
			NOTE("round %d: %d", i, count);
			break;
		}
	}
	return NULL;
}

CASE(told_by_memory)
{
	pthread_t thread;

	unblocked = 1;
	handle(SIGUSR2, count_early, 0);
	pthread_create(&thread, NULL, block_in_turns, NULL);
	for (int i = 0; i < TURNS; i++) {
		while (turn != 2 * i + 1)
			sched_yield();
		SYS(SYS_tgkill, getpid(), other_tid, SIGUSR2);
		turn = 2 * i + 2;
	}
	pthread_join(thread, NULL);
	NOTE("%d, too early %d", count, too_early);
}

/* ---- with calls that wait ---- */

CASE(sigsuspend_loses_nothing)
{
	sigset_t set, none;
	int to[2], status;
	pid_t pid;
	char byte;

	handle(SIGUSR1, count_it, 0);
	set_of(&set, SIGUSR1);
	set_of(&none, 0);
	pipe(to);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 1000; i++) {
			read(to[0], &byte, 1);
			kill(getppid(), SIGUSR1);
		}
		_exit(0);
	}
	for (int i = 0; i < 1000; i++) {
		write(to[1], "x", 1);
		while (count == i)
			sigsuspend(&none);
		if (mask_now() != 1ull << (SIGUSR1 - 1)) {
			NOTE("mask %llx", mask_now());
			break;
		}
	}
	waitpid(pid, &status, 0);
	NOTE("%d", count);
}

CASE(ppoll_restores)
{
	struct timespec soon = {0, 1000000};
	sigset_t none;

	set_of(&none, 0);
	handle(SIGUSR1, count_it, 0);
	raw_set(1ull << (SIGUSR1 - 1) | 0x100000);
	CALL(ppoll(NULL, 0, &soon, &none));
	NOTE("%llx", mask_now());
	raise(SIGUSR1);
	CALL(ppoll(NULL, 0, &soon, &none));
	NOTE("%llx %d", mask_now(), count);
	raise(SIGUSR1);
	CALL(ppoll(NULL, 0, &soon, NULL));
	NOTE("%llx %d", mask_now(), count);
}

static void *wait_for_signals(void *arg)
{
	sigset_t set;
	long got = 0;

	set_of(&set, RT);
	for (;;) {
		siginfo_t info;

		if (sigwaitinfo(&set, &info) != RT)
			continue;
		if (info.si_value.sival_int == 0)
			return (void *)got;
		got++;
	}
}

CASE(sigwaitinfo_beside_togglers)
{
	pthread_t waiter[2], toggler;
	union sigval value;
	sigset_t set;
	long got = 0;

	handle(RT, storm_handler, SA_RESTART);
	pthread_create(&toggler, NULL, toggle, (void *)1);
	set_of(&set, RT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 2; i++)
		pthread_create(&waiter[i], NULL, wait_for_signals, NULL);
	while (storm_ready < 1)
		sched_yield();
	for (int i = 0; i < 1000; i++) {
		value.sival_int = i + 1;
		while (sigqueue(getpid(), RT, value) < 0)
			;
	}
	storm_over = 1;
	pthread_join(toggler, NULL);
	value.sival_int = 0;
	/* To the process: one of the two takes it, the other the next. */
	for (int i = 0; i < 2; i++)
		sigqueue(getpid(), RT, value);
	for (int i = 0; i < 2; i++) {
		void *result;

		pthread_join(waiter[i], &result);
		got += (long)result;
	}
	NOTE("all %ld, while blocked %d", got + handled, wrong);
}

CASE(signalfd_of_blocked)
{
	struct signalfd_siginfo info[4];
	sigset_t set;
	int fd, got = 0;

	set_of(&set, SIGUSR1);
	raw_set(1ull << (SIGUSR1 - 1));
	fd = OK(signalfd(-1, &set, SFD_NONBLOCK));
	for (int i = 0; i < 500; i++) {
		raise(SIGUSR1);
		got += read(fd, info, sizeof(info)) == sizeof(info[0]);
		raw_set(0);
		raw_set(1ull << (SIGUSR1 - 1));
	}
	NOTE("%d", got);
	CALL(read(fd, info, sizeof(info)));
}
