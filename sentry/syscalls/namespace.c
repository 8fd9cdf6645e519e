/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unshare(2), setns(2): a task stops sharing with its relatives, or joins others in their
 * namespaces (kernel/fork.c: ksys_unshare(); kernel/nsproxy.c and each kind's install()). All that
 * can fail is done on copies; then they are put in place together.
 */
#include <errno.h>

#include "abi/cap.h"
#include "abi/sched.h"
#include "base/cleanup.h"
#include "sentry/ipc/ipc.h"
#include "sentry/mm.h"
#include "sentry/nsproxy.h"
#include "sentry/pid_ns.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"
#include "sentry/held.h"

#define NEW_NAMESPACES                                                                             \
	(LX_CLONE_NEWNS | LX_CLONE_NEWCGROUP | LX_CLONE_NEWUTS | LX_CLONE_NEWIPC |                 \
		LX_CLONE_NEWUSER | LX_CLONE_NEWPID | LX_CLONE_NEWNET | LX_CLONE_NEWTIME)
#define KNOWN                                                                                      \
	(LX_CLONE_THREAD | LX_CLONE_SIGHAND | LX_CLONE_VM | LX_CLONE_FS | LX_CLONE_FILES |         \
		LX_CLONE_SYSVSEM | NEW_NAMESPACES)

/* check_unshare_flags() */
static int check_unshare(const struct task *t, uint64_t flags)
{
	if (flags & ~(uint64_t)KNOWN)
		return -EINVAL;
	if (!(flags & (LX_CLONE_THREAD | LX_CLONE_SIGHAND | LX_CLONE_VM)))
		return 0;
	if (t->group->live_count > 1)
		return -EINVAL;
	if ((flags & (LX_CLONE_SIGHAND | LX_CLONE_VM)) && t->group->sighand->refs.count > 1)
		return -EINVAL;
	return (flags & LX_CLONE_VM) && t->mm->refs.count > 1 ? -EINVAL : 0;
}

/* What a task is about to have instead; NULL: as before. All owned. */
struct change {
	struct fs_context *fs;
	struct fd_table *files;
	struct cred *cred;
	struct nsproxy *nsproxy;
};

static void change_drop(struct change *change)
{
	if (change->fs)
		fs_context_unref(change->fs);
	if (change->files)
		fd_table_unref(change->files);
	if (change->cred)
		cred_unref(change->cred);
	nsproxy_unref(change->nsproxy);
}

#define EXCHANGE(a_, b_)                                                                           \
	do {                                                                                       \
		__typeof__(a_) old_ = (a_);                                                        \
		(a_) = (b_);                                                                       \
		(b_) = old_;                                                                       \
	} while (0)

/* Nothing fails any more; letting go of the old ones may sleep. */
static void change_commit(struct task *t, struct change *change)
{
	if (change->cred || change->nsproxy)
		vfs_lasting_end();
	if (change->fs)
		EXCHANGE(t->fs, change->fs);
	held_take_back(t);
	if (change->files)
		EXCHANGE(t->files, change->files);
	/* Who gets rights that he could not have given himself is not to be looked into
	 * (cred_cap_issubset()). */
	if (change->cred && (user_ns_parent(change->cred->user_ns) != t->cred->user_ns ||
				    change->cred->user_ns->owner != t->cred->euid))
		t->group->dumpable = t->mm->dumpable = false;
	if (change->cred)
		EXCHANGE(t->cred, change->cred);
	if (change->nsproxy)
		EXCHANGE(t->nsproxy, change->nsproxy);
	task_publish(t);
	task_forget_content(t);
	change_drop(change);
}

static int unshare_namespaces(struct task *t, uint64_t flags, struct change *change)
{
	const struct cred *cred;
	int err = 0;

	if (flags & LX_CLONE_NEWUSER)
		err = user_ns_create(t, &change->cred);
	if (err < 0 || !(flags & (NEW_NAMESPACES & ~LX_CLONE_NEWUSER)))
		return err;
	cred = change->cred ? change->cred : t->cred;
	if (!cred_own_capable(cred, LX_CAP_SYS_ADMIN))
		return -EPERM;
	return nsproxy_copy(t->nsproxy, flags, t, cred->user_ns, change->fs ? change->fs : t->fs,
		&change->nsproxy);
}

int64_t sys_unshare(struct task *t, uint64_t flags)
{
	struct change change = {0};
	int err;

	if (flags & LX_CLONE_NEWUSER)
		flags |= LX_CLONE_THREAD | LX_CLONE_FS;
	if (flags & LX_CLONE_VM)
		flags |= LX_CLONE_SIGHAND;
	if (flags & LX_CLONE_SIGHAND)
		flags |= LX_CLONE_THREAD;
	if (flags & LX_CLONE_NEWNS)
		flags |= LX_CLONE_FS;
	err = check_unshare(t, flags);
	if (err == 0 && (flags & LX_CLONE_FS) && t->fs->refs.count > 1)
		err = fs_context_copy(t->fs, &change.fs);
	if (err == 0 && (flags & LX_CLONE_FILES) && fd_table_shared(t->files))
		err = fd_table_copy(t->files, &change.files);
	if (err == 0)
		err = unshare_namespaces(t, flags, &change);
	if (err < 0) {
		change_drop(&change);
		return err;
	}
	/* Operations to undo are about the objects of the old namespace. */
	if (flags & (LX_CLONE_SYSVSEM | LX_CLONE_NEWIPC))
		sem_undo_exit(t);
	change_commit(t, &change);
	return 0;
}

/* ---- setns ----------------------------------------------------------------------------------- */

static const struct cred *change_cred(const struct task *t, const struct change *change)
{
	return change->cred ? change->cred : t->cred;
}

/* userns_install() */
static int join_user(struct task *t, struct user_ns *ns, struct change *change)
{
	int err;

	/* Entering one's own again would give back capabilities. */
	if (ns == t->cred->user_ns || t->group->live_count > 1 || t->fs->refs.count > 1)
		return -EINVAL;
	if (!cred_ns_capable(t->cred, ns, LX_CAP_SYS_ADMIN))
		return -EPERM;
	err = cred_copy(t->cred, t->cred->group_count, &change->cred);
	if (err == 0)
		cred_enter_user_ns(change->cred, ns);
	return err;
}

/* mntns_install(): the root of the namespace, as far as it is covered, becomes root and cwd. */
static int join_mnt(struct task *t, struct mnt_ns *ns, struct change *change)
{
	const struct cred *cred = change_cred(t, change);
	struct path top;
	int err;

	if (!cred_ns_capable(cred, ns->ns.user_ns, LX_CAP_SYS_ADMIN) ||
		!cred_own_capable(cred, LX_CAP_SYS_CHROOT) ||
		!cred_own_capable(cred, LX_CAP_SYS_ADMIN))
		return -EPERM;
	if (ns->anonymous || !ns->root || t->fs->refs.count > 1)
		return -EINVAL;
	top = (struct path){.mount = ns->root, .dentry = ns->root->root};
	path_ref(&top);
	path_to_top(&top);
	err = fs_context_new(&top, &top, t->fs->umask, &change->fs);
	path_unref(&top);
	return err;
}

static int join_pid(const struct task *t, const struct pid_ns *ns)
{
	/* Down, never up. */
	return pid_ns_is_below(ns, task_pid_ns(t)) ? 0 : -EINVAL;
}

static int join(struct task *t, struct ns *ns, struct change *change)
{
	const struct cred *cred = change_cred(t, change);
	int err = 0;

	if (ns->kind == NS_USER)
		return join_user(t, container_of(ns, struct user_ns, ns), change);
	if (ns->kind == NS_TIME && (t->group->live_count > 1 || t->mm->refs.count > 1))
		return -EUSERS;
	if (ns->kind == NS_MNT)
		err = join_mnt(t, mnt_ns_of(ns), change);
	else if (!cred_ns_capable(cred, ns->user_ns, LX_CAP_SYS_ADMIN) ||
		 !cred_own_capable(cred, LX_CAP_SYS_ADMIN))
		err = -EPERM;
	else if (ns->kind == NS_PID)
		err = join_pid(t, pid_ns_of(ns));
	if (err < 0)
		return err;
	nsproxy_set(change->nsproxy, &change->nsproxy->ns[ns->kind], ns);
	if (ns->kind == NS_TIME)
		nsproxy_set(change->nsproxy, &change->nsproxy->time_for_children, ns);
	return 0;
}

/* validate_nsset(): those of a process, the user namespace first. */
static int join_process(struct task *t, struct task *target, uint64_t flags, struct change *change)
{
	static const char *const names[] = {
		"user", "mnt", "uts", "ipc", "pid", "cgroup", "net", "time"};
	int err = 0;

	if (!task_may_inspect(t, t->cred, target, false))
		return -EPERM;
	if (!target->nsproxy)
		return -ESRCH;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && err == 0; i++) {
		struct ns *ns = task_namespace(target, names[i]);

		if (ns && (flags & ns_kind_flag(ns->kind)))
			err = join(t, ns, change);
		ns_unref(ns);
	}
	return err;
}

int64_t sys_setns(struct task *t, int fd, unsigned nstype)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(t->files, fd);
	struct change change = {0};
	struct ns *ns = file ? nsfs_file_ns(file) : NULL;
	struct pid *pid = NULL;
	int err;

	if (!file)
		return -EBADF;
	if (ns) {
		if (nstype && nstype != ns_kind_flag(ns->kind))
			return -EINVAL;
	} else {
		if (pidfd_file_pid(file, &pid) < 0 || !nstype || (nstype & ~NEW_NAMESPACES))
			return -EINVAL;
		if (!pid->group || !pid->group->leader)
			return -ESRCH;
	}
	err = nsproxy_dup(t->nsproxy, &change.nsproxy);
	if (err == 0)
		err = ns ? join(t, ns, &change)
			 : join_process(t, pid->group->leader, nstype, &change);
	if (err < 0) {
		change_drop(&change);
		return err;
	}
	if (change.nsproxy->ns[NS_IPC] != t->nsproxy->ns[NS_IPC])
		sem_undo_exit(t);
	change_commit(t, &change);
	return 0;
}
