/* SPDX-License-Identifier: Apache-2.0 */
/* Making, ending and waiting for tasks; process groups, sessions, stops; pidfds. */
#include "case.h"

#include <linux/sched.h>
#include <pthread.h>
#include <sys/resource.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static char stack_memory[65536] __attribute__((aligned(16)));
#define STACK_TOP (stack_memory + sizeof(stack_memory))

static pid_t child_exits(int code)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(code);
	return pid;
}

static pid_t child_waits(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- wait ---- */

CASE(wait_status_matrix)
{
	for (int code = 0; code < 600; code += 255)
		note_wait("exit", child_exits(code));
	for (int signo = 1; signo < 16; signo++) {
		pid_t pid = child_waits();

		sleep_ms(1);
		kill(pid, signo);
		int status = 0;
		waitpid(pid, &status, 0);
		note_status("killed", status & ~0x80);
	}
}

CASE(wait_errors)
{
	int status;

	CALL(waitpid(-1, &status, 0));
	CALL(waitpid(getpid(), &status, 0));
	CALL(waitpid(999999, &status, 0));
	CALL(waitpid(-999999, &status, 0));
	CALL(waitpid(INT_MIN, &status, 0));
	CALL(waitpid(-1, &status, 0x1000));
	CALL(SYS(SYS_waitid, P_PID, getpid(), NULL, 0, NULL));
	CALL(SYS(SYS_waitid, P_PID, 0, NULL, WEXITED, NULL));
	CALL(SYS(SYS_waitid, P_PID, -1, NULL, WEXITED, NULL));
	CALL(SYS(SYS_waitid, P_PGID, -1, NULL, WEXITED, NULL));
	CALL(SYS(SYS_waitid, 77, 0, NULL, WEXITED, NULL));
	CALL(SYS(SYS_waitid, P_PIDFD, -1, NULL, WEXITED, NULL));
	CALL(SYS(SYS_waitid, P_PIDFD, 99, NULL, WEXITED, NULL));
	CALL(SYS(SYS_waitid, P_PIDFD, 0, NULL, WEXITED, NULL));
	CALL(SYS(SYS_waitid, P_ALL, 0, NULL, WEXITED | 0x10, NULL));
}

CASE(wait_bad_pointer)
{
	pid_t pid = child_exits(3);

	sleep_ms(20);
	CALL(SYS(SYS_wait4, pid, BAD_ADDRESS, 0, NULL));
	CALL(waitpid(pid, NULL, 0));
}

CASE(wait_nohang)
{
	int fds[2];
	char c;

	pipe(fds);
	pid_t pid = fork();
	if (pid == 0) {
		close(fds[1]);
		read(fds[0], &c, 1);
		_exit(4);
	}
	CALL(waitpid(pid, NULL, WNOHANG));
	close(fds[1]);
	note_wait("child", pid);
	CALL(waitpid(pid, NULL, WNOHANG));
}

static void note_info(const siginfo_t *info, pid_t pid)
{
	NOTE("signo %d code %d status %d pid ok %d uid ok %d", info->si_signo, info->si_code,
		info->si_status, info->si_pid == pid, info->si_uid == getuid());
}

CASE(waitid_exited)
{
	siginfo_t info;
	pid_t pid = child_exits(300);

	memset(&info, 0x5a, sizeof(info));
	CALL(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	note_info(&info, pid);
	NOTE("errno %d", info.si_errno);
	CALL(waitid(P_ALL, 0, &info, WEXITED));
	note_info(&info, pid);
	CALL(waitid(P_ALL, 0, &info, WEXITED));
}

CASE(waitid_killed)
{
	siginfo_t info = {0};
	pid_t pid = child_waits();

	kill(pid, SIGTERM);
	CALL(waitid(P_PID, pid, &info, WEXITED));
	note_info(&info, pid);
}

CASE(waitid_nohang_nothing)
{
	siginfo_t info;
	pid_t pid = child_waits();

	memset(&info, 0x5a, sizeof(info));
	CALL(waitid(P_PID, pid, &info, WEXITED | WNOHANG));
	NOTE("signo %d pid %d", info.si_signo, info.si_pid);
	end(pid);
}

CASE(waitid_bad_pointer)
{
	pid_t pid = child_exits(0);

	CALL(SYS(SYS_waitid, P_PID, pid, BAD_ADDRESS, WEXITED | WNOWAIT, NULL));
	CALL(SYS(SYS_waitid, P_PID, pid, NULL, WEXITED, NULL));
}

CASE(stop_continue_seen_by_wait)
{
	siginfo_t info = {0};
	int status;
	pid_t pid = child_waits();

	setpgid(pid, pid); /* not orphaned: SIGTSTP stops */
	kill(pid, SIGSTOP);
	TRUTH(waitpid(pid, &status, WUNTRACED) == pid);
	note_status("stop", status);
	CALL(waitpid(pid, &status, WUNTRACED | WNOHANG));
	kill(pid, SIGCONT);
	TRUTH(waitpid(pid, &status, WCONTINUED) == pid);
	note_status("cont", status);
	CALL(waitpid(pid, &status, WCONTINUED | WNOHANG));
	kill(pid, SIGTSTP);
	CALL(waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT | WEXITED | WNOHANG) == 0);
	waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT);
	info.si_pid = 0;
	CALL(waitid(P_PID, pid, &info, WSTOPPED | WNOHANG));
	NOTE("stopped by tstp %d", info.si_pid == pid);
	kill(pid, SIGCONT);
	CALL(waitid(P_PID, pid, &info, WCONTINUED | WNOHANG));
	note_info(&info, info.si_pid);
	kill(pid, SIGKILL);
	note_wait("child", pid);
}

