/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meter REPORT COMMAND [ARG...]: runs COMMAND and writes to the file REPORT how long it took and
 * how much CPU time its whole tree of processes burnt.
 *
 * The processes of a sandbox need not be waited for by each other, and whoever is reaped by nobody
 * (SIGCHLD ignored, exit signal 0) is missing from getrusage(RUSAGE_CHILDREN). A task-clock event
 * with `inherit` counts every descendant however it ends (perf_event_open(2)). Where the host
 * forbids it, the rusage of the command stands in, and the report says so.
 */
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int open_task_clock(pid_t pid)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_TASK_CLOCK,
		.disabled = 1,
		.inherit = 1,
		.enable_on_exec = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static uint64_t timeval_ns(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_usec * 1000;
}

int main(int argc, char **argv)
{
	uint64_t begin, wall, cpu = 0;
	struct rusage usage;
	int go[2], status, clock;
	const char *source = "task-clock";
	FILE *report;
	pid_t pid;

	if (argc < 3 || pipe(go) < 0)
		return 2;
	pid = fork();
	if (pid == 0) {
		char byte;

		close(go[1]);
		if (read(go[0], &byte, 1) != 1)
			_exit(125);
		close(go[0]);
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	clock = open_task_clock(pid);
	close(go[0]);
	begin = now_ns();
	if (pid < 0 || write(go[1], "", 1) != 1 || wait4(pid, &status, 0, &usage) != pid) {
		perror("meter");
		return 125;
	}
	wall = now_ns() - begin;
	/* Orphans that are still dying are read as they are. */
	if (clock < 0 || read(clock, &cpu, sizeof(cpu)) != sizeof(cpu)) {
		cpu = timeval_ns(&usage.ru_utime) + timeval_ns(&usage.ru_stime);
		source = "rusage";
	}
	report = fopen(argv[1], "w");
	if (!report) {
		perror(argv[1]);
		return 125;
	}
	fprintf(report, "{\"wall_ns\": %llu, \"cpu_ns\": %llu, \"cpu_source\": \"%s\"}\n",
		(unsigned long long)wall, (unsigned long long)cpu, source);
	fclose(report);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
