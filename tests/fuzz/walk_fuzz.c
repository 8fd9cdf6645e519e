/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/stat.h"
#include "base/fiber.h"
#include "base/log.h"
#include "vfs/vfs.h"

/*
 * Names and trees: the input is a program of file system calls on a fresh tmpfs. What must hold:
 *
 * - no walk crashes, hangs or recurses, whatever the links say;
 * - what a walk found has a name, and that name leads to the same dentry;
 * - a walk beneath a directory stays beneath it;
 * - at the end nothing holds the file system any more: every reference was given back.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OPS_MAX	    200
#define NAME_TOKENS 24
#define OPEN_MAX    4

struct input {
	const uint8_t *data;
	size_t size;
};

static struct mount *base_mount;
static struct fs_context *base_fs;
static const struct input *present_input;
static bool input_done;

static uint8_t take_byte(struct input *input)
{
	if (!input->size)
		return 0;
	input->size--;
	return *input->data++;
}

/* Bytes become tokens, so that most names make sense. */
static void take_name(struct input *input, char *name, size_t room)
{
	static const char *const tokens[] = {"a", "b", "c", "/", "..", ".", "/", "d"};
	unsigned count = take_byte(input) % NAME_TOKENS;
	size_t at = 0;

	for (unsigned i = 0; i < count; i++) {
		uint8_t byte = take_byte(input);
		size_t length = strlen(tokens[byte % 8]);

		if (byte >= 0xf8) { /* a run, for long names */
			length = (size_t)take_byte(input) * 4;
			if (at + length >= room)
				break;
			memset(name + at, 'x', length);
		} else {
			if (at + length >= room)
				break;
			memcpy(name + at, tokens[byte % 8], length);
		}
		at += length;
	}
	name[at] = '\0';
}

static void must(bool condition, const char *what)
{
	if (!condition) {
		(void)fprintf(stderr, "walk_fuzz: %s\n", what);
		abort();
	}
}

static bool is_below(const struct dentry *dentry, const struct dentry *ancestor)
{
	for (; dentry != ancestor; dentry = dentry->parent)
		if (dentry == dentry->parent)
			return false;
	return true;
}

static void check_found(const struct vfs_ctx *ctx, const struct path *base, unsigned flags,
	const struct path *found)
{
	static const char deleted[] = " (deleted)";
	char name[LX_PATH_MAX];
	struct path again;
	ssize_t length;
	int err;

	must(found->dentry->inode != NULL, "a walk found a negative dentry");
	if (flags & (WALK_BENEATH | WALK_IN_ROOT))
		must(is_below(found->dentry, base->dentry), "a scoped walk escaped");
	length = path_name(found, &ctx->fs->root, name, sizeof(name));
	if (length < 0)
		return; /* deeper than PATH_MAX */
	must(name[0] == '/', "a name is not absolute");
	for (const struct dentry *d = found->dentry; d != d->parent; d = d->parent)
		if (d->unlinked)
			return;
	must((size_t)length < sizeof(deleted) ||
			strcmp(name + length - (sizeof(deleted) - 1), deleted) != 0,
		"a present file looks deleted");
	err = path_walk(ctx, NULL, name, 0, &again);
	must(err == 0, "a name does not lead back");
	must(again.dentry == found->dentry, "a name leads elsewhere");
	path_unref(&again);
}

static void do_walk(const struct vfs_ctx *ctx, struct input *input, const struct path *base)
{
	char name[LX_PATH_MAX];
	unsigned flags = take_byte(input) | (unsigned)(take_byte(input) & 3) << 8;
	struct path found;

	flags &= ~WALK_PARENT;
	if ((flags & WALK_BENEATH) && (flags & WALK_IN_ROOT))
		flags &= ~WALK_IN_ROOT;
	take_name(input, name, sizeof(name));
	if (path_walk(ctx, base, name, flags, &found) == 0) {
		check_found(ctx, base, flags, &found);
		path_unref(&found);
	}
}

