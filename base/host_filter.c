/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the list of host calls to the seccomp program of a process.
 *
 * The architecture first: other ABIs (i386's int 0x80) have no list at all. Then the number, by
 * halving the sorted list of numbers; it is compared exactly, so x32's match nothing. Then the rows
 * of that number, one after the other: a test that fails goes on to the next row, and behind the
 * last one the process is killed.
 *
 * The program is made here and not by a library because it is made at each start: the time shows.
 * A test interprets it for every number and compares what it says with the list.
 */
#include "base/host_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>

#include "base/checked.h"
#include "base/log.h"

#define NUMBERS_MAX 128

struct builder {
	const struct host_call *calls;
	size_t call_count;
	struct sock_filter *program;
	unsigned capacity,
		count; /* count goes on beyond the capacity: the error shows at the end */
	unsigned when;
	int numbers[NUMBERS_MAX]; /* sorted, each once */
	unsigned number_count;
};

static unsigned emit(struct builder *b, unsigned code, unsigned jt, unsigned jf, uint32_t k)
{
	sentry_assert(jt <= 255 && jf <= 255);
	if (b->count < b->capacity)
		b->program[b->count] =
			(struct sock_filter){(uint16_t)code, (uint8_t)jt, (uint8_t)jf, k};
	return b->count++;
}

static void answer(struct builder *b, uint32_t action)
{
	emit(b, BPF_RET | BPF_K, 0, 0, action);
}

/* ---- one row ---- */

/* Jumps of a row that lead to the next one are collected while their target is not known. */
struct row {
	unsigned failures[16], count;
};

static void load_half(struct builder *b, unsigned argument, unsigned half, uint32_t mask)
{
	emit(b, BPF_LD | BPF_W | BPF_ABS, 0, 0,
		(uint32_t)(offsetof(struct seccomp_data, args) + argument * 8ul + half * 4ul));
	if (mask != UINT32_MAX)
		emit(b, BPF_ALU | BPF_AND | BPF_K, 0, 0, mask);
}

static void require(struct builder *b, struct row *row, uint32_t value)
{
	sentry_assert(row->count < array_size(row->failures));
	row->failures[row->count++] = emit(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, value);
}

static void test_masked(
	struct builder *b, struct row *row, unsigned argument, uint64_t mask, uint64_t value)
{
	for (unsigned half = 0; half < 2; half++) {
		uint32_t part = (uint32_t)(mask >> (32 * half));

		if (!part)
			continue;
		load_half(b, argument, half, part);
		require(b, row, (uint32_t)(value >> (32 * half)));
	}
}

/* The values of a choice fit the low half; where the mask has a high one, that must be zero. */
static void test_choice(struct builder *b, struct row *row, const struct host_call *call)
{
	uint64_t mask = call->one_of.mask;
	unsigned count = call->one_of.count;

	if (mask >> 32)
		test_masked(b, row, call->one_of.index, mask & ~(uint64_t)UINT32_MAX, 0);
	load_half(b, call->one_of.index, 0, (uint32_t)mask);
	for (unsigned i = 0; i + 1 < count; i++) {
		sentry_assert(call->one_of.values[i] <= UINT32_MAX);
		emit(b, BPF_JMP | BPF_JEQ | BPF_K, count - 1 - i, 0,
			(uint32_t)call->one_of.values[i]);
	}
	require(b, row, (uint32_t)call->one_of.values[count - 1]);
}

static void build_row(struct builder *b, const struct host_call *call)
{
	struct row row = {.count = 0};

	for (unsigned i = 0; i < HOST_CALL_TESTS && call->tests[i].mask; i++)
		test_masked(
			b, &row, call->tests[i].index, call->tests[i].mask, call->tests[i].value);
	if (call->one_of.count)
		test_choice(b, &row, call);
	answer(b, SECCOMP_RET_ALLOW);
	for (unsigned i = 0; i < row.count; i++) {
		unsigned distance = b->count - row.failures[i] - 1;

		sentry_assert(distance <= 255);
		if (row.failures[i] < b->capacity)
			b->program[row.failures[i]].jf = (uint8_t)distance;
	}
}

/* ---- numbers ---- */

static void collect_numbers(struct builder *b)
{
	for (size_t i = 0; i < b->call_count; i++) {
		int nr = b->calls[i].nr;
		unsigned at = b->number_count;

		if (!(b->calls[i].when & b->when))
			continue;
		while (at > 0 && b->numbers[at - 1] > nr)
			at--;
		if (at > 0 && b->numbers[at - 1] == nr)
			continue;
		sentry_assert(b->number_count < NUMBERS_MAX);
		for (unsigned j = b->number_count++; j > at; j--)
			b->numbers[j] = b->numbers[j - 1];
		b->numbers[at] = nr;
	}
}

static void build_number(struct builder *b, int nr)
{
	emit(b, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, (uint32_t)nr);
	answer(b, SECCOMP_RET_KILL_PROCESS);
	for (size_t i = 0; i < b->call_count; i++) {
		if (b->calls[i].nr == nr && (b->calls[i].when & b->when))
			build_row(b, &b->calls[i]);
	}
	answer(b, SECCOMP_RET_KILL_PROCESS);
}

/* The numbers [first, end); as deep as the list's logarithm. */
static void build_tree(struct builder *b, unsigned first, unsigned end)
{
	unsigned middle = first + (end - first) / 2, jump;

	if (end - first == 1) {
		build_number(b, b->numbers[first]);
		return;
	}
	emit(b, BPF_JMP | BPF_JGE | BPF_K, 0, 1, (uint32_t)b->numbers[middle]);
	jump = emit(b, BPF_JMP | BPF_JA, 0, 0, 0);
	build_tree(b, first, middle);
	if (jump < b->capacity)
		b->program[jump].k = b->count - jump - 1;
	build_tree(b, middle, end);
}

int host_filter_build(const struct host_call *calls, size_t count, unsigned when,
	struct sock_filter *program, unsigned capacity)
{
	struct builder b = {.calls = calls,
		.call_count = count,
		.program = program,
		.capacity = capacity,
		.when = when};

	collect_numbers(&b);
	emit(&b, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	emit(&b, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, AUDIT_ARCH_X86_64);
	answer(&b, SECCOMP_RET_KILL_PROCESS);
	emit(&b, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	build_tree(&b, 0, b.number_count);
	return b.count <= capacity ? (int)b.count : -E2BIG;
}
