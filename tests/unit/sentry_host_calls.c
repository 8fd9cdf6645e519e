/* SPDX-License-Identifier: Apache-2.0 */
/* The Sentry's seccomp filter: its program, interpreted for every number, and the real thing in
 * child processes. */
#include <criterion/criterion.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "sentry/confine.h"
#include "sentry/host_calls.h"

static struct sock_filter program[4096];
static unsigned program_count;

static void build(unsigned when)
{
	int fd = memfd_create("filter", MFD_CLOEXEC);
	ssize_t size;

	cr_assert_eq(confine_calls_export(when, fd), 0);
	size = pread(fd, program, sizeof(program), 0);
	cr_assert(size > 0 && (size_t)size < sizeof(program));
	program_count = (unsigned)((size_t)size / sizeof(program[0]));
	close(fd);
}

static bool jump(const struct sock_filter *f, uint32_t a)
{
	switch (BPF_OP(f->code)) {
	case BPF_JEQ:
		return a == f->k;
	case BPF_JGT:
		return a > f->k;
	case BPF_JGE:
		return a >= f->k;
	case BPF_JSET:
		return a & f->k;
	default:
		cr_assert_fail("unknown jump %x", f->code);
	}
	return false;
}

static uint32_t interpret(const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (unsigned pc = 0; pc < program_count; pc++) {
		const struct sock_filter *f = &program[pc];

		if (f->code == (BPF_RET | BPF_K))
			return f->k;
		if (f->code == (BPF_LD | BPF_W | BPF_ABS)) {
			cr_assert(f->k + 4 <= sizeof(*data) && f->k % 4 == 0);
			memcpy(&a, (const char *)data + f->k, 4);
		} else if (f->code == (BPF_ALU | BPF_AND | BPF_K)) {
			a &= f->k;
		} else if (f->code == (BPF_JMP | BPF_JA)) {
			pc += f->k;
		} else if (BPF_CLASS(f->code) == BPF_JMP) {
			pc += jump(f, a) ? f->jt : f->jf;
		} else {
			cr_assert_fail("unknown instruction %x", f->code);
		}
	}
	cr_assert_fail("the program ends without an answer");
	return 0;
}

/* What the list says, by other code than that which made the program. */
static bool listed(const struct seccomp_data *data, unsigned when)
{
	for (size_t i = 0; i < host_call_count; i++) {
		const struct host_call *call = &host_calls[i];
		bool good = call->nr == data->nr && (call->when & when);

		for (unsigned j = 0; j < HOST_CALL_TESTS && call->tests[j].mask; j++)
			good &= (data->args[call->tests[j].index] & call->tests[j].mask) ==
				call->tests[j].value;
		if (good && call->one_of.count) {
			bool found = false;

			for (unsigned j = 0; j < call->one_of.count; j++)
				found |= (data->args[call->one_of.index] & call->one_of.mask) ==
					 call->one_of.values[j];
			good = found;
		}
		if (good)
			return true;
	}
	return false;
}

static const unsigned sets[] = {HOST_SYSTRAP, HOST_PTRACE, HOST_SYSTRAP | HOST_WRITABLE};

static bool has_sanitizer(void)
{
	const struct seccomp_data data = {.nr = SYS_sigaltstack, .arch = AUDIT_ARCH_X86_64};

	return interpret(&data) == SECCOMP_RET_ALLOW;
}

static void check(const struct seccomp_data *data, unsigned when)
{
	bool expected = listed(data, when);

	cr_expect_eq(interpret(data), expected ? SECCOMP_RET_ALLOW : SECCOMP_RET_KILL_PROCESS,
		"call %d (%llx, %llx, %llx, ...) of set %x", data->nr,
		(unsigned long long)data->args[0], (unsigned long long)data->args[1],
		(unsigned long long)data->args[2], when);
}

/* Each argument by itself takes each value that occurs in the lists, its neighbours, and the same
 * with a bit in the high half. */
static void check_arguments(int nr, unsigned when)
{
	static const uint64_t values[] = {0, 1, 2, 3, 4, 7, 8, 9, 0x10, 0x18, 0x40, 0x4040, 128,
		129, 137, 138, 140, 0x189, 17, 18, 19, 23, 24, 31, 1024, 1033, 0x5412, 0x5401,
		0x4206, 0xc0502100, 0xc0182101, 0x40182103, 0x40082104, 0x80000000, UINT32_MAX,
		UINT64_MAX};

	for (unsigned arg = 0; arg < 6; arg++) {
		for (size_t i = 0; i < array_size(values); i++) {
			struct seccomp_data data = {.nr = nr, .arch = AUDIT_ARCH_X86_64};

			data.args[arg] = values[i];
			check(&data, when);
			data.args[arg] |= 1ull << 32;
			check(&data, when);
			/* Rules with a second argument: these are their values. */
			data.args[arg] = values[i];
			data.args[1] = arg == 1 ? values[i] : SIGKILL;
			data.args[3] = arg == 3 ? values[i] : 24;
			data.args[2] = arg == 2 ? values[i] : 0x4040;
			check(&data, when);
		}
	}
}

