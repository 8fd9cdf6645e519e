/* SPDX-License-Identifier: Apache-2.0 */
/* Sending, blocking, handling and waiting for signals. */
#include "case.h"

#include <pthread.h>
#include <setjmp.h>
#include <ucontext.h>

static volatile sig_atomic_t count, last_signo, nested_depth, max_depth;
static siginfo_t last_info;
static int order[64];
static volatile int order_count;

static void on_signal(int signo)
{
	last_signo = signo;
	count++;
}

static void on_info(int signo, siginfo_t *info, void *context)
{
	last_signo = signo;
	last_info = *info;
	count++;
	if (order_count < 64)
		order[order_count++] = signo >= SIGRTMIN ? info->si_value.sival_int : signo;
}

static void handle(int signo, int flags, void (*fn)(int))
{
	struct sigaction sa = {.sa_handler = fn, .sa_flags = flags};

	sigaction(signo, &sa, NULL);
}

static void handle_info(int signo, int flags)
{
	struct sigaction sa = {.sa_sigaction = on_info, .sa_flags = flags | SA_SIGINFO};

	sigaction(signo, &sa, NULL);
}

static void block(int signo)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static void unblock(int signo)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

CASE(handler_runs)
{
	handle(SIGUSR1, 0, on_signal);
	CALL(raise(SIGUSR1));
	NOTE("count %d signo %d", count, last_signo);
}

CASE(ignore_then_default)
{
	handle(SIGUSR1, 0, SIG_IGN);
	CALL(raise(SIGUSR1));
	handle(SIGUSR1, 0, SIG_DFL);
	raise(SIGUSR1);
}

