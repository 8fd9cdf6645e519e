/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Sentry's side of --stacks: it understands nothing of stacks. It tells the unwinder the
 * registers of a task that makes a call and hands out what that asks for, of this task alone:
 * memory as the task could read it, its mappings, and the files that it runs. The task waits; other
 * tasks go on, and queue up when they make calls that are traced themselves. What comes back is
 * checked for its form as any record is.
 *
 * An unwinder that breaks the rules, takes too long or is gone costs the rest of the run its
 * stacks, and one line says so; it never ends the run.
 */
#include "sentry/stacks.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "abi/limits.h"
#include "abi/mman.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/wait.h"
#include "sentry/mm_private.h"
#include "sentry/stack_wire.h"
#include "sentry/task.h"
#include "vfs/vfs.h"

/* A stack takes a millisecond when all is new and the machine is busy. */
#define PATIENCE_NS 20000000000ull

static struct {
	bool on;
	struct loop_fd fd;
	struct wait_queue queue;  /* a message has come */
	struct fiber_mutex mutex; /* one conversation at a time: the buffers are its own */
	struct {
		struct stack_begin begin;
		unsigned char top[STACK_TOP_MAX];
	} begin;
	struct {
		struct stack_answer answer;
		unsigned char bytes[STACK_CHUNK_MAX];
	} out;
	struct {
		struct stack_ask ask;
		unsigned char bytes[RECORD_STACK_MAX];
	} in;
} unwinder = {.fd.fd = -1};

static void ready(struct loop_fd *fd, uint32_t events)
{
	wait_queue_wake(&unwinder.queue, ~0u);
}

void stacks_start(int fd)
{
	wait_queue_init(&unwinder.queue);
	fiber_mutex_init(&unwinder.mutex);
	unwinder.fd = (struct loop_fd){.fd = fd, .events = EPOLLIN | EPOLLET, .ready = ready};
	unwinder.on = loop_fd_add(&unwinder.fd) == 0;
}

bool stacks_on(void)
{
	return unwinder.on;
}

static void give_up(const char *why)
{
	if (!unwinder.on)
		return;
	unwinder.on = false;
	loop_fd_remove(&unwinder.fd);
	close(unwinder.fd.fd);
	log_warning("--stacks: the unwinder %s; there are no stacks from here on", why);
}

/* ---- messages -------------------------------------------------------------------------------- */

static bool say(const void *message, size_t size)
{
	ssize_t sent = send(unwinder.fd.fd, message, size, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent == (ssize_t)size)
		return true;
	give_up("is gone");
	return false;
}

/* The next message, into `in`. Its size; 0: there will be none. */
static size_t hear(void)
{
	uint64_t deadline = loop_monotonic_now() + PATIENCE_NS;

	for (;;) {
		ssize_t got = recv(unwinder.fd.fd, &unwinder.in, sizeof(unwinder.in), MSG_DONTWAIT);

		if (got >= (ssize_t)sizeof(unwinder.in.ask))
			return (size_t)got;
		if (got >= 0 || (errno != EAGAIN && errno != EINTR)) {
			give_up(got > 0 ? "said what is no message" : "is gone");
			return 0;
		}
		if (loop_monotonic_now() >= deadline) {
			give_up("does not answer");
			return 0;
		}
		wait_sleep_serving(&unwinder.queue, deadline);
	}
}

/* ---- what it may ask ------------------------------------------------------------------------- */

static ssize_t read_memory(struct task *task, void *to, uint64_t address, size_t size)
{
	uint64_t end = platform->guest_end().v;

	if (!task->thread || address >= end)
		return -EFAULT;
	return platform->copy_in(
		task->thread, to, GADDR(address), min_of(size, (size_t)(end - address)));
}

static const struct vma *vma_at(struct task *task, uint64_t address)
{
	return task->mm ? mm_lookup(task->mm, address) : NULL;
}

static void describe_file(struct task *task, struct file *file, struct stack_mapping *mapping)
{
	struct vfs_ctx ctx = task_vfs_ctx(task);
	char name[LX_PATH_MAX + 16];
	struct kstat stat;
	ssize_t size;

	mapping->dev = file->inode->sb->dev;
	mapping->ino = file->inode->ino;
	if (vfs_getattr(&file->path, &stat) == 0) {
		mapping->size = stat.size;
		mapping->changed = (uint64_t)stat.ctime.sec * 1000000000u + stat.ctime.nsec;
	}
	size = path_name(&file->path, ctx.fs ? &ctx.fs->root : NULL, name, sizeof(name));
	/* The end of a long name tells more. */
	if (size > 0 && name[0] == '/') {
		size_t left_out =
			size < (ssize_t)STACK_NAME_MAX ? 0 : (size_t)size - STACK_NAME_MAX + 1;

		memcpy(mapping->name, name + left_out, (size_t)size - left_out);
	}
}

