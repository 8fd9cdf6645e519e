/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_FUZZ_BOOTED_H
#define SENTRY_TESTS_FUZZ_BOOTED_H

#include <stddef.h>
#include <stdint.h>

#include "abi/mman.h"

/* The memory of the kernel's only task; nothing is mapped behind it. */
#define BOOTED_REGION 0x10000000ull
#define BOOTED_SIZE   0x5000ull

struct task;
typedef void booted_fn(const uint8_t *data, size_t size);

/* The task, once booted_run() was called. */
extern struct task *booted_task;
/* Boots when that was not done, and has the task's fiber run @fn. Aborts when it cannot. */
void booted_run(booted_fn *fn, const uint8_t *data, size_t size);

/* In @fn: a system call of the task's, with what it would return to its guest. */
int64_t booted_call(uint64_t nr, const uint64_t args[6]);
int64_t booted_call3(uint64_t nr, uint64_t a, uint64_t b, uint64_t c);
/* Timers and descriptors can send any signal, and filters end a task: it goes on as if nothing had
 * been. */
void booted_revive(void);

#endif
