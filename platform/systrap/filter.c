/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seccomp program of a stub.
 *
 * Order matters: architecture first, since a guest may place i386 code at the stub's addresses and
 * i386 numbers mean other calls (they trap like everything else that is not ours; the stub makes
 * the fault of it that a kernel without i386 calls would raise); then the instruction pointer
 * (behind the `syscall` instruction; its upper bits, the text being one aligned 64 KiB block); then
 * the number, which compares exactly, so that x32 numbers match nothing; then all 64 bits of each
 * constrained argument: the kernel ignores the upper half of an int, but whoever adds a rule need
 * not know that.
 *
 * The program is a sequence of rule blocks. A rule's tests jump, when they fail, to the block's
 * last instruction "hand it to the Sentry"; jumps never leave a block, so offsets fit in their 8
 * bits.
 */
#include "platform/systrap/filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/checked.h"
#include "base/log.h"
#include "platform/systrap/stub/layout.h"

/* The host's <sys/mman.h> names, spelled out: these are the host's ABI, whatever libc says. */
static const uint32_t futex_ops[] = {
#define OP(op) (op), (op) | 128, (op) | 256, (op) | 128 | 256
	OP(0 /* WAIT */), OP(1 /* WAKE */), OP(3 /* REQUEUE */), OP(4 /* CMP_REQUEUE */),
	OP(5 /* WAKE_OP */), OP(9 /* WAIT_BITSET */), OP(10 /* WAKE_BITSET */)
#undef OP
};

/* Without REMOVE, which punches holes into files and thus into the channel; HWPOISON and
 * SOFT_OFFLINE; DOFORK, which would give the channel to a child; MERGEABLE, a covert channel. */
static const uint32_t advice[] = {
	0 /* NORMAL */,
	1 /* RANDOM */,
	2 /* SEQUENTIAL */,
	3 /* WILLNEED */,
	4 /* DONTNEED */,
	8 /* FREE */,
	10 /* DONTFORK */,
	14 /* HUGEPAGE */,
	15 /* NOHUGEPAGE */,
	16 /* DONTDUMP */,
	17 /* DODUMP */,
	18 /* WIPEONFORK */,
	19 /* KEEPONFORK */,
	20 /* COLD */,
	21 /* PAGEOUT */,
	22 /* POPULATE_READ */,
	23 /* POPULATE_WRITE */,
};

static const uint32_t transfer_slots[] = {
	STUB_FD_TRANSFER, STUB_FD_TRANSFER + 1, STUB_FD_TRANSFER + 2};
_Static_assert(array_size(transfer_slots) == STUB_FD_TRANSFERS, "all of them");
_Static_assert(STUB_FD_TRANSFER + STUB_FD_TRANSFERS == STUB_FD_TEXTS &&
		       STUB_FD_TEXTS + 1 == STUB_FD_LIBRARY,
	"what may be mapped is a range");
static const uint32_t clone_flags[] = {STUB_CLONE_FORK, STUB_CLONE_THREAD};

#define MAP_ALLOWED                                                                                \
	(0x01 /* SHARED */ | 0x02 /* PRIVATE */ | 0x10 /* FIXED */ | 0x20 /* ANONYMOUS */ |        \
		0x4000 /* NORESERVE */ | 0x100000 /* FIXED_NOREPLACE */)
#define LIST(values) .list = (values), .list_count = array_size(values)

