/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "abi/limits.h"
#include "abi/uio.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/task.h"

/*
 * Guest memory for handlers: all-or-error copies over the platform's partial ones. Addresses above
 * the guest's end are refused here, so that no platform is ever asked for its own stub's memory.
 */

/* The bytes from @addr that lie below the guest's end, at most @size. */
static size_t size_below_end(gaddr_t addr, size_t size)
{
	uint64_t end = platform->guest_end().v;

	if (addr.v >= end)
		return 0;
	return min_of((uint64_t)size, end - addr.v);
}

/* The answer of a platform copy of @size bytes. A dead thread leaves at its next return: what it
 * reads then is of no interest. */
static int copy_result(ssize_t copied, size_t size)
{
	if (copied < 0)
		return copied == -ESRCH ? -EINTR : (int)copied;
	return (size_t)copied == size ? 0 : -EFAULT;
}

int guest_read(struct task *task, void *dst, gaddr_t src, size_t size)
{
	if (size == 0)
		return 0;
	if (!task->thread || size_below_end(src, size) != size)
		return -EFAULT;
	return copy_result(platform->copy_in(task->thread, dst, src, size), size);
}

int guest_write(struct task *task, gaddr_t dst, const void *src, size_t size)
{
	if (size == 0)
		return 0;
	if (!task->thread || size_below_end(dst, size) != size)
		return -EFAULT;
	return copy_result(platform->copy_out(task->thread, dst, src, size), size);
}

int guest_write_result(struct task *task, gaddr_t dst, const void *src, size_t size)
{
	int r;

	if (size == 0)
		return 0;
	if (!task->thread || size_below_end(dst, size) != size)
		return -EFAULT;
	r = platform->copy_out_deferred(task->thread, dst, src, size);
	return r == -ESRCH ? -EINTR : r;
}

void guest_write_lossy(struct task *task, gaddr_t dst, const void *src, size_t size)
{
	if (!task->thread || size_below_end(dst, size) != size)
		return;
	if (platform->copy_out_lossy)
		platform->copy_out_lossy(task->thread, dst, src, size);
	else
		(void)platform->copy_out(task->thread, dst, src, size);
}

ssize_t guest_read_string(struct task *task, char *dst, gaddr_t src, size_t capacity)
{
	size_t done = 0;

	if (!task->thread)
		return -EFAULT;
	/* Names travel with their request: no need to ask for what lies behind them. */
	if (platform->string_at_hand && size_below_end(src, 1)) {
		done = platform->string_at_hand(task->thread, dst, src, capacity);
		if (done)
			return (ssize_t)done - 1;
	}
	while (done < capacity) {
		gaddr_t at = gaddr_add(src, done);
		/* Up to a page border: what lies behind the string may not be readable. */
		size_t chunk =
			min_of(capacity - done, (size_t)(LX_PAGE_SIZE - at.v % LX_PAGE_SIZE));
		ssize_t copied;
		char *end;

		/* The first look is short: most strings are. */
		chunk = size_below_end(at, done == 0 ? min_of(chunk, (size_t)256) : chunk);
		if (chunk == 0)
			return -EFAULT;
		copied = platform->copy_in(task->thread, dst + done, at, chunk);
		if (copied < 0)
			return copied == -ESRCH ? -EINTR : copied;
		end = memchr(dst + done, '\0', (size_t)copied);
		if (end)
			return end - dst;
		if ((size_t)copied != chunk)
			return -EFAULT;
		done += chunk;
	}
	return -ENAMETOOLONG;
}

int guest_read_path(struct task *task, gaddr_t src, char **ret_path)
{
	char buffer[LX_PATH_MAX];
	ssize_t length = guest_read_string(task, buffer, src, sizeof(buffer));
	char *path;

	if (length < 0)
		return (int)length;
	path = malloc((size_t)length + 1);
	if (!path)
		return -ENOMEM;
	memcpy(path, buffer, (size_t)length + 1);
	*ret_path = path;
	return 0;
}

int guest_read_struct(
	struct task *task, void *dst, size_t known_size, gaddr_t src, size_t guest_size)
{
	uint8_t raw[SENTRY_MAX_STRUCT_SIZE];
	int r;

	if (guest_size > sizeof(raw) || known_size > sizeof(raw))
		return -E2BIG;
	r = guest_read(task, raw, src, guest_size);
	if (r < 0)
		return r;
	for (size_t i = known_size; i < guest_size; i++)
		if (raw[i] != 0)
			return -E2BIG;
	memset(dst, 0, known_size);
	memcpy(dst, raw, min_of(known_size, guest_size));
	return 0;
}

int guest_read_iovec(struct task *task, gaddr_t iov, uint64_t count,
	struct uio_segment **ret_segments, struct uio *ret_uio)
{
	_cleanup_free_ struct lx_iovec *raw = NULL;
	struct uio_segment *segments;
	uint64_t total = 0;
	int r;

	if (count > LX_UIO_MAXIOV)
		return -EINVAL;
	raw = malloc(sizeof(*raw) * (count ? count : 1));
	if (!raw)
		return -ENOMEM;
	r = guest_read(task, raw, iov, sizeof(*raw) * count);
	if (r < 0)
		return r;
	segments = calloc(count ? count : 1, sizeof(*segments));
	if (!segments)
		return -ENOMEM;
	for (uint64_t i = 0; i < count; i++) {
		/* import_iovec(): a negative length is -EINVAL, a total beyond MAX_RW_COUNT is cut.
		 */
		uint64_t size = raw[i].iov_len;

		if ((int64_t)size < 0) {
			free(segments);
			return -EINVAL;
		}
		size = min_of(size, LX_MAX_RW_COUNT - total);
		segments[i].guest = GADDR(raw[i].iov_base);
		segments[i].size = size;
		total += size;
	}
	*ret_uio = (struct uio){
		.thread = task->thread,
		.segments = segments,
		.segment_count = count,
		.resid = total,
	};
	*ret_segments = segments;
	return 0;
}
