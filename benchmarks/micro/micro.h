/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the families of micro benchmarks share. A family is a file with a table of operations that
 * ends in an empty row; an operation does its thing @count times.
 */
#ifndef BENCHMARKS_MICRO_H
#define BENCHMARKS_MICRO_H

#include <stdint.h>
#include <stddef.h>

struct bench {
	const char *name;
	void (*run)(long count);
};

extern const struct bench bench_calls[];
extern const struct bench bench_files[];
extern const struct bench bench_ipc[];
extern const struct bench bench_net[];
extern const struct bench bench_memory[];
extern const struct bench bench_process[];
extern const struct bench bench_signals[];
extern const struct bench bench_threads[];

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t now_ns(void);

/* What came before in this run() was preparation: the clock starts (stops) here and not at its
 * beginning (end). */
void bench_start(void);
void bench_stop(void);

/* perror() and exit code 1: the benchmark counts as failed. */
_Noreturn void die(const char *what);

/* Binds the calling thread to one of the CPUs that it may use, counted from 0 and taken modulo
 * their number; ANYWHERE gives it all of them. */
enum { ANYWHERE = -1 };
void place(int nth);

#endif
