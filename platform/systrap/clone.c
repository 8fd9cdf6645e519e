/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New host threads and processes.
 *
 * The stub issues clone when its Sentry thread commands it; the filter turns that into a
 * notification, which is let through only while exactly this clone of this thread is expected
 * (notify.c). The child's first act is a doorbell with the random token that its parent was given;
 * the notification's pid tells which host thread that is. A forked child has no channel yet
 * (MADV_DONTFORK): it gets its own through the transfer slot before its doorbell is answered.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/checked.h"
#include "base/log.h"
#include "base/random.h"

#define APPROVALS      8u	      /* a signal makes the kernel restart clone, which asks anew */
#define CHILD_DEADLINE 10000000000ull /* ns, from the clone to the child's doorbell */

static uint64_t slot_address(unsigned index)
{
	return STUB_CHANNEL_BASE + (uint64_t)index * CHANNEL_SLOT_SIZE;
}

static uint64_t stack_address(unsigned index)
{
	return STUB_STACK_BASE + (uint64_t)index * STUB_STACK_SIZE;
}

/* What the host refused becomes what clone(2) may say. */
static int clone_error(int64_t result)
{
	if (result == -ENOMEM)
		return -ENOMEM;
	return -EAGAIN;
}

static void clone_begin(struct systrap_clone *clone, struct systrap_thread *parent,
	struct systrap_as *as, bool new_as)
{
	*clone = (struct systrap_clone){
		.token = random_u64(),
		.parent = parent,
		.flags = new_as ? STUB_CLONE_FORK : STUB_CLONE_THREAD,
		.approvals_left = APPROVALS,
		.new_as = new_as,
		.as = as,
	};
	wait_queue_init(&clone->queue);
	list_add_tail(&clone->link, &systrap.clones);
	systrap_spin_clone(parent, true, new_as);
}

/*
 * A guest can let its clone happen and deny it, or make several of one that was to be one:
 * processes that never ring. They are looked for when more clones were let through than children
 * came.
 */
static void clone_end(struct systrap_clone *clone)
{
	unsigned approved = APPROVALS - clone->approvals_left;

	systrap_spin_clone(clone->parent, false, clone->new_as);
	if (clone->tid != 0)
		systrap_spin_born(clone->tid);
	if (clone->new_as && approved > (clone->tid != 0)) {
		systrap.strays_possible = true;
		systrap_check_arm();
	}
	list_remove(&clone->link);
	wait_queue_destroy(&clone->queue);
}

/* The parent's command is done: waits for the child's doorbell. */
static int clone_wait_child(struct systrap_clone *clone, int64_t result)
{
	uint64_t deadline = loop_monotonic_now() + CHILD_DEADLINE;

	if (result < 0 && clone->tid == 0)
		return clone_error(result);
	while (clone->tid == 0) {
		if (clone->parent->state == SYSTRAP_DEAD)
			return -ESRCH;
		if (wait_sleep(&clone->queue, ~0u, deadline, false, false) == -ETIMEDOUT)
			return -EAGAIN;
	}
	return 0;
}

/* Its first doorbell is its first request. The slot is still ours alone: the child does not know it
 * yet. */
static void child_is_fresh(struct systrap_thread *child, uint64_t notification)
{
	child->notification = notification;
	child->fresh = true;
	child->seq = child->slot->request.head.seq = 1;
	child->head.regs_dirty = true; /* there are none yet */
}

/* A child that cannot be used: no thread object stands for it. */
static void abandon(pid_t pid)
{
	if (pid > 0)
		(void)kill(pid, SIGKILL); /* its doorbell is pending, so the id is still its own */
}

static int fork_attach(struct systrap_clone *clone, struct systrap_thread *parent,
	struct systrap_thread **ret_child)
{
	struct systrap_as *as = clone->as;
	int err;

	err = systrap_notification_addfd(clone->notification, systrap_segment_fd(as, 0), 0);
	if (err < 0)
		return -EAGAIN;
	systrap_segment_attached(as, 0);
	err = systrap_as_attach(as, clone->tid);
	if (err < 0)
		return -EAGAIN;
	as->stacks_used[parent->stack_index / 64] |= 1ull << (parent->stack_index % 64);
	memcpy(as->stacks_mapped, parent->as->stacks_mapped, sizeof(as->stacks_mapped));
	return systrap_thread_new(ret_child, as, clone->tid, 0, parent->stack_index, true);
}

