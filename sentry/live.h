/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_LIVE_H
#define SENTRY_SENTRY_LIVE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The page of counters of a sandbox, which `sentry ps`, `top` and `metrics` read while it runs. It
 * is memory that the launcher shares with the kernel process: the latter writes, with plain stores
 * and no host call; the launcher holds a memfd of it, sealed so that nobody else can write or
 * truncate, and readers copy that. All numbers but `answered` are the kernel process's own;
 * `answered` is what guests claim.
 *
 * One writer for each member, but for `events`, to which the gateway adds as well. Each number is
 * stored whole; numbers of one copy may be some calls apart from each other.
 */
#define LIVE_MAGIC   UINT64_C(0x316576696c797274)
#define LIVE_NUMBERS 512u /* of calls; greater ones, which Linux does not have, are the last */

/* One call in so many is timed. */
#define LIVE_SAMPLE_EVERY 64u
/* buckets[n]: calls that took less than 2^(n + LIVE_BUCKET_SHIFT) ns and no less than half of that;
 * the last one has the rest. */
#define LIVE_BUCKETS	  26u
#define LIVE_BUCKET_SHIFT 8u

/* What the audit stream tells of, by kind; counted whether there is one or not. */
enum live_event {
	LIVE_DENIED,	/* by a rule: a file, an address, a name, a socket family */
	LIVE_UNKNOWN,	/* a call that is not here, once for each number */
	LIVE_LIMIT,	/* a limit was reached */
	LIVE_VIOLATION, /* the stub's text was made to call something */
	LIVE_EVENTS,
};

struct live_call {
	uint64_t count;	   /* that came to the kernel process */
	uint64_t errors;   /* of these, by errors */
	uint64_t answered; /* besides these: in the guest, as guests claim */
};

struct live_page {
	uint64_t magic;
	uint32_t size;	     /* of the structure */
	char platform[12];   /* NUL-terminated; "" until it has started */
	uint64_t sampled_ns; /* CLOCK_MONOTONIC, of the numbers in this block; 0: none yet */
	uint64_t tasks;
	uint64_t memory;       /* bytes: private pages of all processes, swap, page tables */
	uint64_t memory_files; /* bytes: files in memory, pipes */
	uint64_t memory_peak;  /* of both together, as it was sampled */
	uint64_t output;       /* bytes on standard output and error */

	uint64_t calls, errors;
	uint64_t events[LIVE_EVENTS];
	uint64_t timed_ns, buckets[LIVE_BUCKETS];
	struct live_call call[LIVE_NUMBERS];
};

/* Never NULL: a page that nobody looks at until live_use(). */
extern struct live_page *live;

/* @page, which has LIVE_MAGIC and is zero else, is counted on from now on, in this process and its
 * forks; NULL: nobody looks. */
void live_use(struct live_page *page);
/* True: somebody may look, and samples are worth taking. */
bool live_wanted(void);
void live_set_platform(const char *name);
/* What is not counted as it happens. @memory: as platform->memory_use() adds up. */
void live_sample(uint64_t now, uint64_t memory);

/* A build that counts nothing and tells nothing of calls (benchmarks/off). */
#ifdef SENTRY_BLIND
#define LIVE_BLIND true
#else
#define LIVE_BLIND false
#endif

/* A call with number @nr begins; true: it is to be timed. */
static inline bool live_count_call(uint64_t nr)
{
	const uint64_t index = nr < LIVE_NUMBERS ? nr : LIVE_NUMBERS - 1;
	const uint64_t count = live->calls + 1;

	if (LIVE_BLIND)
		return false;
	__atomic_store_n(&live->call[index].count, live->call[index].count + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&live->calls, count, __ATOMIC_RELAXED);
	return count % LIVE_SAMPLE_EVERY == 0;
}

void live_count_error(uint64_t nr, int64_t result);
void live_count_time(uint64_t ns);

#endif
