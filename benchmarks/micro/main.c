/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One operation, many times: prints the nanoseconds that one took, a figure for each of several
 *batches. Runs natively and in the sandbox; benchmarks/run compares.
 *
 *	micro NAME [SECONDS]		micro --list
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "micro.h"

enum { BATCHES_MIN = 3, BATCHES_MAX = 16 };

static const struct bench *const families[] = {
	bench_calls,
	bench_files,
	bench_ipc,
	bench_net,
	bench_memory,
	bench_process,
	bench_signals,
	bench_threads,
};

static uint64_t batch_begin, batch_end;
static cpu_set_t allowed;

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void bench_start(void)
{
	batch_begin = now_ns();
}

void bench_stop(void)
{
	batch_end = now_ns();
}

_Noreturn void die(const char *what)
{
	perror(what);
	exit(1);
}

void place(int nth)
{
	cpu_set_t one;
	int seen = 0;

	if (CPU_COUNT(&allowed) == 0)
		sched_getaffinity(0, sizeof(allowed), &allowed);
	if (nth == ANYWHERE) {
		sched_setaffinity(0, sizeof(allowed), &allowed);
		return;
	}
	nth %= CPU_COUNT(&allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || seen++ != nth)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one) < 0)
			die("sched_setaffinity");
	}
}

static uint64_t batch(const struct bench *bench, long count)
{
	batch_end = 0;
	bench_start();
	bench->run(count);
	if (batch_end == 0)
		bench_stop();
	return batch_end - batch_begin;
}

/*
 * The count grows until a batch takes a tenth of the time. The batches on the way are warm-up: call
 * sites get patched, caches filled, CPUs woken.
 */
static void measure(const struct bench *bench, double seconds)
{
	uint64_t budget = (uint64_t)(seconds * 1e9), start = now_ns(), took;
	long count = 1;

	for (;;) {
		took = batch(bench, count);
		if (took > budget / 10 || now_ns() - start > budget)
			break;
		count *= took < budget / 100 ? 4 : 2;
	}
	for (int i = 0; i < BATCHES_MAX; i++) {
		if (i >= BATCHES_MIN && now_ns() - start > budget + budget / 2)
			break;
		took = batch(bench, count);
		printf("%.1f ", (double)took / (double)count);
	}
	printf("\n");
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		for (const struct bench *bench = families[i]; bench->name; bench++) {
			if (strcmp(name, "--list") == 0) {
				puts(bench->name);
			} else if (strcmp(name, bench->name) == 0) {
				measure(bench, argc > 2 ? atof(argv[2]) : 0.1);
				return 0;
			}
		}
	}
	if (strcmp(name, "--list") == 0)
		return 0;
	fprintf(stderr, "usage: micro NAME [SECONDS] | micro --list\n");
	return 2;
}
