/* SPDX-License-Identifier: Apache-2.0 */
/* ptrace(2): ATTACH, SEIZE, group stops, waits, the end of tracers, rights. */
#include "ptrace.h"

#include <pthread.h>
#include <sys/prctl.h>

static void sleep_forever(void)
{
	for (;;)
		pause();
}

static void compute_forever(void)
{
	for (volatile unsigned long i = 0;; i++)
		;
}

static int tracer_of(pid_t pid)
{
	char path[64], text[4096] = "", *line;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	text[read(fd, text, sizeof(text) - 1)] = '\0';
	close(fd);
	line = strstr(text, "TracerPid:\t");
	return line ? atoi(line + 11) : -1;
}

/* ---- attaching ---------------------------------------------------------------------------------
 */

static void attach_and_detach(void (*fn)(void))
{
	pid_t pid = child(fn);

	sleep_ms(20);
	CALL(pt(PTRACE_ATTACH, pid, 0, 0));
	say_wait("attached", pid);
	say_siginfo("attached", pid);
	NOTE("state %c, tracer is us: %d", state_of(pid), tracer_of(pid) == getpid());
	CALL(pt(PTRACE_ATTACH, pid, 0, 0));
	CALL(pt(PTRACE_SEIZE, pid, 0, 0));
	CALL(pt(PTRACE_DETACH, pid, 0, 0));
	NOTE("tracer %d", tracer_of(pid));
	CALL(pt(PTRACE_DETACH, pid, 0, 0));
	finish(pid);
}

CASE(attach_sleeping)
{
	attach_and_detach(sleep_forever);
}

CASE(attach_computing)
{
	attach_and_detach(compute_forever);
}

CASE(attach_stopped)
{
	pid_t pid = child(sleep_forever);
	int status;

	sleep_ms(10);
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	say_status("stopped", status);
	CALL(pt(PTRACE_ATTACH, pid, 0, 0));
	say_wait("attached", pid);
	CALL(pt(PTRACE_DETACH, pid, 0, 0));
	sleep_ms(20);
	NOTE("state %c", state_of(pid));
	kill(pid, SIGCONT);
	CALL(waitpid(pid, &status, WCONTINUED | WNOHANG) == pid);
	finish(pid);
}

CASE(detach_with_signal)
{
	pid_t pid = child(sleep_forever);

	CALL(pt(PTRACE_ATTACH, pid, 0, 0));
	say_wait("attached", pid);
	CALL(pt(PTRACE_DETACH, pid, 0, SIGTERM));
	say_wait("end", pid);
}

static void sleep_once(void)
{
	struct timespec time = {0, 200000000}, rest = {0, 0};
	int r = nanosleep(&time, &rest);

	NOTE("nanosleep %d", r);
	_exit(6);
}

/* What is interrupted by a tracer goes on as if nothing had been. */
CASE(attach_restarts_calls)
{
	pid_t pid = child(sleep_once);

	sleep_ms(20);
	CALL(pt(PTRACE_ATTACH, pid, 0, 0));
	say_wait("attached", pid);
	CALL(pt(PTRACE_DETACH, pid, 0, 0));
	say_wait("end", pid);
}

CASE(seize_interrupt)
{
	pid_t pid = child(sleep_forever);
	int status;

	sleep_ms(10);
	CALL(pt(PTRACE_SEIZE, pid, 1, 0));
	CALL(pt(PTRACE_SEIZE, pid, 0, 0x1000));
	CALL(pt(PTRACE_SEIZE, pid, 0, 0));
	CALL(waitpid(pid, &status, WNOHANG | __WALL));
	CALL(pt(PTRACE_CONT, pid, 0, 0));
	CALL(pt(PTRACE_INTERRUPT, pid, 0, 0));
	say_wait("interrupted", pid);
	say_siginfo("interrupted", pid);
	CALL(pt(PTRACE_INTERRUPT, pid, 0, 0));
	CALL(pt(PTRACE_CONT, pid, 0, 0));
	say_wait("interrupted", pid);
	CALL(pt(PTRACE_CONT, pid, 0, 0));
	CALL(waitpid(pid, &status, WNOHANG | __WALL));
	finish(pid);
}

