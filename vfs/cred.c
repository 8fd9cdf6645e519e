/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials (credentials(7), capabilities(7)): immutable once shared, so that a file can keep its
 * opener's and a sleeping call sees no change under its feet.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/limits.h"
#include "vfs/landlock.h"

static struct cred kernel_cred = {
	.refs = REFCOUNT_ONE,
	.cap_effective = LX_CAP_FULL_SET,
	.cap_permitted = LX_CAP_FULL_SET,
	.cap_bounding = LX_CAP_FULL_SET,
	.user_ns = &user_ns_first,
};

const struct cred *cred_kernel(void)
{
	return &kernel_cred;
}

struct cred *cred_ref(struct cred *cred)
{
	refcount_get(&cred->refs);
	return cred;
}

void cred_unref(struct cred *cred)
{
	if (!refcount_put(&cred->refs))
		return;
	landlock_domain_unref(cred->landlock);
	user_ns_unref(cred->user_ns);
	free(cred);
}

int cred_copy(const struct cred *from, uint32_t group_count, struct cred **ret)
{
	uint32_t kept = group_count < from->group_count ? group_count : from->group_count;
	struct cred *cred;

	if (group_count > LX_NGROUPS_MAX)
		return -EINVAL;
	cred = calloc(1, sizeof(*cred) + group_count * sizeof(cred->groups[0]));
	if (!cred)
		return -ENOMEM;
	memcpy(cred, from, offsetof(struct cred, groups));
	memcpy(cred->groups, from->groups, kept * sizeof(cred->groups[0]));
	cred->refs = REFCOUNT_ONE;
	(void)landlock_domain_ref(cred->landlock);
	(void)user_ns_ref(cred->user_ns);
	cred->group_count = group_count;
	*ret = cred;
	return 0;
}

int cred_new(uint32_t uid, uint32_t gid, struct cred **ret)
{
	struct cred *cred;
	int err = cred_copy(&kernel_cred, 0, &cred);

	if (err < 0)
		return err;
	cred->uid = cred->euid = cred->suid = cred->fsuid = uid;
	cred->gid = cred->egid = cred->sgid = cred->fsgid = gid;
	if (uid != 0)
		cred->cap_effective = cred->cap_permitted = 0;
	*ret = cred;
	return 0;
}

bool cred_in_group(const struct cred *cred, uint32_t gid)
{
	uint32_t low = 0, high = cred->group_count;

	if (cred->fsgid == gid)
		return true;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (cred->groups[middle] == gid)
			return true;
		if (cred->groups[middle] < gid)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* cap_capable() */
bool cred_ns_capable(const struct cred *cred, const struct user_ns *ns, int capability)
{
	for (;; ns = user_ns_parent(ns)) {
		if (ns == cred->user_ns)
			return cred->cap_effective & LX_CAP_MASK(capability);
		/* Nothing below can be an ancestor of it. */
		if (ns->level <= cred->user_ns->level)
			return false;
		/* Who made a namespace rules over it from the parent. */
		if (user_ns_parent(ns) == cred->user_ns && ns->owner == cred->euid)
			return true;
	}
}

bool cred_capable(const struct cred *cred, int capability)
{
	return cred->user_ns == &user_ns_first && (cred->cap_effective & LX_CAP_MASK(capability));
}

bool cred_inode_capable(const struct cred *cred, const struct inode *inode, int capability)
{
	const struct user_ns *ns = cred->user_ns;

	if (!(cred->cap_effective & LX_CAP_MASK(capability)))
		return false;
	return ns == &user_ns_first || (user_ns_uid_or_none(ns, inode->uid) != ID_INVALID &&
					       user_ns_gid_or_none(ns, inode->gid) != ID_INVALID);
}