const struct filter_rule systrap_filter_rules[] = {
	{SYS_getppid, "getppid", .notify = true, .constraint = "answered by the Sentry",
		.reason = "doorbell: wakes the Sentry and sleeps until it answers"},
	{SYS_futex, "futex", .args = {{FILTER_LOW_IN, 1, LIST(futex_ops)}},
		.constraint = "WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, WAIT_BITSET, WAKE_BITSET",
		.reason = "the guest's futexes on its own memory"},
	{SYS_futex_waitv, "futex_waitv",
		.args = {{FILTER_MASK, 2, .value = 0}, {FILTER_MASK, 4, .value = 1}},
		.constraint = "no flags; CLOCK_REALTIME, CLOCK_MONOTONIC",
		.reason = "the guest's futexes on its own memory, several at once"},
	{SYS_rt_sigreturn, "rt_sigreturn", .constraint = "",
		.reason = "back from a handler to guest code"},
	{SYS_mmap, "mmap",
		.args = {{FILTER_MASK, 2, .value = 7}, {FILTER_MASK, 3, .value = MAP_ALLOWED},
			{FILTER_NOT_ALL, 3, .value = 0x21}, {FILTER_FD, 4}},
		.constraint = "no MAP_SHARED|MAP_ANONYMOUS, GROWSDOWN, HUGETLB, LOCKED; descriptor "
			      "-1, a transfer slot, prepared code, a file that many map",
		.reason = "guest memory"},
	{SYS_munmap, "munmap", .constraint = "", .reason = "guest memory"},
	{SYS_mprotect, "mprotect", .args = {{FILTER_MASK, 2, .value = 7}},
		.constraint = "PROT_READ, PROT_WRITE, PROT_EXEC", .reason = "guest memory"},
	{SYS_mremap, "mremap", .args = {{FILTER_MASK, 3, .value = 3}},
		.constraint = "MREMAP_MAYMOVE, MREMAP_FIXED", .reason = "guest memory"},
	{SYS_madvise, "madvise", .args = {{FILTER_LOW_IN, 2, LIST(advice)}},
		.constraint = "not REMOVE, DOFORK, MERGEABLE, COLLAPSE, HWPOISON, SOFT_OFFLINE",
		.reason = "guest memory"},
	{SYS_close, "close", .args = {{FILTER_LOW_IN, 0, LIST(transfer_slots)}},
		.constraint = "a transfer slot", .reason = "after a descriptor was mapped"},
	{SYS_sched_yield, "sched_yield", .constraint = "", .reason = "spinning guests"},
	{SYS_rseq, "rseq",
		.args = {{FILTER_MASK, 1, .value = UINT32_MAX}, {FILTER_MASK, 2, .value = 1},
			{FILTER_MASK, 3, .value = UINT32_MAX}},
		.constraint = "no flag but UNREGISTER",
		.reason = "the guest's restartable sequences: an area in its own memory"},
	{SYS_exit, "exit", .constraint = "", .reason = "a thread ends"},
	{SYS_clone, "clone", .notify = true, .args = {{FILTER_LOW_IN, 0, LIST(clone_flags)}},
		.constraint = "CLONE_PARENT|SIGCHLD, or a thread's flags, when the Sentry awaits "
			      "this very call",
		.reason = "fork and threads"},
};
const unsigned systrap_filter_rule_count = array_size(systrap_filter_rules);

/* Enough for the longest block: a list of 28 values, twice over. */
#define BLOCK_MAX 120
#define FAIL	  0xff /* a jump offset to be patched: the block's end */

struct builder {
	struct sock_filter *program;
	unsigned capacity, count;
	struct sock_filter block[BLOCK_MAX];
	unsigned block_count;
};

static void emit(struct builder *b, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	sentry_assert(b->block_count < BLOCK_MAX);
	b->block[b->block_count++] = (struct sock_filter){code, jt, jf, k};
}

