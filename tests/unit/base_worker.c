/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <unistd.h>

#include "base/fiber.h"
#include "base/loop.h"

static int64_t nap(void *arg)
{
	usleep(2000);
	return *(int *)arg * 2;
}

static int running, sum;
static pthread_barrier_t all_inside;

/* Ends only when four are made at once. */
static int64_t meet(void *arg)
{
	pthread_barrier_wait(&all_inside);
	return *(int *)arg * 2;
}

static void caller(void *arg)
{
	for (int i = 0; i < 20; i++)
		sum += (int)worker_call(meet, arg);
	if (--running == 0)
		loop_stop(0);
}

Test(worker, calls_overlap)
{
	int values[4] = {1, 2, 3, 4};

	cr_assert_eq(pthread_barrier_init(&all_inside, NULL, 4), 0);
	cr_assert_eq(loop_init(), 0);
	cr_assert_eq(workers_init(4), 0);
	cr_assert_eq(workers_start(1), 0);
	for (int i = 0; i < 4; i++) {
		running++;
		cr_assert_eq(fiber_create(NULL, "caller", caller, &values[i]), 0);
	}
	loop_run();
	cr_assert_eq(sum, 20 * 2 * (1 + 2 + 3 + 4));
	workers_fini();
	loop_fini();
}

Test(worker, outside_fibers_runs_inline)
{
	int value = 21;

	cr_assert_eq(worker_call(nap, &value), 42);
}

static int64_t quick(void *arg)
{
	return (int64_t)++ * (int *)arg;
}

static void hammer(void *arg)
{
	for (int i = 0; i < 20000; i++)
		worker_call(quick, arg);
	if (--running == 0)
		loop_stop(0);
}

/* The sleep protocol: no completion gets lost between "kernel sleeps" and epoll. */
Test(worker, no_lost_completion)
{
	int counts[3] = {0};

	cr_assert_eq(loop_init(), 0);
	cr_assert_eq(workers_init(2), 0);
	for (int i = 0; i < 3; i++) {
		running++;
		cr_assert_eq(fiber_create(NULL, "hammer", hammer, &counts[i]), 0);
	}
	loop_run();
	for (int i = 0; i < 3; i++)
		cr_assert_eq(counts[i], 20000);
	workers_fini();
	loop_fini();
}
