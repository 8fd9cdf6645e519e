/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: outer-filter COMMAND [ARG...]
 *
 * Runs a command under a seccomp filter like the default one of container engines: calls that it
 * does not know answer EPERM (clone3 ENOSYS, so that libc falls back to clone), namespaces and the
 * calls of administrators are forbidden. A sandbox must work under it, since it often runs in a
 * container.
 */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const forbidden[] = {
	"acct",
	"add_key",
	"bpf",
	"clock_adjtime",
	"clock_settime",
	"create_module",
	"delete_module",
	"finit_module",
	"fsconfig",
	"fsmount",
	"fsopen",
	"fspick",
	"get_kernel_syms",
	"get_mempolicy",
	"init_module",
	"io_uring_enter",
	"io_uring_register",
	"io_uring_setup",
	"ioperm",
	"iopl",
	"kexec_file_load",
	"kexec_load",
	"keyctl",
	"lookup_dcookie",
	"mbind",
	"mount",
	"mount_setattr",
	"move_mount",
	"move_pages",
	"nfsservctl",
	"open_by_handle_at",
	"open_tree",
	"perf_event_open",
	"personality",
	"pivot_root",
	"query_module",
	"quotactl",
	"reboot",
	"request_key",
	"set_mempolicy",
	"setns",
	"settimeofday",
	"stime",
	"swapon",
	"swapoff",
	"sysfs",
	"_sysctl",
	"umount",
	"umount2",
	"unshare",
	"uselib",
	"userfaultfd",
	"ustat",
	"vm86",
	"vm86old",
};

/* Numbers that engines of some years ago have never heard of. */
#define FIRST_UNKNOWN 451
#define LAST_UNKNOWN  600

static int forbid(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		int nr = seccomp_syscall_resolve_name(forbidden[i]);

		if (nr >= 0)
			r |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), nr, 0);
	}
	for (int nr = FIRST_UNKNOWN; nr <= LAST_UNKNOWN; nr++)
		r |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), nr, 0);
	/* 0x7e020000: every CLONE_NEW* flag; one test for each, since they are allowed together. */
	for (unsigned bit = 0; bit < 32; bit++) {
		if (0x7e020000u >> bit & 1)
			r |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				SCMP_A0(SCMP_CMP_MASKED_EQ, 1u << bit, 1u << bit));
	}
	r |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return r;
}

int main(int argc, char **argv)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (argc < 2) {
		fprintf(stderr, "usage: outer-filter COMMAND [ARG...]\n");
		return 2;
	}
	if (!filter || forbid(filter) || seccomp_load(filter)) {
		fprintf(stderr, "outer-filter: cannot install the filter\n");
		return 2;
	}
	execvp(argv[1], argv + 1);
	fprintf(stderr, "outer-filter: %s: %s\n", argv[1], strerror(errno));
	return 127;
}
