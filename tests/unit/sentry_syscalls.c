/* SPDX-License-Identifier: Apache-2.0 */
/* The system call table: its numbers against the host's, what dispatch does to registers, the
 * marshalling plan. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "abi/marshal_gen.h"
#include "sentry/syscalls_gen.h"

struct task;

/* dispatch.def has rows for these; the handlers note their arguments. */
static int64_t last[6];

int64_t sys_read(struct task *t, int fd, gaddr_t buf, uint64_t count)
{
	last[0] = fd;
	last[1] = (int64_t)buf.v;
	last[2] = (int64_t)count;
	return 1;
}

int64_t sys_fchmod(struct task *t, int fd, unsigned mode)
{
	last[0] = fd;
	last[1] = mode;
	return 2;
}

int64_t sys_fchown(struct task *t, int fd, unsigned owner, unsigned group)
{
	last[0] = fd;
	last[1] = owner;
	last[2] = group;
	return 3;
}

int64_t sys_lseek(struct task *t, int fd, int64_t offset, int whence)
{
	last[0] = fd;
	last[1] = offset;
	last[2] = whence;
	return 4;
}

Test(syscalls, registers_are_truncated_to_the_types)
{
	static const struct {
		unsigned nr;
		uint64_t args[6];
		int64_t result, seen[3];
	} cases[] = {
		{LX_NR_read, {0xdead00000003, 0xffff800000001000, ~0ull}, 1,
			{3, (int64_t)0xffff800000001000, -1}},
		{LX_NR_read, {0xffffffff}, 1, {-1, 0, 0}},
		{LX_NR_fchmod, {1ull << 32, 0xabcd01ff}, 2, {0, 0x01ff, 0}},
		{LX_NR_fchown, {1, ~0ull, 0x1ffffffff}, 3, {1, 0xffffffff, 0xffffffff}},
		{LX_NR_lseek, {1, (uint64_t)-2, 0xffffffff00000001}, 4, {1, -2, 1}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(last, 0, sizeof(last));
		cr_assert_not_null(syscall_table[cases[i].nr].call);
		cr_expect_eq(syscall_table[cases[i].nr].call(NULL, cases[i].args), cases[i].result);
		for (unsigned j = 0; j < 3; j++)
			cr_expect_eq(last[j], cases[i].seen[j], "case %zu argument %u: %lld", i, j,
				(long long)last[j]);
	}
	cr_expect_null(syscall_table[LX_NR_write].call);
}

Test(syscalls, every_number_of_the_host_has_its_row)
{
#define SAME(name) cr_expect_eq(LX_NR_##name, SYS_##name)
	SAME(read);
	SAME(mmap);
	SAME(rt_sigreturn);
	SAME(clone);
	SAME(wait4);
	SAME(getdents64);
	SAME(futex);
	SAME(tgkill);
	SAME(newfstatat);
	SAME(prlimit64);
	SAME(statx);
	SAME(rseq);
	SAME(pidfd_send_signal);
	SAME(clone3);
	SAME(futex_waitv);
	SAME(set_mempolicy_home_node);
	for (unsigned nr = 0; nr < LX_NR_COUNT; nr++) {
		bool gap = nr > LX_NR_uprobe && nr < LX_NR_pidfd_send_signal;

		cr_expect_eq(syscall_info[nr].name == NULL, gap, "number %u", nr);
	}
}

Test(syscalls, marshalling_plan)
{
	static const struct {
		unsigned nr, count;
		struct marshal_entry first;
	} cases[] = {
		{LX_NR_openat, 1, {MARSHAL_STRING, 1, 0, 0, 0}},
		{LX_NR_write, 1, {MARSHAL_BUFFER_IN, 1, 2, 64, 1}},
		{LX_NR_read, 1, {MARSHAL_BUFFER_OUT, 1, 2, 64, 1}},
		{LX_NR_writev, 1, {MARSHAL_IOVEC_IN, 1, 2, 64, 16}},
		{LX_NR_readv, 1, {MARSHAL_BUFFER_IN, 1, 2, 64, 16}},
		{LX_NR_poll, 2, {MARSHAL_BUFFER_IN, 0, 1, 32, 8}},
		{LX_NR_fstat, 1, {MARSHAL_STRUCT_OUT, 1, 0, 0, 144}},
		{LX_NR_utimensat, 2, {MARSHAL_STRING, 1, 0, 0, 0}},
		{LX_NR_pipe2, 1, {MARSHAL_STRUCT_OUT, 0, 0, 0, 8}},
		{LX_NR_connect, 1, {MARSHAL_BUFFER_IN, 1, 2, 32, 1}},
		{LX_NR_getpid, 0, {0}},
		{LX_NR_select, 2, {MARSHAL_STRUCT_IN, 4, 0, 0, 16}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct marshal_row row = marshal_rows[cases[i].nr];

		cr_expect_eq(row.count, cases[i].count, "%s", syscall_info[cases[i].nr].name);
		if (row.count)
			cr_expect(!memcmp(&marshal_entries[row.first], &cases[i].first,
					  sizeof(struct marshal_entry)),
				"%s", syscall_info[cases[i].nr].name);
	}
}

Test(syscalls, print)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	cr_assert_eq(syscalls_print(out, "csv"), 0);
	cr_expect_not_null(strstr(text, "\n257,openat,block,"));
	cr_expect_lt(syscalls_print(out, "xml"), 0);
	rewind(out);
	cr_assert_eq(syscalls_print(out, "json"), 0);
	cr_expect_eq(text[0], '[');
	cr_expect_not_null(strstr(text,
		"{\"number\": 0, \"name\": \"read\", \"arguments\": [\"fd\", \"buf\", \"count\"]"));
	fclose(out);
	free(text);
}
