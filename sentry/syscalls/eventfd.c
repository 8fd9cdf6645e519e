/* SPDX-License-Identifier: Apache-2.0 */
/* eventfd(2), memfd_create(2) */
#include <errno.h>

#include "abi/fcntl.h"
#include "base/cleanup.h"
#include "sentry/syscalls/anon_fd.h"
#include "sentry/syscalls_gen.h"
#include "vfs/anon.h"

static int64_t do_eventfd(struct task *t, unsigned initval, unsigned flags)
{
	struct file *file;
	int err;

	if (flags & ~(unsigned)(LX_EFD_SEMAPHORE | LX_EFD_CLOEXEC | LX_EFD_NONBLOCK))
		return -EINVAL;
	err = eventfd_new(initval, flags & LX_EFD_SEMAPHORE,
		flags & LX_EFD_NONBLOCK ? LX_O_NONBLOCK : 0, &file);
	if (err < 0)
		return err;
	return install_new_file(t, file, flags & LX_EFD_CLOEXEC);
}

int64_t sys_eventfd(struct task *t, unsigned initval)
{
	return do_eventfd(t, initval, 0);
}

int64_t sys_eventfd2(struct task *t, unsigned initval, unsigned flags)
{
	return do_eventfd(t, initval, flags);
}

#define MEMFD_NAME_MAX 249 /* NAME_MAX less "memfd:" */
#define MEMFD_FLAGS    (LX_MFD_CLOEXEC | LX_MFD_ALLOW_SEALING | LX_MFD_NOEXEC_SEAL | LX_MFD_EXEC)

int64_t sys_memfd_create(struct task *t, gaddr_t name_addr, unsigned flags)
{
	char name[MEMFD_NAME_MAX + 1];
	struct file *file;
	ssize_t length;
	int err;

	/* Huge pages: as a kernel without hugetlbfs. */
	if (flags & ~(unsigned)MEMFD_FLAGS)
		return -EINVAL;
	if ((flags & LX_MFD_EXEC) && (flags & LX_MFD_NOEXEC_SEAL))
		return -EINVAL;
	length = guest_read_string(t, name, name_addr, sizeof(name));
	if (length < 0)
		return length == -ENAMETOOLONG ? -EINVAL : length;
	err = memfd_new(name, flags, t->cred, &file);
	if (err < 0)
		return err;
	return install_new_file(t, file, flags & LX_MFD_CLOEXEC);
}
