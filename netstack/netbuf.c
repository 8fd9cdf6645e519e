/* SPDX-License-Identifier: Apache-2.0 */
#include "netstack/netbuf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t memory; /* of all blocks */

static uint32_t min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static struct netblock *block_new(const struct netbuf_queue *owner, size_t size)
{
	struct netblock *block;
	uint32_t capacity = NETBLOCK_SIZE_MIN;

	while (capacity < size && capacity < NETBLOCK_SIZE_MAX)
		capacity *= 2;
	if (memory + capacity > NETBUF_MEMORY_MAX)
		return NULL;
	block = malloc(sizeof(*block) + capacity);
	if (!block)
		return NULL;
	memory += capacity;
	block->refs = REFCOUNT_ONE;
	block->owner = owner;
	block->capacity = capacity;
	block->used = 0;
	return block;
}

static void block_unref(struct netblock *block)
{
	if (!refcount_put(&block->refs))
		return;
	memory -= block->capacity;
	free(block);
}

/* Takes over the caller's reference to @block. */
static struct netbuf *netbuf_new(struct netblock *block, uint32_t offset, uint32_t size)
{
	struct netbuf *buf = malloc(sizeof(*buf));

	if (!buf)
		return NULL;
	*buf = (struct netbuf){.block = block, .offset = offset, .size = size};
	return buf;
}

static void netbuf_free(struct netbuf *buf)
{
	block_unref(buf->block);
	free(buf);
}

static void link_last(struct netbuf_queue *queue, struct netbuf *buf)
{
	buf->next = NULL;
	if (queue->last)
		queue->last->next = buf;
	else
		queue->first = buf;
	queue->last = buf;
	queue->size += buf->size;
}

/* Whether the queue's last netbuf ends where its block does and the block has room. */
static bool can_grow(const struct netbuf_queue *queue)
{
	const struct netbuf *last = queue->last;

	return last && last->block->owner == queue &&
	       last->offset + last->size == last->block->used &&
	       last->block->used < last->block->capacity;
}

int netbuf_reserve(struct netbuf_queue *queue, size_t size, void **ret_room, size_t *ret_size)
{
	struct netblock *block;
	struct netbuf *buf;
	size_t room;

	if (!can_grow(queue)) {
		block = block_new(queue, size);
		if (!block)
			return -ENOMEM;
		/* On the chain without a byte until netbuf_commit(), which is the one exception to
		 * the rule that none is empty: abandoned room is found and used by the next call.
		 */
		buf = netbuf_new(block, 0, 0);
		if (!buf) {
			block_unref(block);
			return -ENOMEM;
		}
		link_last(queue, buf);
	}
	block = queue->last->block;
	room = block->capacity - block->used;
	*ret_room = block->bytes + block->used;
	*ret_size = size < room ? size : room;
	return 0;
}

void netbuf_commit(struct netbuf_queue *queue, size_t size)
{
	struct netbuf *last = queue->last;

	sentry_assert(last && size <= last->block->capacity - last->block->used);
	last->block->used += (uint32_t)size;
	last->size += (uint32_t)size;
	queue->size += (uint32_t)size;
}

int netbuf_append(struct netbuf_queue *queue, const void *data, size_t size)
{
	uint32_t before = queue->size;
	const char *from = data;

	while (size > 0) {
		size_t part;
		void *room;

		if (netbuf_reserve(queue, size, &room, &part) < 0) {
			netbuf_truncate(queue, before);
			return -ENOMEM;
		}
		memcpy(room, from, part);
		netbuf_commit(queue, part);
		from += part;
		size -= part;
	}
	return 0;
}

/* The netbuf that holds the byte at @offset < size; *@ret_start is the offset of its first byte. */
static struct netbuf *find(struct netbuf_queue *queue, uint32_t offset, uint32_t *ret_start)
{
	struct netbuf *buf = queue->first;
	uint32_t start = 0;

