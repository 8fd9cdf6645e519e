/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hidden and protected names of a host tree (vfs/guard.h).
 *
 * An inode knows its parent and its name, so the place of anything on the host is known without
 * asking; what was named on the command line continues the way above the tree's root.
 *
 * A file with several names remembers one. When it is looked up by a protected one, that is
 * remembered, too; a hard link that the host made under another name before that is beyond the
 * rules. The guest itself makes none: linking from a protected name is refused like linking to it.
 */
#include <errno.h>
#include <string.h>

#include "abi/dirent.h"
#include "abi/stat.h"
#include "vfs/guard.h"
#include "vfs/hostfs/hostfs_private.h"

static bool node_up(struct guard_place *place)
{
	const struct inode *dir = place->at;
	const struct host_node *node = host_node(dir);

	if (dir == dir->sb->root->inode) {
		struct guard_place outside =
			guard_place_of_path(host_super(dir->sb)->guard_path, SIZE_MAX);

		if (outside.size)
			*place = outside;
		return outside.size > 0;
	}
	if (!node->parent)
		return false;
	place->name = node->name;
	place->size = strlen(node->name);
	place->at = node->parent;
	return true;
}

static struct guard_place place_of(const struct inode *dir, const char *name)
{
	return (struct guard_place){
		.name = name, .size = strlen(name), .inside = true, .up = node_up, .at = dir};
}

static enum guard_kind kind_of(uint32_t mode)
{
	return LX_S_ISDIR(mode) ? GUARD_DIRECTORY : GUARD_FILE;
}

static void report(
	const struct guard_answer *answer, const char *what, const struct guard_place *place)
{
	char path[LX_PATH_MAX];

	guard_place_name(place, path, sizeof(path));
	guard_report(answer, what, path);
}

int host_may_show(const struct inode *dir, const char *name, struct inode *inode)
{
	const struct guard *guard = host_super(dir->sb)->guard;
	struct guard_place place;
	struct guard_answer answer;

	if (!guard)
		return 0;
	place = place_of(dir, name);
	answer = guard_hides(guard, &place, kind_of(inode->mode));
	if (answer.verdict != GUARD_FREE) {
		report(&answer, "read", &place);
		return -ENOENT;
	}
	if (!dir->sb->read_only && LX_S_ISREG(inode->mode) && inode->nlink > 1) {
		answer = guard_judge(guard, &place, GUARD_FILE);
		if (answer.verdict != GUARD_FREE)
			host_node(inode)->protected_by = answer.pattern;
	}
	return 0;
}

bool host_hides_entry(const struct inode *dir, const char *name, unsigned type)
{
	const struct guard *guard = host_super(dir->sb)->guard;
	struct guard_place place;

	if (!guard)
		return false;
	place = place_of(dir, name);
	return guard_hides(guard, &place,
		       type == LX_DT_UNKNOWN ? GUARD_ANY
		       : type == LX_DT_DIR   ? GUARD_DIRECTORY
					     : GUARD_FILE)
		       .verdict != GUARD_FREE;
}

static int refuse(const struct inode *dir, const char *name, uint32_t mode, bool way_is_fine,
	const char *what)
{
	const struct guard *guard = host_super(dir->sb)->guard;
	struct guard_place place;
	struct guard_answer answer;

	if (!guard)
		return 0;
	place = place_of(dir, name);
	answer = guard_judge(guard, &place, kind_of(mode));
	if (answer.verdict == GUARD_FREE || (answer.verdict == GUARD_WAY && way_is_fine))
		return 0;
	report(&answer, what, &place);
	return -EACCES;
}

int host_may_make(const struct inode *dir, const char *name, uint32_t mode, const char *what)
{
	return refuse(dir, name, mode, LX_S_ISDIR(mode), what);
}

int host_may_remove(const struct inode *dir, const char *name, uint32_t mode)
{
	/* Only what is empty can be removed. */
	return refuse(dir, name, mode, LX_S_ISDIR(mode), "remove");
}

int host_may_move(const struct inode *dir, const char *name, uint32_t mode)
{
	return refuse(dir, name, mode, false, "rename");
}

int host_may_change(const struct inode *inode, const char *what, bool way_is_fine)
{
	const struct host_node *node = host_node(inode);

	if (!host_super(inode->sb)->guard)
		return 0;
	if (node->protected_by) {
		struct guard_answer answer = {GUARD_PROTECTED, node->protected_by};
		struct guard_place place;

		if (node->parent) {
			place = place_of(node->parent, node->name);
			report(&answer, what, &place);
		}
		return -EACCES;
	}
	if (!node->parent)
		return 0; /* the root, which the user named; or it has no name any more */
	return refuse(node->parent, node->name, inode->mode, way_is_fine, what);
}

void hostfs_guard(struct super_block *sb, const struct guard *guard, const char *path)
{
	host_super(sb)->guard = guard;
	host_super(sb)->guard_path = path;
}
