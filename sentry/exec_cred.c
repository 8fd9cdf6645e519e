/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials across execve: set-id bits and capabilities (capabilities(7), "Transformation of
 * capabilities during execve()"; bprm_fill_uid() and cap_bprm_creds_from_file() of Linux).
 * Identities are the sandbox's own; none of this means anything to the host, and capabilities of
 * the host's files nothing here.
 */
#include <errno.h>

#include "abi/cap.h"
#include "abi/stat.h"
#include "sentry/exec_private.h"
#include "sentry/nsproxy.h"
#include "vfs/file_caps.h"

/* mnt_may_suid(): what others mounted, or in a namespace above ours, gives no rights. */
static bool mount_may_suid(const struct task *task, const struct mount *mount)
{
	const struct user_ns *owner = mount->sb->user_ns ? mount->sb->user_ns : &user_ns_first;

	return !mount->no_suid && mount->ns == task_mnt_ns(task) &&
	       user_ns_is_below(task->cred->user_ns, owner);
}

static int apply_set_id(const struct exec_state *state, struct cred *cred)
{
	const struct mount *mount = state->file->path.mount;
	struct kstat stat;
	int err;

	if (cred->no_new_privs || !mount || !mount_may_suid(state->task, mount))
		return 0;
	err = vfs_getattr(&state->file->path, &stat);
	if (err < 0)
		return err;
	/* Both must have names where the program runs. */
	if (user_ns_uid_or_none(cred->user_ns, stat.uid) == ID_INVALID ||
		user_ns_gid_or_none(cred->user_ns, stat.gid) == ID_INVALID)
		return 0;
	if (stat.mode & LX_S_ISUID)
		cred->euid = stat.uid;
	if ((stat.mode & (LX_S_ISGID | LX_S_IXGRP)) == (LX_S_ISGID | LX_S_IXGRP))
		cred->egid = stat.gid;
	return 0;
}

/* check_unsafe_exec(): is its root directory somebody else's, too, who could lead it astray? */
static bool shares_fs(const struct task *task)
{
	const struct task *other;
	unsigned own = 0;

	list_for_each_entry (other, &task->group->tasks, group_link)
		own += other->fs == task->fs;
	return task->fs->refs.count > own;
}

/* A tracer must not get hold of more rights than it has (LSM_UNSAFE_PTRACE). */
static bool must_not_gain(const struct task *task, const struct cred *cred)
{
	const struct task *tracer = task->tracer;

	if (cred->no_new_privs || shares_fs(task))
		return true;
	return tracer && !cred_ns_capable(tracer->cred, cred->user_ns, LX_CAP_SYS_PTRACE);
}

/* The permitted set without the ambient one; *ret_effective: all of it becomes effective. */
static int file_permitted(
	const struct exec_state *state, struct cred *cred, bool *ret_has_caps, bool *ret_effective)
{
	const struct mount *mount = state->file->path.mount;
	const uint32_t root = user_ns_make_uid(cred->user_ns, 0);
	struct file_caps caps;
	int err = -ENODATA;

	cred->cap_permitted = 0;
	if (mount && mount_may_suid(state->task, mount))
		err = file_caps_get(state->file->inode, cred->user_ns, &caps);
	if (err < 0 && err != -ENODATA)
		return err;
	if (err == 0) {
		*ret_has_caps = true;
		*ret_effective = caps.effective;
		cred->cap_permitted = (cred->cap_bounding & caps.permitted) |
				      (cred->cap_inheritable & caps.inheritable);
		/* It would not know that it lacks some. */
		if (caps.effective && (caps.permitted & ~cred->cap_permitted))
			return -EPERM;
	}
	/* A program that runs as root counts as a file with every capability (but for one that
	 * would have that from its set-user-id bit alone, and has capabilities of its own). */
	if ((cred->securebits & LX_SECBIT_NOROOT) ||
		(*ret_has_caps && cred->euid == root && cred->uid != root))
		return 0;
	if (cred->euid == root || cred->uid == root)
		cred->cap_permitted = cred->cap_bounding | cred->cap_inheritable;
	*ret_effective |= cred->euid == root;
	return 0;
}

/* cap_bprm_creds_from_file() */
static int apply_capabilities(struct exec_state *state, const struct cred *old, struct cred *cred)
{
	bool has_caps = false, effective = false, changed_id;
	int err = file_permitted(state, cred, &has_caps, &effective);

	if (err < 0)
		return err;
	changed_id = cred->euid != old->euid || cred->egid != old->egid;
	if ((changed_id || (cred->cap_permitted & ~old->cap_permitted)) &&
		must_not_gain(state->task, cred)) {
		/* No more than before, and maybe less. */
		if (!cred_ns_capable(old, cred->user_ns, LX_CAP_SETUID) || cred->no_new_privs) {
			cred->euid = cred->uid;
			cred->egid = cred->gid;
		}
		cred->cap_permitted &= old->cap_permitted;
	}
	cred->suid = cred->fsuid = cred->euid;
	cred->sgid = cred->fsgid = cred->egid;
	if (has_caps || changed_id)
		cred->cap_ambient = 0;
	cred->cap_permitted |= cred->cap_ambient;
	cred->cap_effective = effective ? cred->cap_permitted : cred->cap_ambient;
	cred->securebits &= ~LX_SECBIT_KEEP_CAPS;
	state->secure = cred->euid != cred->uid || cred->egid != cred->gid ||
			(cred->uid != user_ns_make_uid(cred->user_ns, 0) &&
				(effective || (cred->cap_permitted & ~cred->cap_ambient)));
	return 0;
}

int exec_make_cred(struct exec_state *state)
{
	const struct cred *old = state->task->cred;
	struct cred *cred;
	int err;

	err = cred_copy(old, old->group_count, &cred);
	if (err < 0)
		return err;
	err = apply_set_id(state, cred);
	if (err == 0)
		err = apply_capabilities(state, old, cred);
	if (err < 0) {
		cred_unref(cred);
		return err;
	}
	state->cred = cred;
	return 0;
}
