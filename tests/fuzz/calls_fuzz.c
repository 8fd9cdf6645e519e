/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handlers of system calls, on a kernel without guests: the null platform's memory holds what a
 * guest would have there. One input is up to CALLS_MAX calls, their arguments and an image of
 * memory, so it reaches what handlers read behind pointers: iovecs, msghdrs and control messages,
 * extensible structs (openat2, mount_setattr, landlock, sched_setattr), filters, rules, mount data,
 * capabilities, arrays of iocbs, names of attributes, ioctls of terminals, pipes and sockets,
 * signal frames, what is written to files of /proc.
 *
 * The kernel boots once and goes on from input to input: descriptors, credentials, filters and the
 * memory are set anew each time, files in memory and mounts stay. Calls that end or make tasks are
 * not made. Sleeps end at once: the fiber counts as interrupted.
 *
 * What must hold: nothing the sanitizers see, no assertion, and an answer to every call that is a
 * result or an errno.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <unistd.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "abi/syscall_nr.h"
#include "base/checked.h"
#include "platform/null/null.h"
#include "sentry/seccomp.h"
#include "sentry/task.h"
#include "tests/fuzz/booted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CALLS_MAX   6
#define REGION	    BOOTED_REGION
#define REGION_SIZE 0x4000ull
#define NAMES	    (REGION + REGION_SIZE) /* a page of names, behind which nothing is mapped */
#define NAME_SIZE   32u

static const char *const names[] = {"/tmp/a", "/tmp/d", "/tmp/d/b", "/tmp/l", "a", "..", ".", "",
	"/proc/self", "/proc/self/fd", "/mnt", "tmpfs", "proc", "overlay", "devpts", "mqueue",
	"user.a", "security.capability", "system.posix_acl_access", "trusted.overlay", "size=1m",
	"lowerdir=/tmp,workdir=/mnt", "lowerdir", "upperdir=/tmp/d", "/dev/null", "/dev/ptmx",
	"/dev/pts/0", "mode=0755,uid=1,gid=2", "nr_inodes=5,size=20%", "/queue", "cgroup2", "sysfs",
	"/sys/kernel", "/proc/sys/kernel/hostname", "memfd", "/tmp/socket", "/a", "source", "ro",
	"/proc/self/ns/user"};

/* Opened for each input, from descriptor 3 on. */
static const char *const files[] = {"/tmp/a", "/tmp", "/proc/self", "/proc/self/comm",
	"/proc/self/oom_score_adj", "/proc/self/uid_map", "/proc/self/gid_map",
	"/proc/self/setgroups", "/proc/self/coredump_filter", "/proc/self/loginuid",
	"/proc/self/timerslack_ns", "/proc/self/mem", "/proc/self/oom_adj",
	"/proc/sys/kernel/hostname", "/dev/ptmx", "/dev/zero", "/dev/tty", "/proc/self/clear_refs",
	"/proc/self/maps", "/proc/self/status", "/proc/self/mountinfo", "/proc/self/fd"};

/* Calls that end tasks, make them, stop them, replace their memory, or are made by hand here. */
static const uint16_t excluded[] = {LX_NR_exit, LX_NR_exit_group, LX_NR_execve, LX_NR_execveat,
	LX_NR_clone, LX_NR_fork, LX_NR_vfork, LX_NR_clone3, LX_NR_ptrace, LX_NR_kill, LX_NR_tkill,
	LX_NR_tgkill, LX_NR_rt_sigqueueinfo, LX_NR_rt_tgsigqueueinfo, LX_NR_pidfd_send_signal,
	LX_NR_pause, LX_NR_rt_sigsuspend, LX_NR_reboot, LX_NR_mmap, LX_NR_munmap, LX_NR_mremap,
	LX_NR_mprotect, LX_NR_brk, LX_NR_shmat, LX_NR_remap_file_pages, LX_NR_mseal, LX_NR_chroot,
	LX_NR_pivot_root, LX_NR_setrlimit, LX_NR_prlimit64, LX_NR_unshare, LX_NR_setns,
	LX_NR_madvise, LX_NR_process_madvise, LX_NR_futex, LX_NR_futex_waitv, LX_NR_futex_wait,
	LX_NR_futex_requeue, LX_NR_shmdt, LX_NR_arch_prctl, LX_NR_map_shadow_stack,
	LX_NR_pkey_mprotect, LX_NR_vhangup, LX_NR_membarrier, LX_NR_sync, LX_NR_syncfs,
	LX_NR_setsid, LX_NR_mlockall};

struct input {
	const uint8_t *data;
	size_t size;
};

/* ---- input ---- */

static uint64_t take(struct input *input, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes && input->size; i++, input->size--)
		value |= (uint64_t)*input->data++ << 8 * i;
	return value;
}

