/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/systrap/stub/plan.h"
#include "abi/marshal_gen.h"

#define ROBUST_LIST_SIZE 24u   /* struct robust_list_head */
#define STRING_MAX	 4096u /* PATH_MAX: longer ones are an error anyway */

struct room {
	struct channel_slot *slot;
	uint32_t used; /* bytes of the data area */
	uint32_t
		near; /* bytes of request.near, those of the entries included; all: do not use it */
	uint32_t count; /* entries of request.prefetch */
};

static void add(struct room *room, uint64_t addr, uint64_t size, uint32_t offset)
{
	struct channel_prefetch *entry = &room->slot->request.prefetch[room->count++];

	entry->addr = addr;
	entry->size = (uint32_t)size;
	entry->offset = offset;
}

static void add_near(struct room *room, uint64_t addr, uint64_t size)
{
	add(room, addr, size, CHANNEL_DATA_SIZE + room->near);
	room->near += (uint32_t)(size + 15) & ~15u;
}

static void add_data(struct room *room, uint64_t addr, uint64_t size)
{
	add(room, addr, size, room->used);
	room->used += (uint32_t)(size + 15) & ~15u;
}

static void add_bytes(struct room *room, uint64_t addr, uint64_t size)
{
	uint64_t space = CHANNEL_DATA_SIZE - room->used;

	if (size > space)
		size = space;
	if (!addr || size == 0 || room->count >= CHANNEL_PREFETCH_MAX)
		return;
	if (size <= CHANNEL_REQUEST_NEAR - room->near) {
		size -= stub_copy(room->slot->request.near + room->near, (const void *)addr, size);
		if (size > 0)
			add_near(room, addr, size);
		return;
	}
	size -= stub_copy(room->slot->data + room->used, (const void *)addr, size);
	if (size > 0)
		add_data(room, addr, size);
}

static void add_string(struct room *room, uint64_t addr)
{
	uint32_t space = CHANNEL_REQUEST_NEAR - room->near;
	int64_t size = -1;

	if (!addr || room->count >= CHANNEL_PREFETCH_MAX)
		return;
	if (space > 0)
		size = stub_copy_string(
			(char *)room->slot->request.near + room->near, (const char *)addr, space);
	if (size > 0) {
		add_near(room, addr, (uint64_t)size);
		return;
	}
	if (CHANNEL_DATA_SIZE - room->used < STRING_MAX)
		return;
	size = stub_copy_string(
		(char *)room->slot->data + room->used, (const char *)addr, STRING_MAX);
	if (size > 0)
		add_data(room, addr, (uint64_t)size);
}

/* The last entry's bytes, where they were copied to. */
static const void *last_bytes(const struct room *room)
{
	uint32_t offset = room->slot->request.prefetch[room->count - 1].offset;

	if (offset >= CHANNEL_DATA_SIZE)
		return room->slot->request.near + (offset - CHANNEL_DATA_SIZE);
	return room->slot->data + offset;
}

/* The vectors, then as much of what they name as fits. They were copied first, so both come from
 * the same bytes. */
static void add_iovec(struct room *room, uint64_t addr, uint64_t count)
{
	const struct {
		uint64_t base, size;
	} * vector;
	uint32_t before = room->count;

	if (count > 1024)
		return;
	add_bytes(room, addr, count * sizeof(*vector));
	if (room->count == before ||
		room->slot->request.prefetch[before].size != count * sizeof(*vector))
		return;
	vector = last_bytes(room);
	for (uint64_t i = 0; i < count && room->count < CHANNEL_PREFETCH_MAX; i++)
		add_bytes(room, vector[i].base, vector[i].size);
}

/* Small inputs lie behind the entries that a call may have. */
static uint32_t near_begin(const struct marshal_row *row)
{
	uint32_t count = row->inputs;

	for (unsigned i = 0; i < row->count; i++) {
		if (marshal_entries[row->first + i].kind == MARSHAL_IOVEC_IN)
			count = CHANNEL_PREFETCH_MAX;
	}
	return count * (uint32_t)sizeof(struct channel_prefetch);
}

/* Bytes of a buffer; 0 also for what is out of all bounds. */
static uint64_t buffer_size(const struct marshal_entry *entry, const uint64_t args[6])
{
	uint64_t count = args[entry->len_arg];

	if (entry->len_bits == 32)
		count = (int32_t)count < 0 ? 0 : (uint32_t)count;
	return count <= CHANNEL_DATA_SIZE ? count * entry->size : 0;
}

