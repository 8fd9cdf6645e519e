/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_PLATFORM_NULL_PRIVATE_H
#define SENTRY_PLATFORM_NULL_PRIVATE_H

/* Private to platform/null/. */

#include "abi/limits.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/wait.h"
#include "platform/null/null.h"

#define GUEST_END     0x7fffff000000ull
#define PAGES_MAX     (64u * 1024) /* mapped pages of an address space: unit tests are small */
#define FPU_SIZE      832	   /* legacy area, header, AVX */
#define NUMBER_PUSHED 1024

struct null_page {
	struct hash_entry node;
	uint64_t index; /* address / LX_PAGE_SIZE */
	int prot;
	bool shared; /* @bytes is a host mapping of a file, else malloc()ed */
	uint8_t *bytes;
};

struct platform_as {
	struct hash_table pages;
	unsigned page_count, thread_count;
	bool dead;
	struct null_record records[NULL_RECORDS_MAX];
	size_t record_count;
	unsigned fail_after;
	int fail_error;
	struct wait_queue wakeups; /* of threads in run() */
	struct wait_queue futexes;
	struct list_head futex_waiters;
};

struct scripted {
	struct list_head link;
	struct platform_event event;
};

struct null_thread {
	struct platform_thread pub; /* first: the two pointers convert */
	struct list_head script;
	unsigned script_count;
	bool interrupted, active;
	uint64_t last_result;
	uint8_t fpu[FPU_SIZE];
};

static inline struct null_thread *thread_of(const struct platform_thread *thread)
{
	return (struct null_thread *)thread;
}

/* null_memory.c */

/* Adds a fresh page; its contents come from @map's file at @offset, or are zero. */
int null_page_add(struct platform_as *as, uint64_t index, int prot, const struct platform_map *map,
	uint64_t offset);
int null_as_copy(struct platform_as *to, struct platform_as *from);
void null_pages_free(struct platform_as *as);

/* The slots of platform_ops that concern memory. */
ssize_t null_copy_in(struct platform_thread *thread, void *dst, gaddr_t src, size_t size);
ssize_t null_copy_out(struct platform_thread *thread, gaddr_t dst, const void *src, size_t size);
int null_copy_out_deferred(
	struct platform_thread *thread, gaddr_t dst, const void *src, size_t size);
int null_map(struct platform_thread *thread, const struct platform_map *map);
int null_unmap(struct platform_thread *thread, gaddr_t addr, uint64_t size);
int null_protect(struct platform_thread *thread, gaddr_t addr, uint64_t size, int prot);
int null_remap(struct platform_thread *thread, gaddr_t old_addr, uint64_t old_size,
	uint64_t new_size, gaddr_t new_addr);
int null_advise(struct platform_thread *thread, gaddr_t addr, uint64_t size, int advice);

#endif
