/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_OBSERVE_MEMORY_H
#define SENTRY_SENTRY_OBSERVE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/gaddr.h"

struct task;

/*
 * The memory that is shown of a call, without asking the guest for it. What a call reads travels
 * with its request; what it is told is known here, since it passes through the platform's copies:
 * while calls are looked at, `platform` is a copy of its operations that remembers what a task
 * writes to its own memory within a call. When nobody looks, nothing of this is on anybody's way.
 */
#define OBSERVE_WRITES_MAX  32u
#define OBSERVE_WRITTEN_MAX 4096u
#define OBSERVE_WRITE_KEPT  1024u /* bytes of one write, from its beginning */

struct observe_written {
	unsigned count;
	size_t used;
	struct {
		uint64_t address, size; /* of all of it */
		uint32_t kept, offset;	/* so many bytes of it, in bytes[] */
	} writes[OBSERVE_WRITES_MAX];
	unsigned char bytes[OBSERVE_WRITTEN_MAX];
};

/* From now on writes are remembered. Before the first guest runs, after what compares `platform`.
 */
void observe_memory_start(void);

/* What @task has written in its present call, or NULL when its calls are not looked at.
 * observe.c. */
struct observe_written *observe_written_of(struct task *task);

/* Bytes of the stopped @task: those that the call wrote, those that travelled with it, or, by a
 * question to the guest, those that are there. As platform->copy_in. */
ssize_t observe_read(struct task *task, void *dst, gaddr_t src, size_t size);
/* The same for a string of which no more than its end is wanted. */
ssize_t observe_read_string(struct task *task, void *dst, gaddr_t src, size_t size);

#endif
