/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second layer: what the stubs may ask of the host.
 *
 * A guest's calls end in SYSEMU stops before seccomp is asked, so all that the filter sees are
 * injected calls, and calls that went wrong. In this order: the architecture (else kill), the
 * instruction pointer (the vsyscall page becomes a signal, see fault.c; outside the injection page:
 * kill), the number, the scalars with their high halves. It costs an injected call some 10 ns and
 * turns an error in the tracer into a dead guest.
 */
#include "platform/ptrace/tracee.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/checked.h"
#include "base/log.h"
#include "platform/ptrace/stub_calls.h"

#define CHECKS_MAX  3
#define VALUES_MAX  24
#define PROGRAM_MAX 256

/* One scalar argument: (arg & ~ignore) is one of @values; the high half is zero unless @low_only.
 */
struct check {
	unsigned arg;
	uint32_t ignore;
	bool low_only; /* the host looks at 32 bits only */
	unsigned count;
	uint32_t values[VALUES_MAX];
};

struct rule {
	uint32_t nr;
	unsigned count;
	struct check checks[CHECKS_MAX];
	struct platform_stub_call words;
};

#define PROT_BITS (PROT_READ | PROT_WRITE | PROT_EXEC)

/* Arguments without a check are addresses, sizes and values, which only touch the stub's own
 * address space. */
static const struct rule rules[] = {
	{SYS_mmap, 3,
		{
			{2, .ignore = PROT_BITS, .count = 1, .values = {0}},
			{3, .ignore = MAP_NORESERVE, .count = 3,
				.values = {MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
					MAP_PRIVATE | MAP_FIXED, MAP_SHARED | MAP_FIXED}},
			{4, .low_only = true, .count = 2, .values = {PT_STUB_SLOT, UINT32_MAX}},
		},
		{"mmap", "fixed; private, or a shared file; descriptor -1 or the transfer slot",
			"guest memory"}},
	{SYS_munmap, 0, {{0}}, {"munmap", "", "guest memory"}},
	{SYS_mprotect, 1, {{2, .ignore = PROT_BITS, .count = 1, .values = {0}}},
		{"mprotect", "PROT_READ, PROT_WRITE, PROT_EXEC", "guest memory"}},
	{SYS_mremap, 1, {{3, .count = 2, .values = {0, MREMAP_MAYMOVE | MREMAP_FIXED}}},
		{"mremap", "in place, or MREMAP_MAYMOVE|MREMAP_FIXED", "guest memory"}},
	{SYS_madvise, 1, {{2, .low_only = true, .count = STUB_ADVICE_COUNT, .values = STUB_ADVICE}},
		{"madvise", "not REMOVE, MERGEABLE, COLLAPSE, HWPOISON, SOFT_OFFLINE, PAGEOUT",
			"guest memory"}},
	{SYS_futex, 1,
		{{1, .ignore = FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, .low_only = true,
			.count = STUB_FUTEX_COUNT, .values = STUB_FUTEX}},
		{"futex", "WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, WAIT_BITSET, WAKE_BITSET",
			"the guest's futexes on its own memory"}},
	{SYS_futex_waitv, 3,
		{
			{2, .count = 1, .values = {0}},
			{3, .count = 1, .values = {0}},
			{4, .count = 1, .values = {0}},
		},
		{"futex_waitv", "no flags, no timeout",
			"the guest's futexes on its own memory, several at once"}},
	{SYS_recvmsg, 2,
		{
			{0, .count = 1, .values = {PT_STUB_SOCKET}},
			{2, .count = 1, .values = {MSG_DONTWAIT}},
		},
		{"recvmsg", "the transfer socket, MSG_DONTWAIT", "descriptors for mappings"}},
	{SYS_close, 1, {{0, .count = 1, .values = {PT_STUB_SLOT}}},
		{"close", "the transfer slot", "after a descriptor was mapped"}},
	{SYS_clone, 1, {{0, .count = 2, .values = {PT_CLONE_FORK, PT_CLONE_THREAD}}},
		{"clone", "a process's or a thread's exact flags", "fork and threads"}},
	{SYS_exit, 0, {{0}}, {"exit", "", "a thread ends"}},
	{SYS_rseq, 1, {{2, .ignore = 1, .count = 1, .values = {0}}},
		{"rseq", "no flag but UNREGISTER",
			"the guest's restartable sequences: an area in its own memory"}},
	{SYS_restart_syscall, 0, {{0}},
		{"restart_syscall", "",
			"the kernel re-enters a timed futex wait by it after stop and continue"}},
};

