/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fail-call PID NUMBER ERRNO NTH: the NTH host call NUMBER of a process, all threads counted, fails
 * with ERRNO and is not made.
 *
 * The host asks the process's seccomp filter about the call that stands in the registers when its
 * entry stop is over, so what is made instead must be on the filter's list: lseek(-1), which does
 * nothing. Says "attached" on stderr; ends with the process.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>

#define THREADS_MAX 64

static struct thread {
	pid_t tid;
	int inside, failing; /* between entry and exit; the call is the one */
	struct user_regs_struct regs;
} threads[THREADS_MAX];
static unsigned thread_count;
static long number, error, left;

static struct thread *find(pid_t tid)
{
	for (unsigned i = 0; i < thread_count; i++)
		if (threads[i].tid == tid)
			return &threads[i];
	return NULL;
}

static void attach_all(pid_t pid)
{
	char path[64];
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && (entry = readdir(tasks)) && thread_count < THREADS_MAX) {
		pid_t tid = atoi(entry->d_name);

		if (tid <= 0)
			continue;
		if (ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD) < 0 ||
			ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0) {
			if (errno == ESRCH) /* it has left meanwhile */
				continue;
			perror("fail-call");
			exit(1);
		}
		threads[thread_count++].tid = tid;
	}
	if (tasks)
		closedir(tasks);
}

/* Linux answers EAGAIN to those who would wait, never to who wakes them (futex(2)): libc rightly
 * takes such a wake for done. */
static int cannot_fail(const struct user_regs_struct *regs)
{
	return number == SYS_futex && error == EAGAIN && (regs->rsi & 0x7f) != 0 /* WAIT */ &&
	       (regs->rsi & 0x7f) != 9 /* WAIT_BITSET */;
}

static void enter(struct thread *thread)
{
	struct user_regs_struct regs;

	if (left <= 0 || ptrace(PTRACE_GETREGS, thread->tid, 0, &thread->regs) < 0)
		return;
	if ((long)thread->regs.orig_rax != number || cannot_fail(&thread->regs) || --left > 0)
		return;
	thread->failing = 1;
	regs = thread->regs;
	regs.orig_rax = SYS_lseek;
	regs.rdi = (uint64_t)-1;
	ptrace(PTRACE_SETREGS, thread->tid, 0, &regs);
}

static void leave(struct thread *thread)
{
	if (!thread->failing)
		return;
	thread->failing = 0;
	thread->regs.rax = (uint64_t)-error;
	/* No call that could be restarted. */
	thread->regs.orig_rax = (uint64_t)-1;
	ptrace(PTRACE_SETREGS, thread->tid, 0, &thread->regs);
}

static void stopped(struct thread *thread, int status)
{
	int signo = WSTOPSIG(status), event = status >> 16;

	if (signo == (SIGTRAP | 0x80)) {
		if (thread->inside)
			leave(thread);
		else
			enter(thread);
		thread->inside = !thread->inside;
		signo = 0;
	} else if (event == PTRACE_EVENT_STOP) {
		if (signo == SIGSTOP || signo == SIGTSTP) {
			ptrace(PTRACE_LISTEN, thread->tid, 0, 0);
			return;
		}
		signo = 0;
	} else if (signo == SIGILL || signo == SIGSYS) {
		/* The first process of a PID namespace dies of its faults only while nobody traces
		 * it: it comes by this instruction again. */
		ptrace(PTRACE_DETACH, thread->tid, 0, 0);
		return;
	}
	ptrace(left > 0 || thread->failing ? PTRACE_SYSCALL : PTRACE_CONT, thread->tid, 0, signo);
}

int main(int argc, char **argv)
{
	unsigned seen = 0;
	int status;
	pid_t tid;

	if (argc < 5)
		return 2;
	number = atol(argv[2]);
	error = atol(argv[3]);
	left = atol(argv[4]);
	attach_all(atoi(argv[1]));
	while ((tid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		struct thread *thread = find(tid);

		if (!thread || !WIFSTOPPED(status))
			continue;
		stopped(thread, status);
		if (++seen == thread_count)
			fputs("attached\n", stderr);
	}
	return 0;
}