static int fork_space(struct systrap_thread *parent, struct systrap_thread **ret_child)
{
	struct channel_command *command;
	struct systrap_thread *child = NULL;
	struct systrap_clone clone;
	struct systrap_as *as;
	unsigned slot;
	int err;

	/* Nobody wakes us for those who die as they should; one that forks goes on doing it. */
	if (systrap.dying_count > 0)
		systrap_reap();
	err = systrap_as_new(&as);
	if (err < 0)
		return err;
	memcpy(as->texts, parent->as->texts, sizeof(as->texts));
	as->has_store = parent == systrap.zygote ? systrap_text_has_store() : parent->as->has_store;
	as->has_names =
		parent == systrap.zygote ? systrap_shared_names() != NULL : parent->as->has_names;
	memcpy(as->learning, parent->as->learning, sizeof(as->learning));
	as->learning_count = parent->as->learning_count;
	as->library_count =
		parent == systrap.zygote ? systrap_library_count() : parent->as->library_count;
	err = systrap_patches_copy(parent->as->patches, &as->patches);
	if (err == 0)
		err = systrap_slot_alloc(as, &slot);
	if (err < 0) {
		systrap_as_free(as);
		return err;
	}
	sentry_assert(slot == 0);
	clone_begin(&clone, parent, as, true);
	command = systrap_command_add(parent, COMMAND_FORK);
	command->args[0] = clone.token;
	err = systrap_commands_run(parent, 0);
	if (err == 0)
		err = clone_wait_child(&clone, systrap_result(parent, 0));
	if (err == 0)
		err = fork_attach(&clone, parent, &child);
	clone_end(&clone);
	if (err < 0) {
		abandon(clone.tid);
		/* Attached already: freed when it is reaped. */
		if (as->pid == 0)
			systrap_as_free(as);
		return err;
	}
	child_is_fresh(child, clone.notification);
	*ret_child = child;
	return 0;
}

/* Maps a further segment of the channel into the stub. */
static int attach_segment(struct systrap_thread *thread, unsigned segment)
{
	uint64_t addr = STUB_CHANNEL_BASE + (uint64_t)segment * CHANNEL_SEGMENT_SIZE;
	struct channel_command *command;
	int err;

	err = systrap_need_doorbell(thread);
	if (err < 0)
		return err;
	err = systrap_transfer(thread, systrap_segment_fd(thread->as, segment), 0);
	if (err < 0)
		return err == -ESRCH ? err : -EAGAIN;
	command = systrap_command_add(thread, COMMAND_HOST);
	command->nr = SYS_mmap;
	memcpy(command->args,
		(const uint64_t[6]){addr, CHANNEL_SEGMENT_SIZE, 3, 0x11, STUB_FD_TRANSFER, 0},
		sizeof(command->args));
	command = systrap_command_add(thread, COMMAND_HOST);
	command->nr = SYS_madvise;
	memcpy(command->args, (const uint64_t[6]){addr, CHANNEL_SEGMENT_SIZE, 10},
		sizeof(command->args));
	command = systrap_command_add(thread, COMMAND_HOST);
	command->nr = SYS_close;
	command->args[0] = STUB_FD_TRANSFER;
	err = systrap_commands_run(thread, 0);
	if (err < 0)
		return err;
	if (systrap_result(thread, 0) != (int64_t)addr || systrap_result(thread, 1) != 0)
		return -ENOMEM;
	systrap_segment_attached(thread->as, segment);
	return 0;
}

static int thread_start(struct systrap_thread *parent, unsigned slot, unsigned stack,
	struct systrap_clone *clone, struct systrap_thread **ret_child)
{
	bool mapped = parent->as->stacks_mapped[stack / 64] >> (stack % 64) & 1;
	struct channel_command *command;
	unsigned index;
	int err;