CASE(stopped_is_not_seen_without_flag)
{
	siginfo_t info;
	pid_t pid = child_waits();

	kill(pid, SIGSTOP);
	waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT);
	CALL(waitpid(pid, NULL, WNOHANG));
	kill(pid, SIGKILL);
	note_wait("child", pid);
}

CASE(kill_ends_a_stopped_process)
{
	pid_t pid = child_waits();

	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	kill(pid, SIGTERM);
	sleep_ms(20);
	CALL(waitpid(pid, NULL, WNOHANG));
	kill(pid, SIGCONT);
	note_wait("child", pid);
}

CASE(wait_by_group)
{
	pid_t a = child_waits(), b = child_waits();

	setpgid(b, b);
	kill(a, SIGKILL);
	kill(b, SIGKILL);
	TRUTH(waitpid(-b, NULL, 0) == b);
	TRUTH(waitpid(0, NULL, 0) == a);
	CALL(waitpid(0, NULL, 0));
}

CASE(wait_clone_child)
{
	pid_t pid = (pid_t)SYS(SYS_clone, 0, NULL, NULL, NULL, 0);

	if (pid == 0)
		_exit(6);
	CALL(waitpid(pid, NULL, 0));
	int status = 0;
	TRUTH(waitpid(pid, &status, __WCLONE) == pid);
	note_status("clone child", status);
	signal(SIGUSR1, SIG_IGN);
	pid = (pid_t)SYS(SYS_clone, SIGUSR1, NULL, NULL, NULL, 0);
	if (pid == 0)
		_exit(7);
	TRUTH(waitpid(pid, &status, __WALL) == pid);
	note_status("clone child", status);
}

CASE(sigchld_ignored_reaps)
{
	signal(SIGCHLD, SIG_IGN);
	child_exits(0);
	CALL(waitpid(-1, NULL, 0));
}

static volatile sig_atomic_t count;

static void on_signal(int signo)
{
	count++;
}

CASE(nocldwait_reaps_but_signals)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_NOCLDWAIT};

	sigaction(SIGCHLD, &sa, NULL);
	child_exits(0);
	CALL(waitpid(-1, NULL, 0));
	NOTE("count %d", count);
}

