/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_UNIT_VFS_FIXTURE_H
#define SENTRY_TESTS_UNIT_VFS_FIXTURE_H

/*
 * A mount tree for tests of file systems: a host directory with known contents, an optional super
 * block mounted as the root, and short forms of the operations with kernel memory. Everything runs
 * on a fiber.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/fcntl.h"
#include "abi/stat.h"
#include "base/fiber.h"
#include "base/loop.h"
#include "vfs/vfs.h"

static char fx_dir[64]; /* the host directory */
static struct vfs_ctx fx_ctx;

static inline const char *fx_host(const char *name)
{
	static char path[4][512];
	static unsigned turn;

	turn = (turn + 1) % 4;
	(void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", fx_dir, name);
	return path[turn];
}

static inline void fx_host_write(const char *name, const char *text)
{
	FILE *file = fopen(fx_host(name), "w");

	cr_assert(file);
	(void)fputs(text, file);
	(void)fclose(file);
}

static inline const char *fx_host_read(const char *name)
{
	static char text[4096];
	FILE *file = fopen(fx_host(name), "r");
	size_t size;

	if (!file)
		return "(missing)";
	size = fread(text, 1, sizeof(text) - 1, file);
	text[size] = '\0';
	(void)fclose(file);
	return text;
}

/* file, dir/inner, dir/sub/deep, link -> file, empty/ */
static inline void fx_make_host_tree(void)
{
	strcpy(fx_dir, "/tmp/sentry-unit-XXXXXX");
	cr_assert(mkdtemp(fx_dir));
	fx_host_write("file", "lower data\n");
	(void)mkdir(fx_host("dir"), 0755);
	fx_host_write("dir/inner", "inner\n");
	(void)mkdir(fx_host("dir/sub"), 0755);
	fx_host_write("dir/sub/deep", "deep\n");
	(void)mkdir(fx_host("empty"), 0755);
	cr_assert_eq(symlink("file", fx_host("link")), 0);
	(void)mkfifo(fx_host("fifo"), 0644);
}

static inline void fx_remove_host_tree(void)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", fx_dir);
	cr_assert_eq(system(command), 0);
}

static inline int fx_root_fd(void)
{
	return open(fx_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Mounts @sb as the root (references are the test's) and points fx_ctx at it. */
static inline struct mount *fx_mount(struct super_block *sb)
{
	struct mount *mount;
	struct path root;

	cr_assert_eq(mount_attach(sb, sb->root, NULL, "test", &mount), 0);
	root = (struct path){.mount = mount, .dentry = mount->root};
	fx_ctx = (struct vfs_ctx){.cred = cred_kernel(), .fsize_limit = UINT64_MAX};
	cr_assert_eq(fs_context_new(&root, &root, 0, &fx_ctx.fs), 0);
	return mount;
}

static inline int fx_open(const char *name, int flags, struct file **ret)
{
	return vfs_open(&fx_ctx, NULL, name, flags, 0644, WALK_FOLLOW, ret);
}

static inline int fx_write_at(const char *name, int flags, const char *text)
{
	struct uio_segment segment;
	struct uio uio;
	struct file *file;
	ssize_t put;
	int status = fx_open(name, flags | LX_O_WRONLY, &file);

	if (status < 0)
		return status;
	uio_init_kernel(&uio, &segment, (void *)text, strlen(text));
	put = file_write(file, &uio, &fx_ctx);
	file_unref(file);
	return (int)put;
}

static inline const char *fx_file_text(struct file *file)
{
	static char text[4096];
	struct uio_segment segment;
	struct uio uio;
	ssize_t got;

	uio_init_kernel(&uio, &segment, text, sizeof(text) - 1);
	got = file_pread(file, &uio, 0, &fx_ctx);
	if (got < 0)
		return strerror((int)-got);
	text[got] = '\0';
	return text;
}

/* The contents, or the error as text. */
static inline const char *fx_read(const char *name)
{
	struct file *file;
	const char *text;
	int status = fx_open(name, LX_O_RDONLY, &file);

	if (status < 0)
		return strerror(-status);
	text = fx_file_text(file);
	file_unref(file);
	return text;
}

static inline int fx_stat(const char *name, struct kstat *ret)
{
	struct path path;
	int status = path_walk(&fx_ctx, NULL, name, 0, &path);

	if (status < 0)
		return status;
	status = vfs_getattr(&path, ret);
	path_unref(&path);
	return status;
}

static inline uint64_t fx_ino(const char *name)
{
	struct kstat stat = {0};

	cr_assert_eq(fx_stat(name, &stat), 0);
	return stat.ino;
}

struct fx_listing {
	struct dir_context ctx;
	unsigned count, stop_after;
	char names[64][256];
};

static inline bool fx_emit(struct dir_context *ctx, const char *name, size_t size, uint64_t ino,
	unsigned type, int64_t next_pos)
{
	struct fx_listing *listing = container_of(ctx, struct fx_listing, ctx);

	if (listing->count == listing->stop_after)
		return false;
	memcpy(listing->names[listing->count], name, size);
	listing->names[listing->count++][size] = '\0';
	return true;
}

static inline int fx_compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Sorted names but "." and "..", separated by blanks; read in chunks of three. */
static inline const char *fx_list(const char *name)
{
	static char text[8192];
	struct fx_listing listing = {.ctx.emit = fx_emit, .stop_after = 3};
	struct file *file;
	int status = fx_open(name, LX_O_RDONLY | LX_O_DIRECTORY, &file);
	unsigned before;

	if (status < 0)
		return strerror(-status);
	do {
		before = listing.count;
		status = file_read_dir(file, &listing.ctx, &fx_ctx);
		if (status < 0)
			return strerror(-status);
		listing.stop_after += 3;
	} while (listing.count != before);
	file_unref(file);
	qsort(listing.names, listing.count, sizeof(listing.names[0]), fx_compare);
	text[0] = '\0';
	for (unsigned i = 0; i < listing.count; i++) {
		if (!strcmp(listing.names[i], ".") || !strcmp(listing.names[i], ".."))
			continue;
		if (text[0])
			strcat(text, " ");
		strcat(text, listing.names[i]);
	}
	return text;
}

static void (*fx_body)(void);

static inline void fx_main(void *arg)
{
	fx_body();
	loop_stop(0);
}

/* Runs @body on a fiber in a host directory of its own. */
static inline void fx_run(void (*body)(void))
{
	fx_make_host_tree();
	cr_assert_eq(loop_init(), 0);
	cr_assert_eq(workers_init(2), 0);
	fx_body = body;
	cr_assert_eq(fiber_create(NULL, "test", fx_main, NULL), 0);
	loop_run();
	workers_fini();
	loop_fini();
	fx_remove_host_tree();
}

#endif
