/* SPDX-License-Identifier: Apache-2.0 */
/* pipe(2), pipe2(2), splice(2), tee(2) */
#include <errno.h>

#include "abi/fcntl.h"
#include "base/cleanup.h"
#include "sentry/kernel_private.h"
#include "sentry/syscalls/anon_fd.h"
#include "sentry/syscalls/path.h"
#include "sentry/syscalls_gen.h"
#include "vfs/anon.h"

/* A write that was cut short by the last reader's end. */
static void partial_write_sigpipe(void *task)
{
	struct lx_siginfo info = {.signo = LX_SIGPIPE, .code = LX_SI_KERNEL};

	if (task)
		(void)signal_send_task(task, &info);
}

void pipe_syscalls_init(void)
{
	anon_init();
	pipe_register_sigpipe(partial_write_sigpipe);
}

/* Installs both ends and reports their numbers; on failure nothing stays open. */
static int64_t install_ends(
	struct task *t, struct file *reader, struct file *writer, gaddr_t addr, bool cloexec)
{
	int32_t fds[2];
	int64_t fd = install_new_file(t, reader, cloexec);
	int err;

	if (fd < 0) {
		file_unref(writer);
		return fd;
	}
	fds[0] = (int32_t)fd;
	fd = install_new_file(t, writer, cloexec);
	if (fd < 0) {
		(void)fd_close(t->files, fds[0], t->files);
		return fd;
	}
	fds[1] = (int32_t)fd;
	err = guest_write(t, addr, fds, sizeof(fds));
	if (err < 0) {
		(void)fd_close(t->files, fds[0], t->files);
		(void)fd_close(t->files, fds[1], t->files);
	}
	return err;
}

static int64_t do_pipe(struct task *t, gaddr_t addr, unsigned flags)
{
	struct file *reader, *writer;
	int err;

	/* O_EXCL is O_NOTIFICATION_PIPE: a kernel without watch queues answers ENOPKG. */
	if (flags & ~(unsigned)(LX_O_CLOEXEC | LX_O_NONBLOCK | LX_O_DIRECT | LX_O_EXCL))
		return -EINVAL;
	if (flags & LX_O_EXCL)
		return -ENOPKG;
	err = pipe_new((int)flags, t->cred, &reader, &writer);
	if (err < 0)
		return err;
	return install_ends(t, reader, writer, addr, flags & LX_O_CLOEXEC);
}

int64_t sys_pipe(struct task *t, gaddr_t pipefd)
{
	return do_pipe(t, pipefd, 0);
}

int64_t sys_pipe2(struct task *t, gaddr_t pipefd, unsigned flags)
{
	return do_pipe(t, pipefd, flags);
}

#define SPLICE_FLAGS (LX_SPLICE_F_MOVE | LX_SPLICE_F_NONBLOCK | LX_SPLICE_F_MORE | LX_SPLICE_F_GIFT)

/* A position that the call reads and writes back; none for a null address. */
static int read_offset(struct task *t, gaddr_t addr, int64_t *offset, int64_t **ret_pos)
{
	int err;

	if (gaddr_is_null(addr)) {
		*ret_pos = NULL;
		return 0;
	}
	err = guest_read_value(t, offset, addr);
	if (err == 0)
		*ret_pos = offset;
	return err;
}

static int64_t splice_files(struct task *t, struct file *in, gaddr_t off_in, struct file *out,
	gaddr_t off_out, uint64_t len, unsigned flags)
{
	struct vfs_ctx ctx = task_vfs_ctx(t);
	int64_t in_offset, out_offset, *in_pos, *out_pos, moved;
	int err;

	/* __do_splice() */
	err = read_offset(t, off_out, &out_offset, &out_pos);
	if (err == 0)
		err = read_offset(t, off_in, &in_offset, &in_pos);
	if (err < 0)
		return err;
	if (!in->readable || !out->writable)
		return -EBADF;
	if ((in_pos && *in_pos < 0) || (out_pos && *out_pos < 0))
		return -EINVAL;
	moved = file_splice(in, in_pos, out, out_pos, len, flags & LX_SPLICE_F_NONBLOCK, &ctx);
	signal_failed_write(t, moved, false);
	if (moved <= 0)
		return moved;
	if (in_pos)
		err = guest_write_value(t, off_in, in_pos);
	if (err == 0 && out_pos)
		err = guest_write_value(t, off_out, out_pos);
	return err < 0 ? err : moved;
}

int64_t sys_splice(struct task *t, int fd_in, gaddr_t off_in, int fd_out, gaddr_t off_out,
	uint64_t len, unsigned flags)
{
	_cleanup_(cleanup_file_unref) struct file *in = NULL, *out = NULL;

	if (len == 0)
		return 0;
	if (flags & ~(unsigned)SPLICE_FLAGS)
		return -EINVAL;
	in = fd_get(t->files, fd_in);
	out = fd_get(t->files, fd_out);
	if (!in || !out)
		return -EBADF;
	if ((file_is_pipe(in) && !gaddr_is_null(off_in)) ||
		(file_is_pipe(out) && !gaddr_is_null(off_out)))
		return -ESPIPE;
	return splice_files(t, in, off_in, out, off_out, len, flags);
}

int64_t sys_tee(struct task *t, int fd_in, int fd_out, uint64_t len, unsigned flags)
{
	_cleanup_(cleanup_file_unref) struct file *in = NULL, *out = NULL;
	int64_t done;

	if (flags & ~(unsigned)SPLICE_FLAGS)
		return -EINVAL;
	if (len == 0)
		return 0;
	in = fd_get(t->files, fd_in);
	out = fd_get(t->files, fd_out);
	if (!in || !out || !in->readable || !out->writable)
		return -EBADF;
	done = file_tee(in, out, len, flags & LX_SPLICE_F_NONBLOCK);
	signal_failed_write(t, done, false);
	return done;
}
