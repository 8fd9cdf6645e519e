/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that last (vfs.h). One number for the whole kernel stands for "no name, mount or
 * permission has changed": changes are rare next to the questions that programs ask again and again
 * (is there a module of this name in that directory?), so nothing finer is kept. What makes the
 * number go up: a name that comes, goes or moves (dentry.c), a mount (mount.c), the mode or owner
 * of anything but a regular file, and any change of an object whose attributes were given away.
 *
 * A second number is for what all processes are told of names alone: it leaves out identities,
 * attributes, and names in superblocks where they have changed a few times since the sandbox runs
 * (temporary files do), which in turn no such promise may come through.
 */
#include <errno.h>
#include <string.h>

#include "vfs/internal.h"

static uint64_t epoch, still;
static bool settled;
static void (*on_end)(bool everybody);

void vfs_lasting_register(void (*ended)(bool everybody))
{
	on_end = ended;
}

static void end(bool everybody)
{
	epoch++;
	still += everybody;
	if (on_end)
		on_end(everybody);
}

void vfs_lasting_end(void)
{
	end(true);
}

void vfs_lasting_end_own(void)
{
	end(false);
}

void vfs_lasting_settle(void)
{
	settled = true;
}

void lasting_names_change(struct super_block *sb)
{
	bool counts = sb->plain && sb->names_changed < LASTING_CHANGES;

	if (!sb->stable)
		return;
	/* With the last change that counts, walks that came by here promise nothing to all. */
	if (counts && settled)
		sb->names_changed++;
	/* Through an overlay it is another one's names that change. */
	end(counts || sb->stack_depth > 0);
}

struct vfs_lasting vfs_lasting_begin(void)
{
	return (struct vfs_lasting){.epoch = epoch, .still = still};
}

bool vfs_lasting_promise_all(const struct vfs_lasting *lasting)
{
	return !lasting->fleeting && !lasting->narrow && lasting->still == still;
}

/* @writers: open files that may write and whose writes the one who is told hears of. */
static bool promise(const struct vfs_lasting *lasting, struct inode *inode, uint32_t writers)
{
	if (lasting->fleeting || lasting->epoch != epoch)
		return false;
	/* What is open for writing changes its times and blocks by way of mappings, unseen. */
	if (!inode->sb->stable || inode->write_count > writers ||
		!(LX_S_ISREG(inode->mode) || LX_S_ISDIR(inode->mode) || LX_S_ISLNK(inode->mode)))
		return false;
	inode->promised = true;
	return true;
}

bool vfs_lasting_promise(const struct vfs_lasting *lasting, const struct path *path)
{
	if (!path)
		return !lasting->fleeting && lasting->epoch == epoch;
	return promise(lasting, path->dentry->inode, 0);
}

bool vfs_lasting_promise_opened(const struct vfs_lasting *lasting, const struct file *file)
{
	return promise(lasting, file->inode, file->counted_write);
}

int vfs_lasting_child(const struct vfs_lasting *lasting, const struct path *dir, const char *name,
	struct path *ret)
{
	_cleanup_(cleanup_dentry_unref) struct dentry *dentry = NULL;
	int err;

	if (!dentry_is_dir(dir->dentry) || dir->dentry->inode->ops->permission)
		return -EAGAIN;
	err = dentry_lookup(dir->dentry, name, strlen(name), &dentry);
	if (err < 0)
		return err;
	if (!dentry->inode)
		return -ENOENT;
	if (dentry_is_mountpoint(dentry) || LX_S_ISLNK(dentry->inode->mode))
		return -ELOOP;
	if (!promise(lasting, dentry->inode, 0))
		return -EAGAIN;
	*ret = (struct path){mount_ref(dir->mount), TAKE(dentry)};
	return 0;
}