CASE(seize_computing)
{
	pid_t pid = child(compute_forever);

	CALL(pt(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD));
	for (int i = 0; i < 3; i++) {
		CALL(pt(PTRACE_INTERRUPT, pid, 0, 0));
		say_wait("interrupted", pid);
		CALL(pt(PTRACE_CONT, pid, 0, 0));
	}
	finish(pid);
}

/* ---- group stops -------------------------------------------------------------------------------
 */

CASE(group_stop_traced)
{
	pid_t pid = traced(sleep_forever);

	pt(PTRACE_CONT, pid, 0, 0);
	kill(pid, SIGSTOP);
	say_wait("delivery", pid);
	say_siginfo("delivery", pid);
	pt(PTRACE_CONT, pid, 0, SIGSTOP);
	say_wait("group stop", pid);
	say_siginfo("group stop", pid);
	/* It runs although its group is stopped. */
	pt(PTRACE_CONT, pid, 0, 0);
	kill(pid, SIGUSR1);
	say_wait("signal", pid);
	pt(PTRACE_CONT, pid, 0, 0);
	kill(pid, SIGCONT);
	say_wait("SIGCONT", pid);
	finish(pid);
}

CASE(group_stop_seized)
{
	pid_t pid = child(sleep_forever);
	int status;

	CALL(pt(PTRACE_SEIZE, pid, 0, 0));
	sleep_ms(10);
	kill(pid, SIGSTOP);
	say_wait("delivery", pid);
	CALL(pt(PTRACE_LISTEN, pid, 0, 0));
	CALL(pt(PTRACE_CONT, pid, 0, SIGSTOP));
	say_wait("group stop", pid);
	say_siginfo("group stop", pid);
	CALL(pt(PTRACE_LISTEN, pid, 0, 0));
	CALL(waitpid(pid, &status, WNOHANG | __WALL));
	CALL(pt(PTRACE_CONT, pid, 0, 0));
	kill(pid, SIGCONT);
	say_wait("listening", pid);
	say_siginfo("listening", pid);
	CALL(pt(PTRACE_CONT, pid, 0, 0));
	say_wait("SIGCONT", pid);
	CALL(pt(PTRACE_CONT, pid, 0, 0));
	finish(pid);
}

CASE(seize_stopped)
{
	pid_t pid = child(sleep_forever);
	int status;

	sleep_ms(10);
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	CALL(pt(PTRACE_SEIZE, pid, 0, 0));
	say_wait("seized", pid);
	CALL(pt(PTRACE_LISTEN, pid, 0, 0));
	CALL(pt(PTRACE_INTERRUPT, pid, 0, 0));
	say_wait("interrupted", pid);
	CALL(pt(PTRACE_DETACH, pid, 0, 0));
	sleep_ms(20);
	NOTE("state %c", state_of(pid));
	finish(pid);
}

static void *thread_sleeps(void *arg)
{
	sleep_forever();
	return NULL;
}

static void with_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, thread_sleeps, NULL);
	sleep_forever();
}

/* One thread is traced, the other is not: both stop, and the parent hears of it. */
CASE(group_stop_of_a_traced_thread)
{
	pid_t pid = child(with_thread);
	int status;

	sleep_ms(50);
	CALL(pt(PTRACE_SEIZE, pid, 0, 0));
	kill(pid, SIGSTOP);
	say_wait("delivery", pid);
	CALL(pt(PTRACE_CONT, pid, 0, SIGSTOP));
	say_wait("group stop", pid);
	CALL(pt(PTRACE_DETACH, pid, 0, 0));
	CALL(waitpid(pid, &status, WUNTRACED) == pid);
	say_status("as parent", status);
	finish(pid);
}

/* ---- waits -------------------------------------------------------------------------------------
 */

