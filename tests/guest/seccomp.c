/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp(2): what a program forbids itself. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include "memory.h"

#define COUNT(a)     ((unsigned short)(sizeof(a) / sizeof((a)[0])))
#define LOAD_NR	     BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)
/* The next instruction is for call @nr alone. */
#define IF_CALL(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1)

static int install_flags(struct sock_filter *program, unsigned short count, unsigned flags)
{
	struct sock_fprog prog = {count, program};

	return (int)SYS(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

static int install(struct sock_filter *program, unsigned short count)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return install_flags(program, count, 0);
}

/* Everything is allowed but @nr, which is answered @action. */
static int forbid(int nr, unsigned action)
{
	struct sock_filter program[] = {
		LOAD_NR, IF_CALL((unsigned)nr), RETURN(action), RETURN(SECCOMP_RET_ALLOW)};

	return install(program, COUNT(program));
}

/* Programs that are refused count no longer: more of them than there is room for. */
CASE(refused_programs_are_forgotten)
{
	enum { INSNS = 4096 };
	struct sock_filter *program = calloc(INSNS, sizeof(*program));
	int refused = 0;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	for (int i = 0; i < 1100; i++)
		refused += install_flags(program, INSNS, 0) < 0 && errno == EINVAL;
	NOTE("refused %d", refused);
	CALL(install_flags(BAD_ADDRESS, INSNS, 0));
	CALL(forbid(SYS_getppid, SECCOMP_RET_ERRNO | EPERM));
	free(program);
}

CASE(errno_action)
{
	CALL(forbid(SYS_getppid, SECCOMP_RET_ERRNO | EPERM));
	CALL(SYS(SYS_getppid));
	CALL(prctl(PR_GET_SECCOMP));
	CALL(forbid(SYS_umask, SECCOMP_RET_ERRNO | 5000));
	NOTE("%ld %d", SYS(SYS_umask, 0), errno);
	CALL(forbid(SYS_getsid, SECCOMP_RET_ERRNO | 0));
	CALL(SYS(SYS_getsid, 12345678));
}

/* Calls that are usually answered without the kernel's help. */
CASE(quick_calls_are_judged)
{
	sigset_t set;
	int word = 0;

	sigemptyset(&set);
	CALL(forbid(SYS_getpid, SECCOMP_RET_ERRNO | 1));
	CALL(forbid(SYS_gettid, SECCOMP_RET_ERRNO | 2));
	CALL(forbid(SYS_getuid, SECCOMP_RET_ERRNO | 3));
	CALL(forbid(SYS_sched_yield, SECCOMP_RET_ERRNO | 4));
	CALL(forbid(SYS_rt_sigprocmask, SECCOMP_RET_ERRNO | 5));
	CALL(forbid(SYS_futex, SECCOMP_RET_ERRNO | 6));
	CALL(forbid(SYS_clock_gettime, SECCOMP_RET_ERRNO | 7));
	for (int i = 0; i < 3; i++) {
		CALL(SYS(SYS_getpid));
		CALL(SYS(SYS_gettid));
		CALL(SYS(SYS_getuid));
		CALL(SYS(SYS_sched_yield));
		CALL(SYS(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 8));
		CALL(SYS(SYS_futex, &word, 1, 1, NULL, NULL, 0));
		CALL(SYS(SYS_clock_gettime, 1, BAD_ADDRESS));
	}
}

static char sharer_stack[65536] __attribute__((aligned(16)));
static int killing;

static void on_sigsys(int sig)
{
	(void)sig;
	NOTE("handler");
}

/* Dies of its filter, whose signal's handler it shares with its parent. */
static int killed_sharer(void *unused)
{
	(void)unused;
	forbid(SYS_umask, killing ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_KILL_THREAD);
	return (int)SYS(SYS_umask, 0);
}

/* The default action of who was killed is everybody's who shares the handlers, for ever. */
static int sharing_family(void)
{
	struct sigaction action = {.sa_handler = on_sigsys}, old;
	int status;
	pid_t pid;

	sigaction(SIGSYS, &action, NULL);
	raise(SIGSYS);
	pid = clone(killed_sharer, sharer_stack + sizeof(sharer_stack),
		CLONE_VM | CLONE_SIGHAND | SIGCHLD, NULL);
	if (waitpid(pid, &status, 0) == pid)
		note_status("sharer", status & ~0x80);
	CALL(sigaction(SIGSYS, NULL, &old));
	CALL(sigaction(SIGSYS, &action, NULL));
	CALL(sigaction(SIGUSR1, &action, NULL));
	raise(SIGSYS);
	NOTE("not reached");
	return 0;
}

CASE(kills_take_the_handler_of_sharers)
{
	for (killing = 0; killing < 2; killing++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			_exit(sharing_family());
		if (waitpid(pid, &status, 0) == pid)
			note_status("family", status & ~0x80);
	}
}

/* Asked before, asked again. */
CASE(names_are_judged)
{
	static struct sock_filter program[] = {LOAD_NR, IF_CALL(SYS_stat),
		RETURN(SECCOMP_RET_ERRNO | 77), RETURN(SECCOMP_RET_ALLOW)};
	struct stat st;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	for (int i = 0; i < 3; i++)
		CALL(SYS(SYS_stat, "/usr/bin", &st));
	CALL(install_flags(program, COUNT(program), 0));
	for (int i = 0; i < 2; i++)
		CALL(SYS(SYS_stat, "/usr/bin", &st));
}

CASE(arguments)
{
	struct sock_filter program[] = {
		LOAD_NR,
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_lseek, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 100, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]) + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
		RETURN(SECCOMP_RET_ERRNO | ENOTUNIQ),
		RETURN(SECCOMP_RET_ALLOW),
	};
	int fd = open("f", O_CREAT | O_RDWR, 0600);

	/* In place: offsets up to 100, and those above 100, go through; what has a high half fails.
	 */
	CALL(install(program, COUNT(program)));
	CALL(lseek(fd, 50, SEEK_SET));
	CALL(lseek(fd, 101, SEEK_SET));
	CALL(lseek(fd, 1ll << 32, SEEK_SET));
}

