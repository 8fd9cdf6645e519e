/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_PLATFORM_NULL_NULL_H
#define SENTRY_PLATFORM_NULL_NULL_H

#include "platform/platform.h"

/*
 * How a unit test drives platform_null: no code runs, events are scripted, memory is a sparse array
 * of pages with protections. run() takes the next scripted event; with none left it sleeps until
 * interrupt(), as_kill() or a push.
 */

/* Appends an event to the thread's script. 0 or -ENOMEM. */
int null_push_syscall(struct platform_thread *thread, uint64_t nr, const uint64_t args[6]);
int null_push_fault(struct platform_thread *thread, int signo, int code, uint64_t addr);
int null_push_exit(struct platform_thread *thread, int host_status);

/* rax as the kernel left it when it last called run(): the result of the last scripted call. */
uint64_t null_last_result(const struct platform_thread *thread);

/* Bypass protections, as a test's view of guest memory; the pages must be mapped. Return false
 * where one is not. */
bool null_memory_write(struct platform_as *as, gaddr_t addr, const void *src, size_t size);
bool null_memory_read(struct platform_as *as, gaddr_t addr, void *dst, size_t size);
/* LX_PROT_* of the page, or -1 when nothing is mapped there. */
int null_protection(struct platform_as *as, gaddr_t addr);

/* The mapping operations that were asked for, oldest first, those that failed included. */
enum null_op { NULL_MAP, NULL_UNMAP, NULL_PROTECT, NULL_REMAP, NULL_ADVISE };
struct null_record {
	enum null_op op;
	gaddr_t addr, new_addr;
	uint64_t size, new_size, offset;
	int prot; /* or the advice */
	int fd;
	bool shared, noreserve;
	int result;
};
#define NULL_RECORDS_MAX 64 /* older ones are forgotten */
size_t null_record_count(
	const struct platform_as *as); /* since the address space began; may exceed the maximum */
/* @back 0 is the latest. NULL when there is none or it was forgotten. */
const struct null_record *null_record(const struct platform_as *as, size_t back);

/* The @n-th map, unmap, protect or remap from now on (1 = the next) fails with @err (negative). 0 =
 * none. */
void null_fail_mapping(struct platform_as *as, unsigned n, int err);

#endif