bool ptrace_stub_call(unsigned index, struct platform_stub_call *ret)
{
	if (index >= array_size(rules))
		return false;
	*ret = rules[index].words;
	return true;
}

static struct sock_filter program[PROGRAM_MAX];
static unsigned program_count;

static void emit(uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	sentry_assert(program_count < PROGRAM_MAX);
	program[program_count++] = (struct sock_filter){code, jt, jf, k};
}

#define LOAD(field)  emit(BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)(field))
#define RETURN(what) emit(BPF_RET | BPF_K, 0, 0, (what))
/* Skips the next instruction when the accumulator is @k. */
#define SKIP_IF(k) emit(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, (uint32_t)(k))

static size_t arg_low(unsigned arg)
{
	return offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t);
}

static void emit_check(const struct check *check)
{
	if (!check->low_only) {
		LOAD(arg_low(check->arg) + 4);
		SKIP_IF(0);
		RETURN(SECCOMP_RET_KILL_PROCESS);
	}
	LOAD(arg_low(check->arg));
	if (check->ignore)
		emit(BPF_ALU | BPF_AND | BPF_K, 0, 0, ~check->ignore);
	for (unsigned i = 0; i < check->count; i++)
		emit(BPF_JMP | BPF_JEQ | BPF_K, (uint8_t)(check->count - i), 0, check->values[i]);
	RETURN(SECCOMP_RET_KILL_PROCESS);
}

static void emit_rule(const struct rule *rule)
{
	unsigned jump = program_count;

	emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, rule->nr);
	for (unsigned i = 0; i < rule->count; i++)
		emit_check(&rule->checks[i]);
	RETURN(SECCOMP_RET_ALLOW);
	sentry_assert(program_count - jump - 1 <= UINT8_MAX);
	program[jump].jf = (uint8_t)(program_count - jump - 1);
	/* The next rule compares the number again: the accumulator of a rule that was not taken
	 * still holds it. */
}

static void emit_pointer_check(void)
{
	size_t ip = offsetof(struct seccomp_data, instruction_pointer);

	LOAD(ip + 4);
	/* The vsyscall page: high half all ones, which no address of a stub is. */
	emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, UINT32_MAX);
	RETURN(SECCOMP_RET_TRAP);
	SKIP_IF(PT_INJECT_PAGE >> 32);
	RETURN(SECCOMP_RET_KILL_PROCESS);
	LOAD(ip);
	emit(BPF_ALU | BPF_AND | BPF_K, 0, 0, (uint32_t)LX_PAGE_MASK);
	SKIP_IF(PT_INJECT_PAGE);
	RETURN(SECCOMP_RET_KILL_PROCESS);
}

const struct sock_filter *filter_program(unsigned short *ret_count)
{
	program_count = 0;
	LOAD(offsetof(struct seccomp_data, arch));
	SKIP_IF(AUDIT_ARCH_X86_64);
	RETURN(SECCOMP_RET_KILL_PROCESS);
	emit_pointer_check();
	LOAD(offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < array_size(rules); i++)
		emit_rule(&rules[i]);
	RETURN(SECCOMP_RET_KILL_PROCESS);
	*ret_count = (unsigned short)program_count;
	return program;
}
