/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/checked.h"
#include "cmd/unwinder/unwinder.h"

/* The unwinder's host calls: one socket and memory. */
#define INT UINT32_MAX

#define SANITIZER(call)                                                                            \
	{                                                                                          \
		SYS_##call, #call, UNWINDER_SANITIZER, .constraint = "", .rest = "",               \
						       .reason = "sanitizer"                       \
	}

const struct host_call unwinder_calls[] = {
	{SYS_read, "read", UNWINDER_ALWAYS, .tests = {{0, INT, UNWINDER_FD}},
		.constraint = "the socket", .rest = "",
		.reason = "which task's stack, and what the Sentry answers"},
	{SYS_write, "write", UNWINDER_ALWAYS, .tests = {{0, INT, UNWINDER_FD}},
		.constraint = "the socket", .rest = "",
		.reason = "questions to the Sentry, and stacks"},
	{SYS_mmap, "mmap", UNWINDER_ALWAYS,
		.tests = {{2, ~(uint64_t)(PROT_READ | PROT_WRITE), 0}, {4, INT, INT}},
		.constraint = "not executable; no descriptor", .rest = "", .reason = "malloc"},
	{SYS_munmap, "munmap", UNWINDER_ALWAYS, .constraint = "", .rest = "", .reason = "malloc"},
	{SYS_mremap, "mremap", UNWINDER_ALWAYS, .tests = {{3, UINT64_MAX, MREMAP_MAYMOVE}},
		.constraint = "MREMAP_MAYMOVE", .rest = "", .reason = "realloc"},
	{SYS_brk, "brk", UNWINDER_ALWAYS, .constraint = "", .rest = "", .reason = "malloc"},
	{SYS_rt_sigprocmask, "rt_sigprocmask", UNWINDER_ALWAYS, .constraint = "", .rest = "",
		.reason = "libunwind, around its locks"},
	{SYS_exit_group, "exit_group", UNWINDER_ALWAYS, .constraint = "", .rest = "",
		.reason = "the end"},

	/* ---- builds with sanitizers: never shipped ---- */
	{SYS_mmap, "mmap", UNWINDER_SANITIZER, .tests = {{2, PROT_EXEC, 0}}, .constraint = "",
		.rest = "", .reason = "sanitizer"},
	{SYS_write, "write", UNWINDER_SANITIZER, .tests = {{0, INT, 2}}, .constraint = "",
		.rest = "", .reason = "sanitizer"},
	SANITIZER(mprotect),
	SANITIZER(madvise),
	SANITIZER(sigaltstack),
	SANITIZER(rt_sigaction),
	SANITIZER(futex),
	SANITIZER(getpid),
	SANITIZER(gettid),
	SANITIZER(sched_yield),
	SANITIZER(openat),
	SANITIZER(close),
	SANITIZER(fstat),
	SANITIZER(newfstatat),
	SANITIZER(readlink),
};
const size_t unwinder_call_count = array_size(unwinder_calls);