CASE(nocldstop)
{
	struct sigaction sa = {.sa_handler = on_signal};

	sigaction(SIGCHLD, &sa, NULL);
	pid_t pid = child_waits();
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	NOTE("count %d", count);
	sa.sa_flags = SA_NOCLDSTOP;
	sigaction(SIGCHLD, &sa, NULL);
	kill(pid, SIGCONT);
	waitpid(pid, NULL, WCONTINUED);
	NOTE("count %d", count);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	NOTE("count %d", count);
}

CASE(children_usage)
{
	struct rusage usage;
	pid_t pid = fork();

	if (pid == 0) {
		struct timespec used;
		do
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
		while (used.tv_sec == 0 && used.tv_nsec < 30000000);
		_exit(0);
	}
	wait4(pid, NULL, 0, &usage);
	TRUTH(usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec >
		5000);
	TRUTH(usage.ru_maxrss > 100);
}

/* ---- orphans ---- */

CASE(orphan_gets_a_new_parent)
{
	int fds[2];
	char c = 0;

	pipe(fds);
	pid_t pid = fork();
	if (pid == 0) {
		pid_t middle = getpid();
		if (fork() == 0) {
			while (getppid() == middle)
				sleep_ms(1);
			c = 'o';
			write(fds[1], &c, 1);
			_exit(0);
		}
		_exit(0);
	}
	note_wait("middle", pid);
	read(fds[0], &c, 1);
	NOTE("%c", c);
}

#include <sys/prctl.h>

CASE(subreaper_adopts)
{
	CALL(prctl(PR_SET_CHILD_SUBREAPER, 1));
	pid_t pid = fork();
	if (pid == 0) {
		if (fork() == 0) {
			sleep_ms(30);
			_exit(9);
		}
		_exit(1);
	}
	note_wait("middle", pid);
	int status = 0;
	TRUTH(waitpid(-1, &status, 0) > 0);
	note_status("adopted", status);
}

CASE(pdeath_signal)
{
	int fds[2];
	char c = 0;

	pipe(fds);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid_t pid = fork();
	if (pid == 0) {
		pid_t grandchild = fork();
		if (grandchild == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			write(fds[1], &c, 1);
			for (;;)
				pause();
		}
		read(fds[0], &c, 1);
		_exit(0);
	}
	note_wait("middle", pid);
	int status = 0;
	waitpid(-1, &status, 0);
	note_status("grandchild", status);
}

/* ---- clone ---- */

CASE(clone_flag_errors)
{
	CALL(SYS(SYS_clone, CLONE_THREAD, NULL, NULL, NULL, 0));
	CALL(SYS(SYS_clone, CLONE_SIGHAND, NULL, NULL, NULL, 0));
	CALL(SYS(SYS_clone, CLONE_THREAD | CLONE_SIGHAND, NULL, NULL, NULL, 0));
	CALL(SYS(SYS_clone, CLONE_FS | CLONE_NEWNS, NULL, NULL, NULL, 0));
	int same;
	CALL(SYS(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID, NULL, &same, NULL, 0));
}

CASE(clone3_errors)
{
	struct clone_args args = {.exit_signal = SIGCHLD};

	CALL(SYS(SYS_clone3, &args, 8));
	CALL(SYS(SYS_clone3, &args, 8192));
	CALL(SYS(SYS_clone3, BAD_ADDRESS, sizeof(args)));
	args.exit_signal = 65;
	CALL(SYS(SYS_clone3, &args, sizeof(args)));
	args.exit_signal = 0x100;
	CALL(SYS(SYS_clone3, &args, sizeof(args)));
	args = (struct clone_args){.stack = 4096};
	CALL(SYS(SYS_clone3, &args, sizeof(args)));
	args = (struct clone_args){.stack_size = 4096};
	CALL(SYS(SYS_clone3, &args, sizeof(args)));
	args = (struct clone_args){.flags = CLONE_DETACHED};
	CALL(SYS(SYS_clone3, &args, sizeof(args)));
	args = (struct clone_args){.flags = 1ull << 50};
	CALL(SYS(SYS_clone3, &args, sizeof(args)));
	args = (struct clone_args){.flags = SIGCHLD};
	CALL(SYS(SYS_clone3, &args, sizeof(args)));
	args = (struct clone_args){.set_tid_size = 1};
	CALL(SYS(SYS_clone3, &args, sizeof(args)));
	args = (struct clone_args){.flags = CLONE_SIGHAND | CLONE_VM | CLONE_CLEAR_SIGHAND};
	CALL(SYS(SYS_clone3, &args, sizeof(args)));
	args = (struct clone_args){.flags = CLONE_PARENT, .exit_signal = SIGCHLD};
	CALL(SYS(SYS_clone3, &args, sizeof(args)));
	uint64_t big[16] = {0, 0, 0, 0, SIGCHLD};
	big[12] = 1;
	CALL(SYS(SYS_clone3, big, sizeof(big)));
}