	sentry_assert(offset < queue->size);
	if (queue->hint && queue->hint_offset <= offset) {
		buf = queue->hint;
		start = queue->hint_offset;
	}
	while (offset - start >= buf->size) {
		start += buf->size;
		buf = buf->next;
	}
	queue->hint = buf;
	queue->hint_offset = start;
	*ret_start = start;
	return buf;
}

int netbuf_slice(
	struct netbuf_queue *queue, uint32_t offset, uint32_t size, struct netbuf_queue *ret_slice)
{
	uint32_t before = ret_slice->size, start;

	while (size > 0) {
		struct netbuf *buf = find(queue, offset, &start), *copy;
		uint32_t skip = offset - start, part = min_u32(size, buf->size - skip);

		refcount_get(&buf->block->refs);
		copy = netbuf_new(buf->block, buf->offset + skip, part);
		if (!copy) {
			block_unref(buf->block);
			netbuf_truncate(ret_slice, before);
			return -ENOMEM;
		}
		link_last(ret_slice, copy);
		offset += part;
		size -= part;
	}
	return 0;
}

const void *netbuf_at(struct netbuf_queue *queue, uint32_t offset, uint32_t *ret_size)
{
	uint32_t start;
	struct netbuf *buf = find(queue, offset, &start);

	*ret_size = buf->size - (offset - start);
	return buf->block->bytes + buf->offset + (offset - start);
}

void netbuf_peek(struct netbuf_queue *queue, uint32_t offset, void *buffer, uint32_t size)
{
	char *to = buffer;

	while (size > 0) {
		uint32_t part;
		const void *from = netbuf_at(queue, offset, &part);

		part = min_u32(part, size);
		memcpy(to, from, part);
		to += part;
		offset += part;
		size -= part;
	}
}

void netbuf_drop(struct netbuf_queue *queue, uint32_t size)
{
	sentry_assert(size <= queue->size);
	if (queue->hint && queue->hint_offset >= size)
		queue->hint_offset -= size;
	else
		queue->hint = NULL;
	queue->size -= size;
	while (size > 0) {
		struct netbuf *buf = queue->first;

		if (size < buf->size) {
			buf->offset += size;
			buf->size -= size;
			return;
		}
		size -= buf->size;
		queue->first = buf->next;
		if (!queue->first)
			queue->last = NULL;
		if (queue->hint == buf)
			queue->hint = NULL;
		netbuf_free(buf);
	}
}

void netbuf_truncate(struct netbuf_queue *queue, uint32_t size)
{
	struct netbuf **link = &queue->first, *buf, *last = NULL;
	uint32_t left = size;

	if (size >= queue->size)
		return;
	while ((buf = *link) && left > 0) {
		buf->size = min_u32(buf->size, left);
		left -= buf->size;
		last = buf;
		link = &buf->next;
	}
	while ((buf = *link)) {
		*link = buf->next;
		netbuf_free(buf);
	}
	queue->last = last;
	queue->size = size;
	queue->hint = NULL;
}

void netbuf_move(struct netbuf_queue *to, struct netbuf_queue *from)
{
	if (!from->first)
		return;
	if (to->last)
		to->last->next = from->first;
	else
		to->first = from->first;
	to->last = from->last;
	to->size += from->size;
	*from = (struct netbuf_queue){0};
}

void netbuf_move_compact(struct netbuf_queue *to, struct netbuf_queue *from)
{
	struct netbuf *buf, *next;

	for (buf = from->first; buf; buf = next) {
		next = buf->next;
		/* A block that only this netbuf keeps alive, or nearly all of it, is no waste. */
		if (buf->size < buf->block->capacity / 4 &&
			netbuf_append(to, buf->block->bytes + buf->offset, buf->size) == 0)
			netbuf_free(buf);
		else
			link_last(to, buf);
	}
	*from = (struct netbuf_queue){0};
}

void netbuf_queue_clear(struct netbuf_queue *queue)
{
	struct netbuf *buf, *next;

	for (buf = queue->first; buf; buf = next) {
		next = buf->next;
		netbuf_free(buf);
	}
	*queue = (struct netbuf_queue){0};
}
