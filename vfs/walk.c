/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path resolution (path_resolution(7); kernel fs/namei.c: link_path_walk()).
 *
 * A walk stands on a path and holds the rest of the string. A symlink in the middle pushes that
 * rest on a small stack and goes on in the link's text; a link in last place pushes nothing.
 * Nothing recurses: the stack has as many frames as links may be followed (40).
 *
 * Every step first requires that the walk stands on a directory (-ENOTDIR) which the caller may
 * search (-EACCES), then looks the component up (-ENAMETOOLONG, -ENOENT). ".." stops at the root,
 * and at the top of a mount goes on from its mountpoint.
 *
 * openat2(2)'s scoped walks (beneath, in_root) make the start the root. A rename in the meantime
 * may carry the present directory out of it; so ".." is refused with -EAGAIN when any directory was
 * renamed since the walk began, and the end is checked to lie below the root.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vfs/internal.h"

#define WALK_SCOPED (WALK_BENEATH | WALK_IN_ROOT)

static int walk_jump_root(struct walk *walk)
{
	if (walk->flags & WALK_BENEATH)
		return -EXDEV;
	if ((walk->flags & WALK_NO_XDEV) && walk->path.mount &&
		walk->path.mount != walk->root.mount)
		return -EXDEV;
	path_ref(&walk->root);
	path_unref(&walk->path);
	walk->path = walk->root;
	lasting_visit(walk->ctx, walk->root.dentry->sb);
	return 0;
}

int walk_begin(struct walk *walk, const struct vfs_ctx *ctx, const struct path *base,
	const char *name, unsigned walk_flags)
{
	const struct path *start = base ? base : &ctx->fs->cwd;

	walk->ctx = ctx;
	walk->root = walk->path = (struct path){0};
	walk->flags = walk_flags;
	walk->link_count = walk->depth = 0;
	walk->must_be_dir = false;
	walk->name = name;
	walk->body = NULL;
	walk->rename_count = vfs_rename_count;
	if (!*name && !(walk_flags & WALK_EMPTY))
		return -ENOENT;
	walk->root = (walk_flags & WALK_SCOPED) || !ctx->fs ? *start : ctx->fs->root;
	path_ref(&walk->root);
	if (*name == '/' && !(walk_flags & WALK_IN_ROOT))
		return walk_jump_root(walk);
	walk->path = *start;
	path_ref(&walk->path);
	lasting_visit(walk->ctx, walk->path.dentry->sb);
	return 0;
}

void walk_end(struct walk *walk)
{
	while (walk->depth > 0)
		free(walk->frames[--walk->depth].body);
	free(walk->body);
	walk->body = NULL;
	path_unref(&walk->path);
	path_unref(&walk->root);
}

/* ".." (follow_dotdot()). */
static int walk_up(struct walk *walk)
{
	struct path *path = &walk->path;
	struct path up;

	while (path->dentry != walk->root.dentry || path->mount != walk->root.mount) {
		if (path->dentry != path->mount->root) {
			up = (struct path){path->mount, path->dentry->parent};
			path_ref(&up);
			path_unref(path);
			*path = up;
			goto out;
		}
		if (!path->mount->parent)
			goto out;
		if (walk->flags & WALK_NO_XDEV)
			return -EXDEV;
		up = (struct path){path->mount->parent, path->mount->mountpoint};
		path_ref(&up);
		path_unref(path);
		*path = up;
	}
	if (walk->flags & WALK_BENEATH)
		return -EXDEV;
out:
	if ((walk->flags & WALK_SCOPED) && walk->rename_count != vfs_rename_count)
		return -EAGAIN;
	if (path_cross_mounts(path) && (walk->flags & WALK_NO_XDEV))
		return -EXDEV;
	lasting_visit(walk->ctx, path->dentry->sb);
	return 0;
}

/* The walk stands on a symlink's directory and goes on in @link. @rest is what follows the link. */
static int walk_into_link(
	struct walk *walk, struct dentry *link, const char *rest, bool *ret_jumped)
{
	struct inode *inode = link->inode;
	_cleanup_free_ char *body = NULL;
	ssize_t size;