CASE(clone3_longer_struct)
{
	uint64_t big[16] = {0, 0, 0, 0, SIGCHLD};
	pid_t pid = (pid_t)SYS(SYS_clone3, big, sizeof(big));

	if (pid == 0)
		_exit(8);
	note_wait("child", pid);
}

CASE(clone3_clear_sighand)
{
	struct clone_args args = {.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};
	struct sigaction sa;

	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, SIG_IGN);
	pid_t pid = (pid_t)SYS(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		sigaction(SIGUSR1, NULL, &sa);
		NOTE("usr1 default %d", sa.sa_handler == SIG_DFL);
		sigaction(SIGUSR2, NULL, &sa);
		NOTE("usr2 ignored %d", sa.sa_handler == SIG_IGN);
		_exit(0);
	}
	note_wait("child", pid);
}

static int shared_value;

static int set_value(void *arg)
{
	shared_value = 5;
	return 11;
}

CASE(clone_vm_shares_memory)
{
	pid_t pid = clone(set_value, STACK_TOP, CLONE_VM | SIGCHLD, NULL);

	note_wait("child", pid);
	NOTE("value %d", shared_value);
}

CASE(fork_copies_memory)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(set_value(NULL));
	note_wait("child", pid);
	NOTE("value %d", shared_value);
}

CASE(vfork_runs_child_first)
{
	volatile int value = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		value = 3;
		_exit(2);
	}
	NOTE("value %d", value);
	note_wait("child", pid);
}

CASE(vfork_and_exec)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "exit 5", NULL);
		_exit(99);
	}
	note_wait("child", pid);
}

/* Once it is told, and after the pause in which a parent that was woken would run. */
static int slow_exit(void *arg)
{
	char byte;

	read(*(int *)arg, &byte, 1);
	sleep_ms(50);
	shared_value = 1;
	return 0;
}

CASE(vfork_parent_sleeps_through_signals)
{
	int fds[2];

	pipe(fds);
	signal(SIGUSR1, on_signal);
	pid_t parent = getpid();
	pid_t killer = fork();
	if (killer == 0) {
		sleep_ms(30);
		kill(parent, SIGUSR1);
		write(fds[1], "k", 1);
		_exit(0);
	}
	pid_t pid = clone(slow_exit, STACK_TOP, CLONE_VM | CLONE_VFORK | SIGCHLD, fds);
	NOTE("value %d count %d", shared_value, count);
	note_wait("child", pid);
	note_wait("killer", killer);
}

CASE(clone_settid)
{
	static volatile int parent_tid, child_tid;
	pid_t pid = (pid_t)SYS(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, NULL,
		&parent_tid, &child_tid, 0);

	if (pid == 0) {
		NOTE("child sees own tid %d", child_tid == getpid());
		_exit(0);
	}
	note_wait("child", pid);
	NOTE("parent %d, child's word in the parent %d", parent_tid == pid, child_tid);
}

CASE(clone_child_cleartid)
{
	static volatile int word = 77;
	pid_t pid = clone(set_value, STACK_TOP, CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, NULL,
		NULL, NULL, &word);

	note_wait("child", pid);
	NOTE("word %d", word);
}

