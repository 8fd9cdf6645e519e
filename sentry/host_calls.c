/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/host_calls.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <asm/termbits.h>
#include <asm/ioctls.h>

#include "base/checked.h"
#include "platform/platform.h"

/*
 * How a call comes onto this list: some code of ours or of libc needs it after start-up, and no
 * call that is here already would do. What is needed once is asked before the filter is installed
 * (confine_calls()); what two calls could do, one does (openat2 for openat, preadv2 for read at an
 * offset, statx for fstat, fixed mappings for mprotect).
 *
 * Every row names its tests. A row whose descriptor or path matters says what bounds that: the
 * filter cannot look behind a pointer, Landlock can.
 */

#define INT    UINT32_MAX
#define ONE_OF HOST_CALL_ONE_OF

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#define OWN_FDS "code: the Sentry's own descriptors"
#define OWN_TASKS                                                                                  \
	"Landlock: signals stay in the sandbox (Linux 6.12); namespace: no other process has a "   \
	"number; code: stubs that are not reaped"
#define PATHS                                                                                      \
	"Landlock: beneath the roots of the mounts, reading where they are read-only; code: "      \
	"RESOLVE_BENEATH, no links; namespace: no path leads to a tree of the host"
#define WRITABLE_PATHS "Landlock: beneath the roots of writable mounts; code: single components"

