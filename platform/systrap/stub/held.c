/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on descriptors of which the Sentry says something in the slot (struct platform_held): what
 * /dev/null and /dev/zero do is no secret, and what becomes of epoll_ctl(2) is known to who knows
 * whether the descriptor is registered.
 *
 * A word may be taken back at any time, since other threads close descriptors and look at epoll
 * instances: that is an exchange for 0. So what is done here to one is a compare and exchange: it
 * fails when the word has gone, and then the call is the Sentry's, or the Sentry finds it in what
 * it took. What belongs to the word is written before, into the half that nobody reads.
 */
#include "abi/poll.h"
#include "abi/syscall_nr.h"
#include "platform/systrap/stub/stub.h"

#define CTL_ADD 1u
#define CTL_DEL 2u
#define CTL_MOD 3u

#define SPECIAL_EVENTS (LX_EPOLLEXCLUSIVE | LX_EPOLLWAKEUP)

/* A longer one is worth a way to the Sentry, which lets others run in between. */
#define ZERO_MAX   4096u
#define ZERO_BLOCK 256u

static const uint8_t zeroes[ZERO_BLOCK];

static struct platform_held *held_of(struct stub_thread *self, uint32_t fd)
{
	return &self->slot->held[fd % PLATFORM_HELD_COUNT];
}

/* A packed struct epoll_event: the fourth byte is where `data` begins. */
static bool load_event(uint64_t addr, uint32_t *events, uint64_t *data)
{
	uint64_t first;

	if (stub_load8(&first, (const void *)addr) || stub_load8(data, (const void *)(addr + 4)))
		return false;
	*events = (uint32_t)first;
	return !(*events & SPECIAL_EVENTS);
}

static bool answer_epoll_ctl(struct stub_thread *self, const uint64_t args[6], int64_t *ret)
{
	const uint32_t epoll = (uint32_t)args[0], op = (uint32_t)args[1], fd = (uint32_t)args[2];
	struct platform_held *held = held_of(self, fd);
	uint64_t word = __atomic_load_n(&held->word, __ATOMIC_ACQUIRE), changed, data;
	uint32_t events;
	unsigned half;

	if (epoll > 0xffff || fd > 0xffff ||
		(word & PLATFORM_HELD_KEY) != (PLATFORM_HELD_EPOLL | epoll << 16 | fd) ||
		op < CTL_ADD || op > CTL_MOD ||
		(op == CTL_ADD) == ((word & PLATFORM_HELD_REGISTERED) != 0))
		return false;
	changed = word | PLATFORM_HELD_CHANGED;
	if (op == CTL_DEL) {
		changed &= ~PLATFORM_HELD_REGISTERED;
	} else {
		if (!load_event(args[3], &events, &data))
			return false;
		changed = (changed ^ PLATFORM_HELD_SECOND) | PLATFORM_HELD_REGISTERED;
		half = (changed & PLATFORM_HELD_SECOND) != 0;
		held->events[half] = events;
		held->data[half] = data;
	}
	if (!(word & PLATFORM_HELD_CHANGED))
		changed = (changed & ~(0xffull << PLATFORM_HELD_NEXT_SHIFT)) |
			  (uint64_t)self->held << PLATFORM_HELD_NEXT_SHIFT;
	if (!__atomic_compare_exchange_n(
		    &held->word, &word, changed, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		return false;
	if (!(word & PLATFORM_HELD_CHANGED))
		self->held = (uint8_t)(fd % PLATFORM_HELD_COUNT + 1);
	*ret = 0;
	return true;
}

static bool clear(uint64_t addr, uint64_t size)
{
	for (uint64_t done = 0; done < size; done += ZERO_BLOCK) {
		uint64_t part = size - done < ZERO_BLOCK ? size - done : ZERO_BLOCK;

		if (stub_copy((void *)(addr + done), zeroes, part))
			return false;
	}
	return true;
}

static bool answer_device(
	struct stub_thread *self, bool writes, const uint64_t args[6], int64_t *ret)
{
	const uint64_t addr = args[1], count = args[2];
	const uint32_t fd = (uint32_t)args[0];
	const uint64_t word = __atomic_load_n(&held_of(self, fd)->word, __ATOMIC_RELAXED);

	/* A range that no guest has is EFAULT, and a transfer has a greatest size. */
	if (fd > 0xffff || (word & PLATFORM_HELD_KEY) != (PLATFORM_HELD_DEVICE | fd) ||
		addr >= STUB_BASE || count > STUB_BASE - addr || count > 0x7ffff000)
		return false;
	*ret = (int64_t)count;
	if (writes)
		return (word & PLATFORM_HELD_WRITES) != 0;
	if (word & PLATFORM_HELD_READS_END) {
		*ret = 0;
		return true;
	}
	return (word & PLATFORM_HELD_READS_ZERO) && count <= ZERO_MAX && clear(addr, count);
}

bool stub_held_answer(struct stub_thread *self, uint32_t nr, const uint64_t args[6], int64_t *ret)
{
	if (!(self->slot->inguest.features & PLATFORM_INGUEST_HELD))
		return false;
	if (nr == LX_NR_epoll_ctl)
		return answer_epoll_ctl(self, args, ret);
	return answer_device(self, nr == LX_NR_write, args, ret);
}

void stub_held_forget(struct stub_thread *self, int32_t fd)
{
	struct platform_held *held = held_of(self, (uint32_t)fd);

	if (self->slot->inguest.features & PLATFORM_INGUEST_HELD &&
		(held->word & PLATFORM_HELD_DEVICE) && PLATFORM_HELD_FD(held->word) == (uint32_t)fd)
		__atomic_store_n(&held->word, 0, __ATOMIC_RELAXED);
}
