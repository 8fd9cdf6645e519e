/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/limits.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/mm.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"

/*
 * User and group ids and capabilities (credentials(7), capabilities(7); kernel/sys.c,
 * kernel/capability.c, security/commoncap.c). A struct cred is never changed: a call prepares a
 * copy, checks, and puts it in place.
 */

#define ID_KEEP 0xffffffffu

int64_t sys_getuid(struct task *task)
{
	return user_ns_uid(task->cred->user_ns, task->cred->uid);
}

int64_t sys_getgid(struct task *task)
{
	return user_ns_gid(task->cred->user_ns, task->cred->gid);
}

int64_t sys_geteuid(struct task *task)
{
	return user_ns_uid(task->cred->user_ns, task->cred->euid);
}

int64_t sys_getegid(struct task *task)
{
	return user_ns_gid(task->cred->user_ns, task->cred->egid);
}

/* ---- changing ids --------------------------------------------------------------------------- */

static int prepare(struct task *task, struct cred **ret)
{
	return cred_copy(task->cred, task->cred->group_count, ret);
}

/* commit_creds(): takes over @new. */
static void commit(struct task *task, struct cred *new)
{
	struct cred *old = task->cred;

	if (old->euid != new->euid || old->egid != new->egid || old->fsuid != new->fsuid ||
		old->fsgid != new->fsgid || (new->cap_permitted & ~old->cap_permitted)) {
		task->group->dumpable = false;
		if (task->mm)
			task->mm->dumpable = false;
		task->pdeath_signal = 0;
	}
	task->cred = new;
	vfs_lasting_end_own();
	task_publish(task);
	task_forget_content(task);
	cred_unref(old);
}

#define CAP_FS_SET                                                                                 \
	(LX_CAP_MASK(LX_CAP_CHOWN) | LX_CAP_MASK(LX_CAP_DAC_OVERRIDE) |                            \
		LX_CAP_MASK(LX_CAP_DAC_READ_SEARCH) | LX_CAP_MASK(LX_CAP_FOWNER) |                 \
		LX_CAP_MASK(LX_CAP_FSETID) | LX_CAP_MASK(LX_CAP_LINUX_IMMUTABLE) |                 \
		LX_CAP_MASK(LX_CAP_MKNOD) | LX_CAP_MASK(LX_CAP_MAC_OVERRIDE))

/* What a change between 0 and other ids does to capabilities (cap_emulate_setxuid()). */
static void fix_capabilities(struct cred *new, const struct cred *old)
{
	const uint32_t root = user_ns_make_uid(old->user_ns, 0);
	bool was_root = old->uid == root || old->euid == root || old->suid == root;
	bool is_root = new->uid == root || new->euid == root || new->suid == root;

	if (new->securebits & LX_SECBIT_NO_SETUID_FIXUP)
		return;
	if (was_root && !is_root) {
		if (!(new->securebits &LX_SECBIT_KEEP_CAPS)) {
			new->cap_permitted = 0;
			new->cap_effective = 0;
		}
		new->cap_ambient = 0;
	}
	if (old->euid == root && new->euid != root)
		new->cap_effective = 0;
	if (old->euid != root && new->euid == root)
		new->cap_effective = new->cap_permitted;
}

static int commit_uids(struct task *task, struct cred *new)
{
	new->fsuid = new->euid;
	fix_capabilities(new, task->cred);
	commit(task, new);
	return 0;
}

static int commit_gids(struct task *task, struct cred *new)
{
	new->fsgid = new->egid;
	commit(task, new);
	return 0;
}

/* The id as a kernel id, unless it is to be kept; false: it names nobody. */
static bool known_uid(const struct cred *cred, unsigned *uid)
{
	if (*uid == ID_KEEP)
		return true;
	*uid = user_ns_make_uid(cred->user_ns, *uid);
	return *uid != ID_INVALID;
}

static bool known_gid(const struct cred *cred, unsigned *gid)
{
	if (*gid == ID_KEEP)
		return true;
	*gid = user_ns_make_gid(cred->user_ns, *gid);
	return *gid != ID_INVALID;
}

int64_t sys_setuid(struct task *task, unsigned uid)
{
	const struct cred *old = task->cred;
	_cleanup_(cleanup_cred_unref) struct cred *new = NULL;
	int r;

	uid = user_ns_make_uid(old->user_ns, uid);
	if (uid == ID_INVALID)
		return -EINVAL;
	r = prepare(task, &new);
	if (r < 0)
		return r;
	if (cred_own_capable(old, LX_CAP_SETUID))
		new->uid = new->suid = uid;
	else if (uid != old->uid && uid != old->suid)
		return -EPERM;
	new->euid = uid;
	return commit_uids(task, TAKE(new));
}

