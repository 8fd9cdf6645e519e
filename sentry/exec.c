/* SPDX-License-Identifier: Apache-2.0 */
/*
 * execve: a task gets a new program.
 *
 * Two phases. First everything that can fail: the files are opened, read and judged (exec_read.c),
 * credentials computed (exec_cred.c), and a whole new address space is built beside the old one, by
 * a fresh thread cloned from the platform's zygote (exec_load.c). The caller and its sibling
 * threads still run their old program meanwhile, and any error is just returned. Then the commit:
 * siblings end, the old address space lets go (a vfork parent that shares it is woken and keeps
 * it), and the task takes over thread, memory and credentials. Nothing in the commit can fail but a
 * kill that comes in between.
 *
 * Linux destroys the old program before it maps the new one, so it kills the caller where we still
 * could return: errors of that kind (a segment that cannot be mapped) end the caller with SIGSEGV
 * here too.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/prctl.h"
#include "abi/signal.h"
#include "abi/stat.h"
#include "abi/wait.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "sentry/exec_private.h"
#include "sentry/nsproxy.h"
#include "sentry/pid_ns.h"
#include "sentry/held.h"
#include "sentry/trace.h"
#include "vfs/landlock.h"

/* ---- opening --------------------------------------------------------------------------------- */

/* Execution needs no read permission (execve(2)), but the kernel must read: with capabilities that
 * the task does not get. */
static int open_unreadable(const struct vfs_ctx *ctx, const struct path *path, struct file **ret)
{
	struct vfs_ctx kernel_ctx = *ctx;
	struct cred *cred;
	int err;

	err = cred_copy(ctx->cred, ctx->cred->group_count, &cred);
	if (err < 0)
		return err;
	cred_enter_user_ns(cred, &user_ns_first); /* for this one reading */
	kernel_ctx.cred = cred;
	err = vfs_open_path(&kernel_ctx, path, LX_O_RDONLY, ret);
	cred_unref(cred);
	return err;
}

static int open_executable(const struct vfs_ctx *ctx, const struct path *path, struct file **ret)
{
	struct inode *inode = path->dentry->inode;
	int err;

	if (LX_S_ISLNK(inode->mode))
		return -ELOOP;
	if (!LX_S_ISREG(inode->mode) || (path->mount && path->mount->no_exec))
		return -EACCES;
	err = inode_permission(inode, VFS_MAY_EXEC, ctx);
	if (err >= 0)
		err = landlock_check(ctx, path, LX_LANDLOCK_ACCESS_FS_EXECUTE);
	if (err < 0)
		return err;
	if (inode_permission(inode, VFS_MAY_READ, ctx) < 0)
		return open_unreadable(ctx, path, ret);
	return vfs_open_path(ctx, path, LX_O_RDONLY, ret);
}

int exec_open(struct task *task, const struct path *base, const char *name, unsigned walk_flags,
	struct file **ret)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct vfs_ctx ctx = task_vfs_ctx(task);
	struct path path;
	int err;

	err = path_walk(&ctx, base, name, walk_flags, &path);
	if (err < 0)
		return err;
	err = open_executable(&ctx, &path, &file);
	path_unref(&path);
	if (err == 0)
		err = file_deny_write(file);
	if (err < 0)
		return err;
	*ret = TAKE(file);
	return 0;
}

/* ---- the commit ------------------------------------------------------------------------------ */

static void exec_state_free(struct exec_state *state)
{
	if (state->task)
		state->task->gaining = false;
	if (state->thread)
		platform->thread_release(state->thread);
	if (state->mm)
		mm_unref(state->mm);
	if (state->cred)
		cred_unref(state->cred);
	if (state->file)
		file_unref(state->file);
	if (state->interpreter)
		file_unref(state->interpreter);
	exec_strings_free(&state->argv);
	free(state);
}

static void cleanup_state(struct exec_state **state)
{
	if (*state)
		exec_state_free(*state);
}

/* The last component of the path, or the file's own name (bprm->comm_from_dentry). */
static void set_comm(struct task *task, const struct exec_state *state)
{
	const char *name = state->path, *slash = strrchr(name, '/');

	if (slash)
		name = slash + 1;
	if (state->flags & EXEC_NAME_FROM_DENTRY)
		name = state->file->path.dentry->name;
	memset(task->comm, 0, sizeof(task->comm));
	memcpy(task->comm, name, strnlen(name, sizeof(task->comm) - 1));
}

static void commit_registers(struct exec_state *state)
{
	struct guest_regs *regs = &state->thread->regs;

	*regs = (struct guest_regs){
		.rip = state->entry,
		.rsp = state->sp,
		.eflags = 0x202, /* IF, as start_thread() */
		.orig_rax = UINT64_MAX,
	};
	state->thread->regs_dirty = true;
	state->thread->kernel_data = state->task;
}