	*ret_jumped = false;
	if (walk->link_count++ >= LX_SYMLOOP_MAX || (walk->flags & WALK_NO_SYMLINK))
		return -ELOOP;
	if (walk->path.mount && walk->path.mount->no_symlinks)
		return -ELOOP;
	if (!walk->path.mount || !walk->path.mount->no_atime)
		inode_touch_atime(inode);
	if (inode->ops->follow) {
		struct path target = {0};
		int err;

		if (walk->flags & WALK_NO_MAGIC)
			return -ELOOP;
		err = inode->ops->follow(inode, walk->ctx, &target);
		if (err < 0)
			return err;
		/* nd_jump_link() */
		if ((walk->flags & WALK_SCOPED) ||
			((walk->flags & WALK_NO_XDEV) && target.mount != walk->path.mount)) {
			path_unref(&target);
			return -EXDEV;
		}
		path_unref(&walk->path);
		walk->path = target;
		lasting_visit(walk->ctx, target.dentry->sb);
		walk->name = rest;
		*ret_jumped = true;
		return 0;
	}
	body = malloc(LX_PATH_MAX);
	if (!body)
		return -ENOMEM;
	if (!inode->ops->readlink)
		return -EINVAL;
	size = inode->ops->readlink(inode, walk->ctx, body);
	if (size < 0)
		return (int)size;
	if (size == 0)
		return -ENOENT;
	if (*rest) {
		/* Each frame took one of the links that may be followed. */
		sentry_assert(walk->depth < LX_SYMLOOP_MAX);
		walk->frames[walk->depth].body = walk->body;
		walk->frames[walk->depth].rest = rest;
		walk->depth++;
	} else {
		free(walk->body);
	}
	walk->body = TAKE(body);
	walk->name = walk->body;
	return *walk->name == '/' ? walk_jump_root(walk) : 0;
}

struct component {
	const char *name, *rest; /* rest: behind the slashes that follow */
	size_t size;
	enum last_kind kind;
	bool last, trailing_slash;
};

/*
 * The next component, after the checks that every step begins with. Returns 0 when the string is at
 * its end, 1 with a component.
 */
static int walk_next(struct walk *walk, struct component *ret)
{
	int err;

	for (;;) {
		while (*walk->name == '/')
			walk->name++;
		if (*walk->name)
			break;
		if (walk->depth == 0)
			return 0;
		free(walk->body);
		walk->depth--;
		walk->body = walk->frames[walk->depth].body;
		walk->name = walk->frames[walk->depth].rest;
	}
	if (!dentry_is_dir(walk->path.dentry))
		return -ENOTDIR;
	err = inode_permission(walk->path.dentry->inode, VFS_MAY_EXEC, walk->ctx);
	lasting_search(walk->ctx, walk->path.dentry->inode);
	if (err < 0)
		return err;
	ret->name = walk->name;
	ret->size = strcspn(walk->name, "/");
	ret->rest = walk->name + ret->size;
	ret->trailing_slash = *ret->rest == '/';
	ret->rest += strspn(ret->rest, "/");
	ret->last = !*ret->rest && walk->depth == 0;
	ret->kind = LAST_NORM;
	if (ret->name[0] == '.' && ret->size == 1)
		ret->kind = LAST_DOT;
	else if (ret->name[0] == '.' && ret->name[1] == '.' && ret->size == 2)
		ret->kind = LAST_DOTDOT;
	return 1;
}

/* One component that is not a parent's last one. */
static int walk_step(struct walk *walk, const struct component *component)
{
	_cleanup_path_ struct path child = {0};
	bool jumped, crossed = false;
	int err;

	if (component->kind != LAST_NORM) {
		walk->name = component->rest;
		return component->kind == LAST_DOTDOT ? walk_up(walk) : 0;
	}
	err = dentry_lookup(walk->path.dentry, component->name, component->size, &child.dentry);
	if (err < 0)
		return err;
	if (!child.dentry->inode)
		return -ENOENT;
	child.mount = mount_ref(walk->path.mount);
	if (!(component->last && (walk->flags & WALK_MOUNT)))
		crossed = path_cross_mounts(&child);
	if (crossed && (walk->flags & WALK_NO_XDEV))
		return -EXDEV;
	lasting_visit(walk->ctx, child.dentry->sb);
	if (component->last && component->trailing_slash)
		walk->must_be_dir = true;
	if (LX_S_ISLNK(child.dentry->inode->mode) &&
		(!component->last || walk->must_be_dir || (walk->flags & WALK_FOLLOW)))
		return walk_into_link(walk, child.dentry, component->rest, &jumped);
	walk->name = component->rest;
	path_unref(&walk->path);
	walk->path = child;
	child = (struct path){0};
	return 0;
}

/*
 * Goes on over names that are in the cache, as far as it leads without asking a file system, a
 * symlink or
 * ".." on the way. Nothing here sleeps, so no references are needed until the end: most walks are
 * this and nothing else. Where it stops, the walk goes on step by step, and finds the errors that
 * are due there; only a name that is known to be missing ends it here, unless it is the last one of
 * a walk to a
 * @parent.
 */
