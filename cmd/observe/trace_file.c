/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/observe/trace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

/* One record more than a read may bring, so that there is always room. */
#define CHUNK	 (1u << 20)
#define CAPACITY (CHUNK + RECORD_SIZE_MAX)

struct source {
	int fd;
	unsigned char *buffer;
	size_t used;
	bool ended; /* a RECORD_END was there */
};

/* True: at least one more byte. */
static int fill(struct source *source)
{
	ssize_t got;

	do {
		got = read(source->fd, source->buffer + source->used, CAPACITY - source->used);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	source->used += (size_t)got;
	return got > 0;
}

static int read_records(struct source *source, void (*take)(void *data, const union record *record),
	void *data, const char **ret_why)
{
	int more = 1;

	/* What is there already comes first, which makes room. */
	while (more > 0) {
		size_t at = 0;
		int64_t size;

		do {
			const union record *record;

			size = record_parse(source->buffer + at, source->used - at, &record);
			if (size <= 0)
				break;
			source->ended = record->head.kind == RECORD_END;
			take(data, record);
			at += (size_t)size;
		} while (true);
		if (size < 0) {
			*ret_why = "it is damaged";
			return -EBADMSG;
		}
		source->used -= at;
		memmove(source->buffer, source->buffer + at, source->used);
		more = fill(source);
	}
	if (more < 0)
		return more;
	if (source->ended && source->used == 0)
		return 0;
	*ret_why = TRACE_NO_END;
	return TRACE_CUT_OFF;
}

int trace_file_read(const char *file, void (*take)(void *data, const union record *record),
	void *data, const char **ret_why)
{
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	_cleanup_free_ unsigned char *buffer = aligned_alloc(8, CAPACITY);
	struct source source = {.fd = fd, .buffer = buffer};
	int r = fd < 0 ? -errno : buffer ? 0 : -ENOMEM;

	*ret_why = NULL;
	/* The first record says whether it is ours at all. */
	while (r == 0 && source.used < sizeof(struct record_begin)) {
		r = fill(&source);
		if (r <= 0)
			break;
		r = 0;
	}
	if (r == 0) {
		*ret_why = record_refuse(source.buffer, source.used);
		r = *ret_why ? -EBADMSG : read_records(&source, take, data, ret_why);
	}
	if (r < 0 && !*ret_why)
		*ret_why = strerror(-r);
	return r;
}
