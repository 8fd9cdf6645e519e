/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/PID/mem (kernel fs/proc/base.c, mem_rw()): memory of a process, at file offsets that are
 * its addresses. Opening it takes the right to trace; what is opened is the address space of that
 * moment, which is empty when the process has gone on to another program.
 */
#include <errno.h>
#include <stdlib.h>

#include "abi/fcntl.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/mm.h"
#include "sentry/procfs/procfs_private.h"
#include "sentry/trace.h"

#define CHUNK_SIZE 65536u

struct memory_file {
	uint64_t mm; /* its id; 0: there was none */
};

/* A live thread of the address space that was opened; owned, or NULL. */
static struct task *find_task(const struct file *file)
{
	const struct memory_file *memory = file->private;
	struct task *task = pseudo_task(pseudo_node(file->inode));

	return task && task->mm && task->mm->id == memory->mm ? task_ref(task) : NULL;
}

static ssize_t move(struct task *task, uint64_t mm, struct uio *uio, gaddr_t addr, size_t size,
	char *buffer, bool write)
{
	ssize_t moved;

	if (write) {
		moved = uio_copy_from(uio, buffer, size);
		if (moved > 0)
			moved = task_write_memory(task, mm, addr, buffer, (size_t)moved, true);
		return moved == 0 ? -EIO : moved;
	}
	moved = task_read_memory(task, mm, buffer, addr, size, true);
	if (moved == 0)
		return -EIO;
	if (moved > 0)
		moved = uio_copy_to(uio, buffer, (size_t)moved);
	return moved == 0 ? -EFAULT : moved;
}

static ssize_t transfer(struct file *file, struct uio *uio, int64_t *pos, bool write)
{
	const struct memory_file *memory = file->private;
	_cleanup_free_ char *buffer = malloc(CHUNK_SIZE);
	ssize_t done = 0;

	if (!buffer)
		return -ENOMEM;
	while (uio->resid) {
		size_t size = min_of((uint64_t)CHUNK_SIZE, (uint64_t)uio->resid);
		struct task *task = find_task(file);
		ssize_t moved;

		if (!task)
			return done;
		moved = move(task, memory->mm, uio, GADDR((uint64_t)*pos), size, buffer, write);
		task_unref(task);
		if (moved == -ESRCH)
			return done;
		if (moved < 0)
			return done ? done : moved;
		done += moved;
		*pos += moved;
		if ((size_t)moved < size)
			break;
	}
	return done;
}

static ssize_t memory_read(struct file *file, struct uio *uio, int64_t *pos)
{
	return transfer(file, uio, pos, false);
}

static ssize_t memory_write(
	struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	return transfer(file, uio, pos, true);
}

/* mem_lseek() */
static int64_t memory_seek(struct file *file, int64_t offset, int whence)
{
	if (whence != LX_SEEK_SET && whence != LX_SEEK_CUR)
		return -EINVAL;
	file->pos =
		whence == LX_SEEK_SET ? offset : (int64_t)((uint64_t)file->pos + (uint64_t)offset);
	return file->pos;
}

static void memory_release(struct file *file)
{
	free(file->private);
}

static int memory_sync(struct file *file, bool data_only)
{
	return -EINVAL; /* no fsync operation */
}

static const struct file_ops memory_ops = {
	.name = "proc mem",
	.sync = memory_sync,
	.read = memory_read,
	.write = memory_write,
	.seek = memory_seek,
	.release = memory_release,
};

int proc_open_memory(const struct pseudo_node *node, struct file *file, const struct vfs_ctx *ctx)
{
	struct task *task = pseudo_task(node);
	struct memory_file *memory;

	if (!task || !task->mm)
		return -ESRCH;
	if (ctx->task && trace_may_access(ctx->task, task, TRACE_FSCREDS) < 0)
		return -EACCES;
	memory = malloc(sizeof(*memory));
	if (!memory)
		return -ENOMEM;
	memory->mm = task->mm->id;
	file->private = memory;
	file->ops = &memory_ops;
	file->unordered = true;
	return 0;
}
