/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_TTY_BYTE_QUEUE_H
#define SENTRY_SENTRY_TTY_BYTE_QUEUE_H

#include <stdint.h>
#include <stddef.h>
#include <string.h>

/* A ring of bytes in memory that belongs to somebody else. */
struct byte_queue {
	uint8_t *data;
	size_t capacity, start, size;
};

static inline size_t byte_queue_room(const struct byte_queue *queue)
{
	return queue->capacity - queue->size;
}

/* All of @bytes or nothing. */
static inline bool byte_queue_put(struct byte_queue *queue, const uint8_t *bytes, size_t size)
{
	size_t at = (queue->start + queue->size) % queue->capacity;
	size_t first = queue->capacity - at < size ? queue->capacity - at : size;

	if (size > byte_queue_room(queue))
		return false;
	memcpy(queue->data + at, bytes, first);
	memcpy(queue->data, bytes + first, size - first);
	queue->size += size;
	return true;
}

/* The bytes at the front that lie in one piece; *ret_bytes is valid until the next change. */
static inline size_t byte_queue_front(const struct byte_queue *queue, const uint8_t **ret_bytes)
{
	size_t left = queue->capacity - queue->start;

	*ret_bytes = queue->data + queue->start;
	return queue->size < left ? queue->size : left;
}

static inline void byte_queue_drop(struct byte_queue *queue, size_t size)
{
	queue->start = (queue->start + size) % queue->capacity;
	queue->size -= size;
}

static inline void byte_queue_clear(struct byte_queue *queue)
{
	queue->start = queue->size = 0;
}

#endif