CASE(arithmetic)
{
	/* ERRNO | (((3 + 4) * 6 / 2 - 1) ^ 1), by way of X and two words of memory. */
	struct sock_filter program[] = {
		LOAD_NR,
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 21),
		BPF_STMT(BPF_LD | BPF_IMM, 3),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 4),
		BPF_STMT(BPF_LDX | BPF_IMM, 6),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_X, 0),
		BPF_STMT(BPF_ST, 3),
		BPF_STMT(BPF_LD | BPF_IMM, 2),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_MEM, 3),
		BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
		BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 1),
		BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 1),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_STX, 15),
		BPF_STMT(BPF_LD | BPF_IMM, 5),
		BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 16),
		BPF_STMT(BPF_LDX | BPF_MEM, 15),
		BPF_STMT(BPF_ALU | BPF_OR | BPF_X, 0),
		BPF_STMT(BPF_ALU | BPF_NEG, 0),
		BPF_STMT(BPF_ALU | BPF_NEG, 0),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x7fffffff),
		BPF_STMT(BPF_RET | BPF_A, 0),
		RETURN(SECCOMP_RET_ALLOW),
	};

	CALL(install(program, COUNT(program)));
	NOTE("%ld %d", SYS(SYS_getppid), errno);
}

CASE(strictest_wins)
{
	CALL(forbid(SYS_getppid, SECCOMP_RET_ERRNO | 11));
	CALL(forbid(SYS_getppid, SECCOMP_RET_ERRNO | 12));
	CALL(SYS(SYS_getppid));
	CALL(forbid(SYS_getppid, SECCOMP_RET_LOG));
	CALL(SYS(SYS_getppid));
	CALL(forbid(SYS_getppid, SECCOMP_RET_TRACE));
	CALL(SYS(SYS_getppid));
	CALL(forbid(SYS_getsid, SECCOMP_RET_TRACE));
	CALL(SYS(SYS_getsid, 0));
	CALL(forbid(SYS_getpgid, 0x12340000));
}

static volatile int trap_signo, trap_code, trap_errno, trap_call, trap_rax, trap_here;

static void on_trap(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	trap_signo = signo;
	trap_code = info->si_code;
	trap_errno = info->si_errno;
	trap_call = info->si_syscall;
	trap_rax = (int)uc->uc_mcontext.gregs[REG_RAX];
	trap_here = (uint64_t)info->si_call_addr == (uint64_t)uc->uc_mcontext.gregs[REG_RIP] &&
		    info->si_arch == AUDIT_ARCH_X86_64;
	uc->uc_mcontext.gregs[REG_RAX] = 4242;
}

