/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statmount(2) and listmount(2): the mount table by lasting ids (kernel fs/namespace.c). An id is
 * the one of /proc/PID/mountinfo behind an offset, as statx(2) gives it with STATX_MNT_ID_UNIQUE.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/limits.h"
#include "abi/mman.h"
#include "abi/mount.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/nsproxy.h"
#include "sentry/syscalls_gen.h"

#define ROOT_ID	    UINT64_MAX /* LSMT_ROOT */
#define LIST_MAX    1000000
#define IDS_AT_ONCE 64
#define STRINGS_MAX (4 * LX_PATH_MAX)

static uint64_t id_of(const struct mount *mount)
{
	return LX_MNT_UNIQUE_ID_OFFSET + (uint64_t)mount->id;
}

static struct mount *find_mount(const struct task *t, uint64_t id)
{
	const struct mnt_ns *ns = task_mnt_ns(t);

	for (struct mount *mount = mount_next(ns, NULL); mount; mount = mount_next(ns, mount))
		if (id_of(mount) == id)
			return mount;
	return NULL;
}

/* copy_mnt_id_req() */
static int read_request(struct task *t, gaddr_t addr, struct lx_mnt_id_req *ret)
{
	uint32_t size;
	int err = guest_read_value(t, &size, addr);

	if (err < 0)
		return err;
	if (size > SENTRY_MAX_STRUCT_SIZE)
		return -E2BIG;
	if (size < LX_MNT_ID_REQ_SIZE_VER0)
		return -EINVAL;
	err = guest_read_struct(t, ret, sizeof(*ret), addr, size);
	if (err < 0)
		return err;
	if (ret->spare || ret->mnt_id <= LX_MNT_UNIQUE_ID_OFFSET)
		return -EINVAL;
	/* There is one namespace, and it has no number. */
	return ret->mnt_ns_id ? -ENOENT : 0;
}

/* ---- statmount ------------------------------------------------------------------------------- */

struct answer {
	struct lx_statmount fixed;
	char strings[STRINGS_MAX];
	size_t used;
};

static uint32_t add_string(struct answer *answer, const char *text, uint64_t flag)
{
	size_t size = strlen(text) + 1;
	uint32_t at = (uint32_t)answer->used;

	memcpy(answer->strings + at, text, size);
	answer->used += size;
	answer->fixed.mask |= flag;
	return at;
}

static void add_names(
	const struct task *t, const struct mount *mount, uint64_t wanted, struct answer *answer)
{
	/* From the superblock's own root: a bind mount shows a part of it. */
	struct mount whole = {.sb = mount->sb, .root = mount->sb->root};
	struct path part = {.mount = &whole, .dentry = mount->root};
	struct path place = {.mount = (struct mount *)mount, .dentry = mount->root};
	char name[LX_PATH_MAX];

	/* Offset 0 is the empty string. */
	if (wanted & (LX_STATMOUNT_FS_TYPE | LX_STATMOUNT_MNT_ROOT | LX_STATMOUNT_MNT_POINT))
		answer->used = 1;
	if (wanted & LX_STATMOUNT_FS_TYPE)
		answer->fixed.fs_type = add_string(answer, mount->sb->type, LX_STATMOUNT_FS_TYPE);
	if ((wanted & LX_STATMOUNT_MNT_ROOT) && path_name(&part, NULL, name, sizeof(name)) >= 0)
		answer->fixed.mnt_root = add_string(answer, name, LX_STATMOUNT_MNT_ROOT);
	if ((wanted & LX_STATMOUNT_MNT_POINT) &&
		path_name(&place, &t->fs->root, name, sizeof(name)) >= 0 && name[0] == '/')
		answer->fixed.mnt_point = add_string(answer, name, LX_STATMOUNT_MNT_POINT);
}

