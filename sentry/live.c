/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing the page of counters (live.h). Calls are counted by dispatch(), events by whoever tells
 * the audit stream; the rest is looked at by the sampler of the limits, once a second.
 *
 * The page is trusted by nobody: a kernel process that was taken over may write what it likes
 * there, and readers show it as numbers.
 */
#include "sentry/live.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "platform/platform.h"
#include "sentry/kernel.h"
#include "vfs/vfs.h"

static struct live_page unseen;

struct live_page *live = &unseen;

static void put(uint64_t *number, uint64_t value)
{
	__atomic_store_n(number, value, __ATOMIC_RELAXED);
}

static void count_event(const char *event)
{
	static const struct {
		const char *name;
		enum live_event kind;
	} kinds[] = {{"denied", LIVE_DENIED}, {"unknown-syscall", LIVE_UNKNOWN},
		{"limit", LIVE_LIMIT}, {"containment-violation", LIVE_VIOLATION}};

	for (size_t i = 0; i < array_size(kinds); i++)
		if (strcmp(kinds[i].name, event) == 0)
			(void)__atomic_fetch_add(&live->events[kinds[i].kind], 1, __ATOMIC_RELAXED);
}

void live_use(struct live_page *page)
{
	live = page ? page : &unseen;
	audit_set_counter(page ? count_event : NULL);
}

bool live_wanted(void)
{
	return live != &unseen;
}

void live_set_platform(const char *name)
{
	const size_t size = min_of(strlen(name), sizeof(live->platform) - (size_t)1);

	memcpy(live->platform, name, size);
}

static void put_answered(uint64_t nr, uint64_t count)
{
	if (nr < LIVE_NUMBERS)
		put(&live->call[nr].answered, count);
}

void live_sample(uint64_t now, uint64_t memory)
{
	const uint64_t files = tmpfs_memory_used();

	if (platform->answered)
		platform->answered(put_answered);
	put(&live->tasks, kernel.task_count);
	put(&live->memory, memory);
	put(&live->memory_files, files);
	put(&live->memory_peak, max_of(live->memory_peak, memory + files));
	put(&live->output, output_size());
	put(&live->sampled_ns, now);
}

/* Restarts of a call are none; that is the kernel's own numbers, ERESTARTSYS and relatives. */
void live_count_error(uint64_t nr, int64_t result)
{
	const uint64_t index = nr < LIVE_NUMBERS ? nr : LIVE_NUMBERS - 1;

	if (result < -511 || result >= 0)
		return;
	put(&live->call[index].errors, live->call[index].errors + 1);
	put(&live->errors, live->errors + 1);
}

void live_count_time(uint64_t ns)
{
	const unsigned bits = ns ? 64 - (unsigned)__builtin_clzll(ns) : 0;
	const unsigned bucket = bits > LIVE_BUCKET_SHIFT ? bits - LIVE_BUCKET_SHIFT : 0;
	uint64_t *const count = &live->buckets[min_of(bucket, LIVE_BUCKETS - 1)];

	put(count, *count + 1);
	put(&live->timed_ns, live->timed_ns + ns);
}
