/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/observe_memory.h"

#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "platform/platform.h"
#include "sentry/task_private.h"

/* Reads up to this size are copied while calls are looked at: more is quicker by the platform's own
 * mapping of the file, and one question for its first bytes. */
#define CONTENT_COPIED_MAX (16u << 10)

static const struct platform_ops *real;
static struct platform_ops watched;

/* ---- what was written ------------------------------------------------------------------------ */

/* What does not fit any more makes the log end: what it knows could be out of date. */
static void remember(
	struct observe_written *written, uint64_t address, const void *src, size_t size)
{
	size_t kept = min_of(size, (size_t)OBSERVE_WRITE_KEPT);

	if (written->count == OBSERVE_WRITES_MAX) {
		written->count = 0;
		written->used = OBSERVE_WRITTEN_MAX;
	}
	kept = min_of(kept, OBSERVE_WRITTEN_MAX - written->used);
	written->writes[written->count].address = address;
	written->writes[written->count].size = size;
	written->writes[written->count].kept = (uint32_t)kept;
	written->writes[written->count].offset = (uint32_t)written->used;
	memcpy(written->bytes + written->used, src, kept);
	written->used += kept;
	written->count++;
}

/* Whether all of [src, src + size) is in the latest write that has any of it. */
static bool recall(const struct observe_written *written, void *dst, uint64_t src, size_t size)
{
	for (unsigned i = written->count; i > 0; i--) {
		uint64_t address = written->writes[i - 1].address;
		uint64_t end = address + written->writes[i - 1].size, skip = src - address;

		if (src >= end || src + size <= address)
			continue;
		if (src < address || skip + size > written->writes[i - 1].kept)
			return false;
		memcpy(dst, written->bytes + written->writes[i - 1].offset + skip, size);
		return true;
	}
	return false;
}

static void note(struct platform_thread *thread, gaddr_t dst, const void *src, size_t size)
{
	struct task *task = task_current();
	struct observe_written *written =
		task && task->thread == thread ? observe_written_of(task) : NULL;

	if (written && size > 0)
		remember(written, dst.v, src, size);
}

/* ---- the platform's copies ------------------------------------------------------------------- */

static ssize_t copy_out(struct platform_thread *thread, gaddr_t dst, const void *src, size_t size)
{
	ssize_t copied = real->copy_out(thread, dst, src, size);

	if (copied > 0)
		note(thread, dst, src, (size_t)copied);
	return copied;
}

static int copy_out_deferred(
	struct platform_thread *thread, gaddr_t dst, const void *src, size_t size)
{
	int r = real->copy_out_deferred(thread, dst, src, size);

	if (r == 0)
		note(thread, dst, src, size);
	return r;
}

static void copy_out_lossy(
	struct platform_thread *thread, gaddr_t dst, const void *src, size_t size)
{
	real->copy_out_lossy(thread, dst, src, size);
	note(thread, dst, src, size);
}

static ssize_t copy_content(struct platform_thread *thread, gaddr_t dst,
	const struct platform_content *content, uint64_t offset, size_t size, uint64_t before)
{
	if (size <= CONTENT_COPIED_MAX)
		return -EAGAIN;
	return real->copy_content(thread, dst, content, offset, size, before);
}

void observe_memory_start(void)
{
	if (real)
		return;
	real = platform;
	watched = *platform;
	watched.copy_out = copy_out;
	watched.copy_out_deferred = copy_out_deferred;
	watched.copy_out_lossy = real->copy_out_lossy ? copy_out_lossy : NULL;
	watched.copy_content = real->copy_content ? copy_content : NULL;
	platform = &watched;
}

/* ---- reading --------------------------------------------------------------------------------- */

ssize_t observe_read(struct task *task, void *dst, gaddr_t src, size_t size)
{
	const struct observe_written *written = observe_written_of(task);

	if (!task->thread || src.v >= platform->guest_end().v)
		return -EFAULT;
	if (written && src.v + size >= src.v && recall(written, dst, src.v, size))
		return (ssize_t)size;
	return platform->copy_in(task->thread, dst, src, size);
}

ssize_t observe_read_string(struct task *task, void *dst, gaddr_t src, size_t size)
{
	size_t got = 0;

	if (task->thread && src.v < platform->guest_end().v && platform->string_at_hand)
		got = platform->string_at_hand(task->thread, dst, src, size);
	return got > 0 ? (ssize_t)got : observe_read(task, dst, src, size);
}