CASE(clone_parent)
{
	pid_t pid = fork();

	if (pid == 0) {
		pid_t sibling = (pid_t)SYS(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0);
		if (sibling == 0)
			_exit(21);
		_exit(20);
	}
	note_wait("child", pid);
	int status = 0;
	TRUTH(waitpid(-1, &status, 0) > 0);
	note_status("sibling", status);
}

CASE(clone_files_shares_descriptors)
{
	pid_t pid = (pid_t)SYS(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);

	if (pid == 0) {
		dup2(1, 40);
		_exit(0);
	}
	note_wait("child", pid);
	CALL(fcntl(40, F_GETFD));
}

static void *return_arg(void *arg)
{
	return arg;
}

CASE(threads_join)
{
	pthread_t threads[8];

	for (long i = 0; i < 8; i++)
		RC(pthread_create(&threads[i], NULL, return_arg, (void *)i));
	for (int i = 0; i < 8; i++) {
		void *result;
		RC(pthread_join(threads[i], &result));
		NOTE("%ld", (long)result);
	}
}

static void *exit_thread(void *arg)
{
	sleep_ms(50);
	SYS(SYS_exit, 33);
	return NULL;
}

static volatile int leader_lives = 1;

/* Tells when the leader is gone, and goes when it is told. */
static void *outlive_leader(void *arg)
{
	int(*fds)[2] = arg;
	char byte;

	while (leader_lives)
		sleep_ms(1);
	write(fds[0][1], "g", 1);
	read(fds[1][0], &byte, 1);
	SYS(SYS_exit, 33);
	return NULL;
}

CASE(leader_exits_first)
{
	static int fds[2][2];
	char byte;
	pid_t pid;

	CALL(pipe(fds[0]));
	CALL(pipe(fds[1]));
	pid = fork();
	if (pid == 0) {
		pthread_t thread;
		pthread_create(&thread, NULL, outlive_leader, fds);
		SYS(SYS_set_tid_address, &leader_lives); /* zeroed when it exits */
		SYS(SYS_exit, 44);
	}
	read(fds[0][0], &byte, 1);
	CALL(waitpid(pid, NULL, WNOHANG));
	CALL(kill(pid, 0));
	write(fds[1][1], "g", 1);
	note_wait("child", pid);
}

static void *exit_group_thread(void *arg)
{
	_exit(12);
}

CASE(exit_group_from_a_thread)
{
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t thread;
		pthread_create(&thread, NULL, exit_group_thread, NULL);
		for (;;)
			;
	}
	note_wait("child", pid);
}

static void *exec_thread(void *arg)
{
	execl("/bin/sh", "sh", "-c", "test $$ = $1 && exit 17; exit 18", "sh", (char *)arg, NULL);
	_exit(99);
}

CASE(exec_from_a_thread_keeps_the_pid)
{
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t threads[2];
		char text[16];
		snprintf(text, sizeof(text), "%d", getpid());
		pthread_create(&threads[0], NULL, exit_thread, NULL);
		pthread_create(&threads[1], NULL, exec_thread, text);
		for (;;)
			pause();
	}
	note_wait("child", pid);
}

CASE(exec_from_the_leader_ends_threads)
{
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t thread;
		for (int i = 0; i < 3; i++)
			pthread_create(&thread, NULL, exit_thread, NULL);
		execl("/bin/sh", "sh", "-c", "exit 19", NULL);
	}
	note_wait("child", pid);
}

CASE(set_tid_address_returns_tid)
{
	int word;

	TRUTH(SYS(SYS_set_tid_address, &word) == gettid());
}

CASE(many_forks)
{
	int ok = 0;

	for (int i = 0; i < 100; i++) {
		int status = 0;
		pid_t pid = child_exits(i % 7);
		if (waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == i % 7)
			ok++;
	}
	NOTE("%d", ok);
}

/* ---- groups and sessions ---- */

