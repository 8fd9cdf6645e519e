/* SPDX-License-Identifier: Apache-2.0 */
/* futex_wake(2), futex_wait(2), futex_requeue(2) of Linux 6.7. */
#include <pthread.h>

#include "case.h"

#define NR_WAKE	   454
#define NR_WAIT	   455
#define NR_REQUEUE 456
#define U32	   2
#define PRIVATE	   128

static uint32_t *word, *second;
static int stack_words[4];

static long wake(void *p, unsigned long mask, int nr, unsigned flags)
{
	return SYS(NR_WAKE, p, mask, nr, flags);
}

static long wait_(
	void *p, unsigned long value, unsigned long mask, unsigned flags, void *time, int clock)
{
	return SYS(NR_WAIT, p, value, mask, flags, time, clock);
}

struct waitv {
	uint64_t value, address;
	uint32_t flags, reserved;
};

static void need(void)
{
	word = (uint32_t *)&stack_words[0];
	second = (uint32_t *)&stack_words[1];
	if (wake(word, 1, 0, U32) < 0 && errno == ENOSYS)
		SKIP("no futex_wake");
}

CASE(futex2_errors)
{
	struct timespec bad = {0, 1000000000}, t = {0, 0};

	need();
	CALL(wake(word, 1, 1, 0));
	CALL(wake(word, 1, 1, 3));
	CALL(wake(word, 1, 1, U32 | 0x40));
	CALL(wake(word, 0, 1, U32));
	CALL(wake(word, 1ul << 32, 1, U32));
	CALL(wake((char *)word + 1, 1, 1, U32));
	CALL(wake(word, 1, 1, U32));
	CALL(wake(word, 1, 0, U32 | PRIVATE));
	CALL(wait_(word, 1, ~0u, U32, NULL, 0));
	CALL(wait_(word, 0, 0, U32, NULL, 0));
	CALL(wait_(word, 1ul << 32, ~0u, U32, NULL, 0));
	CALL(wait_(word, 0, ~0u, 1, NULL, 0));
	CALL(wait_(word, 0, ~0u, U32, &bad, CLOCK_MONOTONIC));
	CALL(wait_(word, 0, ~0u, U32, &t, CLOCK_BOOTTIME));
	CALL(wait_(word, 0, ~0u, U32, &t, CLOCK_MONOTONIC));
	CALL(wait_(word, 0, ~0u, U32, &t, CLOCK_REALTIME));
	CALL(wait_(word, 0, ~0u, U32, BAD_ADDRESS, CLOCK_REALTIME));
	CALL(wait_(BAD_ADDRESS, 0, ~0u, U32, NULL, 0));
}

static void *waiter(void *arg)
{
	unsigned long mask = (unsigned long)arg;

	return (void *)wait_(word, 0, mask, U32 | PRIVATE, NULL, 0);
}

CASE(futex2_masks)
{
	pthread_t a, b;
	void *result;
	int woken = 0;

	need();
	pthread_create(&a, NULL, waiter, (void *)1ul);
	pthread_create(&b, NULL, waiter, (void *)2ul);
	sleep_ms(30);
	CALL(wake(word, 4, 10, U32 | PRIVATE));
	for (int i = 0; i < 1000 && woken < 1; i++, sleep_ms(1))
		woken += (int)wake(word, 2, 10, U32 | PRIVATE);
	pthread_join(b, &result);
	NOTE("b %ld", (long)result);
	for (int i = 0; i < 1000 && woken < 2; i++, sleep_ms(1))
		woken += (int)wake(word, 3, 10, U32 | PRIVATE);
	pthread_join(a, &result);
	NOTE("a %ld woken %d", (long)result, woken);
}

CASE(futex2_requeue)
{
	struct waitv pair[2] = {{0, 0, U32 | PRIVATE, 0}, {0, 0, U32 | PRIVATE, 0}};
	pthread_t a;
	long moved = 0;

	need();
	pair[0].address = (uintptr_t)word;
	pair[1].address = (uintptr_t)second;
	CALL(SYS(NR_REQUEUE, pair, 1, 0, 1));
	CALL(SYS(NR_REQUEUE, NULL, 0, 0, 1));
	CALL(SYS(NR_REQUEUE, BAD_ADDRESS, 0, 0, 1));
	CALL(SYS(NR_REQUEUE, pair, 0, -1, 1));
	pair[0].value = 5;
	CALL(SYS(NR_REQUEUE, pair, 0, 0, 1));
	pair[0].value = 0;
	pair[1].reserved = 1;
	CALL(SYS(NR_REQUEUE, pair, 0, 0, 1));
	pair[1].reserved = 0;
	CALL(SYS(NR_REQUEUE, pair, 0, 0, 1));
	pthread_create(&a, NULL, waiter, (void *)1ul);
	for (int i = 0; i < 1000 && !moved; i++, sleep_ms(1))
		moved = SYS(NR_REQUEUE, pair, 0, 0, 1);
	NOTE("moved %ld", moved);
	CALL(wake(word, ~0u, 10, U32 | PRIVATE));
	CALL(wake(second, ~0u, 10, U32 | PRIVATE));
	pthread_join(a, NULL);
}
