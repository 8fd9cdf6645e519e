/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a stub waits for its reply.
 *
 * Asleep in the doorbell, always, unless the Sentry says that it watches this slot (reply.polled).
 * Then the reply is a matter of a fraction of a microsecond, and what waits is awake:
 *
 *  - first it spins, unless it sits on the CPU that the Sentry wants to have;
 *  - after PAUSE_TSC it lets others have the CPU between two looks (sched_yield): other threads of
 * the guest that have work, or the very one whose answer this call waits for. Two processes that
 *    talk through a pipe hand the CPU to one another this way, with neither asleep.
 *
 * When the Sentry took the call and something must happen before there is an answer, it says how
 * long looking is worth while (reply.parked, reply.patience): a thread that will wait for long goes
 * to sleep at once.
 *
 * No fence stands between the store of the request's head and the loads of `polled`: the loop looks
 * again and again, so it sees sooner or later that the Sentry does not watch, and rings; that is a
 * message (docs/channel.md). All the other words are hints: whatever they say, the doorbell stands
 * at the end.
 */
#include "platform/systrap/stub/stub.h"

#define PAUSE_ROUNDS  8u    /* of spinning between two looks at the clock */
#define PAUSE_TSC     4000u /* 1 to 2 us: an answer is there by then if nobody is in front of us */
#define CROWDED_SPINS 4u    /* a yield that takes so many times reply.spin_tsc */

static uint64_t read_tsc(struct stub_thread *self)
{
	uint32_t low, high, aux;

	__asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
	self->cpu = aux & 0xfff; /* the kernel puts cpu | node << 12 into TSC_AUX */
	return (uint64_t)high << 32 | low;
}

static void yield(struct stub_thread *self, uint64_t now)
{
	stub_call3(STUB_NR_SCHED_YIELD, 0, 0, 0);
	/* Others kept the CPU for their whole time slice: the Sentry's watching is at their cost.
	 */
	if (read_tsc(self) - now > CROWDED_SPINS * self->slot->reply.spin_tsc)
		self->crowded++;
}

/* Waits a moment, the first time since @start. False when it is time to sleep. */
static bool look_again(struct stub_thread *self, uint32_t seq, uint64_t *start)
{
	const struct channel_reply *reply = &self->slot->reply;
	bool parked = __atomic_load_n(&reply->parked, __ATOMIC_ACQUIRE) == seq;
	uint64_t now = read_tsc(self), patience = reply->spin_tsc;

	if (*start == 0)
		*start = now;
	if (parked)
		patience = __atomic_load_n(&reply->patience, __ATOMIC_RELAXED);
	if (now - *start >= patience)
		return false;
	if (parked || now - *start >= PAUSE_TSC ||
		self->cpu == __atomic_load_n(&reply->watcher, __ATOMIC_RELAXED)) {
		yield(self, now);
		return true;
	}
	for (unsigned i = 0; i < PAUSE_ROUNDS; i++) {
		if (__atomic_load_n(&reply->head.seq, __ATOMIC_RELAXED) == seq)
			break;
		__builtin_ia32_pause();
	}
	return true;
}

void stub_wait(struct stub_thread *self, uint32_t seq, bool may_spin)
{
	const struct channel_reply *reply = &self->slot->reply;
	uint64_t start = 0;

	for (;;) {
		if (__atomic_load_n(&reply->head.seq, __ATOMIC_ACQUIRE) == seq)
			return;
		if (may_spin && __atomic_load_n(&reply->polled, __ATOMIC_RELAXED)) {
			may_spin = look_again(self, seq, &start);
			continue;
		}
		(void)read_tsc(self);
		/* EINTR, a late or a spurious answer: the loop looks again. */
		stub_call3(STUB_DOORBELL_NR, self->cpu, 0, 0);
	}
}