CASE(setpgid_rules)
{
	CALL(setpgid(0, -1));
	CALL(setpgid(999999, 0));
	pid_t pid = child_waits();
	CALL(setpgid(pid, 0));
	TRUTH(getpgid(pid) == pid);
	CALL(setpgid(pid, 999999));
	CALL(setpgid(pid, getpgrp()));
	TRUTH(getpgid(pid) == getpgrp());
	CALL(setpgid(getppid(), 0));
	end(pid);
	CALL(getpgid(999999));
	TRUTH(getpgid(0) == getpgrp());
}

CASE(setpgid_after_exec)
{
	int fds[2];
	char c;

	pipe2(fds, O_CLOEXEC);
	pid_t pid = fork();
	if (pid == 0) {
		execl("/bin/sleep", "sleep", "5", NULL);
		_exit(1);
	}
	close(fds[1]);
	read(fds[0], &c, 1);
	CALL(setpgid(pid, 0));
	end(pid);
}

CASE(setsid_rules)
{
	pid_t pid = fork();

	if (pid == 0) {
		OK(setsid());
		TRUTH(getsid(0) == getpid());
		TRUTH(getpgrp() == getpid());
		CALL(setsid());
		CALL(setpgid(0, 0));
		_exit(0);
	}
	note_wait("child", pid);
	CALL(getsid(999999));
}

CASE(setpgid_of_other_session)
{
	int fds[2];
	char c;

	pipe(fds);
	pid_t pid = fork();
	if (pid == 0) {
		setsid();
		write(fds[1], "x", 1);
		for (;;)
			pause();
	}
	read(fds[0], &c, 1);
	CALL(setpgid(pid, pid));
	CALL(setpgid(0, pid));
	end(pid);
}

CASE(kill_process_group)
{
	pid_t a = child_waits(), b = child_waits();

	setpgid(a, a);
	setpgid(b, a);
	CALL(kill(-a, 0));
	CALL(kill(-a, SIGTERM));
	note_wait("a", a);
	note_wait("b", b);
	CALL(kill(-a, SIGTERM));
}

CASE(orphaned_group_gets_hup_and_cont)
{
	int fds[2];
	char c;

	/* child: a session; its child: a group of its own with a stopped member. When the tie goes,
	 * HUP and CONT come. */
	pipe(fds);
	pid_t pid = fork();
	if (pid == 0) {
		setsid();
		pid_t tie = fork();
		if (tie == 0) {
			pid_t member = fork();
			if (member == 0) {
				setpgid(0, 0);
				write(fds[1], "r", 1);
				for (;;)
					pause();
			}
			read(fds[0], &c, 1);
			kill(member, SIGSTOP);
			waitpid(member, NULL, WUNTRACED);
			_exit(0);
		}
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		setpgid(0, 0);
		note_wait("tie", tie);
		_exit(0);
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	note_wait("session", pid);
	int status = 0;
	TRUTH(waitpid(-1, &status, 0) > 0);
	note_status("member", status);
}

CASE(tstp_ignored_in_orphaned_group)
{
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		raise(SIGTSTP);
		raise(SIGTTIN);
		_exit(3);
	}
	note_wait("child", pid);
}

/* ---- pidfd ---- */

CASE(pidfd_open_rules)
{
	CALL(SYS(SYS_pidfd_open, 0, 0));
	CALL(SYS(SYS_pidfd_open, -1, 0));
	CALL(SYS(SYS_pidfd_open, 999999, 0));
	CALL(SYS(SYS_pidfd_open, getpid(), 1));
	int fd = (int)OK(SYS(SYS_pidfd_open, getpid(), 0));
	CALL(fcntl(fd, F_GETFD));
	CALL(read(fd, &fd, 4));
}