CASE(trap_action)
{
	struct sigaction sa = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

	sigaction(SIGSYS, &sa, NULL);
	CALL(forbid(SYS_getppid, SECCOMP_RET_TRAP | 77));
	CALL(SYS(SYS_getppid));
	NOTE("signal %d code %d errno %d call %d rax %d here %d", trap_signo, trap_code, trap_errno,
		trap_call, trap_rax, trap_here);
}

CASE(trap_unhandled)
{
	pid_t pid = fork();

	if (pid == 0) {
		forbid(SYS_getppid, SECCOMP_RET_TRAP);
		SYS(SYS_getppid);
		_exit(0);
	}
	note_wait("child", pid);
	pid = fork();
	if (pid == 0) {
		signal(SIGSYS, SIG_IGN);
		forbid(SYS_getppid, SECCOMP_RET_TRAP);
		SYS(SYS_getppid);
		_exit(0);
	}
	note_wait("ignoring child", pid);
}

CASE(kill_actions)
{
	static const unsigned actions[] = {
		SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, 0x00010000, 0xfff00000};

	for (int i = 0; i < 4; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			signal(SIGSYS, SIG_IGN);
			forbid(SYS_getppid, actions[i]);
			SYS(SYS_getppid);
			_exit(0);
		}
		note_wait("child", pid);
	}
}

static void *dies_in_filter(void *arg)
{
	SYS(SYS_getppid);
	return NULL;
}

CASE(kill_one_thread)
{
	for (int whole = 0; whole < 2; whole++) {
		pid_t pid = fork();

		if (pid == 0) {
			pthread_t thread;

			forbid(SYS_getppid,
				whole ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_KILL_THREAD);
			pthread_create(&thread, NULL, dies_in_filter, NULL);
			sleep_ms(100);
			_exit(7);
		}
		note_wait(whole ? "process" : "thread", pid);
	}
}

CASE(strict)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
		write(1, "", 0);
		SYS(SYS_exit, 3);
	}
	note_wait("exits", pid);
	pid = fork();
	if (pid == 0) {
		SYS(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL);
		SYS(SYS_getpid);
		SYS(SYS_exit, 3);
	}
	note_wait("asks", pid);
}

CASE(inherited)
{
	pid_t pid;

	CALL(forbid(SYS_getsid, SECCOMP_RET_ERRNO | ENOTTY));
	pid = fork();
	if (pid == 0) {
		CALL(SYS(SYS_getsid, 0));
		CALL(forbid(SYS_getpgid, SECCOMP_RET_ERRNO | EXDEV));
		CALL(SYS(SYS_getpgid, 0));
		_exit(0);
	}
	note_wait("child", pid);
	CALL(SYS(SYS_getpgid, 999999));
	pid = fork();
	if (pid == 0) {
		execlp("sh", "sh", "-c", "grep Seccomp: /proc/self/status", NULL);
		_exit(1);
	}
	note_wait("exec", pid);
}

static void *asks(void *arg)
{
	while (!*(volatile int *)arg)
		sleep_ms(1);
	return (void *)(SYS(SYS_getsid, 0) < 0 ? (long)errno : 0);
}

CASE(synchronised)
{
	struct sock_filter program[] = {LOAD_NR, IF_CALL(SYS_getsid),
		RETURN(SECCOMP_RET_ERRNO | ENOTTY), RETURN(SECCOMP_RET_ALLOW)};
	pthread_t thread;
	int go = 0;
	void *result;

	pthread_create(&thread, NULL, asks, &go);
	CALL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CALL(install_flags(program, COUNT(program), SECCOMP_FILTER_FLAG_TSYNC));
	go = 1;
	pthread_join(thread, &result);
	NOTE("thread got %s", errno_name((int)(long)result));
}

static int stray_tid;

static void *goes_its_way(void *arg)
{
	forbid(SYS_getpgid, SECCOMP_RET_ERRNO | 1);
	stray_tid = (int)SYS(SYS_gettid);
	*(volatile int *)arg = 1;
	sleep_ms(200);
	return NULL;
}

