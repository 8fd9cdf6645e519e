/* SPDX-License-Identifier: Apache-2.0 */
/* timerfd_create(2), timerfd_settime(2), timerfd_gettime(2) */
#include <errno.h>

#include "abi/cap.h"
#include "abi/fcntl.h"
#include "base/cleanup.h"
#include "sentry/syscalls/anon_fd.h"
#include "sentry/syscalls_gen.h"
#include "vfs/anon.h"

int64_t sys_timerfd_create(struct task *t, int clockid, unsigned flags)
{
	bool alarm = clockid == LX_CLOCK_REALTIME_ALARM || clockid == LX_CLOCK_BOOTTIME_ALARM;
	struct file *file;
	int err;

	if (flags & ~(unsigned)(LX_TFD_CLOEXEC | LX_TFD_NONBLOCK))
		return -EINVAL;
	if (alarm && !cred_capable(t->cred, LX_CAP_WAKE_ALARM))
		return -EPERM;
	err = timerfd_new(clockid, flags & LX_TFD_NONBLOCK ? LX_O_NONBLOCK : 0, &file);
	if (err < 0)
		return err;
	return install_new_file(t, file, flags & LX_TFD_CLOEXEC);
}

int64_t sys_timerfd_settime(
	struct task *t, int fd, unsigned flags, gaddr_t new_value, gaddr_t old_value)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct lx_itimerspec value, old;
	int err = guest_read_value(t, &value, new_value);

	if (err < 0)
		return err;
	err = timerfd_check((int)flags, &value);
	if (err < 0)
		return err;
	file = fd_get(t->files, fd);
	if (!file)
		return -EBADF;
	err = timerfd_set(file, (int)flags, &value, &old);
	if (err < 0 || gaddr_is_null(old_value))
		return err;
	return guest_write_value(t, old_value, &old);
}

int64_t sys_timerfd_gettime(struct task *t, int fd, gaddr_t curr_value)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);
	struct lx_itimerspec value;
	int err;

	if (!file)
		return -EBADF;
	err = timerfd_get(file, &value);
	return err < 0 ? err : guest_write_value(t, curr_value, &value);
}
