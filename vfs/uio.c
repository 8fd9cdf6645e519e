/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of one read or write. Guest memory is reached only through the platform's copy calls,
 * which say how many bytes they moved: a short count is an inaccessible address, and the transfer
 * ends there (read(2): partial transfers are successes).
 */
#include <errno.h>
#include <string.h>

#include "abi/limits.h"
#include "base/checked.h"
#include "vfs/vfs.h"

void uio_init_kernel(struct uio *uio, struct uio_segment *segment, void *buffer, size_t size)
{
	if (size > LX_MAX_RW_COUNT)
		size = LX_MAX_RW_COUNT;
	*segment = (struct uio_segment){.kernel = buffer, .size = size};
	*uio = (struct uio){.segments = segment, .segment_count = 1, .resid = size};
}

void uio_init_guest(struct uio *uio, struct uio_segment *segment, struct platform_thread *thread,
	gaddr_t addr, uint64_t size)
{
	if (size > LX_MAX_RW_COUNT)
		size = LX_MAX_RW_COUNT;
	*segment = (struct uio_segment){.guest = addr, .size = size};
	*uio = (struct uio){
		.thread = thread, .segments = segment, .segment_count = 1, .resid = size};
}

static void uio_skip_empty(struct uio *uio)
{
	while (uio->segment < uio->segment_count &&
		uio->offset == uio->segments[uio->segment].size) {
		uio->segment++;
		uio->offset = 0;
	}
}

static void uio_advance(struct uio *uio, uint64_t size)
{
	uio->offset += size;
	uio->resid -= size;
	uio_skip_empty(uio);
}

/* One piece within one segment: the bytes moved, or -ESRCH. */
static ssize_t uio_move(struct uio *uio, void *data, size_t size, bool to_caller)
{
	struct uio_segment *segment = &uio->segments[uio->segment];
	gaddr_t guest, end;

	if (!uio->thread) {
		uint8_t *memory = (uint8_t *)segment->kernel + uio->offset;

		if (to_caller)
			memcpy(memory, data, size);
		else
			memcpy(data, memory, size);
		return (ssize_t)size;
	}
	/* Never ask a platform for its stub's own memory: what lies above the guest's end faults.
	 */
	guest = gaddr_add(segment->guest, uio->offset);
	end = platform->guest_end();
	if (guest.v >= end.v)
		return 0;
	size = min_of((uint64_t)size, end.v - guest.v);
	if (to_caller && uio->deferred) {
		int err = platform->copy_out_deferred(uio->thread, guest, data, size);

		if (err < 0)
			return err == -EFAULT ? 0 : err;
		return (ssize_t)size;
	}
	if (to_caller)
		return platform->copy_out(uio->thread, guest, data, size);
	return platform->copy_in(uio->thread, data, guest, size);
}

static ssize_t uio_copy(struct uio *uio, uint8_t *data, size_t size, bool to_caller)
{
	size_t done = 0;

	if (size > uio->resid)
		size = uio->resid;
	uio_skip_empty(uio);
	while (done < size && uio->segment < uio->segment_count) {
		uint64_t left = uio->segments[uio->segment].size - uio->offset;
		size_t piece = min_of((uint64_t)(size - done), left);
		ssize_t moved = uio_move(uio, data + done, piece, to_caller);

		if (moved < 0)
			return done ? (ssize_t)done : moved;
		uio_advance(uio, (uint64_t)moved);
		done += (size_t)moved;
		if ((size_t)moved < piece)
			break;
	}
	return (ssize_t)done;
}

ssize_t uio_copy_to(struct uio *uio, const void *data, size_t size)
{
	return uio_copy(uio, (uint8_t *)(uintptr_t)data, size, true);
}

ssize_t uio_copy_from(struct uio *uio, void *data, size_t size)
{
	return uio_copy(uio, data, size, false);
}

const void *uio_at_hand(struct uio *uio, size_t size)
{
	const struct uio_segment *segment;

	if (!uio->thread || !platform->bytes_at_hand || size > uio->resid)
		return NULL;
	uio_skip_empty(uio);
	if (uio->segment >= uio->segment_count)
		return NULL;
	segment = &uio->segments[uio->segment];
	if (size > segment->size - uio->offset)
		return NULL;
	return platform->bytes_at_hand(uio->thread, gaddr_add(segment->guest, uio->offset), size);
}

void uio_skip(struct uio *uio, size_t size)
{
	uio_advance(uio, size);
}

uint64_t uio_content_id(void)
{
	static uint64_t last;

	return ++last;
}

ssize_t uio_copy_content(struct uio *uio, const struct platform_content *content, uint64_t offset,
	uint64_t size, uint64_t before)
{
	struct uio_segment *segment;
	gaddr_t guest, end;
	ssize_t moved;

	if (!uio->deferred || !uio->thread || !platform->copy_content)
		return -EAGAIN;
	uio_skip_empty(uio);
	if (uio->segment >= uio->segment_count)
		return -EAGAIN;
	segment = &uio->segments[uio->segment];
	guest = gaddr_add(segment->guest, uio->offset);
	end = platform->guest_end();
	size = min_of(size, segment->size - uio->offset);
	if (guest.v >= end.v || size > end.v - guest.v)
		return -EAGAIN;
	moved = platform->copy_content(uio->thread, guest, content, offset, size, before);
	if (moved > 0)
		uio_advance(uio, (uint64_t)moved);
	return moved;
}

ssize_t uio_zero_to(struct uio *uio, uint64_t size)
{
	static const uint8_t zeros[32768];
	uint64_t done = 0;

	while (done < size && uio->resid) {
		size_t piece = min_of(size - done, (uint64_t)sizeof(zeros));
		ssize_t moved = uio_copy_to(uio, zeros, piece);

		if (moved < 0)
			return done ? (ssize_t)done : moved;
		done += (uint64_t)moved;
		if ((size_t)moved < piece)
			break;
		if (done % (128 * 1024) == 0 && fiber_current())
			fiber_yield();
	}
	return (ssize_t)done;
}

void uio_revert(struct uio *uio, uint64_t size)
{
	uio->resid += size;
	while (size > uio->offset) {
		size -= uio->offset;
		sentry_assert(uio->segment > 0);
		uio->segment--;
		uio->offset = uio->segments[uio->segment].size;
	}
	uio->offset -= size;
}