int64_t sys_setgid(struct task *task, unsigned gid)
{
	const struct cred *old = task->cred;
	_cleanup_(cleanup_cred_unref) struct cred *new = NULL;
	int r;

	gid = user_ns_make_gid(old->user_ns, gid);
	if (gid == ID_INVALID)
		return -EINVAL;
	r = prepare(task, &new);
	if (r < 0)
		return r;
	if (cred_own_capable(old, LX_CAP_SETGID))
		new->gid = new->sgid = gid;
	else if (gid != old->gid && gid != old->sgid)
		return -EPERM;
	new->egid = gid;
	return commit_gids(task, TAKE(new));
}

int64_t sys_setreuid(struct task *task, unsigned ruid, unsigned euid)
{
	const struct cred *old = task->cred;
	bool any = cred_own_capable(old, LX_CAP_SETUID);
	_cleanup_(cleanup_cred_unref) struct cred *new = NULL;
	int r = prepare(task, &new);

	if (!known_uid(old, &ruid) || !known_uid(old, &euid))
		return -EINVAL;
	if (r < 0)
		return r;
	if (ruid != ID_KEEP) {
		new->uid = ruid;
		if (!any && ruid != old->uid && ruid != old->euid)
			return -EPERM;
	}
	if (euid != ID_KEEP) {
		new->euid = euid;
		if (!any && euid != old->uid && euid != old->euid && euid != old->suid)
			return -EPERM;
	}
	if (ruid != ID_KEEP || (euid != ID_KEEP && euid != old->uid))
		new->suid = new->euid;
	return commit_uids(task, TAKE(new));
}

int64_t sys_setregid(struct task *task, unsigned rgid, unsigned egid)
{
	const struct cred *old = task->cred;
	bool any = cred_own_capable(old, LX_CAP_SETGID);
	_cleanup_(cleanup_cred_unref) struct cred *new = NULL;
	int r = prepare(task, &new);

	if (!known_gid(old, &rgid) || !known_gid(old, &egid))
		return -EINVAL;
	if (r < 0)
		return r;
	if (rgid != ID_KEEP) {
		new->gid = rgid;
		if (!any && rgid != old->gid && rgid != old->egid)
			return -EPERM;
	}
	if (egid != ID_KEEP) {
		new->egid = egid;
		if (!any && egid != old->gid && egid != old->egid && egid != old->sgid)
			return -EPERM;
	}
	if (rgid != ID_KEEP || (egid != ID_KEEP && egid != old->gid))
		new->sgid = new->egid;
	return commit_gids(task, TAKE(new));
}

static bool one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c)
{
	return id == ID_KEEP || id == a || id == b || id == c;
}

int64_t sys_setresuid(struct task *task, unsigned ruid, unsigned euid, unsigned suid)
{
	const struct cred *old = task->cred;
	_cleanup_(cleanup_cred_unref) struct cred *new = NULL;
	int r = prepare(task, &new);

	if (!known_uid(old, &ruid) || !known_uid(old, &euid) || !known_uid(old, &suid))
		return -EINVAL;
	if (r < 0)
		return r;
	if (!cred_own_capable(old, LX_CAP_SETUID) &&
		(!one_of(ruid, old->uid, old->euid, old->suid) ||
			!one_of(euid, old->uid, old->euid, old->suid) ||
			!one_of(suid, old->uid, old->euid, old->suid)))
		return -EPERM;
	new->uid = ruid == ID_KEEP ? old->uid : ruid;
	new->euid = euid == ID_KEEP ? old->euid : euid;
	new->suid = suid == ID_KEEP ? old->suid : suid;
	return commit_uids(task, TAKE(new));
}

int64_t sys_setresgid(struct task *task, unsigned rgid, unsigned egid, unsigned sgid)
{
	const struct cred *old = task->cred;
	_cleanup_(cleanup_cred_unref) struct cred *new = NULL;
	int r = prepare(task, &new);

	if (!known_gid(old, &rgid) || !known_gid(old, &egid) || !known_gid(old, &sgid))
		return -EINVAL;
	if (r < 0)
		return r;
	if (!cred_own_capable(old, LX_CAP_SETGID) &&
		(!one_of(rgid, old->gid, old->egid, old->sgid) ||
			!one_of(egid, old->gid, old->egid, old->sgid) ||
			!one_of(sgid, old->gid, old->egid, old->sgid)))
		return -EPERM;
	new->gid = rgid == ID_KEEP ? old->gid : rgid;
	new->egid = egid == ID_KEEP ? old->egid : egid;
	new->sgid = sgid == ID_KEEP ? old->sgid : sgid;
	return commit_gids(task, TAKE(new));
}