const struct host_call host_calls[] = {
	/* ---- files ---- */
	{SYS_read, "read", HOST_ALWAYS, .constraint = "", .rest = OWN_FDS,
		.reason = "the helpers' doorbell, the platform's files in /proc"},
	{SYS_write, "write", HOST_ALWAYS, .constraint = "", .rest = OWN_FDS,
		.reason = "log lines, --strace, --audit, the helpers' doorbell"},
	{SYS_preadv2, "preadv2", HOST_ALWAYS, .tests = {{5, INT & ~(uint64_t)RWF_NOWAIT, 0}},
		.constraint = "flags: RWF_NOWAIT", .rest = OWN_FDS,
		.reason = "host files, files in memory, standard input, frames of a link"},
	{SYS_pwritev2, "pwritev2", HOST_ALWAYS,
		.tests = {{5, INT & ~(uint64_t)(RWF_NOWAIT | RWF_APPEND | RWF_DSYNC), 0}},
		.constraint = "flags: RWF_NOWAIT, RWF_APPEND, RWF_DSYNC", .rest = OWN_FDS,
		.reason = "files in memory, standard output, writable mounts, --commit, frames of "
			  "a link"},
	{SYS_close, "close", HOST_ALWAYS, .constraint = "", .rest = "",
		.reason = "whatever was opened"},
	{SYS_lseek, "lseek", HOST_ALWAYS, .constraint = "", .rest = OWN_FDS,
		.reason = "holes of files, the position of standard input and output"},
	{SYS_statx, "statx", HOST_ALWAYS, .constraint = "",
		.rest = "namespace: no path leads to a tree of the host; code: descriptors, and "
			"names of one component in them",
		.reason = "attributes of host files, pages of files in memory"},
	{SYS_openat2, "openat2", HOST_ALWAYS, .tests = {{3, UINT64_MAX, sizeof(struct open_how)}},
		.constraint = "the structure's size", .rest = PATHS,
		.reason = "host files; a read-only descriptor of a file in memory; stubs in /proc"},
	{SYS_readlinkat, "readlinkat", HOST_ALWAYS, .constraint = "",
		.rest = "namespace: no path leads to a tree of the host; code: descriptors of "
			"links, and names of one component",
		.reason = "symbolic links of the host"},
	{SYS_getdents64, "getdents64", HOST_ALWAYS, .constraint = "", .rest = OWN_FDS,
		.reason = "host directories; stubs that nobody knows"},
	{SYS_fcntl, "fcntl", HOST_ALWAYS, .one_of = ONE_OF(1, INT, F_ADD_SEALS, F_GETFL),
		.constraint = "F_ADD_SEALS, F_GETFL", .rest = OWN_FDS,
		.reason = "seals of files in memory and channels; how standard input is open"},
	{SYS_memfd_create, "memfd_create", HOST_ALWAYS,
		.tests = {{1, INT & ~(uint64_t)(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL),
			0}},
		.constraint = "flags: MFD_CLOEXEC, MFD_ALLOW_SEALING, MFD_NOEXEC_SEAL", .rest = "",
		.reason = "files in memory, shared guest memory, channels"},
	{SYS_ftruncate, "ftruncate", HOST_ALWAYS, .constraint = "", .rest = OWN_FDS,
		.reason = "the size of files in memory and channels"},
	{SYS_fallocate, "fallocate", HOST_ALWAYS,
		.tests = {{1,
			INT & ~(uint64_t)(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE |
					  FALLOC_FL_ZERO_RANGE),
			0}},
		.constraint = "mode: KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE", .rest = OWN_FDS,
		.reason = "room and holes in files in memory and on writable mounts"},
	{SYS_fsync, "fsync", HOST_ALWAYS, .constraint = "", .rest = OWN_FDS,
		.reason = "standard output that is a file, writable mounts"},

	{SYS_preadv, "preadv", HOST_OLD_IO, .constraint = "", .rest = OWN_FDS,
		.reason = "preadv2 where the host has none"},
	{SYS_pwritev, "pwritev", HOST_OLD_IO, .constraint = "", .rest = OWN_FDS,
		.reason = "pwritev2 where the host has none"},
	{SYS_readv, "readv", HOST_OLD_IO, .constraint = "", .rest = OWN_FDS,
		.reason = "preadv2 where the host has none, on streams"},
	{SYS_writev, "writev", HOST_OLD_IO, .constraint = "", .rest = OWN_FDS,
		.reason = "pwritev2 where the host has none, on streams"},
	{SYS_newfstatat, "newfstatat", HOST_OLD_STAT, .constraint = "",
		.rest = "code: descriptors, no paths", .reason = "statx where the host has none"},

	/* ---- our own memory and threads ---- */
	{SYS_mmap, "mmap", HOST_ALWAYS, .tests = {{2, ~(uint64_t)(PROT_READ | PROT_WRITE), 0}},
		.constraint = "not executable", .rest = "",
		.reason = "malloc, fiber stacks, channels"},
	{SYS_munmap, "munmap", HOST_ALWAYS, .constraint = "", .rest = "",
		.reason = "malloc, fiber stacks, channels"},
	{SYS_mremap, "mremap", HOST_ALWAYS, .tests = {{3, UINT64_MAX, MREMAP_MAYMOVE}},
		.constraint = "MREMAP_MAYMOVE", .rest = "", .reason = "realloc"},
	{SYS_brk, "brk", HOST_ALWAYS, .constraint = "", .rest = "", .reason = "malloc"},
	{SYS_futex, "futex", HOST_ALWAYS,
		.one_of = ONE_OF(1, INT & ~(uint64_t)FUTEX_CLOCK_REALTIME, FUTEX_WAIT_PRIVATE,
			FUTEX_WAKE_PRIVATE, FUTEX_WAIT_BITSET_PRIVATE),
		.constraint = "private WAIT, WAKE, WAIT_BITSET", .rest = "",
		.reason = "locks and conditions between the kernel thread and the helpers"},
	{SYS_restart_syscall, "restart_syscall", HOST_ALWAYS, .constraint = "", .rest = "",
		.reason = "the kernel re-enters timed waits by it after stop and continue"},
	{SYS_exit_group, "exit_group", HOST_ALWAYS, .constraint = "", .rest = "",
		.reason = "the end"},

	/* ---- waiting, time, chance ---- */
	{SYS_epoll_ctl, "epoll_ctl", HOST_ALWAYS, .constraint = "", .rest = OWN_FDS,
		.reason = "what the main loop watches"},
	{SYS_epoll_pwait2, "epoll_pwait2", HOST_PWAIT2, .constraint = "", .rest = OWN_FDS,
		.reason = "what happened to which descriptor"},
	{SYS_epoll_pwait, "epoll_pwait", HOST_OLD_PWAIT, .constraint = "", .rest = OWN_FDS,
		.reason = "the same, where the host has no epoll_pwait2"},
	{SYS_ppoll, "ppoll", HOST_ALWAYS, .constraint = "", .rest = OWN_FDS,
		.reason = "the main loop sleeps; standard input and output; the end of the "
			  "terminal and of stubs"},
	{SYS_clock_gettime, "clock_gettime", HOST_ALWAYS, .constraint = "", .rest = "",
		.reason = "CPU clocks of stubs; all clocks where the host has no vDSO"},
	{SYS_getrandom, "getrandom", HOST_ALWAYS, .tests = {{2, INT, 0}}, .constraint = "no flags",
		.rest = "", .reason = "the guest's randomness and our tokens"},

	/* ---- the launcher ---- */
	{SYS_recvfrom, "recvfrom", HOST_ALWAYS, .tests = {{4, UINT64_MAX, 0}},
		.constraint = "no address", .rest = OWN_FDS,
		.reason = "signals from the launcher, the terminal, the ptrace platform's socket"},
	{SYS_sendto, "sendto", HOST_ALWAYS, .tests = {{4, UINT64_MAX, 0}},
		.constraint = "no address", .rest = OWN_FDS,
		.reason = "the result to the launcher, the terminal"},

	/* ---- stubs ---- */
	{SYS_kill, "kill", HOST_SYSTRAP, .tests = {{0, 1ull << 31, 0}},
		.one_of = ONE_OF(1, INT, SIGKILL, SIGCONT),
		.constraint = "one process; SIGKILL, SIGCONT", .rest = OWN_TASKS,
		.reason = "ends stubs, continues stopped ones"},
	{SYS_kill, "kill", HOST_PTRACE, .tests = {{1, INT, SIGKILL}}, .constraint = "SIGKILL",
		.rest = OWN_TASKS, .reason = "ends stubs, all of them as a group"},
	{SYS_tgkill, "tgkill", HOST_SYSTRAP, .one_of = ONE_OF(2, INT, 0, PLATFORM_KICK_SIGNAL),
		.constraint = "0, SIGURG", .rest = OWN_TASKS,
		.reason = "interrupts a thread, asks whether it exists"},
	{SYS_ioctl, "ioctl", HOST_SYSTRAP,
		.one_of = ONE_OF(1, INT, SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND,
			SECCOMP_IOCTL_NOTIF_ADDFD, SECCOMP_IOCTL_NOTIF_SET_FLAGS),
		.constraint = "SECCOMP_IOCTL_NOTIF_RECV, SEND, ADDFD, SET_FLAGS",
		.rest = "kernel: the listener's own processes only",
		.reason = "doorbells, approvals, descriptors for mappings"},
	{SYS_waitid, "waitid", HOST_SYSTRAP, .constraint = "", .rest = "kernel: own children",
		.reason = "stubs that ended or were stopped"},
	{SYS_pidfd_open, "pidfd_open", HOST_SYSTRAP, .tests = {{1, INT, 0}},
		.constraint = "no flags",
		.rest = "namespace: no other process has a number; code: own children; no call "
			"here uses a pidfd but "
			"to wait",
		.reason = "hears of the end of a stub"},
	{SYS_mlock, "mlock", HOST_SYSTRAP, .constraint = "", .rest = "kernel: RLIMIT_MEMLOCK",
		.reason = "channel headers stay in memory"},
	{SYS_sched_setaffinity, "sched_setaffinity", HOST_SYSTRAP | HOST_PTRACE, .constraint = "",
		.rest = "kernel: processes of the same user; namespace: no other process has a "
			"number; code: stubs' threads",
		.reason = "stubs on our core, or apart from it"},
	{SYS_ptrace, "ptrace", HOST_PTRACE,
		.one_of = ONE_OF(0, UINT64_MAX, PTRACE_SYSEMU, PTRACE_CONT, PTRACE_GETREGS,
			PTRACE_SETREGS, PTRACE_POKEUSER, PTRACE_GETREGSET, PTRACE_SETREGSET,
			PTRACE_GETSIGINFO, PTRACE_GETEVENTMSG, PTRACE_GET_SYSCALL_INFO,
			PTRACE_INTERRUPT),
		.constraint = "no ATTACH, SEIZE, PEEK or POKE of memory",
		.rest = "kernel: processes that are traced already",
		.reason = "runs stubs and reads their registers"},
	{SYS_process_vm_readv, "process_vm_readv", HOST_PTRACE, .tests = {{5, UINT64_MAX, 0}},
		.constraint = "no flags", .rest = "Landlock: processes of the sandbox",
		.reason = "guest memory"},
	{SYS_process_vm_writev, "process_vm_writev", HOST_PTRACE, .tests = {{5, UINT64_MAX, 0}},
		.constraint = "no flags", .rest = "Landlock: processes of the sandbox",
		.reason = "guest memory"},
	{SYS_wait4, "wait4", HOST_PTRACE, .constraint = "", .rest = "kernel: own children",
		.reason = "stops and ends of stubs"},
	{SYS_sched_yield, "sched_yield", HOST_PTRACE, .constraint = "", .rest = "",
		.reason = "hands the core to a stub"},
	{SYS_sendmsg, "sendmsg", HOST_PTRACE, .tests = {{2, INT, MSG_DONTWAIT | MSG_NOSIGNAL}},
		.constraint = "MSG_DONTWAIT|MSG_NOSIGNAL", .rest = OWN_FDS,
		.reason = "descriptors for mappings"},

	/* ---- the gateway ---- */
	{SYS_recvmsg, "recvmsg", HOST_GATEWAY, .tests = {{2, INT, MSG_DONTWAIT | MSG_CMSG_CLOEXEC}},
		.constraint = "MSG_DONTWAIT|MSG_CMSG_CLOEXEC", .rest = OWN_FDS,
		.reason = "messages of the gateway, with a flow's socket"},
	{SYS_shutdown, "shutdown", HOST_GATEWAY, .tests = {{1, INT, SHUT_WR}},
		.constraint = "SHUT_WR", .rest = OWN_FDS, .reason = "half of a close of a flow"},

/* ---- writable mounts ---- */
#define CHANGE(call, why)                                                                          \
	{                                                                                          \
		SYS_##call, #call, HOST_WRITABLE, .constraint = "", .rest = WRITABLE_PATHS,        \
						  .reason = why                                    \
	}
	CHANGE(mkdirat, "mkdir"),
	CHANGE(unlinkat, "unlink, rmdir"),
	CHANGE(renameat2, "rename"),
	CHANGE(linkat, "link"),
	CHANGE(symlinkat, "symlink"),
#undef CHANGE
	{SYS_fchmodat2, "fchmodat2", HOST_WRITABLE, .constraint = "",
		.rest = "code: descriptors, no paths, no set-user-id", .reason = "chmod"},
	{SYS_fchmod, "fchmod", HOST_WRITABLE, .constraint = "", .rest = "code: no set-user-id",
		.reason = "chmod before Linux 6.6"},
	{SYS_fchownat, "fchownat", HOST_WRITABLE, .constraint = "",
		.rest = "code: descriptors, no paths", .reason = "chown"},
	{SYS_utimensat, "utimensat", HOST_WRITABLE, .constraint = "",
		.rest = "code: descriptors, no paths", .reason = "times of files"},
	{SYS_fgetxattr, "fgetxattr", HOST_WRITABLE, .constraint = "",
		.rest = "code: the Sentry's own descriptors, names of user.*",
		.reason = "extended attributes"},
	{SYS_flistxattr, "flistxattr", HOST_WRITABLE, .constraint = "", .rest = OWN_FDS,
		.reason = "extended attributes"},
	{SYS_fsetxattr, "fsetxattr", HOST_WRITABLE,
		.tests = {{4, INT & ~(uint64_t)(XATTR_CREATE | XATTR_REPLACE), 0}},
		.constraint = "XATTR_CREATE, XATTR_REPLACE",
		.rest = "code: the Sentry's own descriptors, names of user.*",
		.reason = "extended attributes"},
	{SYS_fremovexattr, "fremovexattr", HOST_WRITABLE, .constraint = "",
		.rest = "code: the Sentry's own descriptors, names of user.*",
		.reason = "extended attributes"},
	{SYS_fdatasync, "fdatasync", HOST_WRITABLE, .constraint = "", .rest = OWN_FDS,
		.reason = "fdatasync"},
	{SYS_fstatfs, "fstatfs", HOST_WRITABLE, .constraint = "", .rest = OWN_FDS,
		.reason = "room on a writable mount"},

/*
 * ---- builds with sanitizers: never shipped ----
 * Their allocator, and the report of an error: our own program's symbols.
 */
#define SANITIZER(call)                                                                            \
	{                                                                                          \
		SYS_##call, #call, HOST_SANITIZER, .constraint = "", .rest = "",                   \
						   .reason = "sanitizer"                           \
	}
	SANITIZER(mprotect),
	SANITIZER(madvise),
	SANITIZER(sigaltstack),
	SANITIZER(rt_sigaction),
	SANITIZER(rt_sigprocmask),
	SANITIZER(getpid),
	SANITIZER(gettid),
	SANITIZER(prlimit64),
	SANITIZER(prctl),
	SANITIZER(sched_yield),
	SANITIZER(sched_getaffinity),
	SANITIZER(clock_nanosleep),
	SANITIZER(openat),
	SANITIZER(open),
	SANITIZER(access),
	SANITIZER(readlink),
	SANITIZER(newfstatat),
	SANITIZER(fstat),
	SANITIZER(pread64),
	SANITIZER(writev),
	SANITIZER(uname),
	SANITIZER(sysinfo),
	SANITIZER(getuid),
	SANITIZER(geteuid),
	SANITIZER(getppid),
#undef SANITIZER
	{SYS_ioctl, "ioctl", HOST_SANITIZER, .tests = {{1, INT, TCGETS}}, .constraint = "TCGETS",
		.rest = "", .reason = "sanitizer"},
};
const size_t host_call_count = array_size(host_calls);