static void add_facts(const struct mount *mount, uint64_t wanted, struct lx_statmount *ret)
{
	const struct mount *parent = mount->parent ? mount->parent : mount;

	if (wanted & LX_STATMOUNT_SB_BASIC) {
		ret->mask |= LX_STATMOUNT_SB_BASIC;
		ret->sb_dev_major = lx_major(mount->sb->dev);
		ret->sb_dev_minor = lx_minor(mount->sb->dev);
		ret->sb_magic = mount->sb->magic;
		ret->sb_flags = mount->sb->read_only ? LX_MS_RDONLY : 0;
	}
	if (wanted & LX_STATMOUNT_MNT_BASIC) {
		ret->mask |= LX_STATMOUNT_MNT_BASIC;
		ret->mnt_id = id_of(mount);
		ret->mnt_parent_id = id_of(parent);
		ret->mnt_id_old = (uint32_t)mount->id;
		ret->mnt_parent_id_old = (uint32_t)parent->id;
		ret->mnt_attr = (mount->read_only ? LX_MOUNT_ATTR_RDONLY : 0) |
				(mount->no_suid ? LX_MOUNT_ATTR_NOSUID : 0) |
				(mount->no_dev ? LX_MOUNT_ATTR_NODEV : 0) |
				(mount->no_exec ? LX_MOUNT_ATTR_NOEXEC : 0) |
				(mount->no_atime ? LX_MOUNT_ATTR_NOATIME : 0) |
				(mount->strict_atime ? LX_MOUNT_ATTR_STRICTATIME : 0) |
				(mount->no_dir_atime ? LX_MOUNT_ATTR_NODIRATIME : 0) |
				(mount->no_symlinks ? LX_MOUNT_ATTR_NOSYMFOLLOW : 0);
		ret->mnt_propagation = (mount->peer_group ? LX_MS_SHARED : 0) |
				       (mount->master ? LX_MS_SLAVE : 0) |
				       (mount->unbindable ? LX_MS_UNBINDABLE : 0);
		if (!ret->mnt_propagation)
			ret->mnt_propagation = LX_MS_PRIVATE;
		ret->mnt_peer_group = (uint64_t)mount->peer_group;
		ret->mnt_master = mount->master ? (uint64_t)mount->master->peer_group : 0;
	}
	if (wanted & LX_STATMOUNT_PROPAGATE_FROM)
		ret->mask |= LX_STATMOUNT_PROPAGATE_FROM;
}

int64_t sys_statmount(struct task *t, gaddr_t req, gaddr_t buf, uint64_t size, unsigned flags)
{
	_cleanup_free_ struct answer *answer = NULL;
	const struct mount *mount;
	struct lx_mnt_id_req request;
	uint64_t fixed;
	int err;

	if (flags)
		return -EINVAL;
	err = read_request(t, req, &request);
	if (err < 0)
		return err;
	mount = find_mount(t, request.mnt_id);
	if (!mount)
		return -ENOENT;
	answer = calloc(1, sizeof(*answer));
	if (!answer)
		return -ENOMEM;
	add_facts(mount, request.param, &answer->fixed);
	add_names(t, mount, request.param, answer);
	fixed = min_of(size, (uint64_t)sizeof(answer->fixed));
	if (answer->used && answer->used > size - fixed)
		return -EOVERFLOW;
	answer->fixed.size = (uint32_t)(fixed + answer->used);
	err = guest_write(t, buf, &answer->fixed, fixed);
	if (err == 0 && answer->used)
		err = guest_write(
			t, gaddr_add(buf, sizeof(answer->fixed)), answer->strings, answer->used);
	return err;
}

/* ---- listmount ------------------------------------------------------------------------------- */

static bool is_below(const struct mount *mount, const struct mount *top)
{
	while (mount && mount != top)
		mount = mount->parent;
	return mount;
}

/* The next mount below @top in the order of ids. Mounts may come and go while the caller sleeps. */
static uint64_t next_id(const struct mnt_ns *ns, const struct mount *top, uint64_t after,
	uint64_t except, bool reverse)
{
	uint64_t best = 0;

	for (struct mount *mount = mount_next(ns, NULL); mount; mount = mount_next(ns, mount)) {
		uint64_t id = id_of(mount);

		if (id == except || !is_below(mount, top))
			continue;
		if (reverse ? (after && id >= after) : id <= after)
			continue;
		if (!best || (reverse ? id > best : id < best))
			best = id;
	}
	return best;
}

int64_t sys_listmount(struct task *t, gaddr_t req, gaddr_t ids, uint64_t count, unsigned flags)
{
	struct lx_mnt_id_req request;
	const struct mount *top;
	uint64_t after, done = 0;
	int err;

	if (flags & ~(unsigned)LX_LISTMOUNT_REVERSE)
		return -EINVAL;
	if (count > LIST_MAX)
		return -EOVERFLOW;
	err = read_request(t, req, &request);
	if (err < 0)
		return err;
	after = request.param;
	if (after && after <= LX_MNT_UNIQUE_ID_OFFSET)
		return -EINVAL;
	top = request.mnt_id == ROOT_ID ? t->fs->root.mount : find_mount(t, request.mnt_id);
	if (!top)
		return -ENOENT;
	do {
		uint64_t turn[IDS_AT_ONCE];
		uint64_t got = 0;

		while (got < IDS_AT_ONCE && done + got < count) {
			after = next_id(task_mnt_ns(t), top, after, request.mnt_id,
				flags & LX_LISTMOUNT_REVERSE);
			if (!after)
				break;
			turn[got++] = after;
		}
		err = guest_write(
			t, gaddr_add(ids, done * sizeof(turn[0])), turn, got * sizeof(turn[0]));
		if (err < 0)
			return err;
		done += got;
		/* The mount may be gone after the write. */
		if (request.mnt_id != ROOT_ID && find_mount(t, request.mnt_id) != top)
			break;
	} while (after && done < count);
	return (int64_t)done;
}