static void load(struct builder *b, unsigned offset)
{
	emit(b, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
}

static unsigned arg_low(unsigned index)
{
	return (unsigned)offsetof(struct seccomp_data, args) + index * 8;
}

static unsigned arg_high(unsigned index)
{
	return arg_low(index) + 4;
}

static void require_equal(struct builder *b, uint32_t value)
{
	emit(b, BPF_JMP | BPF_JEQ | BPF_K, 0, FAIL, value);
}

/* The accumulator is one of these. */
static void test_list(struct builder *b, const uint32_t *list, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		emit(b, BPF_JMP | BPF_JEQ | BPF_K, (uint8_t)(count - 1 - i),
			i + 1 == count ? FAIL : 0, list[i]);
}

static void test_low_in(struct builder *b, const struct filter_arg *arg)
{
	load(b, arg_high(arg->index));
	require_equal(b, 0);
	load(b, arg_low(arg->index));
	test_list(b, arg->list, arg->list_count);
}

static void test_arg(struct builder *b, const struct filter_arg *arg)
{
	switch (arg->test) {
	case FILTER_NONE:
		break;
	case FILTER_MASK:
		load(b, arg_high(arg->index));
		emit(b, BPF_JMP | BPF_JSET | BPF_K, FAIL, 0, ~(uint32_t)(arg->value >> 32));
		load(b, arg_low(arg->index));
		emit(b, BPF_JMP | BPF_JSET | BPF_K, FAIL, 0, ~(uint32_t)arg->value);
		break;
	case FILTER_NOT_ALL:
		load(b, arg_low(arg->index));
		emit(b, BPF_ALU | BPF_AND | BPF_K, 0, 0, (uint32_t)arg->value);
		emit(b, BPF_JMP | BPF_JEQ | BPF_K, FAIL, 0, (uint32_t)arg->value);
		break;
	case FILTER_LOW_IN:
		test_low_in(b, arg);
		break;
	case FILTER_FD:
		load(b, arg_high(arg->index));
		emit(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 2, ~0u);
		load(b, arg_low(arg->index));
		emit(b, BPF_JMP | BPF_JEQ | BPF_K, 4, FAIL, ~0u);
		require_equal(b, 0);
		load(b, arg_low(arg->index));
		emit(b, BPF_JMP | BPF_JGE | BPF_K, 0, FAIL, STUB_FD_TRANSFER);
		emit(b, BPF_JMP | BPF_JGT | BPF_K, FAIL, 0, STUB_FD_END - 1);
		break;
	}
}

/* Appends the block, its open jumps patched to @fail_return, which becomes its last instruction. */
static int flush(struct builder *b, uint32_t fail_return)
{
	emit(b, BPF_RET | BPF_K, 0, 0, fail_return);
	if (b->count + b->block_count > b->capacity)
		return -E2BIG;
	for (unsigned i = 0; i < b->block_count; i++) {
		struct sock_filter *insn = &b->block[i];
		unsigned distance = b->block_count - 1 - i - 1;

		if (BPF_CLASS(insn->code) == BPF_JMP && insn->jt == FAIL)
			insn->jt = (uint8_t)distance;
		if (BPF_CLASS(insn->code) == BPF_JMP && insn->jf == FAIL)
			insn->jf = (uint8_t)distance;
		b->program[b->count++] = *insn;
	}
	b->block_count = 0;
	return 0;
}

static int build_prologue(struct builder *b)
{
	int err;

	load(b, offsetof(struct seccomp_data, arch));
	require_equal(b, AUDIT_ARCH_X86_64);
	load(b, offsetof(struct seccomp_data, instruction_pointer) + 4);
	require_equal(b, (uint32_t)(STUB_TEXT_BASE >> 32));
	load(b, offsetof(struct seccomp_data, instruction_pointer));
	emit(b, BPF_ALU | BPF_AND | BPF_K, 0, 0, ~(uint32_t)(STUB_TEXT_SIZE - 1));
	require_equal(b, (uint32_t)STUB_TEXT_BASE);
	emit(b, BPF_JMP | BPF_JA, 0, 0, 1); /* over the trap, to the rules */
	err = flush(b, SECCOMP_RET_TRAP);
	return err;
}

/* One rule: "not this number: the next block" must jump over the whole block, so it is one more
 * instruction than 8 bits may hold and uses the 32-bit jump. */
static int build_rule(struct builder *b, const struct filter_rule *rule)
{
	unsigned jump;

	load(b, offsetof(struct seccomp_data, nr));
	emit(b, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, rule->nr);
	jump = b->block_count;
	emit(b, BPF_JMP | BPF_JA, 0, 0, 0);
	for (unsigned i = 0; i < FILTER_ARGS_MAX; i++)
		test_arg(b, &rule->args[i]);
	emit(b, BPF_RET | BPF_K, 0, 0, rule->notify ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW);
	b->block[jump].k = b->block_count - jump; /* the failure return is the next one */
	return flush(b, SECCOMP_RET_USER_NOTIF);
}

int systrap_filter_build(struct sock_filter *program, unsigned capacity)
{
	struct builder b = {.program = program, .capacity = capacity};
	int err;

	err = build_prologue(&b);
	if (err < 0)
		return err;
	for (unsigned i = 0; i < systrap_filter_rule_count; i++) {
		err = build_rule(&b, &systrap_filter_rules[i]);
		if (err < 0)
			return err;
	}
	/*
	 * After stop and continue the kernel re-enters a timed futex wait by restart_syscall. It is
	 * not executed: the stub's timeouts are absolute, so that it begins the wait anew, as after
	 * any other signal that was not for the guest.
	 */
	load(&b, offsetof(struct seccomp_data, nr));
	require_equal(&b, SYS_restart_syscall);
	emit(&b, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EINTR);
	/* From the stub's text, but not on the list: the Sentry audits it. */
	err = flush(&b, SECCOMP_RET_USER_NOTIF);
	return err < 0 ? err : (int)b.count;
}