CASE(pidfd_poll_and_wait)
{
	pid_t pid = child_waits();
	int fd = (int)OK(SYS(SYS_pidfd_open, pid, 0));
	struct pollfd p = {.fd = fd, .events = POLLIN};
	siginfo_t info = {0};

	CALL(poll(&p, 1, 0));
	CALL(SYS(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
	CALL(poll(&p, 1, 5000));
	NOTE("revents %x", p.revents & POLLIN);
	CALL(waitid(P_PIDFD, fd, &info, WEXITED));
	note_info(&info, pid);
	CALL(SYS(SYS_pidfd_send_signal, fd, 0, NULL, 0));
}

CASE(pidfd_nonblock_wait)
{
	pid_t pid = child_waits();
	int fd = (int)OK(SYS(SYS_pidfd_open, pid, O_NONBLOCK));
	siginfo_t info = {0};

	CALL(waitid(P_PIDFD, fd, &info, WEXITED));
	end(pid);
}

CASE(pidfd_send_signal_rules)
{
	siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
	int fd = (int)SYS(SYS_pidfd_open, getpid(), 0);

	signal(SIGUSR1, on_signal);
	CALL(SYS(SYS_pidfd_send_signal, fd, SIGUSR1, &info, 0));
	NOTE("count %d", count);
	CALL(SYS(SYS_pidfd_send_signal, fd, SIGUSR2, &info, 0));
	CALL(SYS(SYS_pidfd_send_signal, fd, 65, NULL, 0));
	CALL(SYS(SYS_pidfd_send_signal, fd, SIGUSR1, BAD_ADDRESS, 0));
	CALL(SYS(SYS_pidfd_send_signal, 1, SIGUSR1, NULL, 0));
	CALL(SYS(SYS_pidfd_send_signal, -1, SIGUSR1, NULL, 0));
}

CASE(pidfd_send_signal_to_a_directory_of_proc)
{
	char name[64];
	pid_t pid = child_waits();

	signal(SIGUSR1, on_signal);
	int fd = (int)OK(open("/proc/self", O_RDONLY | O_DIRECTORY));
	CALL(SYS(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0));
	NOTE("count %d", count);
	CALL(SYS(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 8));
	CALL(SYS(SYS_pidfd_getfd, fd, 0, 0));
	close(fd);
	/* Nothing else there will do, nor a name without an open file. */
	fd = (int)OK(open("/proc/self/task", O_RDONLY | O_DIRECTORY));
	CALL(SYS(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0));
	fd = (int)OK(open("/proc/self/status", O_RDONLY));
	CALL(SYS(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0));
	fd = (int)OK(open("/proc/self", O_PATH));
	CALL(SYS(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0));
	snprintf(name, sizeof(name), "/proc/self/task/%d", getpid());
	fd = (int)OK(open(name, O_RDONLY));
	CALL(SYS(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0));
	/* The process is over, and its number may be another's. */
	snprintf(name, sizeof(name), "/proc/%d", pid);
	fd = (int)OK(open(name, O_RDONLY));
	CALL(SYS(SYS_pidfd_send_signal, fd, 0, NULL, 0));
	end(pid);
	CALL(SYS(SYS_pidfd_send_signal, fd, 0, NULL, 0));
}

CASE(pidfd_getfd_copies)
{
	int fds[2];
	char c = 0;

	pipe(fds);
	pid_t pid = child_waits();
	int pidfd = (int)SYS(SYS_pidfd_open, pid, 0);
	int copy = (int)OK(SYS(SYS_pidfd_getfd, pidfd, fds[1], 0));
	CALL(write(copy, "z", 1));
	CALL(read(fds[0], &c, 1));
	CALL(SYS(SYS_pidfd_getfd, pidfd, 77, 0));
	CALL(SYS(SYS_pidfd_getfd, pidfd, fds[1], 1));
	CALL(SYS(SYS_pidfd_getfd, fds[0], fds[1], 0));
	end(pid);
}

CASE(clone_pidfd)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD};
	pid_t pid = (pid_t)SYS(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		_exit(pidfd == -1 ? 3 : 4);
	TRUTH(pidfd > 2);
	CALL(fcntl(pidfd, F_GETFD));
	siginfo_t info = {0};
	CALL(waitid(P_PIDFD, pidfd, &info, WEXITED));
	note_info(&info, pid);
}
