/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system's name, numbers and randomness, and what a process without privileges is told when it
 * asks to administer the machine. Capabilities of the guest's own root are about the sandbox's
 * objects: none of them reaches the host's clock, disks, modules or power switch, so those calls
 * are refused to everybody, with an audit line.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/limits.h"
#include "abi/prctl.h"
#include "abi/quota.h"
#include "abi/stat.h"
#include "abi/uname.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fiber.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/random.h"
#include "sentry/kernel.h"
#include "sentry/mm.h"
#include "sentry/nsproxy.h"
#include "sentry/procfs/procfs.h"
#include "sentry/syscalls/path.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task.h"
#include "sentry/tty/tty.h"
#include "sentry/uts.h"

/* ---- names ----------------------------------------------------------------------------------- */

int64_t sys_uname(struct task *t, gaddr_t buf)
{
	struct lx_utsname name = {
		.sysname = UTS_SYSNAME,
		.release = UTS_RELEASE,
		.version = UTS_VERSION,
		.machine = UTS_MACHINE,
	};

	if ((t->personality & LX_PER_MASK) == LX_PER_LINUX32)
		strcpy(name.machine, "i686"); /* override_architecture() */
	if (t->personality & LX_UNAME26)
		strcpy(name.release, UTS_RELEASE_26); /* override_release() */
	memcpy(name.nodename, task_uts(t)->hostname, sizeof(name.nodename));
	memcpy(name.domainname, task_uts(t)->domainname, sizeof(name.domainname));
	return guest_write_value(t, buf, &name);
}

static int64_t set_name(struct task *t, char *name, size_t capacity, gaddr_t from, int len)
{
	char buffer[LX_UTS_LEN + 1] = {0};
	int err;

	if (!task_ns_capable(t, NS_UTS, LX_CAP_SYS_ADMIN))
		return -EPERM;
	if (len < 0 || len > LX_UTS_LEN)
		return -EINVAL;
	err = guest_read(t, buffer, from, (size_t)len);
	if (err < 0)
		return err;
	memcpy(name, buffer, min_of(capacity, sizeof(buffer)));
	return 0;
}

int64_t sys_sethostname(struct task *t, gaddr_t name, int len)
{
	return set_name(t, task_uts(t)->hostname, sizeof(task_uts(t)->hostname), name, len);
}

int64_t sys_setdomainname(struct task *t, gaddr_t name, int len)
{
	return set_name(t, task_uts(t)->domainname, sizeof(task_uts(t)->domainname), name, len);
}

/* ---- numbers --------------------------------------------------------------------------------- */

int64_t sys_sysinfo(struct task *t, gaddr_t info)
{
	struct procfs_memory memory;
	struct lx_sysinfo si = {
		.uptime = (int64_t)((loop_monotonic_now() - kernel.boot_time_mono) / 1000000000),
		.procs = (uint16_t)min_of(kernel.task_count, 65535u),
		.mem_unit = 1,
	};

	procfs_memory(&memory);
	procfs_load_averages(si.loads);
	si.totalram = memory.total;
	si.freeram = memory.free;
	si.sharedram = memory.shmem;
	return guest_write_value(t, info, &si);
}

int64_t sys_getrandom(struct task *t, gaddr_t buf, uint64_t buflen, unsigned flags)
{
	uint8_t bytes[1024];
	uint64_t done = 0;

	if (flags & ~(unsigned)(LX_GRND_NONBLOCK | LX_GRND_RANDOM | LX_GRND_INSECURE))
		return -EINVAL;
	if ((flags & (LX_GRND_INSECURE | LX_GRND_RANDOM)) == (LX_GRND_INSECURE | LX_GRND_RANDOM))
		return -EINVAL;
	buflen = min_of(buflen, (uint64_t)INT_MAX & LX_PAGE_MASK);
	while (done < buflen) {
		size_t size = min_of(buflen - done, (uint64_t)sizeof(bytes));

		random_bytes(bytes, size);
		if (guest_write(t, gaddr_add(buf, done), bytes, size) < 0)
			break;
		done += size;
		if (done % SENTRY_MAX_COPY_TURN == 0)
			fiber_yield();
		if (signal_pending(t) && done < buflen && done >= 256)
			return (int64_t)done;
	}
	explicit_bzero(bytes, sizeof(bytes));
	return done || !buflen ? (int64_t)done : -EFAULT;
}