	if (systrap_segment_fd(parent->as, slot / CHANNEL_SEGMENT_SLOTS) >= 0) {
		err = attach_segment(parent, slot / CHANNEL_SEGMENT_SLOTS);
		if (err < 0)
			return err;
	}
	err = systrap_make_room(parent, 2, 0);
	if (err < 0)
		return err;
	index = parent->pending_commands;
	/* A stack stays mapped when its thread ends, for the next one. */
	if (!mapped) {
		command = systrap_command_add(parent, COMMAND_HOST);
		command->nr = SYS_mmap;
		memcpy(command->args,
			(const uint64_t[6]){
				stack_address(stack), STUB_STACK_SIZE, 3, 0x32, UINT64_MAX, 0},
			sizeof(command->args));
	}
	command = systrap_command_add(parent, COMMAND_THREAD);
	command->args[0] = clone->token;
	command->args[1] = stack_address(stack);
	command->args[2] = slot_address(slot);
	err = systrap_commands_run(parent, 0);
	if (err < 0)
		return err;
	if (!mapped) {
		if (systrap_result(parent, index++) != (int64_t)stack_address(stack))
			return -ENOMEM;
		parent->as->stacks_mapped[stack / 64] |= 1ull << (stack % 64);
	}
	err = clone_wait_child(clone, systrap_result(parent, index));
	if (err < 0)
		return err;
	return systrap_thread_new(ret_child, parent->as, clone->tid, slot, stack, false);
}

static int new_thread(struct systrap_thread *parent, struct systrap_thread **ret_child)
{
	struct systrap_as *as = parent->as;
	struct systrap_thread *child = NULL;
	struct systrap_clone clone;
	unsigned slot, stack;
	int err;

	systrap_sweep_leaving(as);
	err = systrap_slot_alloc(as, &slot);
	if (err < 0)
		return err;
	err = systrap_stack_alloc(as, &stack);
	if (err < 0) {
		systrap_slot_free(as, slot);
		return err;
	}
	clone_begin(&clone, parent, as, false);
	err = thread_start(parent, slot, stack, &clone, &child);
	clone_end(&clone);
	if (err < 0) {
		/* A thread that nobody knows must not stay in the process. */
		if (clone.tid != 0)
			systrap_as_kill((struct platform_as *)as);
		systrap_slot_free(as, slot);
		systrap_stack_free(as, stack);
		return err;
	}
	child_is_fresh(child, clone.notification);
	*ret_child = child;
	return 0;
}

int systrap_thread_clone(struct platform_thread *head, const struct platform_clone *clone,
	struct platform_thread **ret_thread)
{
	struct systrap_thread *parent = systrap_thread(head), *child;
	int err;

	if (systrap.thread_count >= systrap.config.max_threads)
		return -EAGAIN;
	systrap.thread_count++;
	/* The descriptor table is copied by fork: the transfer slot must be empty. */
	fiber_mutex_lock(&parent->as->transfer);
	/* The child inherits the CPUs of its parent, who may be kept away from ours. */
	systrap_spin_leave(parent);
	err = clone->new_as ? systrap_flush(parent) : 0;
	if (err == 0)
		err = clone->new_as ? fork_space(parent, &child) : new_thread(parent, &child);
	fiber_mutex_unlock(&parent->as->transfer);
	if (err < 0) {
		systrap.thread_count--;
		return parent->state == SYSTRAP_DEAD ? -ESRCH : err;
	}
	child->head.regs = clone->regs;
	*ret_thread = &child->head;
	return 0;
}

int systrap_as_create(struct platform_as **ret_as, struct platform_thread **ret_thread)
{
	struct systrap_thread *zygote = systrap.zygote;
	struct systrap_thread *child;
	int err;

	if (systrap.thread_count >= systrap.config.max_threads)
		return -EAGAIN;
	systrap.thread_count++;
	/* The zygote is a stopped thread like any other; this mutex is also what makes its users
	 * take turns. */
	fiber_mutex_lock(&zygote->as->transfer);
	systrap_text_init();
	err = zygote->state == SYSTRAP_DEAD ? -EAGAIN : fork_space(zygote, &child);
	fiber_mutex_unlock(&zygote->as->transfer);
	if (err < 0) {
		systrap.thread_count--;
		return err == -ESRCH ? -EAGAIN : err;
	}
	memset(&child->head.regs, 0, sizeof(child->head.regs));
	child->head.regs.orig_rax = UINT64_MAX;
	child->head.regs.eflags = 0x202;
	*ret_as = child->head.as;
	*ret_thread = &child->head;
	return 0;
}