CASE(waitid_of_a_tracee)
{
	pid_t pid = traced(sleep_forever);
	siginfo_t info;

	pt(PTRACE_CONT, pid, 0, 0);
	kill(pid, SIGUSR1);
	memset(&info, 0, sizeof(info));
	CALL(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | __WALL | WSTOPPED));
	NOTE("code %d status %d", info.si_code, info.si_status);
	memset(&info, 0, sizeof(info));
	CALL(waitid(P_ALL, 0, &info, WEXITED | __WALL));
	NOTE("code %d status %d", info.si_code, info.si_status);
	CALL(waitid(P_ALL, 0, &info, WEXITED | __WALL | WNOHANG));
	finish(pid);
}

static void on_child(int signo)
{
}

static volatile int child_code, child_status, child_signals;

static void on_child_info(int signo, siginfo_t *info, void *context)
{
	child_signals++;
	child_code = info->si_code;
	child_status = info->si_status;
}

CASE(sigchld_of_stops)
{
	struct sigaction action = {.sa_sigaction = on_child_info, .sa_flags = SA_SIGINFO};
	pid_t pid = traced(sleep_forever);

	sigaction(SIGCHLD, &action, NULL);
	pt(PTRACE_CONT, pid, 0, 0);
	kill(pid, SIGUSR2);
	while (!child_signals)
		sleep_ms(1);
	NOTE("code %d status %d", child_code, child_status);
	say_wait("stop", pid);
	action.sa_flags |= SA_NOCLDSTOP;
	sigaction(SIGCHLD, &action, NULL);
	child_signals = 0;
	pt(PTRACE_CONT, pid, 0, 0);
	kill(pid, SIGUSR2);
	say_wait("stop", pid);
	NOTE("signals %d", child_signals);
	signal(SIGCHLD, on_child);
	finish(pid);
}

static pid_t waited;

static void *wait_in_thread(void *arg)
{
	int status;

	CALL(waitpid(waited, &status, __WALL) == waited);
	say_status("in a thread", status);
	CALL(waitpid(waited, &status, __WALL | __WNOTHREAD));
	CALL(pt(PTRACE_CONT, waited, 0, 0));
	return NULL;
}

/* Any thread may wait, only the tracer may ask. */
CASE(threads_of_the_tracer)
{
	pthread_t thread;

	waited = traced(sleep_forever);
	pt(PTRACE_CONT, waited, 0, 0);
	kill(waited, SIGUSR1);
	pthread_create(&thread, NULL, wait_in_thread, NULL);
	pthread_join(thread, NULL);
	CALL(pt(PTRACE_CONT, waited, 0, 0));
	finish(waited);
}

static void *trace_in_thread(void *arg)
{
	CALL(pt(PTRACE_SEIZE, waited, 0, 0));
	CALL(pt(PTRACE_INTERRUPT, waited, 0, 0));
	say_wait("tracer", waited);
	return NULL;
}

/* The tracer is a thread: with it the relation ends. */
CASE(tracer_thread_exits)
{
	pthread_t thread;

	waited = child(sleep_forever);
	sleep_ms(10);
	pthread_create(&thread, NULL, trace_in_thread, NULL);
	pthread_join(thread, NULL);
	for (int i = 0; i < 200 && tracer_of(waited) != 0; i++)
		sleep_ms(1);
	NOTE("tracer %d", tracer_of(waited));
	CALL(pt(PTRACE_SEIZE, waited, 0, 0));
	finish(waited);
}

/* ---- a tracer that is not the parent
 * ------------------------------------------------------------- */

static int ready[2];

static void trace_sibling(void)
{
	char byte;

	read(ready[0], &byte, 1);
	CALL(pt(PTRACE_SEIZE, waited, 0, 0));
	kill(waited, SIGTERM);
	say_wait("tracer: delivery", waited);
	CALL(pt(PTRACE_CONT, waited, 0, SIGTERM));
	say_wait("tracer: end", waited);
	CALL(waitpid(waited, NULL, __WALL));
}