/* Copies an input to @dst if it has at most @max bytes. How many; 0: it does not, or a fault. */
static uint64_t copy_small(
	void *dst, const struct marshal_entry *entry, const uint64_t args[6], uint64_t max)
{
	uint64_t addr = args[entry->arg], size = entry->size;

	if (entry->kind == MARSHAL_STRING) {
		int64_t found = stub_copy_string(dst, (const char *)addr, max);

		return found < 0 ? 0 : (uint64_t)found;
	}
	if (entry->kind == MARSHAL_BUFFER_IN)
		size = buffer_size(entry, args);
	return size <= max && stub_copy(dst, (const void *)addr, size) == 0 ? size : 0;
}

uint8_t stub_prefetch_spare(uint32_t nr, uint64_t args[6])
{
	uint64_t words[CHANNEL_SPARE_WORDS] = {0}, size, count;
	const struct marshal_entry *entry;
	const struct marshal_row *row;

	if (nr >= LX_NR_COUNT || marshal_rows[nr].inputs != 1)
		return 0;
	row = &marshal_rows[nr];
	entry = &marshal_entries[row->first];
	while (entry->kind == MARSHAL_STRUCT_OUT || entry->kind == MARSHAL_BUFFER_OUT)
		entry++;
	count = 6u - row->args;
	if (count > CHANNEL_SPARE_WORDS)
		count = CHANNEL_SPARE_WORDS;
	if (count == 0 || entry->kind == MARSHAL_IOVEC_IN || !args[entry->arg])
		return 0;
	size = copy_small(words, entry, args, count * sizeof(uint64_t));
	if (size == 0)
		return 0;
	count = (size + 7) / 8;
	for (uint64_t i = 0; i < count; i++)
		args[6 - count + i] = words[i];
	return (uint8_t)((size - 1) << 3 | (entry->arg + 1u));
}

/* rt_sigreturn's frame: the ucontext at the stack pointer and the FPU image that it names. */
static void add_sigframe(struct room *room, uint64_t addr)
{
	const struct stub_ucontext *uc = (const void *)(room->slot->data + room->used);
	const struct stub_fp_sw *sw;
	uint32_t before = room->count;
	uint8_t *image;
	uint64_t fpstate;

	add_bytes(room, addr, sizeof(*uc));
	if (room->count == before || room->slot->request.prefetch[before].size != sizeof(*uc))
		return;
	fpstate = uc->mc.fpstate;
	image = room->slot->data + room->used;
	if (!fpstate || stub_copy(image, (const void *)fpstate, STUB_FP_IMAGE_MIN))
		return;
	sw = (const struct stub_fp_sw *)(image + STUB_FP_SW_OFFSET);
	if (sw->magic1 == STUB_FP_XSTATE_MAGIC1 && sw->extended_size <= STUB_FP_IMAGE_MAX)
		add_bytes(room, fpstate, sw->extended_size);
}

uint32_t stub_prefetch(struct channel_slot *slot, uint32_t nr, const uint64_t args[6],
	const struct stub_sigcontext *mc)
{
	struct room room = {.slot = slot, .near = CHANNEL_REQUEST_NEAR};
	const struct marshal_entry *entry, *end;

	if (nr >= LX_NR_COUNT)
		return 0;
	if (nr == STUB_NR_RT_SIGRETURN && mc)
		add_sigframe(&room, mc->rsp);
	if (nr == STUB_NR_EXIT || nr == STUB_NR_EXIT_GROUP)
		add_bytes(&room, slot->inguest.robust_list, ROBUST_LIST_SIZE);
	entry = &marshal_entries[marshal_rows[nr].first];
	end = entry + marshal_rows[nr].count;
	/* Not for a trapped call, to which more entries may be added. */
	if (!mc)
		room.near = near_begin(&marshal_rows[nr]);
	for (; entry < end; entry++) {
		uint64_t addr = args[entry->arg];

		switch (entry->kind) {
		case MARSHAL_STRING:
			add_string(&room, addr);
			break;
		case MARSHAL_STRUCT_IN:
			add_bytes(&room, addr, entry->size);
			break;
		case MARSHAL_BUFFER_IN:
			add_bytes(&room, addr, buffer_size(entry, args));
			break;
		case MARSHAL_IOVEC_IN:
			add_iovec(&room, addr, args[entry->len_arg]);
			break;
		default:
			break;
		}
	}
	return room.count;
}
