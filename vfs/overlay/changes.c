/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an overlay changed: a walk over those of its directories below which something may have
 * changed, parents before children, and in a directory removals first.
 *
 * Changes are told as states, not as the operations that led there: a rename is a removal and a
 * creation, and a directory that was moved is created with everything in it. The queue of
 * directories to visit is explicit: a guest chooses the depth.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/stat.h"
#include "base/cleanup.h"
#include "vfs/overlay/overlay_private.h"

struct visit {
	struct list_head link;
	struct inode *dir; /* owned */
	bool created;	   /* the directory itself is new: everything in it is told */
	char *path;	   /* owned; "" for the root */
};

struct change_walk {
	struct list_head queue;
	int (*fn)(const struct overlay_change *change, void *arg);
	void *arg;
	const struct visit *visit; /* the present one */
};

static char *path_join(const char *dir, const char *name)
{
	char *path;

	return asprintf(&path, "%s%s%s", dir, *dir ? "/" : "", name) < 0 ? NULL : path;
}

static int visit_push(struct change_walk *walk, struct inode *dir, const char *path, bool created)
{
	struct visit *visit = calloc(1, sizeof(*visit));

	if (!visit)
		return -ENOMEM;
	visit->path = strdup(path);
	if (!visit->path) {
		free(visit);
		return -ENOMEM;
	}
	visit->dir = inode_ref(dir);
	visit->created = created;
	list_add_tail(&visit->link, &walk->queue);
	return 0;
}

static void visit_free(struct visit *visit)
{
	list_remove(&visit->link);
	inode_unref(visit->dir);
	free(visit->path);
	free(visit);
}

static int tell(struct change_walk *walk, int kind, const char *path, struct inode *inode)
{
	struct overlay_change change = {.kind = kind, .name = path, .inode = inode};

	return walk->fn(&change, walk->arg);
}

/* A file that is not below at this place. @replaces: something else is. */
static int tell_created(
	struct change_walk *walk, const char *path, struct inode *inode, bool replaces)
{
	bool directory = LX_S_ISDIR(inode->mode);
	int status = 0;

	/* A regular file over something is told as a modification; what it replaces goes with it.
	 */
	if (replaces && !LX_S_ISREG(inode->mode))
		status = tell(walk, OVERLAY_DELETED, path, NULL);
	if (status == 0)
		status = tell(walk,
			replaces && LX_S_ISREG(inode->mode) ? OVERLAY_MODIFIED : OVERLAY_CREATED,
			path, inode);
	if (status == 0 && directory)
		status = visit_push(walk, inode, path, true);
	return status;
}

/* A file that is below under the same name, perhaps changed. */
static int tell_same(struct change_walk *walk, const char *path, struct inode *inode)
{
	const struct ovl_node *node = ovl_node(inode);
	int status = 0;

	if (node->changed_data)
		status = tell(walk, OVERLAY_MODIFIED, path, inode);
	else if (node->changed_attr)
		status = tell(walk, OVERLAY_METADATA, path, inode);
	if (status == 0 && LX_S_ISDIR(inode->mode) && node->changed_below)
		status = visit_push(walk, inode, path, false);
	return status;
}

/* Entry @entry of the present directory leads to a lower file of that very name: it was moved away
 * and came back. */
static bool is_itself(const struct visit *visit, const struct ovl_entry *entry)
{
	const struct inode *lower_dir = ovl_node(visit->dir)->lower;
	const struct ovl_node *node = ovl_node(entry->inode);
	struct inode *lower = NULL;
	bool same;

	if (!node->lower || !lower_dir || !entry->hides_lower)
		return false;
	if (lower_dir->ops->lookup((struct inode *)lower_dir, entry->name, &lower) < 0)
		return false;
	same = lower == node->lower;
	inode_unref(lower);
	return same;
}