CASE(synchronise_fails)
{
	struct sock_filter program[] = {LOAD_NR, IF_CALL(SYS_getsid),
		RETURN(SECCOMP_RET_ERRNO | ENOTTY), RETURN(SECCOMP_RET_ALLOW)};
	pthread_t thread;
	int ready = 0;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	pthread_create(&thread, NULL, goes_its_way, &ready);
	while (!*(volatile int *)&ready)
		sleep_ms(1);
	TRUTH(install_flags(program, COUNT(program), SECCOMP_FILTER_FLAG_TSYNC) == stray_tid);
	CALL(install_flags(program, COUNT(program),
		SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH));
	TRUTH(SYS(SYS_getsid, 0) >= 0);
	pthread_join(thread, NULL);
}

CASE(errors)
{
	struct sock_filter allow[] = {RETURN(SECCOMP_RET_ALLOW)};
	struct sock_filter no_return[] = {LOAD_NR};
	struct sock_filter far[] = {BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), RETURN(0)};
	struct sock_filter back[] = {BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 200), RETURN(0)};
	struct sock_filter offset[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RETURN(0)};
	struct sock_filter odd[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RETURN(0)};
	struct sock_filter byte[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), RETURN(0)};
	struct sock_filter divide[] = {BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(0)};
	struct sock_filter modulo[] = {BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RETURN(0)};
	struct sock_filter shift[] = {BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RETURN(0)};
	struct sock_filter unset[] = {BPF_STMT(BPF_LD | BPF_MEM, 1), RETURN(0)};
	struct sock_filter word[] = {BPF_STMT(BPF_ST, 16), RETURN(0)};
	struct sock_filter code[] = {{0xffff, 0, 0, 0}, RETURN(0)};
	struct sock_fprog none = {0, allow}, bad = {1, BAD_ADDRESS}, huge = {4097, allow};
	unsigned action = SECCOMP_RET_ERRNO, unknown = 0x12340000;

	CALL(SYS(SYS_seccomp, 99, 0, NULL));
	CALL(SYS(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL));
	CALL(SYS(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, &none));
	CALL(prctl(PR_SET_SECCOMP, 99, NULL));
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	CALL(SYS(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, BAD_ADDRESS));
	CALL(SYS(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &none));
	CALL(SYS(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &huge));
	CALL(SYS(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &bad));
	CALL(install_flags(allow, 1, 1u << 20));
	CALL(install(no_return, 1));
	CALL(install(far, 2));
	CALL(install(back, 2));
	CALL(install(offset, 2));
	CALL(install(odd, 2));
	CALL(install(byte, 2));
	CALL(install(divide, 2));
	CALL(install(modulo, 2));
	CALL(install(shift, 2));
	CALL(install(unset, 2));
	CALL(install(word, 2));
	CALL(install(code, 2));
	CALL(SYS(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
	CALL(SYS(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &unknown));
	CALL(SYS(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &action));
	CALL(SYS(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, BAD_ADDRESS));
}

CASE(needs_no_new_privs)
{
	struct sock_filter allow[] = {RETURN(SECCOMP_RET_ALLOW)};
	pid_t pid;

	if (geteuid() != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0))
		SKIP("needs root without no_new_privs");
	pid = fork();
	if (pid == 0) {
		drop();
		CALL(install_flags(allow, 1, 0));
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		CALL(install_flags(allow, 1, 0));
		_exit(0);
	}
	note_wait("child", pid);
}

CASE(too_long_a_path)
{
	static struct sock_filter program[4096];
	int count = 0;

	for (int i = 0; i < 4096; i++)
		program[i] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	while (count < 20 && install(program, 4096) == 0)
		count++;
	/* How many fit depends on what the kernel compiles them to. */
	NOTE("then %s", errno_name(errno));
}

/* A restarted call is judged again; its continuation is a call of its own. */
static void on_alarm(int signo)
{
}

CASE(interrupted_call)
{
	struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	int fds[2];
	char c;
	pid_t pid;

	if (pipe(fds) < 0)
		exit(1);
	sigaction(SIGALRM, &sa, NULL);
	CALL(forbid(SYS_getppid, SECCOMP_RET_ERRNO | 1));
	pid = fork();
	if (pid == 0) {
		sleep_ms(80);
		write(fds[1], "x", 1);
		_exit(0);
	}
	ualarm(20000, 0);
	CALL(read(fds[0], &c, 1));
	note_wait("child", pid);
}
