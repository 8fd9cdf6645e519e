/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_FS_TYPE_H
#define SENTRY_SENTRY_FS_TYPE_H

#include "sentry/task.h"
#include "vfs/mnt_ns.h"

/*
 * The file systems that guests may mount, and the making of one step by step: what mount(2) does at
 * once and fsopen(2), fsconfig(2), fsmount(2) one after the other (kernel fs/fs_context.c).
 */
struct fs_type;

#define FS_PARAMS_MAX 64 /* of one context */

struct fs_param {
	char *key, *value; /* owned; value NULL: a flag */
};

struct fs_make {
	const struct fs_type *type;
	struct user_ns *user_ns; /* owned: who will rule over the superblock */
	struct cred *cred;	 /* owned: of who began */
	struct ns *about;	 /* owned: the PID or IPC namespace that it shows; NULL: none */
	char *source;		 /* owned, or NULL */
	struct fs_param params[FS_PARAMS_MAX];
	unsigned param_count;
	bool read_only;
	struct super_block *sb; /* owned, once made */
};

/* -ENODEV: nobody knows @name. */
int fs_make_begin(struct task *task, const char *name, struct fs_make **ret);
void fs_make_free(struct fs_make *make);
/* One parameter. -EINVAL: the file system has none of that name or such a value. */
int fs_make_param(struct fs_make *make, const char *key, const char *value);
/* mount(2)'s "key=value,flag". */
int fs_make_options(struct fs_make *make, const char *options);
/* mount_capable() */
int fs_make_permitted(const struct fs_make *make, const struct cred *cred);
/* Makes make->sb; may sleep. */
int fs_make_super(struct fs_make *make, struct task *task);
/* mount -o remount: what of the parameters is changed in @sb. -EINVAL */
int fs_make_reconfigure(struct fs_make *make, struct super_block *sb);
/* A context that describes an existing superblock, to change it. */
int fs_make_pick(struct task *task, struct super_block *sb, struct fs_make **ret);
/* How it looks in /proc/mounts; "" for none. malloc'ed, NULL without memory. */
char *fs_make_show(const struct fs_make *make);
const char *fs_make_source(const struct fs_make *make);

#endif
