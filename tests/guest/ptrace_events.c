/* SPDX-License-Identifier: Apache-2.0 */
/* ptrace(2): events of fork, exec, threads and exit; seccomp. */
#include "ptrace.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>

static void go(pid_t pid)
{
	pt(PTRACE_CONT, pid, 0, 0);
}

static unsigned long message(pid_t pid)
{
	unsigned long value = 0;

	ptrace(PTRACE_GETEVENTMSG, pid, NULL, &value);
	return value;
}

/* ---- children ----------------------------------------------------------------------------------
 */

static void forks(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(3);
	waitpid(pid, NULL, 0);
	_exit(4);
}

CASE(fork_untraced_child)
{
	pid_t pid = traced(forks);

	go(pid);
	say_wait("SIGCHLD", pid);
	go(pid);
	say_wait("end", pid);
}

CASE(event_fork)
{
	pid_t pid = traced(forks), born;

	CALL(pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK));
	go(pid);
	say_wait("fork", pid);
	say_siginfo("fork", pid);
	born = (pid_t)message(pid);
	TRUTH(born > 0 && born != pid);
	say_wait("child", born);
	say_siginfo("child", born);
	go(born);
	say_wait("child's end", born);
	go(pid);
	say_wait("SIGCHLD", pid);
	go(pid);
	say_wait("end", pid);
}

CASE(event_fork_seized)
{
	pid_t pid = traced(forks), born;

	/* From a plain to a seized one. */
	pt(PTRACE_DETACH, pid, 0, SIGSTOP);
	say_wait("none", 0x7fffffff);
	waitpid(pid, NULL, WUNTRACED);
	CALL(pt(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEFORK));
	say_wait("seized", pid);
	kill(pid, SIGCONT);
	CALL(pt(PTRACE_CONT, pid, 0, 0));
	say_wait("continued", pid);
	CALL(pt(PTRACE_CONT, pid, 0, 0));
	say_wait("SIGCONT", pid);
	CALL(pt(PTRACE_CONT, pid, 0, 0));
	say_wait("fork", pid);
	born = (pid_t)message(pid);
	say_wait("child", born);
	say_siginfo("child", born);
	go(born);
	say_wait("child's end", born);
	go(pid);
	say_wait("SIGCHLD", pid);
	go(pid);
	say_wait("end", pid);
}

static void vforks(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(3);
	waitpid(pid, NULL, 0);
	_exit(4);
}

CASE(event_vfork)
{
	pid_t pid = traced(vforks), born;

	pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE);
	go(pid);
	say_wait("vfork", pid);
	born = (pid_t)message(pid);
	say_wait("child", born);
	go(pid);
	go(born);
	say_wait("child's end", born);
	say_wait("vfork done", pid);
	TRUTH(message(pid) == (unsigned long)born);
	go(pid);
	say_wait("SIGCHLD", pid);
	go(pid);
	say_wait("end", pid);
}

static void clones_untraced(void)
{
	pid_t pid = (pid_t)SYS(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(3);
	waitpid(pid, NULL, 0);
	_exit(4);
}

CASE(clone_untraced)
{
	pid_t pid = traced(clones_untraced);

	pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE);
	go(pid);
	say_wait("SIGCHLD", pid);
	go(pid);
	say_wait("end", pid);
}

static void clones_ptrace(void)
{
	pid_t pid = (pid_t)SYS(SYS_clone, CLONE_PTRACE | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(3);
	waitpid(pid, NULL, 0);
	_exit(4);
}

CASE(clone_ptrace)
{
	pid_t pid = traced(clones_ptrace);
	int status;
	pid_t born;

	go(pid);
	born = waitpid(-1, &status, __WALL);
	TRUTH(born > 0 && born != pid);
	say_status("child", status);
	go(born);
	say_wait("child's end", born);
	say_wait("SIGCHLD", pid);
	go(pid);
	say_wait("end", pid);
}

/* ---- threads -----------------------------------------------------------------------------------
 */

static void *thread_ends(void *arg)
{
	return NULL;
}

static void makes_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, thread_ends, NULL);
	pthread_join(thread, NULL);
	raise(SIGUSR1);
	_exit(9);
}

CASE(event_clone)
{
	pid_t pid = traced(makes_thread), tid;

	pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE);
	go(pid);
	say_wait("clone", pid);
	tid = (pid_t)message(pid);
	say_wait("thread", tid);
	CALL(SYS(SYS_tgkill, pid, tid, 0));
	go(tid);
	go(pid);
	say_wait("thread's end", tid);
	say_wait("joined", pid);
	go(pid);
	say_wait("end", pid);
}

static void *thread_waits(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

static void leaves_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, thread_waits, NULL);
	sleep_ms(20);
	_exit(9);
}

/* A process is over when its threads have been waited for. */
CASE(exit_group_with_threads)
{
	pid_t pid = traced(leaves_thread), tid;

	pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE);
	go(pid);
	say_wait("clone", pid);
	tid = (pid_t)message(pid);
	say_wait("thread", tid);
	go(tid);
	go(pid);
	say_wait("thread's end", tid);
	say_wait("end", pid);
	CALL(waitpid(-1, NULL, __WALL));
}

static void leader_leaves(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, thread_waits, NULL);
	SYS(SYS_exit, 5);
}

CASE(leader_exits_first)
{
	pid_t pid = traced(leader_leaves), tid;

	pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE);
	go(pid);
	say_wait("clone", pid);
	tid = (pid_t)message(pid);
	say_wait("thread", tid);
	go(tid);
	go(pid);
	sleep_ms(30);
	CALL(waitpid(pid, NULL, __WALL | WNOHANG));
	kill(pid, SIGTERM);
	say_wait("signal", tid);
	pt(PTRACE_CONT, tid, 0, SIGTERM);
	say_wait("thread's end", tid);
	say_wait("end", pid);
}