CASE(stranger_traces)
{
	pid_t tracer;
	int status;

	pipe(ready);
	waited = child(sleep_forever);
	sleep_ms(10);
	tracer = child(trace_sibling);
	write(ready[1], "x", 1);
	note_wait("tracer", tracer);
	CALL(waitpid(waited, &status, 0) == waited);
	say_status("parent", status);
}

static void trace_and_leave(void)
{
	CALL(pt(PTRACE_SEIZE, waited, 0, 0));
	CALL(pt(PTRACE_INTERRUPT, waited, 0, 0));
	say_wait("tracer", waited);
}

CASE(tracer_leaves)
{
	pid_t tracer;
	int status;

	waited = child(sleep_forever);
	sleep_ms(10);
	tracer = child(trace_and_leave);
	note_wait("tracer", tracer);
	NOTE("tracer %d", tracer_of(waited));
	CALL(waitpid(waited, &status, WNOHANG));
	finish(waited);
}

static void trace_and_kill(void)
{
	CALL(pt(PTRACE_SEIZE, waited, 0, PTRACE_O_EXITKILL));
}

CASE(tracer_leaves_exitkill)
{
	pid_t tracer;

	waited = child(sleep_forever);
	tracer = child(trace_and_kill);
	note_wait("tracer", tracer);
	say_wait("tracee", waited);
}

/* A zombie is the tracer's first, even when it does not care. */
static void trace_to_the_end(void)
{
	siginfo_t info;

	CALL(pt(PTRACE_SEIZE, waited, 0, 0));
	kill(waited, SIGKILL);
	CALL(waitid(P_PID, (id_t)waited, &info, WEXITED | WNOWAIT | __WALL));
	write(ready[1], "x", 1);
	sleep_ms(100);
}

CASE(zombie_of_a_stranger)
{
	pid_t tracer;
	int status;
	char byte;

	pipe(ready);
	waited = child(sleep_forever);
	tracer = child(trace_to_the_end);
	read(ready[0], &byte, 1);
	CALL(waitpid(waited, &status, WNOHANG));
	note_wait("tracer", tracer);
	CALL(waitpid(waited, &status, 0) == waited);
	say_status("parent", status);
}

/* ---- rights ------------------------------------------------------------------------------------
 */

CASE(rights_of_another_user)
{
	pid_t pid, other;

	if (getuid() != 0)
		SKIP("needs root");
	pid = child(sleep_forever);
	other = fork();
	if (other == 0) {
		setgid(1000);
		setuid(1000);
		CALL(pt(PTRACE_ATTACH, pid, 0, 0));
		CALL(pt(PTRACE_SEIZE, pid, 0, 0));
		CALL(pt(PTRACE_ATTACH, 1, 0, 0));
		_exit(0);
	}
	note_wait("other", other);
	finish(pid);
}

static void become_user(void)
{
	setgid(1000);
	setuid(1000);
}

static void undumpable(void)
{
	become_user();
	prctl(PR_SET_DUMPABLE, 0);
	write(ready[1], "x", 1);
	sleep_forever();
}

static void dumpable(void)
{
	become_user();
	prctl(PR_SET_DUMPABLE, 1);
	write(ready[1], "x", 1);
	sleep_forever();
}

static void try_both(pid_t closed, pid_t open)
{
	become_user();
	CALL(pt(PTRACE_SEIZE, closed, 0, 0));
	CALL(pt(PTRACE_SEIZE, open, 0, 0));
	CALL(pt(PTRACE_INTERRUPT, open, 0, 0));
	say_wait("open", open);
}

CASE(rights_dumpable)
{
	pid_t closed, open, tracer;
	char bytes[2];

	if (getuid() != 0)
		SKIP("needs root");
	pipe(ready);
	closed = child(undumpable);
	open = child(dumpable);
	read(ready[0], bytes, 1);
	read(ready[0], bytes, 1);
	tracer = fork();
	if (tracer == 0) {
		try_both(closed, open);
		_exit(0);
	}
	note_wait("tracer", tracer);
	finish(closed);
	finish(open);
}