static uint64_t take_argument(struct input *input)
{
	uint8_t kind = (uint8_t)take(input, 1);

	switch (kind % 8) {
	case 0:
		return 0;
	case 1:
		return kind / 8; /* a descriptor, a small number */
	case 2:
		return REGION + take(input, 1) * 16;
	case 3:
		return NAMES + (take(input, 1) % array_size(names)) * NAME_SIZE;
	case 4:
		return take(input, 4);
	case 5:
		return (uint64_t) - (int64_t)take(input, 1);
	case 6:
		return REGION + take(input, 2) % REGION_SIZE;
	default:
		return take(input, 8);
	}
}

static bool may_call(uint64_t nr)
{
	for (size_t i = 0; i < array_size(excluded); i++)
		if (excluded[i] == nr)
			return false;
	return nr < LX_NR_COUNT;
}

static void set_up(void)
{
	static struct cred *first_cred;

	if (!first_cred) {
		first_cred = cred_ref(booted_task->cred);
		(void)booted_call3(LX_NR_mkdir, NAMES + NAME_SIZE, 0755, 0);
	}
	booted_revive();
	(void)booted_call3(LX_NR_close_range, 0, UINT32_MAX, 0);
	cred_unref(booted_task->cred);
	booted_task->cred = cred_ref(first_cred);
	seccomp_forget(booted_task);
	booted_task->seccomp = NULL;
	booted_task->seccomp_mode = 0;
	booted_task->blocked = 0;
	for (unsigned i = 0; i < array_size(names); i++) {
		char name[NAME_SIZE] = "";

		(void)snprintf(name, sizeof(name), "%s", names[i]);
		(void)null_memory_write(
			booted_task->thread->as, GADDR(NAMES + i * NAME_SIZE), name, sizeof(name));
	}
	for (unsigned i = 0; i < array_size(files); i++) {
		char name[64] = "";

		(void)snprintf(name, sizeof(name), "%s", files[i]);
		(void)null_memory_write(booted_task->thread->as, GADDR(REGION), name, sizeof(name));
		if (booted_call(LX_NR_open,
			    (const uint64_t[6]){REGION,
				    LX_O_RDWR | LX_O_NONBLOCK | LX_O_NOCTTY | LX_O_CREAT, 0600}) <
			0)
			(void)booted_call(
				LX_NR_open, (const uint64_t[6]){REGION, LX_O_NONBLOCK, 0});
	}
	(void)booted_call3(LX_NR_pipe2, REGION, LX_O_NONBLOCK, 0);
	(void)booted_call(LX_NR_socketpair, (const uint64_t[6]){1, 1 | LX_O_NONBLOCK, 0, REGION});
	(void)booted_call(LX_NR_socketpair, (const uint64_t[6]){1, 5 | LX_O_NONBLOCK, 0, REGION});
	(void)booted_call3(LX_NR_eventfd2, 0, LX_O_NONBLOCK, 0);
	(void)booted_call3(LX_NR_epoll_create1, 0, 0, 0);
	(void)booted_call3(LX_NR_timerfd_create, 1, LX_O_NONBLOCK, 0);
	(void)booted_call3(LX_NR_inotify_init1, LX_O_NONBLOCK, 0, 0);
	(void)booted_call3(LX_NR_ioctl, 3 + 14, 0x40045431 /* TIOCSPTLCK */, REGION + 0x3000);
	(void)booted_call3(LX_NR_ioctl, 3 + 14, 0x5441 /* TIOCGPTPEER */, LX_O_RDWR | LX_O_NOCTTY);
	(void)booted_call3(LX_NR_umount2, NAMES + 10 * NAME_SIZE, 2 /* MNT_DETACH */, 0);
}

static void run_input(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct {
		uint64_t nr, args[6];
	} calls[CALLS_MAX];
	unsigned count = (unsigned)take(&input, 1) % CALLS_MAX + 1;
	uint8_t memory[REGION_SIZE] = {0};

	set_up();
	for (unsigned i = 0; i < count; i++) {
		calls[i].nr = take(&input, 2) % 512;
		for (unsigned j = 0; j < 6; j++)
			calls[i].args[j] = take_argument(&input);
	}
	memcpy(memory, input.data, min_of(input.size, sizeof(memory)));
	(void)null_memory_write(booted_task->thread->as, GADDR(REGION), memory, sizeof(memory));
	booted_task->thread->regs.rsp = REGION + 8;
	for (unsigned i = 0; i < count; i++)
		if (may_call(calls[i].nr))
			(void)booted_call(calls[i].nr, calls[i].args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	booted_run(run_input, data, size);
	return 0;
}
