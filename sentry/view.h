/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_VIEW_H
#define SENTRY_SENTRY_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vfs/vfs.h"

/* What of the host the guest sees. All strings are borrowed from the command line; paths of the
 * guest are absolute. */
struct view_volume {
	const char *source; /* host path, absolute */
	const char *target;
	bool writable;
};

struct view_tmpfs {
	const char *target;
	uint64_t size_limit; /* bytes; 0: the default */
};

struct view_config {
	const struct view_volume *volumes;
	size_t volume_count;
	const struct view_tmpfs *tmpfs;
	size_t tmpfs_count;
	const char *rootfs; /* --rootfs, or NULL for the host's programs */
	const char *cwd;    /* host path of the directory to show under a memory overlay at its own
			       place; NULL none */
	const char *prefix; /* a further read-only tree (the interpreter's own prefix), or NULL */
	const char *
		home; /* HOME of the guest: an empty directory, unless something is mounted there */
	const struct guard *guard; /* names that are hidden or protected in cwd and volumes; or NULL
				    */
	uint32_t uid,
		gid; /* of the guest; host files of the user who runs the sandbox show as these */
	const char *hostname;
	const char *resolv_conf; /* what is in that file */
	bool partial_ids;	 /* the host shows other users' files as an unknown id's */
};

/*
 * Opens everything of the host that the view needs. Before confinement, outside fibers. On failure
 * a line for the user is in
 * @message (which names the path) and nothing is left open. -EINVAL, -ENOENT, -EACCES...
 */
struct view;
int view_open(const struct view_config *config, struct view **ret_view, char *message,
	size_t message_size);
/*
 * Builds the mount tree; on a fiber (may sleep). *ret_root is "/", owned. -ENOMEM...
 */
int view_mount(struct view *view, struct path *ret_root, char *message, size_t message_size);
/* Where the program starts when -w says nothing: the working directory's own path when the guest
 * has it, else "/". After view_mount(). */
const char *view_workdir(const struct view *view);
/* The working directory's overlay, borrowed; NULL when there is none. */
struct super_block *view_overlay(struct view *view);
/*
 * Calls @fn with each host directory or file that the view opened (for Landlock); @fd stays the
 * view's. Stops at the first negative result and returns it.
 */
int view_for_each_host_root(
	struct view *view, int (*fn)(int fd, bool writable, void *arg), void *arg);
/* The same for host directories and files that @fn may put another descriptor in the place of. */
int view_replace_host_roots(
	struct view *view, int (*fn)(int *fd, bool writable, void *arg), void *arg);
void view_free(struct view *view);

#endif
