/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_UNIT_FIBER_TEST_H
#define SENTRY_TESTS_UNIT_FIBER_TEST_H

#include <criterion/criterion.h>

#include "base/fiber.h"
#include "base/loop.h"

/*
 * Tests of code that sleeps: FIBER_TEST(suite, name) is a Criterion test whose body runs on a
 * fiber, with the main loop around it. The test ends when the body returns.
 */
static inline void fiber_test_main(void *body)
{
	((void (*)(void))body)();
	loop_stop(0);
}

static inline void fiber_test_run(void (*body)(void))
{
	cr_assert_eq(loop_init(), 0);
	cr_assert_eq(fiber_create(NULL, "test", fiber_test_main, (void *)body), 0);
	loop_run();
	loop_fini();
}

#define FIBER_TEST(suite, name)                                                                    \
	static void suite##_##name(void);                                                          \
	Test(suite, name)                                                                          \
	{                                                                                          \
		fiber_test_run(suite##_##name);                                                    \
	}                                                                                          \
	static void suite##_##name(void)

/* Lets every other fiber run until it sleeps. */
static inline void settle(void)
{
	for (int i = 0; i < 10; i++)
		fiber_yield();
}

#endif