/* ---- exec --------------------------------------------------------------------------------------
 */

static void execs(void)
{
	execl("/bin/true", "true", (char *)NULL);
	_exit(1);
}

CASE(exec_is_a_trap)
{
	pid_t pid = traced(execs);

	go(pid);
	say_wait("exec", pid);
	say_siginfo("exec", pid);
	go(pid);
	say_wait("end", pid);
}

CASE(event_exec)
{
	pid_t pid = traced(execs);
	struct user_regs_struct regs;

	pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD);
	pt(PTRACE_SYSCALL, pid, 0, 0);
	say_wait("call", pid);
	pt(PTRACE_SYSCALL, pid, 0, 0);
	say_wait("exec", pid);
	TRUTH(message(pid) == (unsigned long)pid);
	ptrace(PTRACE_GETREGS, pid, NULL, &regs);
	NOTE("orig_rax %lld rax %lld rbx %lld rdx %lld eflags %#llx", (long long)regs.orig_rax,
		(long long)regs.rax, (long long)regs.rbx, (long long)regs.rdx,
		(unsigned long long)regs.eflags);
	pt(PTRACE_SYSCALL, pid, 0, 0);
	say_wait("call's end", pid);
	ptrace(PTRACE_GETREGS, pid, NULL, &regs);
	NOTE("orig_rax %lld rax %lld", (long long)regs.orig_rax, (long long)regs.rax);
	go(pid);
	say_wait("end", pid);
}

CASE(exec_seized)
{
	pid_t pid = traced(execs);

	pt(PTRACE_DETACH, pid, 0, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	CALL(pt(PTRACE_SEIZE, pid, 0, 0));
	kill(pid, SIGCONT);
	for (int i = 0; i < 10; i++) {
		int status;

		waitpid(pid, &status, 0);
		if (!WIFSTOPPED(status)) {
			say_status("end", status);
			return;
		}
		if (WSTOPSIG(status) == SIGTRAP && status >> 16 == 0)
			NOTE("a trap");
		pt(PTRACE_CONT, pid, 0, 0);
	}
}

static void *thread_execs(void *arg)
{
	execs();
	return NULL;
}

static void execs_in_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, thread_execs, NULL);
	for (;;)
		pause();
}

/* The thread becomes the leader; the old one vanishes without a word. */
CASE(exec_of_a_thread)
{
	pid_t pid = traced(execs_in_thread), tid;

	pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC);
	go(pid);
	say_wait("clone", pid);
	tid = (pid_t)message(pid);
	say_wait("thread", tid);
	go(pid);
	go(tid);
	say_wait("exec", pid);
	TRUTH(message(pid) == (unsigned long)tid);
	CALL(pt(PTRACE_CONT, tid, 0, 0));
	go(pid);
	say_wait("end", pid);
	CALL(waitpid(-1, NULL, __WALL));
}

/* ---- exit --------------------------------------------------------------------------------------
 */

static void exits(void)
{
	_exit(21);
}

CASE(event_exit)
{
	pid_t pid = traced(exits);
	struct user_regs_struct regs;

	pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT);
	go(pid);
	say_wait("exit", pid);
	NOTE("message %#lx", message(pid));
	ptrace(PTRACE_GETREGS, pid, NULL, &regs);
	NOTE("orig_rax %lld", (long long)regs.orig_rax);
	go(pid);
	say_wait("end", pid);
}

static void kills_itself(void)
{
	raise(SIGTERM);
}

CASE(event_exit_by_signal)
{
	pid_t pid = traced(kills_itself);

	pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT);
	go(pid);
	say_wait("signal", pid);
	pt(PTRACE_CONT, pid, 0, SIGTERM);
	say_wait("exit", pid);
	NOTE("message %#lx", message(pid));
	go(pid);
	say_wait("end", pid);
}

CASE(event_message_errors)
{
	pid_t pid = traced(exits);

	NOTE("message %#lx", message(pid));
	CALL(ptrace(PTRACE_GETEVENTMSG, pid, NULL, BAD_ADDRESS));
	finish(pid);
}

/* ---- seccomp -----------------------------------------------------------------------------------
 */

static void install_filter(unsigned answer)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_umask, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, answer),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog fprog = {4, program};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &fprog);
}

static void filtered(void)
{
	long result;

	install_filter(SECCOMP_RET_TRACE | 0x77);
	result = SYS(SYS_umask, 022);
	NOTE("umask: %ld %s", result, result < 0 ? errno_name(errno) : "");
}

CASE(seccomp_trace_without_tracer)
{
	pid_t pid = child(filtered);

	say_wait("end", pid);
}

CASE(event_seccomp)
{
	pid_t pid = traced(filtered);
	struct __ptrace_syscall_info info;

	umask(011);
	pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP);
	go(pid);
	say_wait("seccomp", pid);
	NOTE("message %#lx", message(pid));
	CALL(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info));
	NOTE("op %d nr %llu data %#x", info.op, (unsigned long long)info.seccomp.nr,
		info.seccomp.ret_data);
	go(pid);
	say_wait("end", pid);
}

CASE(event_seccomp_skip)
{
	pid_t pid = traced(filtered);

	pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP);
	go(pid);
	say_wait("seccomp", pid);
	pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_rax), -1);
	pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rax), 4711);
	go(pid);
	say_wait("end", pid);
}

CASE(event_seccomp_other_call)
{
	pid_t pid = traced(filtered);

	pt(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP);
	go(pid);
	say_wait("seccomp", pid);
	pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.orig_rax), SYS_close);
	pt(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rdi), -1);
	go(pid);
	say_wait("end", pid);
}
