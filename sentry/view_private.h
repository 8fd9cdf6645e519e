/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_VIEW_PRIVATE_H
#define SENTRY_SENTRY_VIEW_PRIVATE_H

#include "sentry/view.h"

/* The view as a list of steps: host descriptors and contents are collected in view_open(),
 * view_mount() carries them out. */
enum view_kind {
	VIEW_DIRECTORY, /* an empty directory of mode and owner */
	VIEW_SYMLINK,	/* content is its target */
	VIEW_CONTENT,	/* a file in memory with content */
	VIEW_TREE,	/* host directory fd */
	VIEW_FILE,	/* host file fd */
	VIEW_OVERLAY,	/* host directory fd below memory: the working directory */
	VIEW_ROOT,	/* the same, as the root itself (--rootfs) */
	VIEW_TMPFS,	/* size_limit, mode */
	VIEW_DEV,
	VIEW_PTS,
	VIEW_PROC,
	VIEW_SYS,
	VIEW_CGROUP,
};

struct view_step {
	enum view_kind kind;
	char *target;	    /* owned; a path of the guest */
	const char *source; /* borrowed, for messages and /proc/mounts; may be NULL */
	char *content;	    /* owned */
	size_t size;
	uint32_t mode, uid, gid;
	uint64_t size_limit;
	int fd; /* owned, -1: none, or handed on */
	bool writable;
	bool guarded; /* the user's own files: config->guard holds for them */
};

#define VIEW_STEPS_MAX 4096

struct view {
	struct view_step *steps;
	size_t count, capacity;
	const struct view_config *config;
	struct super_block *overlay; /* owned */
	char *workdir;		     /* owned; the first choice, then the one that exists */
	char *message;
	size_t message_size;
};

/* Adds a step and returns it, or NULL when out of memory (or beyond the bound). Paths are copied.
 */
struct view_step *view_add(struct view *view, enum view_kind kind, const char *target);
int view_add_symlink(struct view *view, const char *target, const char *to);
/* Takes a copy of @content. */
int view_add_content(struct view *view, const char *target, const char *content, size_t size);
/* The host file that is open as @fd, read-only. Takes @fd over. */
int view_add_file(struct view *view, const char *target, int fd);
/* The host's @source at @target if it is there and may be read: a directory as a read-only tree. 0
 * also when it is not there. */
int view_add_tree_if(struct view *view, const char *source, const char *target);

/* The guest's /etc. view_etc.c */
int view_add_etc(struct view *view);

#endif
