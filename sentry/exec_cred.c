/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials across execve: set-id bits and capabilities (capabilities(7), "Transformation of
 * capabilities during execve()"; bprm_fill_uid() and cap_bprm_creds_from_file() of Linux). Files
 * have no capabilities of their own here: security.capability is not honoured. Identities are the
 * sandbox's own; none of this means anything to the host.
 */
#include <errno.h>

#include "abi/cap.h"
#include "abi/stat.h"
#include "sentry/exec_private.h"
#include "sentry/nsproxy.h"

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
	const struct task *tracer = state->task->tracer;
	struct kstat stat;
	int err;

	if (cred->no_new_privs || !mount || !mount_may_suid(state->task, mount))
		return 0;
	/* A tracer must not get hold of more rights than it has (LSM_UNSAFE_PTRACE). */
	if (tracer && !cred_ns_capable(tracer->cred, cred->user_ns, LX_CAP_SYS_PTRACE))
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

static void apply_capabilities(const struct cred *old, struct cred *cred, bool changed_id)
{
	uint64_t file_permitted = 0, file_inheritable = 0;
	const uint32_t root = user_ns_make_uid(cred->user_ns, 0);
	bool effective = false;

	/* A program that runs as root counts as a file with every capability. */
	if (!(cred->securebits & LX_SECBIT_NOROOT)) {
		if (cred->euid == root || cred->uid == root)
			file_permitted = file_inheritable = LX_CAP_FULL_SET;
		effective = cred->euid == root;
	}
	if (changed_id || file_permitted)
		cred->cap_ambient = changed_id ? 0 : cred->cap_ambient;
	cred->cap_permitted = (cred->cap_inheritable & file_inheritable) |
			      (file_permitted & cred->cap_bounding) | cred->cap_ambient;
	/* no_new_privs: no more than before. */
	if (cred->no_new_privs)
		cred->cap_permitted &= old->cap_permitted | cred->cap_ambient;
	cred->cap_effective = effective ? cred->cap_permitted : cred->cap_ambient;
}

int exec_make_cred(struct exec_state *state)
{
	const struct cred *old = state->task->cred;
	struct cred *cred;
	bool changed_id;
	int err;

	err = cred_copy(old, old->group_count, &cred);
	if (err < 0)
		return err;
	err = apply_set_id(state, cred);
	if (err < 0) {
		cred_unref(cred);
		return err;
	}
	changed_id = cred->euid != old->euid || cred->egid != old->egid;
	cred->suid = cred->fsuid = cred->euid;
	cred->sgid = cred->fsgid = cred->egid;
	apply_capabilities(old, cred, changed_id);
	cred->securebits &= ~LX_SECBIT_KEEP_CAPS;
	state->secure = cred->euid != cred->uid || cred->egid != cred->gid ||
			(cred->uid != user_ns_make_uid(cred->user_ns, 0) &&
				(cred->cap_permitted & ~cred->cap_ambient));
	state->cred = cred;
	return 0;
}
