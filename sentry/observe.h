/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_OBSERVE_H
#define SENTRY_SENTRY_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/syscall_nr.h"

/*
 * Looking at calls and changing their outcome: --strace, --trace and what else is made of records
 * (record.h), --inject. While nothing of it is on, a call costs one test of `observing` more.
 */
struct strace_sink;
struct syscall_entry;
struct task;

/* A set of calls: a bit for each number, and one for all numbers that Linux does not have. */
#define OBSERVE_WORDS  (LX_NR_COUNT / 64 + 1)
#define OBSERVE_OTHERS LX_NR_COUNT

#define INJECT_RULES_MAX   32u
#define INJECT_PATTERN_MAX 128u

/* strace(1), -e inject: which calls of a task, counted from 1, and what happens to them. */
struct inject_rule {
	uint64_t calls[OBSERVE_WORDS]; /* bit map of numbers */
	/* Only calls whose argument @arg (0: whatever they ask; else its place, counted from 1) is
	 * @value in the bits of @mask, or, with a pattern of fnmatch(3), a string that fits it. */
	uint8_t arg;
	uint64_t mask, value;
	char pattern[INJECT_PATTERN_MAX];
	uint32_t first, last, step; /* step 0: only `first`; last UINT32_MAX: no end */
	bool has_result;
	int64_t result; /* instead of the call's */
	int signo;	/* 0: none; sent before the call */
	uint64_t delay_enter_ns, delay_exit_ns;
};

/* What kernel_run() is asked for; arrays are borrowed for the run. */
struct observe_config {
	int record_fd;	       /* where records go, or -1 */
	int stacks_fd;	       /* to the unwinder (stack_wire.h), or -1: no call stacks */
	bool record_all;       /* nothing is answered within the guest */
	bool record_tasks;     /* each task, whether its calls are recorded or not */
	const uint64_t *calls; /* OBSERVE_WORDS: the numbers to be recorded */
	const struct inject_rule *rules;
	unsigned rule_count;
	const char *command; /* for RECORD_BEGIN */
};

extern bool observing;

/* Whether anybody looks; a build that is blind (benchmarks/off) has nothing to ask. */
static inline bool observe_on(void)
{
#ifdef SENTRY_BLIND
	return false;
#else
	return __builtin_expect(observing, 0);
#endif
}

void observe_strace(struct strace_sink *sink); /* before the first guest runs */
void observe_start(const struct observe_config *config, const char *platform);
/* All that is still in memory is written. What the run used is told with it. */
void observe_end(uint64_t memory, uint64_t cpu_ns, uint64_t output_size);

/* Nothing may be answered within the guest: somebody wants to see or change each call. */
bool observe_needs_all(void);

/* The call of @task, looked at. May sleep. */
int64_t observe_call(struct task *task, const struct syscall_entry *entry,
	int64_t (*call)(struct task *task, const struct syscall_entry *entry));
/* The first program of the sandbox was started, @begun (loop_monotonic_now()) until now: shown as
 * the execve(2) that it would be natively. */
void observe_first(
	struct task *task, const char *path, char *const *argv, char *const *envp, uint64_t begun);
void observe_signal(struct task *task, int signo); /* is acted on */
void observe_exit(struct task *task, int status, bool whole_process);
/* A call with number @nr was answered within the guest @count times. */
void observe_count(uint64_t nr, uint64_t count);
void observe_task_free(struct task *task);

#endif