CASE(sigaction_errors)
{
	struct sigaction sa = {.sa_handler = SIG_IGN}, old;

	CALL(sigaction(0, &sa, NULL));
	CALL(sigaction(65, &sa, NULL));
	CALL(sigaction(SIGKILL, &sa, NULL));
	CALL(sigaction(SIGSTOP, &sa, NULL));
	CALL(sigaction(SIGKILL, NULL, &old));
	CALL(SYS(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
	CALL(SYS(SYS_rt_sigaction, SIGUSR1, BAD_ADDRESS, NULL, 8));
	CALL(SYS(SYS_rt_sigaction, SIGUSR1, NULL, BAD_ADDRESS, 8));
	CALL(SYS(SYS_rt_sigaction, 0, BAD_ADDRESS, NULL, 8));
}

struct raw_action {
	uint64_t handler, flags, restorer, mask;
};

CASE(sigaction_returns_old)
{
	struct raw_action act = {.handler = 1, .flags = 0xffffffffffull, .mask = ~0ull}, old = {0};

	CALL(SYS(SYS_rt_sigaction, SIGUSR2, &act, NULL, 8));
	CALL(SYS(SYS_rt_sigaction, SIGUSR2, NULL, &old, 8));
	NOTE("handler %llx flags %llx mask %llx", (unsigned long long)old.handler,
		(unsigned long long)old.flags, (unsigned long long)old.mask);
}

CASE(unsupported_flag_is_cleared)
{
	struct raw_action act = {.handler = 1, .flags = 0x400 | 0x800}, old = {0};

	CALL(SYS(SYS_rt_sigaction, SIGUSR2, &act, NULL, 8));
	CALL(SYS(SYS_rt_sigaction, SIGUSR2, NULL, &old, 8));
	NOTE("flags %llx", (unsigned long long)old.flags);
}

CASE(resethand)
{
	handle(SIGUSR1, SA_RESETHAND, on_signal);
	CALL(raise(SIGUSR1));
	NOTE("count %d", count);
	raise(SIGUSR1);
}

static void nest(int signo)
{
	nested_depth++;
	if (nested_depth > max_depth)
		max_depth = nested_depth;
	if (count++ < 3)
		raise(signo);
	nested_depth--;
}

CASE(nodefer_nests)
{
	handle(SIGUSR1, SA_NODEFER, nest);
	raise(SIGUSR1);
	NOTE("max depth %d count %d", max_depth, count);
}

CASE(without_nodefer_defers)
{
	handle(SIGUSR1, 0, nest);
	raise(SIGUSR1);
	NOTE("max depth %d count %d", max_depth, count);
}

static void raise_other(int signo)
{
	NOTE("enter %d", signo);
	if (signo == SIGUSR1)
		raise(SIGUSR2);
	NOTE("leave %d", signo);
}

CASE(nested_different_signals)
{
	handle(SIGUSR1, 0, raise_other);
	handle(SIGUSR2, 0, raise_other);
	raise(SIGUSR1);
}

CASE(handler_mask_blocks_others)
{
	struct sigaction sa = {.sa_handler = raise_other};

	sigaddset(&sa.sa_mask, SIGUSR2);
	sigaction(SIGUSR1, &sa, NULL);
	handle(SIGUSR2, 0, raise_other);
	raise(SIGUSR1);
}

static void show_mask(int signo)
{
	sigset_t set;

	sigprocmask(SIG_SETMASK, NULL, &set);
	NOTE("in handler: usr1 %d usr2 %d term %d", sigismember(&set, SIGUSR1),
		sigismember(&set, SIGUSR2), sigismember(&set, SIGTERM));
}

CASE(mask_in_and_after_handler)
{
	struct sigaction sa = {.sa_handler = show_mask};

	sigaddset(&sa.sa_mask, SIGTERM);
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
	show_mask(0);
}

CASE(two_pending_lowest_first)
{
	handle_info(SIGUSR1, 0);
	handle_info(SIGUSR2, 0);
	handle_info(SIGTERM, 0);
	block(SIGUSR1);
	block(SIGUSR2);
	block(SIGTERM);
	raise(SIGTERM);
	raise(SIGUSR2);
	raise(SIGUSR1);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int i = 0; i < order_count; i++)
		NOTE("%d", order[i]);
}

CASE(procmask_errors)
{
	sigset_t set;

	sigemptyset(&set);
	CALL(SYS(SYS_rt_sigprocmask, 7, &set, NULL, 8));
	CALL(SYS(SYS_rt_sigprocmask, 7, NULL, &set, 8));
	CALL(SYS(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4));
	CALL(SYS(SYS_rt_sigprocmask, SIG_BLOCK, BAD_ADDRESS, NULL, 8));
	CALL(SYS(SYS_rt_sigprocmask, SIG_BLOCK, NULL, BAD_ADDRESS, 8));
}

CASE(kill_and_stop_cannot_be_blocked)
{
	uint64_t all = ~0ull, now = 0;

	CALL(SYS(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8));
	CALL(SYS(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &now, 8));
	NOTE("%llx", (unsigned long long)now);
}

CASE(sigpending_shows_blocked)
{
	sigset_t set;

	block(SIGUSR1);
	raise(SIGUSR1);
	kill(getpid(), SIGUSR1);
	CALL(sigpending(&set));
	NOTE("usr1 %d usr2 %d", sigismember(&set, SIGUSR1), sigismember(&set, SIGUSR2));
	CALL(SYS(SYS_rt_sigpending, &set, 16));
	CALL(SYS(SYS_rt_sigpending, BAD_ADDRESS, 8));
	CALL(SYS(SYS_rt_sigpending, &set, 4));
}

CASE(ignoring_discards_pending)
{
	sigset_t set;

	block(SIGUSR1);
	raise(SIGUSR1);
	handle(SIGUSR1, 0, SIG_IGN);
	sigpending(&set);
	NOTE("pending %d", sigismember(&set, SIGUSR1));
	handle(SIGUSR1, 0, SIG_DFL);
	unblock(SIGUSR1);
	NOTE("alive");
}

CASE(blocked_ignored_stays_pending)
{
	sigset_t set;

	handle(SIGUSR1, 0, SIG_IGN);
	block(SIGUSR1);
	raise(SIGUSR1);
	sigpending(&set);
	NOTE("pending %d", sigismember(&set, SIGUSR1));
}

CASE(standard_signals_coalesce)
{
	handle(SIGUSR1, 0, on_signal);
	block(SIGUSR1);
	for (int i = 0; i < 5; i++)
		raise(SIGUSR1);
	unblock(SIGUSR1);
	NOTE("count %d", count);
}

CASE(realtime_signals_queue_in_order)
{
	handle_info(SIGRTMIN + 1, 0);
	handle_info(SIGRTMIN + 2, 0);
	block(SIGRTMIN + 1);
	block(SIGRTMIN + 2);
	for (int i = 0; i < 4; i++) {
		union sigval v = {.sival_int = 20 + i};
		CALL(sigqueue(getpid(), SIGRTMIN + 2, v));
		v.sival_int = 10 + i;
		CALL(sigqueue(getpid(), SIGRTMIN + 1, v));
	}
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Handlers nest: the one for the highest number was entered last and runs first. */
	NOTE("count %d", count);
	for (int i = 0; i < order_count; i++)
		NOTE("%d", order[i]);
}

CASE(queue_limit)
{
	struct {
		uint64_t cur, max;
	} limit = {3, 3};
	union sigval v = {0};

	block(SIGRTMIN);
	SYS(SYS_prlimit64, 0, 11, &limit, NULL);
	int sent = 0;
	while (sent < 10000 && sigqueue(getpid(), SIGRTMIN, v) == 0)
		sent++;
	NOTE("limited %d %s", sent < 10000, errno_name(errno));
	CALL(kill(getpid(), SIGRTMIN));
}

CASE(siginfo_of_kill)
{
	handle_info(SIGUSR1, 0);
	CALL(kill(getpid(), SIGUSR1));
	NOTE("signo %d code %d errno %d", last_info.si_signo, last_info.si_code,
		last_info.si_errno);
	TRUTH(last_info.si_pid == getpid());
	TRUTH(last_info.si_uid == getuid());
}

CASE(siginfo_of_tgkill)
{
	handle_info(SIGUSR1, 0);
	CALL(SYS(SYS_tgkill, getpid(), gettid(), SIGUSR1));
	NOTE("code %d", last_info.si_code);
	TRUTH(last_info.si_pid == getpid());
	CALL(SYS(SYS_tkill, gettid(), SIGUSR1));
	NOTE("code %d count %d", last_info.si_code, count);
}

CASE(siginfo_of_sigqueue)
{
	union sigval v = {.sival_ptr = (void *)0x1122334455667788};

	handle_info(SIGUSR1, 0);
	CALL(sigqueue(getpid(), SIGUSR1, v));
	NOTE("code %d value %p", last_info.si_code, last_info.si_value.sival_ptr);
	TRUTH(last_info.si_pid == getpid());
}

CASE(siginfo_of_sigchld)
{
	handle_info(SIGCHLD, 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(42);
	while (!count)
		sleep_ms(1);
	NOTE("code %d status %d", last_info.si_code, last_info.si_status);
	TRUTH(last_info.si_pid == pid);
	TRUTH(last_info.si_uid == getuid());
	note_wait("child", pid);
}

CASE(siginfo_of_sigchld_killed)
{
	handle_info(SIGCHLD, 0);
	pid_t pid = fork();
	if (pid == 0)
		raise(SIGKILL);
	while (!count)
		sleep_ms(1);
	NOTE("code %d status %d", last_info.si_code, last_info.si_status);
	note_wait("child", pid);
}

static sigjmp_buf escape_buffer;

static void on_fault(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	last_info = *info;
	last_signo = signo;
	NOTE("signo %d code %d trapno %lld", signo, info->si_code,
		(long long)uc->uc_mcontext.gregs[REG_TRAPNO]);
	siglongjmp(escape_buffer, 1);
}

static void catch_fault(int signo)
{
	struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

	sigaction(signo, &sa, NULL);
}

CASE(siginfo_of_segv_maperr)
{
	catch_fault(SIGSEGV);
	if (!sigsetjmp(escape_buffer, 1))
		*(volatile int *)0x1230 = 1;
	NOTE("addr %p", last_info.si_addr);
}

CASE(siginfo_of_segv_accerr)
{
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	catch_fault(SIGSEGV);
	if (!sigsetjmp(escape_buffer, 1))
		*(volatile char *)(page + 17) = 1;
	TRUTH((char *)last_info.si_addr == page + 17);
}

CASE(siginfo_of_noncanonical)
{
	catch_fault(SIGSEGV);
	if (!sigsetjmp(escape_buffer, 1))
		*(volatile int *)0x8000000000000000ull = 1;
	NOTE("addr %p", last_info.si_addr);
}

CASE(siginfo_of_divide)
{
	catch_fault(SIGFPE);
	if (!sigsetjmp(escape_buffer, 1)) {
		volatile int zero = 0;
		__asm__ volatile("cltd; idivl %0" ::"m"(zero), "a"(1) : "edx");
	}
	NOTE("done");
}

CASE(siginfo_of_ill)
{
	catch_fault(SIGILL);
	if (!sigsetjmp(escape_buffer, 1))
		__asm__ volatile("ud2");
	NOTE("done");
}

CASE(siginfo_of_int3)
{
	catch_fault(SIGTRAP);
	if (!sigsetjmp(escape_buffer, 1))
		__asm__ volatile("int3");
	NOTE("addr %p", last_info.si_addr);
}

CASE(siginfo_of_bus_beyond_file)
{
	int fd = open("f", O_CREAT | O_RDWR, 0600);
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	catch_fault(SIGBUS);
	if (!sigsetjmp(escape_buffer, 1))
		*(volatile char *)(p + 5000) = 1;
	TRUTH((char *)last_info.si_addr == p + 5000);
}

CASE(fault_while_blocked_kills)
{
	catch_fault(SIGSEGV);
	block(SIGSEGV);
	*(volatile int *)BAD_ADDRESS = 1;
}

CASE(fault_while_ignored_kills)
{
	handle(SIGSEGV, 0, SIG_IGN);
	*(volatile int *)BAD_ADDRESS = 1;
}

CASE(privileged_instruction)
{
	catch_fault(SIGSEGV);
	if (!sigsetjmp(escape_buffer, 1))
		__asm__ volatile("hlt");
	NOTE("addr %p", last_info.si_addr);
}

CASE(kill_errors)
{
	CALL(kill(getpid(), 65));
	CALL(kill(getpid(), -1));
	CALL(kill(getpid(), 0));
	CALL(kill(999999, 0));
	CALL(kill(-999999, SIGTERM));
	CALL(kill(INT_MIN, SIGTERM));
	CALL(SYS(SYS_tgkill, 0, gettid(), 0));
	CALL(SYS(SYS_tgkill, getpid(), 0, 0));
	CALL(SYS(SYS_tgkill, getpid(), gettid(), 0));
	CALL(SYS(SYS_tgkill, getpid(), 999999, 0));
	CALL(SYS(SYS_tgkill, getppid(), gettid(), 0));
	CALL(SYS(SYS_tkill, -1, 0));
	CALL(SYS(SYS_tkill, gettid(), 65));
}

CASE(sigqueueinfo_rules)
{
	siginfo_t info = {.si_code = SI_QUEUE};

	block(SIGUSR1);
	CALL(SYS(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info));
	info.si_code = SI_USER;
	CALL(SYS(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info));
	CALL(SYS(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &info));
	info.si_code = SI_TKILL;
	CALL(SYS(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &info));
	info.si_code = SI_QUEUE;
	CALL(SYS(SYS_rt_sigqueueinfo, 999999, SIGUSR1, &info));
	CALL(SYS(SYS_rt_sigqueueinfo, getpid(), 65, &info));
	CALL(SYS(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, BAD_ADDRESS));
	CALL(SYS(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGUSR1, &info));
	CALL(SYS(SYS_rt_tgsigqueueinfo, getpid(), 999999, SIGUSR1, &info));
	CALL(SYS(SYS_rt_tgsigqueueinfo, 0, gettid(), SIGUSR1, &info));
}

CASE(sigpipe_kills)
{
	int fds[2];

	pipe(fds);
	close(fds[0]);
	write(fds[1], "x", 1);
}

CASE(sigpipe_ignored_is_epipe)
{
	int fds[2];

	pipe(fds);
	close(fds[0]);
	handle(SIGPIPE, 0, SIG_IGN);
	CALL(write(fds[1], "x", 1));
}

/* ---- interrupted calls ---- */

static void send_later(int signo, long ms)
{
	pid_t target = getpid();

	if (fork() == 0) {
		sleep_ms(ms);
		kill(target, signo);
		_exit(0);
	}
}

CASE(read_interrupted)
{
	int fds[2];
	char c;

	pipe(fds);
	handle(SIGUSR1, 0, on_signal);
	send_later(SIGUSR1, 50);
	CALL(read(fds[0], &c, 1));
	NOTE("count %d", count);
}

CASE(read_restarted)
{
	int fds[2];
	char c;

	pipe(fds);
	handle(SIGUSR1, SA_RESTART, on_signal);
	if (fork() == 0) {
		sleep_ms(50);
		kill(getppid(), SIGUSR1);
		sleep_ms(50);
		write(fds[1], "x", 1);
		_exit(0);
	}
	CALL(read(fds[0], &c, 1));
	NOTE("count %d", count);
}

CASE(read_not_disturbed_by_ignored)
{
	int fds[2];
	char c;

	pipe(fds);
	handle(SIGUSR1, 0, SIG_IGN);
	if (fork() == 0) {
		sleep_ms(30);
		kill(getppid(), SIGUSR1);
		sleep_ms(30);
		write(fds[1], "x", 1);
		_exit(0);
	}
	CALL(read(fds[0], &c, 1));
}

CASE(read_across_stop_and_continue)
{
	int fds[2];
	char c;

	pipe(fds);
	if (fork() == 0) {
		sleep_ms(30);
		kill(getppid(), SIGSTOP);
		sleep_ms(30);
		kill(getppid(), SIGCONT);
		sleep_ms(30);
		write(fds[1], "x", 1);
		_exit(0);
	}
	CALL(read(fds[0], &c, 1));
}

CASE(nanosleep_interrupted)
{
	struct timespec ts = {5, 0}, rem = {0};

	handle(SIGUSR1, SA_RESTART, on_signal);
	send_later(SIGUSR1, 50);
	CALL(nanosleep(&ts, &rem));
	TRUTH(rem.tv_sec == 4);
}

CASE(nanosleep_across_stop_keeps_deadline)
{
	struct timespec ts = {0, 300000000};
	pid_t pid = fork();
	long long start = now_ms();

	if (pid == 0) {
		CALL(nanosleep(&ts, NULL));
		long long took = now_ms() - start;
		NOTE("in time %d", took >= 299 && took < 1500);
		_exit(0);
	}
	sleep_ms(50);
	kill(pid, SIGSTOP);
	sleep_ms(50);
	kill(pid, SIGCONT);
	note_wait("child", pid);
}

CASE(poll_interrupted)
{
	handle(SIGUSR1, SA_RESTART, on_signal);
	send_later(SIGUSR1, 50);
	CALL(poll(NULL, 0, 5000));
}

CASE(ppoll_mask)
{
	sigset_t none;
	struct timespec ts = {5, 0};

	handle(SIGUSR1, 0, on_signal);
	block(SIGUSR1);
	raise(SIGUSR1);
	sigemptyset(&none);
	NOTE("before %d", count);
	CALL(ppoll(NULL, 0, &ts, &none));
	NOTE("after %d", count);
	show_mask(0);
}

CASE(pause_returns)
{
	handle(SIGUSR1, SA_RESTART, on_signal);
	send_later(SIGUSR1, 50);
	CALL(pause());
	NOTE("count %d", count);
}

CASE(sigsuspend_swaps_mask)
{
	sigset_t none;

	handle(SIGUSR1, 0, show_mask);
	block(SIGUSR1);
	block(SIGTERM);
	raise(SIGUSR1);
	sigemptyset(&none);
	CALL(sigsuspend(&none));
	show_mask(0);
}

CASE(sigsuspend_errors)
{
	CALL(SYS(SYS_rt_sigsuspend, BAD_ADDRESS, 8));
	CALL(SYS(SYS_rt_sigsuspend, NULL, 8));
	CALL(SYS(SYS_rt_sigsuspend, BAD_ADDRESS, 4));
}

CASE(wait_interrupted)
{
	pid_t pid = fork();

	if (pid == 0) {
		sleep_ms(200);
		_exit(0);
	}
	handle(SIGUSR1, 0, on_signal);
	if (fork() == 0) {
		sleep_ms(50);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	CALL(waitpid(pid, NULL, 0));
	note_wait("child", pid);
}

/* ---- sigtimedwait ---- */

CASE(sigtimedwait_takes_pending)
{
	sigset_t set;
	siginfo_t info;
	struct timespec zero = {0, 0};

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CALL(sigtimedwait(&set, &info, &zero));
	raise(SIGUSR1);
	CALL(sigtimedwait(&set, &info, &zero));
	NOTE("signo %d code %d", info.si_signo, info.si_code);
	CALL(sigtimedwait(&set, NULL, &zero));
}

CASE(sigtimedwait_sleeps)
{
	sigset_t set;
	siginfo_t info;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	send_later(SIGUSR1, 50);
	CALL(sigwaitinfo(&set, &info));
	NOTE("code %d", info.si_code);
}

CASE(sigtimedwait_times_out)
{
	sigset_t set;
	struct timespec ts = {0, 50000000};
	long long start = now_ms();

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	CALL(sigtimedwait(&set, NULL, &ts));
	TRUTH(now_ms() - start >= 49);
}

CASE(sigtimedwait_interrupted_by_other)
{
	sigset_t set;
	struct timespec ts = {5, 0};

	handle(SIGUSR2, SA_RESTART, on_signal);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	send_later(SIGUSR2, 50);
	CALL(sigtimedwait(&set, NULL, &ts));
	NOTE("count %d", count);
}

CASE(sigtimedwait_errors)
{
	sigset_t set;
	struct timespec bad = {0, 1000000000}, negative = {-1, 0};

	sigemptyset(&set);
	CALL(sigtimedwait(&set, NULL, &bad));
	CALL(sigtimedwait(&set, NULL, &negative));
	CALL(SYS(SYS_rt_sigtimedwait, BAD_ADDRESS, NULL, NULL, 8));
	CALL(SYS(SYS_rt_sigtimedwait, &set, NULL, NULL, 4));
	CALL(SYS(SYS_rt_sigtimedwait, &set, NULL, BAD_ADDRESS, 8));
}

CASE(sigtimedwait_unblocked_default_signal)
{
	/* While it is waited for, its default action does not happen. */
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	send_later(SIGUSR1, 50);
	CALL(sigwaitinfo(&set, NULL));
	NOTE("alive");
}

/* ---- defaults ---- */

static void default_of(int signo)
{
	pid_t pid = fork();
	char text[32];

	if (pid == 0) {
		struct {
			uint64_t cur, max;
		} none = {0, 0};
		SYS(SYS_prlimit64, 0, 4, &none, NULL);
		/* A group of its own with its parent outside: else, where the runner is a session
		 * leader, it is orphaned. */
		setpgid(0, 0);
		signal(signo, SIG_DFL);
		raise(signo);
		_exit(0);
	}
	int status = 0;
	waitpid(pid, &status, WUNTRACED);
	snprintf(text, sizeof(text), "signal %d", signo);
	note_status(text, status & ~0x80);
	if (WIFSTOPPED(status)) {
		kill(pid, SIGKILL);
		note_wait(text, pid);
	}
}

CASE(default_actions)
{
	for (int signo = 1; signo < 32; signo++)
		default_of(signo);
	default_of(34);
	default_of(64);
}

CASE(exec_resets_handlers_keeps_ignored)
{
	handle(SIGUSR1, 0, on_signal);
	handle(SIGUSR2, 0, SIG_IGN);
	block(SIGTERM);
	execl("/bin/sh", "sh", "-c", "grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status", NULL);
	NOTE("exec failed");
}

CASE(fork_clears_pending)
{
	sigset_t set;

	block(SIGUSR1);
	raise(SIGUSR1);
	pid_t pid = fork();
	if (pid == 0) {
		sigpending(&set);
		NOTE("child pending %d", sigismember(&set, SIGUSR1));
		show_mask(0);
		_exit(0);
	}
	note_wait("child", pid);
}

/* ---- threads ---- */

static volatile pid_t handled_by;

static void note_thread(int signo)
{
	handled_by = gettid();
	count++;
}

static void *wait_a_while(void *arg)
{
	*(pid_t *)arg = gettid();
	while (!count)
		sleep_ms(1);
	return NULL;
}

CASE(tgkill_goes_to_the_thread)
{
	pthread_t thread;
	volatile pid_t tid = 0;

	handle(SIGUSR1, 0, note_thread);
	pthread_create(&thread, NULL, wait_a_while, (void *)&tid);
	while (!tid)
		sleep_ms(1);
	CALL(SYS(SYS_tgkill, getpid(), tid, SIGUSR1));
	pthread_join(thread, NULL);
	TRUTH(handled_by == tid);
}

CASE(process_signal_goes_to_who_does_not_block)
{
	pthread_t thread;
	volatile pid_t tid = 0;

	handle(SIGUSR1, 0, note_thread);
	pthread_create(&thread, NULL, wait_a_while, (void *)&tid);
	while (!tid)
		sleep_ms(1);
	block(SIGUSR1);
	CALL(kill(getpid(), SIGUSR1));
	pthread_join(thread, NULL);
	TRUTH(handled_by == tid);
}

static void *spin(void *arg)
{
	*(volatile pid_t *)arg = gettid();
	while (!count)
		;
	return NULL;
}

CASE(signal_reaches_a_computing_thread)
{
	pthread_t thread;
	volatile pid_t tid = 0;

	handle(SIGUSR1, 0, note_thread);
	pthread_create(&thread, NULL, spin, (void *)&tid);
	while (!tid)
		sleep_ms(1);
	CALL(SYS(SYS_tgkill, getpid(), tid, SIGUSR1));
	pthread_join(thread, NULL);
	TRUTH(handled_by == tid);
}

CASE(fatal_signal_ends_all_threads)
{
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t threads[3];
		static volatile pid_t tids[3];

		for (int i = 0; i < 3; i++)
			pthread_create(&threads[i], NULL, spin, (void *)&tids[i]);
		while (!tids[0] || !tids[1] || !tids[2])
			sleep_ms(1);
		kill(getpid(), SIGTERM);
		for (;;)
			pause();
	}
	note_wait("child", pid);
}

CASE(kill_while_in_every_kind_of_wait)
{
	int fds[2];
	char c;

	pipe(fds);
	for (int i = 0; i < 5; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			uint32_t futex = 0;
			sigset_t all;

			sigfillset(&all);
			sigprocmask(SIG_SETMASK, &all, NULL);
			if (i == 0)
				read(fds[0], &c, 1);
			if (i == 1)
				SYS(SYS_futex, &futex, 0, 0, NULL, NULL, 0);
			if (i == 2)
				pause();
			if (i == 3)
				poll(NULL, 0, -1);
			for (;;)
				;
		}
		sleep_ms(20);
		kill(pid, SIGKILL);
		note_wait("child", pid);
	}
}
