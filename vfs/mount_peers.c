/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared subtrees (mount_namespaces(7), "SHARED SUBTREES"; kernel fs/pnode.c).
 *
 * Mounts with the same peer_group are peers: what is mounted on one of them is mounted on all.
 * A slave gets what is mounted on its master, or on a peer of it, and may itself be shared: the
 * peers of such a group have the same master, and each is on its list of slaves.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "vfs/mount_private.h"

int mount_new_group(void)
{
	static int last;

	if (++last <= 0)
		last = 1;
	return last;
}

/* Another one of the group, as a master for those who lose @mount: one with the same root first. */
static struct mount *successor(const struct mount *mount)
{
	struct mount *peer;

	list_for_each_entry (peer, &mount->peers, peers)
		if (peer->root == mount->root)
			return peer;
	return list_empty(&mount->peers) ? NULL : list_first(&mount->peers, struct mount, peers);
}

static void leave_master(struct mount *mount)
{
	list_remove(&mount->slave_link);
	mount->master = NULL;
}

static void follow_master(struct mount *mount, struct mount *master)
{
	leave_master(mount);
	if (!master)
		return;
	mount->master = master;
	list_add_tail(&mount->slave_link, &master->slaves);
}

/* do_make_slave(): its own slaves, and it itself, get another master: a peer, or its own. */
static void make_slave(struct mount *mount)
{
	struct mount *peer = mount_is_shared(mount) ? successor(mount) : NULL;
	struct mount *master = peer ? peer : mount->master, *slave, *next;

	if (!mount_is_shared(mount) && list_empty(&mount->slaves))
		return;
	list_remove(&mount->peers);
	mount->peer_group = 0;
	list_for_each_entry_safe (slave, next, &mount->slaves, slave_link)
		follow_master(slave, master);
	if (peer)
		follow_master(mount, peer);
}

void mount_make(struct mount *mount, enum mount_propagation type)
{
	if (type == MOUNT_SHARED) {
		if (!mount_is_shared(mount))
			mount->peer_group = mount_new_group();
		mount->unbindable = false;
		return;
	}
	make_slave(mount);
	mount->unbindable = type == MOUNT_UNBINDABLE;
	if (type != MOUNT_SLAVE)
		leave_master(mount);
}

/* ---- who gets what ---- */

struct mount_set {
	struct mount **mounts;
	size_t count, capacity;
};