Test(host_calls, interpreted)
{
	for (size_t i = 0; i < array_size(sets); i++) {
		unsigned when = sets[i] | HOST_ALWAYS | HOST_PWAIT2;

		build(sets[i]);
		if (has_sanitizer())
			when |= HOST_SANITIZER;
		for (int nr = 0; nr < 600; nr++)
			check_arguments(nr, when);
	}
}

Test(host_calls, other_architectures)
{
	build(HOST_SYSTRAP);
	for (int nr = 0; nr < 600; nr++) {
		struct seccomp_data data = {.nr = nr, .arch = AUDIT_ARCH_I386};

		cr_expect_eq(interpret(&data), SECCOMP_RET_KILL_PROCESS, "i386 %d", nr);
		data.arch = AUDIT_ARCH_X86_64;
		data.nr = nr | 0x40000000; /* x32 */
		cr_expect_eq(interpret(&data), SECCOMP_RET_KILL_PROCESS, "x32 %d", nr);
		data.nr = nr;
		data.arch = AUDIT_ARCH_AARCH64;
		cr_expect_eq(interpret(&data), SECCOMP_RET_KILL_PROCESS, "aarch64 %d", nr);
	}
}

/* ---- in earnest ---- */

static const struct {
	const char *name;
	long args[7]; /* number first */
	bool allowed;
} calls[] = {
	{"getsid", {SYS_getsid}, false},
	{"a mapping", {SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}, true},
	{"an executable mapping",
		{SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0},
		false},
	{"execve", {SYS_execve}, false},
	{"execveat", {SYS_execveat}, false},
	{"socket", {SYS_socket, AF_INET, SOCK_STREAM, 0}, false},
	{"connect", {SYS_connect, 0}, false},
	{"fork", {SYS_fork}, false},
	{"clone", {SYS_clone, SIGCHLD}, false},
	{"clone3", {SYS_clone3}, false},
	{"ptrace", {SYS_ptrace, 16}, false},
	{"process_vm_readv", {SYS_process_vm_readv}, false},
	{"TIOCSTI", {SYS_ioctl, 0, TIOCSTI}, false},
	{"kill of all", {SYS_kill, -1, SIGKILL}, false},
	{"SIGTERM", {SYS_kill, 1 << 22, SIGTERM}, false},
	{"duplicating a descriptor", {SYS_fcntl, 0, 0}, false},
	{"sending to an address", {SYS_sendto, 0, 0, 0, 0, 1}, false},
	{"unlinkat", {SYS_unlinkat, -1, 0}, false},
	{"seccomp", {SYS_seccomp, 9}, false},
	{"reboot", {SYS_reboot, 0}, false},
};

Test(host_calls, installed)
{
	for (size_t i = 0; i < array_size(calls); i++) {
		const long *a = calls[i].args;
		const char *why;
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
				confine_calls(HOST_SYSTRAP, &why) < 0)
				_exit(1);
			(void)syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
			_exit(0);
		}
		cr_assert(pid > 0 && waitpid(pid, &status, 0) == pid);
		if (calls[i].allowed)
			cr_expect_eq(status, 0, "%s: status %x", calls[i].name, status);
		else
			cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
				"%s: status %x", calls[i].name, status);
	}
}

/* It is part of every start: a millisecond is the most that it may take, here with room for a busy
 * machine. */
Test(host_calls, quick)
{
	struct timespec start, end;
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 10; i++) {
		clock_gettime(CLOCK_MONOTONIC, &start);
		build(HOST_SYSTRAP);
		clock_gettime(CLOCK_MONOTONIC, &end);
		best = min_of(best, (uint64_t)((end.tv_sec - start.tv_sec) * 1000000000l +
					       end.tv_nsec - start.tv_nsec));
	}
	cr_log_info("the filter takes %llu us", (unsigned long long)best / 1000);
	if (!has_sanitizer())
		cr_expect(best < 1000000, "%llu ns", (unsigned long long)best);
}