static void do_open(
	const struct vfs_ctx *ctx, struct input *input, const struct path *base, struct file **slot)
{
	static const int kinds[] = {LX_O_RDONLY, LX_O_CREAT | LX_O_RDWR,
		LX_O_CREAT | LX_O_EXCL | LX_O_RDWR, LX_O_PATH, LX_O_DIRECTORY,
		LX_O_TMPFILE | LX_O_RDWR, LX_O_NOFOLLOW | LX_O_PATH, LX_O_TRUNC | LX_O_RDWR};
	int flags = kinds[take_byte(input) % 8];
	char name[LX_PATH_MAX];
	struct file *file;

	take_name(input, name, sizeof(name));
	if (vfs_open(ctx, base, name, flags, 0700, 0, &file) < 0)
		return;
	if (*slot)
		file_unref(*slot);
	*slot = file;
}

static void do_change(const struct vfs_ctx *ctx, struct input *input, const struct path *base)
{
	static const unsigned rename_flags[] = {
		0, LX_RENAME_NOREPLACE, LX_RENAME_EXCHANGE, LX_RENAME_WHITEOUT};
	char name[LX_PATH_MAX], other[LX_PATH_MAX];
	uint8_t kind = take_byte(input);
	struct path old;

	take_name(input, name, sizeof(name));
	switch (kind % 6) {
	case 0:
		(void)vfs_mkdir(ctx, base, name, 0700);
		break;
	case 1:
		(void)vfs_unlink(ctx, base, name);
		break;
	case 2:
		(void)vfs_rmdir(ctx, base, name);
		break;
	case 3:
		take_name(input, other, sizeof(other));
		(void)vfs_symlink(ctx, other, base, name);
		break;
	case 4:
		take_name(input, other, sizeof(other));
		if (path_walk(ctx, base, other, 0, &old) == 0) {
			(void)vfs_link(ctx, &old, base, name);
			path_unref(&old);
		}
		break;
	default:
		take_name(input, other, sizeof(other));
		(void)vfs_rename(ctx, base, other, base, name, rename_flags[kind / 6 % 4]);
	}
}

static void run_program(const struct vfs_ctx *ctx, struct input *input)
{
	struct file *open[OPEN_MAX] = {0};

	for (int op = 0; op < OPS_MAX && input->size; op++) {
		uint8_t byte = take_byte(input);
		struct file **slot = &open[byte / 8 % OPEN_MAX];
		const struct path *base = &ctx->fs->root;

		/* A directory that was opened earlier and may be gone or moved by now. */
		if ((byte & 1) && *slot)
			base = &(*slot)->path;
		switch (byte / 2 % 4) {
		case 0:
			do_walk(ctx, input, base);
			break;
		case 1:
			do_open(ctx, input, base, slot);
			break;
		default:
			do_change(ctx, input, base);
		}
	}
	for (int i = 0; i < OPEN_MAX; i++)
		if (open[i])
			file_unref(open[i]);
}

static void make_base(void)
{
	struct super_block *sb;
	struct path root;

	must(tmpfs_new(0, 0, 0755, &sb) == 0, "no base tmpfs");
	must(mount_attach(sb, sb->root, NULL, "base", &base_mount) == 0, "no base mount");
	root = (struct path){base_mount, sb->root};
	must(fs_context_new(&root, &root, 0, &base_fs) == 0, "no base context");
}

static void fuzz_fiber(void *arg)
{
	struct vfs_ctx ctx = {.cred = cred_kernel(), .fsize_limit = UINT64_MAX};
	struct input input = *present_input;
	struct super_block *sb;
	struct mount *mount;
	struct path root;

	if (!base_mount)
		make_base();
	must(tmpfs_new(1 << 20, 200, 0755, &sb) == 0, "no tmpfs");
	must(mount_attach(sb, sb->root, &base_fs->root, "fuzz", &mount) == 0, "no mount");
	root = (struct path){mount, sb->root};
	super_block_unref(sb);
	must(fs_context_new(&root, &root, 0, &ctx.fs) == 0, "no context");
	run_program(&ctx, &input);
	fs_context_unref(ctx.fs);
	must(mount_detach(mount, false) == 0, "somebody still holds the mount");
	input_done = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct input input = {data, size};
	struct fiber *fiber;

	present_input = &input;
	input_done = false;
	must(fiber_create(&fiber, "fuzz", fuzz_fiber, NULL) == 0, "no fiber");
	while (fiber_any_ready())
		(void)fiber_run_ready();
	must(input_done, "the walk sleeps for ever");
	return 0;
}