static int set_add(struct mount_set *set, struct mount *mount)
{
	if (set->count == set->capacity) {
		size_t capacity = set->capacity ? set->capacity * 2 : 16;
		struct mount **grown = reallocarray(set->mounts, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		set->mounts = grown;
		set->capacity = capacity;
	}
	set->mounts[set->count++] = mount;
	return 0;
}

static uint32_t present_walk; /* mount.walk of those that are in the set */

static int add_new(struct mount_set *set, struct mount *mount)
{
	if (mount->walk == present_walk)
		return 0;
	mount->walk = present_walk;
	return set_add(set, mount);
}

/* @mount and its peers. */
static int add_group(struct mount_set *set, struct mount *mount)
{
	struct mount *peer;
	int err = add_new(set, mount);

	list_for_each_entry (peer, &mount->peers, peers) {
		if (err < 0)
			break;
		err = add_new(set, peer);
	}
	return err;
}

static int add_slaves(struct mount_set *set, struct mount *mount)
{
	struct mount *slave;
	int err = 0;

	list_for_each_entry (slave, &mount->slaves, slave_link) {
		if (err < 0)
			break;
		if (slave->walk != present_walk)
			err = add_group(set, slave);
	}
	return err;
}

int mount_receivers(struct mount *mount, struct mount ***ret, size_t *ret_count)
{
	struct mount_set set = {0};
	int err = 0;

	present_walk++;
	mount->walk = present_walk;
	if (mount_is_shared(mount)) {
		err = add_group(&set, mount);
		if (err == 0)
			err = add_slaves(&set, mount);
	}
	/* It grows while it is walked: slaves of slaves. */
	for (size_t i = 0; err == 0 && i < set.count; i++)
		err = add_slaves(&set, set.mounts[i]);
	if (err < 0) {
		free(set.mounts);
		return err;
	}
	*ret = set.mounts;
	*ret_count = set.count;
	return 0;
}

/*
 * What copies for a group are made from: the first copy that one of it got, or what that would be
 * made from. Each group is entered before its slaves are looked at, so that one step up the masters
 * is enough, however many receivers there are.
 */
struct group_origin {
	struct hash_entry hash;
	int group;
	struct mount *origin;
	bool made; /* a member's own copy: others of the group become its peers */
};

struct origins {
	struct hash_table table;
	struct group_origin *groups;
	size_t count;
};

static struct group_origin *find_origin(const struct origins *origins, int group)
{
	struct group_origin *origin;

	hash_for_each_match(origin, &origins->table, hash_u64((uint64_t)group), hash)
	{
		if (origin->group == group)
			return origin;
	}
	return NULL;
}

/* There is room for one entry for each receiver and one more. */
static int note_origin(struct origins *origins, int group, struct mount *from, bool made)
{
	struct group_origin *origin = find_origin(origins, group);
	int err;

	if (!origin) {
		origin = &origins->groups[origins->count];
		origin->group = group;
		err = hash_insert(&origins->table, &origin->hash, hash_u64((uint64_t)group));
		if (err < 0)
			return err;
		origins->count++;
	} else if (origin->made) {
		return 0;
	}
	origin->origin = from;
	origin->made = made;
	return 0;
}

/* Whose copy the one for @receiver is made from, and how: a peer's as a peer, else the master's. */
static struct mount *origin_of(const struct mount *receiver, struct mount *source,
	const struct origins *origins, unsigned *ret_how)
{
	const struct group_origin *origin;

	*ret_how = COPY_SHARED;
	if (mount_is_shared(receiver)) {
		origin = find_origin(origins, receiver->peer_group);
		if (origin && origin->made)
			return origin->origin;
	}
	*ret_how = COPY_SLAVE | (mount_is_shared(receiver) ? COPY_SHARED : 0);
	origin = receiver->master ? find_origin(origins, receiver->master->peer_group) : NULL;
	return origin ? origin->origin : source;
}

static int copy_for_receiver(struct mount *receiver, const struct dentry *dentry,
	struct mount *source, struct origins *origins, struct mount **ret_copy)
{
	bool has_place =
		receiver->ns && !receiver->ns->anonymous && dentry_is_below(dentry, receiver->root);
	unsigned how;
	struct mount *origin = origin_of(receiver, source, origins, &how);
	int err = 0;

	*ret_copy = NULL;
	if (has_place)
		err = mount_copy_tree(origin, origin->root, how, ret_copy);
	if (err == 0 && mount_is_shared(receiver))
		err = note_origin(
			origins, receiver->peer_group, has_place ? *ret_copy : origin, has_place);
	if (err < 0 && *ret_copy)
		mount_drop_tree(*ret_copy);
	return err;
}

int mount_propagate(struct mount *dest, struct dentry *dentry, struct mount *source,
	struct mount_copy_for **ret, size_t *ret_count)
{
	struct mount **receivers = NULL;
	struct origins origins = {0};
	struct mount_copy_for *made;
	size_t count = 0, used = 0;
	int err = mount_receivers(dest, &receivers, &count);

	if (err < 0)
		return err;
	made = calloc(count + 1, sizeof(*made));
	origins.groups = calloc(count + 1, sizeof(*origins.groups));
	err = made && origins.groups ? note_origin(&origins, dest->peer_group, source, true)
				     : -ENOMEM;
	for (size_t i = 0; err == 0 && i < count; i++) {
		struct mount *copy;

		err = copy_for_receiver(receivers[i], dentry, source, &origins, &copy);
		if (err == 0 && copy)
			made[used++] = (struct mount_copy_for){receivers[i], copy};
	}
	free(receivers);
	hash_fini(&origins.table);
	free(origins.groups);
	if (err < 0) {
		for (size_t i = 0; made && i < used; i++)
			mount_drop_tree(made[i].copy);
		free(made);
		return err;
	}
	*ret = made;
	*ret_count = used;
	return 0;
}