static ssize_t tell_mapping(struct task *task, uint64_t address, void *to)
{
	const struct vma *vma = vma_at(task, address);
	struct stack_mapping mapping = {0};

	if (!vma)
		return -ENOENT;
	mapping.start = vma->start;
	mapping.end = vma->end;
	mapping.executable = (vma->prot & LX_PROT_EXEC) != 0;
	if (vma->file && LX_S_ISREG(vma->file->inode->mode)) {
		struct file *file = file_ref(vma->file);

		mapping.offset = vma->offset;
		describe_file(task, file, &mapping);
		file_unref(file);
	} else if (vma->label) {
		(void)strncpy(mapping.name, vma->label, sizeof(mapping.name) - 1);
	}
	memcpy(to, &mapping, sizeof(mapping));
	return sizeof(mapping);
}

static ssize_t read_file(struct task *task, const struct stack_ask *ask, void *to, size_t size)
{
	const struct vma *vma = vma_at(task, ask->address);
	struct vfs_ctx ctx = task_vfs_ctx(task);
	struct uio_segment segment;
	struct file *file;
	struct uio uio;
	ssize_t got;

	if (!vma || !vma->file || !(vma->prot & LX_PROT_EXEC) ||
		!LX_S_ISREG(vma->file->inode->mode) || vma->file->inode->sb->dev != ask->dev ||
		vma->file->inode->ino != ask->ino || ask->offset > INT64_MAX - size)
		return -ENOENT;
	file = file_ref(vma->file);
	uio_init_kernel(&uio, &segment, to, size);
	got = file_pread(file, &uio, (int64_t)ask->offset, &ctx);
	file_unref(file);
	return got;
}

static bool answer(struct task *task, const struct stack_ask *ask)
{
	size_t size = min_of((size_t)ask->size, sizeof(unwinder.out.bytes));
	void *to = unwinder.out.bytes;
	ssize_t got = -EINVAL;

	switch (ask->what) {
	case STACK_READ:
		got = read_memory(task, to, ask->address, size);
		break;
	case STACK_MAPPING:
		got = tell_mapping(task, ask->address, to);
		break;
	case STACK_FILE:
		got = read_file(task, ask, to, size);
		break;
	}
	unwinder.out.answer.got = (int32_t)got;
	return say(&unwinder.out, sizeof(unwinder.out.answer) + (got > 0 ? (size_t)got : 0));
}

/* ---- a stack --------------------------------------------------------------------------------- */

static bool begin(struct task *task)
{
	const struct guest_regs *regs = platform_regs(task->thread);
	const uint64_t in_order[STACK_REGS] = {regs->rax, regs->rdx, regs->rcx, regs->rbx,
		regs->rsi, regs->rdi, regs->rbp, regs->rsp, regs->r8, regs->r9, regs->r10,
		regs->r11, regs->r12, regs->r13, regs->r14, regs->r15, regs->rip};
	struct stack_begin *begin = &unwinder.begin.begin;
	ssize_t got;

	*begin = (struct stack_begin){
		.space = task->mm ? task->mm->id : 0,
		.changes = task->mm ? task->mm->code_changes : 0,
		.fs_base = regs->fs_base,
	};
	memcpy(begin->regs, in_order, sizeof(in_order));
	got = read_memory(task, unwinder.begin.top, regs->rsp, sizeof(unwinder.begin.top));
	begin->top_size = got > 0 ? (uint32_t)got : 0;
	return say(&unwinder.begin, sizeof(*begin) + begin->top_size);
}

/* The stack that has come, behind the head of @record. */
static size_t take_record(union record *record, size_t size)
{
	const union record *parsed;
	size_t total = (sizeof(record->head) + size + 7) & ~(size_t)7;

	if (total > RECORD_STACK_MAX)
		return 0;
	memcpy(&record->head + 1, unwinder.in.bytes, size);
	memset((unsigned char *)(&record->head + 1) + size, 0, total - size - sizeof(record->head));
	record->head.size = (uint32_t)total;
	record->head.kind = RECORD_STACK;
	return record_parse(record, total, &parsed) == (int64_t)total ? total : 0;
}

static size_t converse(struct task *task, union record *record)
{
	size_t total = 0, size;

	if (!begin(task))
		return 0;
	for (unsigned asks = 0; asks < STACK_ASKS_MAX; asks++) {
		size = hear();
		if (size == 0)
			return 0;
		if (unwinder.in.ask.what == STACK_DONE) {
			total = take_record(record, size - sizeof(unwinder.in.ask));
			if (total == 0)
				give_up("said what is no stack");
			return total;
		}
		if (!answer(task, &unwinder.in.ask))
			return 0;
	}
	give_up("does not come to an end");
	return 0;
}

size_t stacks_collect(struct task *task, union record *record)
{
	size_t size = 0;

	fiber_mutex_lock_serving(&unwinder.mutex);
	if (unwinder.on && task->thread && !task->killed)
		size = converse(task, record);
	fiber_mutex_unlock(&unwinder.mutex);
	return size;
}