static int write_ids(struct task *task, const gaddr_t addrs[3], const uint32_t ids[3])
{
	for (int i = 0; i < 3; i++) {
		int r = guest_write_value(task, addrs[i], &ids[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

int64_t sys_getresuid(struct task *task, gaddr_t ruid, gaddr_t euid, gaddr_t suid)
{
	const gaddr_t addrs[3] = {ruid, euid, suid};
	const struct cred *cred = task->cred;
	const uint32_t ids[3] = {user_ns_uid(cred->user_ns, cred->uid),
		user_ns_uid(cred->user_ns, cred->euid), user_ns_uid(cred->user_ns, cred->suid)};

	return write_ids(task, addrs, ids);
}

int64_t sys_getresgid(struct task *task, gaddr_t rgid, gaddr_t egid, gaddr_t sgid)
{
	const gaddr_t addrs[3] = {rgid, egid, sgid};
	const struct cred *cred = task->cred;
	const uint32_t ids[3] = {user_ns_gid(cred->user_ns, cred->gid),
		user_ns_gid(cred->user_ns, cred->egid), user_ns_gid(cred->user_ns, cred->sgid)};

	return write_ids(task, addrs, ids);
}

/* Both answer the old value, whether or not anything changed (setfsuid(2)). */
int64_t sys_setfsuid(struct task *task, unsigned uid)
{
	const struct cred *cred = task->cred;
	uint32_t old = user_ns_uid(cred->user_ns, cred->fsuid);
	uint32_t root = user_ns_make_uid(cred->user_ns, 0);
	struct cred *new;

	uid = user_ns_make_uid(cred->user_ns, uid);
	if (uid == ID_INVALID || uid == cred->fsuid ||
		(!one_of(uid, cred->uid, cred->euid, cred->suid) &&
			!cred_own_capable(cred, LX_CAP_SETUID)))
		return old;
	if (prepare(task, &new) < 0)
		return old;
	new->fsuid = uid;
	if (!(new->securebits &LX_SECBIT_NO_SETUID_FIXUP)) {
		if (cred->fsuid == root)
			new->cap_effective &= ~CAP_FS_SET;
		else if (uid == root)
			new->cap_effective |= new->cap_permitted &CAP_FS_SET;
	}
	commit(task, new);
	return old;
}

int64_t sys_setfsgid(struct task *task, unsigned gid)
{
	const struct cred *cred = task->cred;
	uint32_t old = user_ns_gid(cred->user_ns, cred->fsgid);
	struct cred *new;

	gid = user_ns_make_gid(cred->user_ns, gid);
	if (gid == ID_INVALID || gid == cred->fsgid ||
		(!one_of(gid, cred->gid, cred->egid, cred->sgid) &&
			!cred_own_capable(cred, LX_CAP_SETGID)))
		return old;
	if (prepare(task, &new) < 0)
		return old;
	new->fsgid = gid;
	commit(task, new);
	return old;
}

/* ---- supplementary groups ------------------------------------------------------------------- */

int64_t sys_getgroups(struct task *task, int size, gaddr_t list)
{
	const struct cred *cred = task->cred;
	int r;

	if (size < 0)
		return -EINVAL;
	if (size == 0)
		return cred->group_count;
	if ((uint32_t)size < cred->group_count)
		return -EINVAL;
	for (uint32_t done = 0; done < cred->group_count;) {
		uint32_t ids[256], count = 0;

		while (count < array_size(ids) && done + count < cred->group_count) {
			ids[count] = user_ns_gid(cred->user_ns, cred->groups[done + count]);
			count++;
		}
		r = guest_write(
			task, gaddr_add(list, done * sizeof(ids[0])), ids, count * sizeof(ids[0]));
		if (r < 0)
			return r;
		done += count;
	}
	return cred->group_count;
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int64_t sys_setgroups(struct task *task, int size, gaddr_t list)
{
	_cleanup_(cleanup_cred_unref) struct cred *new = NULL;
	const struct user_ns *ns = task->cred->user_ns;
	int r;

	/* may_setgroups(): one could lose a group that denies something. */
	if (!cred_own_capable(task->cred, LX_CAP_SETGID) || ns->setgroups_denied || !ns->gids.count)
		return -EPERM;
	if (size < 0 || size > LX_NGROUPS_MAX)
		return -EINVAL;
	r = cred_copy(task->cred, (uint32_t)size, &new);
	if (r < 0)
		return r;
	r = guest_read(task, new->groups, list, (size_t)size * sizeof(uint32_t));
	if (r < 0)
		return r;
	for (int i = 0; i < size; i++) {
		new->groups[i] = user_ns_make_gid(ns, new->groups[i]);
		if (new->groups[i] == ID_INVALID)
			return -EINVAL;
	}
	qsort(new->groups, (size_t)size, sizeof(uint32_t), compare_ids);
	commit(task, TAKE(new));
	return 0;
}

/* ---- capabilities --------------------------------------------------------------------------- */

/* How many lx_cap_data the version uses; an unknown one is answered with the preferred one in the
 * header. */
static int cap_version(
	struct task *task, gaddr_t hdrp, struct lx_cap_header *header, unsigned *ret_count)
{
	const uint32_t preferred = LX_CAPABILITY_VERSION_3;
	int r = guest_read_value(task, &header->version, hdrp);

	if (r < 0)
		return r;
	switch (header->version) {
	case LX_CAPABILITY_VERSION_1:
		*ret_count = 1;
		return 0;
	case LX_CAPABILITY_VERSION_2:
	case LX_CAPABILITY_VERSION_3:
		*ret_count = 2;
		return 0;
	default:
		r = guest_write(task, hdrp, &preferred, sizeof(preferred));
		return r < 0 ? r : -EINVAL;
	}
}

int64_t sys_capget(struct task *task, gaddr_t hdrp, gaddr_t datap)
{
	const struct cred *cred = task->cred;
	struct lx_cap_header header;
	struct lx_cap_data data[2];
	unsigned count;
	int r = cap_version(task, hdrp, &header, &count);

	/* With no place for data this is the question for the version (capget(2)). */
	if (gaddr_is_null(datap) && (r == 0 || r == -EINVAL))
		return 0;
	if (r < 0)
		return r;
	r = guest_read_value(task, &header, hdrp);
	if (r < 0)
		return r;
	if (header.pid < 0)
		return -EINVAL;
	if (header.pid) {
		const struct task *other = pid_task(header.pid);

		if (!other)
			return -ESRCH;
		cred = other->cred;
	}
	for (unsigned i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(cred->cap_effective >> 32 * i);
		data[i].permitted = (uint32_t)(cred->cap_permitted >> 32 * i);
		data[i].inheritable = (uint32_t)(cred->cap_inheritable >> 32 * i);
	}
	return guest_write_result(task, datap, data, count * sizeof(data[0]));
}

int64_t sys_capset(struct task *task, gaddr_t hdrp, gaddr_t datap)
{
	const struct cred *old = task->cred;
	_cleanup_(cleanup_cred_unref) struct cred *new = NULL;
	struct lx_cap_data data[2] = {0};
	struct lx_cap_header header;
	uint64_t effective, permitted, inheritable;
	unsigned count;
	int r = cap_version(task, hdrp, &header, &count);

	r = r < 0 ? r : guest_read_value(task, &header, hdrp);
	if (r < 0)
		return r;
	if (header.pid && header.pid != pid_vnr(task->pid))
		return -EPERM;
	r = guest_read(task, data, datap, count * sizeof(data[0]));
	if (r < 0)
		return r;
	effective = (data[0].effective | (uint64_t)data[1].effective << 32) & LX_CAP_FULL_SET;
	permitted = (data[0].permitted | (uint64_t)data[1].permitted << 32) & LX_CAP_FULL_SET;
	inheritable = (data[0].inheritable | (uint64_t)data[1].inheritable << 32) & LX_CAP_FULL_SET;
	/* cap_capset() */
	if (!cred_own_capable(old, LX_CAP_SETPCAP) &&
		(inheritable & ~(old->cap_inheritable | old->cap_permitted)))
		return -EPERM;
	if (inheritable & ~(old->cap_inheritable | old->cap_bounding))
		return -EPERM;
	if ((permitted & ~old->cap_permitted) || (effective & ~permitted))
		return -EPERM;
	r = prepare(task, &new);
	if (r < 0)
		return r;
	new->cap_effective = effective;
	new->cap_permitted = permitted;
	new->cap_inheritable = inheritable;
	new->cap_ambient &= permitted &inheritable;
	commit(task, TAKE(new));
	return 0;
}
