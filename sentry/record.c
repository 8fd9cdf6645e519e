/* SPDX-License-Identifier: Apache-2.0 */
/* Reading records. The stream comes from a file that anybody may have written. */
#include "sentry/record.h"

#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "sentry/syscall_table.h"

static size_t smallest(uint32_t kind)
{
	switch (kind) {
	case RECORD_BEGIN:
		return sizeof(struct record_begin);
	case RECORD_CALL:
		return sizeof(struct record_call);
	case RECORD_TASK:
		return sizeof(struct record_task);
	case RECORD_EXIT:
		return sizeof(struct record_exit);
	case RECORD_SIGNAL:
		return sizeof(struct record_signal);
	case RECORD_COUNT:
		return sizeof(struct record_count);
	case RECORD_STACK:
		return sizeof(struct record_stack);
	case RECORD_VOLUME:
		return sizeof(struct record_volume);
	case RECORD_USAGE:
		return sizeof(struct record_usage);
	case RECORD_EVENT:
	case RECORD_NETWORK:
	case RECORD_END:
		return sizeof(struct record_head);
	default:
		return SIZE_MAX;
	}
}

/* The offset of a name in a stack's table, with its NUL within the record. */
static bool name_is_good(const struct record_stack *stack, size_t names, uint32_t offset)
{
	size_t at = names + offset;

	return offset == UINT32_MAX ||
	       (offset < stack->head.size && at < stack->head.size &&
		       memchr((const char *)stack + at, '\0', stack->head.size - at));
}

static bool stack_is_good(const struct record_stack *stack)
{
	const struct record_frame *frames = (const struct record_frame *)(stack + 1);
	size_t names = sizeof(*stack) + (size_t)stack->frame_count * sizeof(*frames);

	if (stack->frame_count > RECORD_FRAMES_MAX || names > stack->head.size ||
		!name_is_good(stack, names, stack->site))
		return false;
	for (uint32_t i = 0; i < stack->frame_count; i++)
		if (!name_is_good(stack, names, frames[i].module) ||
			!name_is_good(stack, names, frames[i].symbol))
			return false;
	return true;
}

static bool is_text(const char *text, size_t size)
{
	return memchr(text, '\0', size);
}

static bool volume_is_good(const struct record_volume *volume)
{
	const size_t size = volume->head.size - sizeof(*volume);
	const char *text = (const char *)(volume + 1);

	return size > 0 && is_text(text, size) && volume->target < size &&
	       is_text(text + volume->target, size - volume->target);
}

static bool content_is_good(const union record *record)
{
	switch (record->head.kind) {
	case RECORD_BEGIN:
		return record->begin.magic == RECORD_MAGIC &&
		       is_text(record->begin.command, sizeof(record->begin.command)) &&
		       is_text(record->begin.platform, sizeof(record->begin.platform));
	case RECORD_CALL:
		return record->call.entry_size <= record->head.size - sizeof(record->call);
	case RECORD_TASK:
		return is_text(record->task.name, sizeof(record->task.name));
	case RECORD_VOLUME:
		return volume_is_good(&record->volume);
	case RECORD_STACK:
		return stack_is_good(&record->stack);
	default:
		return true;
	}
}

int64_t record_parse(const void *data, size_t size, const union record **ret)
{
	const union record *record = data;

	if (size < sizeof(record->head))
		return 0;
	if (record->head.size % 8 != 0 || record->head.size > RECORD_SIZE_MAX ||
		record->head.size < sizeof(record->head) ||
		record->head.size < smallest(record->head.kind))
		return -EINVAL;
	if (size < record->head.size)
		return 0;
	if (!content_is_good(record))
		return -EINVAL;
	*ret = record;
	return record->head.size;
}

const char *record_refuse(const void *data, size_t size)
{
	const struct record_begin *begin = data;

	if (size < sizeof(begin->head) + 2 * sizeof(uint32_t))
		return "it is empty or cut off in its first record";
	if (begin->head.kind != RECORD_BEGIN || begin->magic != RECORD_MAGIC)
		return "it is not a trace of sentry";
	if (begin->version < 1 || begin->version > RECORD_VERSION)
		return "another version of sentry wrote it";
	if (size < sizeof(*begin))
		return "it is cut off in its first record";
	return NULL;
}

const char *record_event_text(const union record *record, size_t *ret_size)
{
	const char *text = (const char *)(&record->head + 1);
	size_t size = record->head.size - sizeof(record->head);

	*ret_size = strnlen(text, size);
	return text;
}

const char *record_volume_source(const union record *record)
{
	return (const char *)(&record->volume + 1);
}

const char *record_volume_target(const union record *record)
{
	return record_volume_source(record) + record->volume.target;
}

/* ---- the decoder's memory -------------------------------------------------------------------- */

struct replay {
	const unsigned char *at, *end;
};

/* The reads come in the order in which they were made; where they do not, nothing is known. */
static ssize_t replay_read(void *context, void *dst, gaddr_t src, size_t size)
{
	struct replay *replay = context;
	struct record_read read;
	size_t got, padded;

	if ((size_t)(replay->end - replay->at) < sizeof(read))
		return -EFAULT;
	memcpy(&read, replay->at, sizeof(read));
	got = read.got > 0 ? (size_t)read.got : 0;
	padded = (got + 7) & ~(size_t)7;
	if (read.address != src.v || read.asked != size || got > size ||
		padded > (size_t)(replay->end - replay->at) - sizeof(read)) {
		replay->at = replay->end;
		return -EFAULT;
	}
	memcpy(dst, replay->at + sizeof(read), got);
	replay->at += sizeof(read) + padded;
	return read.got;
}

void record_explain(const union record *record, struct strace_call *call, struct strace_words *ret)
{
	const struct record_call *made = &record->call;
	const unsigned char *reads = (const unsigned char *)(made + 1);
	struct replay entry = {reads, reads + made->entry_size};
	struct replay exit = {entry.end, record->bytes + made->head.size};
	const struct strace_memory before = {.read = replay_read, .context = &entry};
	const struct strace_memory after = {.read = replay_read, .context = &exit};

	call->silent = false;
	strace_enter(call, made->head.tid, made->nr, made->args, &before);
	strace_explain(call, made->flags & RECORD_NO_RETURN ? NULL : &made->result, &after, ret);
}

bool record_string(const union record *record, uint64_t address, char *ret, size_t size)
{
	const struct record_call *made = &record->call;
	const unsigned char *at = (const unsigned char *)(made + 1), *end = at + made->entry_size;
	struct record_read read;

	while ((size_t)(end - at) >= sizeof(read)) {
		size_t got, padded;

		memcpy(&read, at, sizeof(read));
		got = read.got > 0 ? (size_t)read.got : 0;
		padded = (got + 7) & ~(size_t)7;
		at += sizeof(read);
		if (padded > (size_t)(end - at))
			return false;
		if (read.address == address && got > 0) {
			size_t length = strnlen((const char *)at, got);

			length = min_of(length, size - 1);
			memcpy(ret, at, length);
			ret[length] = '\0';
			return true;
		}
		at += padded;
	}
	return false;
}