/* ---- the machine ----------------------------------------------------------------------------- */

static int64_t refuse(const char *call)
{
	audit_event("denied", "call", call, "rule", "machine administration", "allow",
		"nothing does", NULL);
	return -EPERM;
}

int64_t sys_syslog(struct task *t, int type, gaddr_t bufp, int len)
{
	return refuse("syslog");
}

int64_t sys_vhangup(struct task *t)
{
	if (!cred_capable(t->cred, LX_CAP_SYS_TTY_CONFIG))
		return -EPERM;
	tty_vhangup(t->group);
	return 0;
}

int64_t sys_reboot(struct task *t, int magic, int magic2, unsigned cmd, gaddr_t arg)
{
	return refuse("reboot");
}

int64_t sys_acct(struct task *t, gaddr_t filename)
{
	return refuse("acct");
}

/*
 * No file system here has quotas, and no block device a file system: what is wrong with the
 * arguments is said first, as on Linux (kernel fs/quota/quota.c).
 */
int64_t sys_quotactl(struct task *t, unsigned cmd, gaddr_t special, unsigned id, gaddr_t addr)
{
	_cleanup_path_ struct path path = {0};
	int err;

	if ((cmd & LX_SUBCMDMASK) >= LX_MAXQUOTAS)
		return -EINVAL;
	if (gaddr_is_null(special))
		return cmd >> LX_SUBCMDSHIFT == LX_Q_SYNC ? 0 : -ENODEV;
	err = at_walk(t, LX_AT_FDCWD, special, WALK_FOLLOW, &path);
	if (err < 0)
		return err;
	return LX_S_ISBLK(path.dentry->inode->mode) ? -ENODEV : -ENOTBLK;
}

int64_t sys_quotactl_fd(struct task *t, int fd, unsigned cmd, unsigned id, gaddr_t addr)
{
	struct file *file = fd_get_any(t->files, fd);

	if (!file)
		return -EBADF;
	file_unref(file);
	return (cmd & LX_SUBCMDMASK) >= LX_MAXQUOTAS ? -EINVAL : -ENOSYS;
}

int64_t sys_swapon(struct task *t, gaddr_t path, int flags)
{
	return (unsigned)flags & ~LX_SWAP_FLAGS_VALID ? -EINVAL : refuse("swapon");
}

int64_t sys_swapoff(struct task *t, gaddr_t path)
{
	return refuse("swapoff");
}

int64_t sys_init_module(struct task *t, gaddr_t module_image, uint64_t len, gaddr_t param_values)
{
	return refuse("init_module");
}

int64_t sys_finit_module(struct task *t, int fd, gaddr_t param_values, int flags)
{
	return refuse("finit_module");
}

int64_t sys_delete_module(struct task *t, gaddr_t name, uint64_t flags)
{
	return refuse("delete_module");
}

int64_t sys_kexec_load(
	struct task *t, uint64_t entry, uint64_t nr_segments, gaddr_t segments, uint64_t flags)
{
	return refuse("kexec_load");
}

/* Ports: none, at level 0. Giving up what one does not have succeeds. */
int64_t sys_iopl(struct task *t, unsigned level)
{
	if (level > 3)
		return -EINVAL;
	return level == 0 ? 0 : refuse("iopl");
}

int64_t sys_ioperm(struct task *t, uint64_t from, uint64_t num, int turn_on)
{
	uint64_t end;

	if (!add_checked(from, num, &end) || end <= from || end > 65536)
		return -EINVAL;
	return turn_on ? refuse("ioperm") : 0;
}