static void commit_identity(struct exec_state *state)
{
	struct task *task = state->task;
	struct cred *old = task->cred;
	bool dumpable = !state->secure && !state->unreadable;

	set_comm(task, state);
	task->cred = TAKE(state->cred);
	cred_unref(old);
	task->keep_caps = false;
	task->personality &= ~LX_READ_IMPLIES_EXEC;
	if (state->secure) {
		task->pdeath_signal = 0;
		task->personality &= LX_PER_MASK;
	}
	task->mm->dumpable = dumpable;
	task->group->dumpable = dumpable;
}

/* A descriptor table that another process shares is not that process's to lose (unshare_files()).
 */
static int unshare_files(struct task *task)
{
	struct fd_table *copy;
	int err;

	if (!fd_table_shared(task->files))
		return 0;
	err = fd_table_copy(task->files, &copy);
	if (err < 0)
		return err;
	fd_table_unref(task->files);
	task->files = copy;
	return 0;
}

/* The interpreter is protected from writers while it is loaded, the program as long as it runs
 * (kernel load_elf_binary()). */
static void allow_write(struct file *file)
{
	if (file && file->deny_write) {
		file->deny_write = false;
		file->inode->deny_write_count--;
	}
}

static void audit_exec(const struct exec_state *state)
{
	const struct exec_strings *argv = &state->argv;
	char pid[16];

	if (!audit_wanted())
		return;
	(void)snprintf(pid, sizeof(pid), "%d", state->task->pid->nr);
	audit_event_strings(
		"exec", "argv", argv->data, argv->size, "task", pid, "path", state->path, NULL);
}

static int commit(struct exec_state *state)
{
	struct task *task = state->task;
	struct platform_thread *old_thread = task->thread;
	struct mm *old_mm = task->mm;
	int err, old_tid = task->tracer ? pid_nr_in(task->pid, task_pid_ns(task->tracer)) : 0;

	if (old_thread) {
		err = group_kill_other_threads(task);
		if (err < 0)
			return err;
	}
	held_take_back(task);
	err = unshare_files(task);
	if (err < 0) {
		if (old_thread)
			group_exit(task->group, LX_WSTATUS_SIGNAL(LX_SIGKILL));
		return err;
	}
	if (old_thread) {
		task_release_memory(task);
		task_keep_cpu_time(task);
		task_keep_page_faults(task);
	}
	allow_write(state->interpreter);
	commit_registers(state);
	task->thread = TAKE(state->thread);
	task->mm = TAKE(state->mm);
	if (old_thread)
		platform->thread_release(old_thread);
	if (old_mm)
		mm_unref(old_mm);
	task_exec_done(task);
	commit_identity(state);
	audit_exec(state);
	task->thread->prompt = task->tracer;
	task->mm->traced = task->tracer;
	task_publish(task);
	task_publish_random(task);
	fd_close_on_exec(task->files);
	if (task->tracer) {
		/* As start_thread() leaves it: the call that the tracer knows of is this one. */
		task->thread->regs.orig_rax = task->event.syscall.nr;
		task->thread->regs.rax = (uint64_t)-ENOSYS;
		task->trace->trap_flag_ours = false;
		trace_exec(task, old_tid);
	}
	return 0;
}

static int strings_copy(const struct exec_strings *from, struct exec_strings *ret)
{
	struct exec_strings copy = *from;

	copy.data = malloc(from->size ? from->size : 1);
	if (!copy.data)
		return -ENOMEM;
	if (from->size)
		memcpy(copy.data, from->data, from->size);
	*ret = copy;
	return 0;
}

int64_t do_execve(struct task *task, struct file *file, const char *path, struct exec_strings *argv,
	struct exec_strings *envp, int flags)
{
	_cleanup_(cleanup_state) struct exec_state *state = calloc(1, sizeof(*state));
	bool fatal = false;
	int err;

	if (!state)
		return -ENOMEM;
	state->task = task;
	state->path = path;
	state->flags = flags;
	state->envp = envp;
	state->file = file_ref(file);
	err = strings_copy(argv, &state->argv);
	if (err == 0)
		err = exec_read_program(state);
	if (err == 0)
		err = exec_make_cred(state);
	/* Building takes a while: who may look into the old program must not get into the new one
	 * by it (cred_guard_mutex). */
	if (err == 0)
		task->gaining = state->secure || state->unreadable ||
				(state->cred->cap_permitted & ~task->cred->cap_permitted);
	if (err == 0)
		err = exec_build(state, &fatal);
	if (err < 0) {
		if (fatal && task->thread)
			group_exit(task->group, LX_WSTATUS_SIGNAL(LX_SIGSEGV));
		return err;
	}
	return commit(state);
}