/* Removals and everything that has an entry. */
static int walk_entries(struct change_walk *walk, bool removals)
{
	const struct visit *visit = walk->visit;
	struct ovl_entry *entry, *tmp;
	int status = 0;

	list_for_each_entry_safe (entry, tmp, &ovl_node(visit->dir)->entry_list, link) {
		_cleanup_free_ char *path = NULL;

		if (removals != !entry->inode || (removals && visit->created))
			continue;
		path = path_join(visit->path, entry->name);
		if (!path)
			return -ENOMEM;
		if (removals)
			status = tell(walk, OVERLAY_DELETED, path, NULL);
		else if (!visit->created && is_itself(visit, entry))
			status = tell_same(walk, path, entry->inode);
		else
			status = tell_created(
				walk, path, entry->inode, entry->hides_lower && !visit->created);
		if (status < 0)
			return status;
	}
	return 0;
}

/* Lower files of an unmoved directory that were changed in place: its named children without an
 * entry. */
static int walk_children(struct change_walk *walk)
{
	const struct visit *visit = walk->visit;
	struct ovl_node *child, *tmp;

	list_for_each_entry_safe (child, tmp, &ovl_node(visit->dir)->children, child) {
		_cleanup_free_ char *path = NULL;
		int status;

		if (!child->name || ovl_entry_find(visit->dir, child->name))
			continue;
		if (!child->changed_data && !child->changed_attr && !child->changed_below)
			continue;
		path = path_join(visit->path, child->name);
		if (!path)
			return -ENOMEM;
		status = tell_same(walk, path, child->inode);
		if (status < 0)
			return status;
	}
	return 0;
}

struct name_list {
	size_t count, capacity;
	char **names;
};

static int name_list_add(void *arg, const char *name, uint64_t ino, unsigned type)
{
	struct name_list *list = arg;

	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 64;
		char **grown = realloc(list->names, capacity * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		list->names = grown;
		list->capacity = capacity;
	}
	list->names[list->count] = strdup(name);
	if (!list->names[list->count])
		return -ENOMEM;
	list->count++;
	return 0;
}

static void name_list_free(struct name_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->names[i]);
	free(list->names);
}

/* In a directory that is itself new everything is, also what it brought along from below. */
static int walk_created(struct change_walk *walk)
{
	const struct visit *visit = walk->visit;
	_cleanup_(name_list_free) struct name_list list = {0};
	int status = ovl_for_each_name(visit->dir, name_list_add, &list);

	for (size_t i = 0; i < list.count && status == 0; i++) {
		_cleanup_(cleanup_inode_unref) struct inode *inode = NULL;
		_cleanup_free_ char *path = path_join(visit->path, list.names[i]);

		if (!path)
			return -ENOMEM;
		fiber_mutex_lock(&visit->dir->mutex);
		status = ovl_lookup(visit->dir, list.names[i], &inode);
		fiber_mutex_unlock(&visit->dir->mutex);
		if (status == 0)
			status = tell_created(walk, path, inode, false);
		else if (status == -ENOENT)
			status = 0;
	}
	return status;
}

static int walk_one(struct change_walk *walk)
{
	int status;

	if (walk->visit->created)
		return walk_created(walk);
	status = walk_entries(walk, true);
	if (status == 0)
		status = walk_entries(walk, false);
	if (status == 0)
		status = walk_children(walk);
	return status;
}

int overlay_for_each_change(struct super_block *sb,
	int (*fn)(const struct overlay_change *change, void *arg), void *arg)
{
	struct inode *root = sb->root->inode;
	struct change_walk walk = {.fn = fn, .arg = arg};
	int status = 0;

	list_init(&walk.queue);
	if (ovl_node(root)->changed_attr)
		status = tell(&walk, OVERLAY_METADATA, ".", root);
	if (status == 0)
		status = visit_push(&walk, root, "", false);
	while (!list_empty(&walk.queue)) {
		struct visit *visit = list_first(&walk.queue, struct visit, link);

		walk.visit = visit;
		if (status == 0)
			status = walk_one(&walk);
		visit_free(visit);
		if (status == 0 && fiber_current())
			fiber_yield();
	}
	return status;
}