static int walk_skim(struct walk *walk, bool parent)
{
	struct path at = walk->path;
	const char *name = walk->name;
	int err = 0;

	if (walk->flags & ~(WALK_FOLLOW | WALK_DIRECTORY | WALK_EMPTY))
		return 0;
	for (;;) {
		struct inode *dir = at.dentry->inode;
		struct dentry *child;
		const char *end, *rest;

		while (*name == '/')
			name++;
		for (end = name; *end && *end != '/'; end++)
			;
		for (rest = end; *rest == '/'; rest++)
			;
		/* The end of the string, and a last name with a slash behind it. */
		if (end == name || (!*rest && (parent || *end)))
			break;
		if (!dentry_is_dir(at.dentry) || dir->ops->permission ||
			((dir->mode & 0111) != 0111 &&
				inode_permission(dir, VFS_MAY_EXEC, walk->ctx) < 0))
			break;
		if (name[0] == '.' && (end - name == 1 || (end - name == 2 && name[1] == '.')))
			break;
		lasting_search(walk->ctx, dir);
		child = dcache_peek(at.dentry, name, (size_t)(end - name));
		if (!child || (dir->ops->revalidate && !at.dentry->sb->stable))
			break;
		if (!child->inode) {
			err = -ENOENT;
			break;
		}
		if (LX_S_ISLNK(child->inode->mode))
			break;
		at.dentry = child;
		while (dentry_is_mountpoint(at.dentry)) {
			struct mount *mount = mount_on(&at);

			if (!mount)
				break;
			at = (struct path){mount, mount->root};
			lasting_visit(walk->ctx, at.dentry->sb);
		}
		name = rest;
	}
	/* It may come back to where it began by another mount. */
	if (at.dentry != walk->path.dentry || at.mount != walk->path.mount) {
		path_ref(&at);
		path_unref(&walk->path);
		walk->path = at;
	}
	walk->name = name;
	return err;
}

int walk_complete(struct walk *walk)
{
	if ((walk->must_be_dir || (walk->flags & WALK_DIRECTORY)) &&
		!dentry_is_dir(walk->path.dentry))
		return -ENOTDIR;
	if ((walk->flags & WALK_SCOPED) && walk->rename_count != vfs_rename_count &&
		walk->path.mount == walk->root.mount &&
		!dentry_is_below(walk->path.dentry, walk->root.dentry))
		return -EXDEV;
	return 0;
}

int walk_finish(struct walk *walk)
{
	struct component component;
	int err = walk_skim(walk, false);

	while (err >= 0 && (err = walk_next(walk, &component)) > 0) {
		err = walk_step(walk, &component);
		if (err >= 0)
			err = walk_skim(walk, false);
	}
	return err < 0 ? err : walk_complete(walk);
}

int walk_parent(struct walk *walk, struct last_component *ret_last)
{
	struct component component;
	int err = walk_skim(walk, true);

	if (err < 0)
		return err;
	ret_last->kind = LAST_ROOT;
	ret_last->trailing_slash = false;
	ret_last->size = 0;
	ret_last->name[0] = '\0';
	while ((err = walk_next(walk, &component)) > 0 && !component.last) {
		err = walk_step(walk, &component);
		if (err >= 0)
			err = walk_skim(walk, true);
		if (err < 0)
			return err;
	}
	if (err <= 0)
		return err;
	walk->name = component.rest;
	ret_last->kind = component.kind;
	ret_last->trailing_slash = component.trailing_slash;
	if (component.size > LX_NAME_MAX)
		return walk->path.dentry->unlinked ? -ENOENT : -ENAMETOOLONG;
	memcpy(ret_last->name, component.name, component.size);
	ret_last->name[component.size] = '\0';
	ret_last->size = component.size;
	return 0;
}

int walk_follow(struct walk *walk, struct dentry *link, bool *ret_done)
{
	return walk_into_link(walk, link, "", ret_done);
}

int path_walk(const struct vfs_ctx *ctx, const struct path *base, const char *name,
	unsigned walk_flags, struct path *ret_path)
{
	struct walk walk;
	int err = walk_begin(&walk, ctx, base, name, walk_flags);

	if (err >= 0)
		err = walk_finish(&walk);
	if (err >= 0) {
		*ret_path = walk.path;
		walk.path = (struct path){0};
	}
	walk_end(&walk);
	return err;
}

int path_walk_parent(const struct vfs_ctx *ctx, const struct path *base, const char *name,
	unsigned walk_flags, struct path *ret_parent, char *ret_name, enum last_kind *ret_kind,
	bool *ret_trailing_slash)
{
	struct last_component last;
	struct walk walk;
	int err = walk_begin(&walk, ctx, base, name, walk_flags & ~WALK_EMPTY);

	if (err >= 0)
		err = walk_parent(&walk, &last);
	if (err >= 0) {
		*ret_parent = walk.path;
		walk.path = (struct path){0};
		memcpy(ret_name, last.name, last.size + 1);
		*ret_kind = last.kind;
		*ret_trailing_slash = last.trailing_slash;
	}
	walk_end(&walk);
	return err;
}
