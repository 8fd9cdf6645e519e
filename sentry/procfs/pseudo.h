/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_PSEUDO_H
#define SENTRY_SENTRY_PSEUDO_H

#include <stdarg.h>

#include "abi/stat.h"
#include "sentry/task.h"
#include "vfs/vfs.h"

/*
 * File systems whose files are made up when they are read: tables of entries with functions that
 * write text.
 *
 * A node is an entry plus what it is about: nothing, a process, a thread, a descriptor number. Its
 * text is made as a whole at the first read and at each read at offset 0, as seq_file does for
 * short files, so a reader sees one state.
 */

/* Growing text. After a failure (memory, or the cap) the rest is ignored and the read answers
 * -ENOMEM. */
struct seq {
	char *data; /* owned */
	size_t size, capacity;
	bool failed;
	const struct vfs_ctx *ctx; /* of the reader: roots and permissions */
};
#define SEQ_SIZE_MAX (32ul << 20)
void seq_printf(struct seq *seq, const char *format, ...) __attribute__((format(printf, 2, 3)));
void seq_write(struct seq *seq, const void *data, size_t size);
void seq_puts(struct seq *seq, const char *text);
/* A name with octal escapes for the characters in @escaped and backslash (seq_path(9)). */
void seq_escape(struct seq *seq, const char *text, const char *escaped);
/* Blanks until the line that began at @line_start is @width wide, then one more. */
void seq_pad(struct seq *seq, size_t line_start, size_t width);

struct pseudo_entry;

struct pseudo_node {
	const struct pseudo_entry *entry;
	struct pid *pid;   /* owned by inodes, borrowed else; NULL: about no process */
	struct pid_ns *ns; /* borrowed of the superblock: whose processes are shown; NULL: none's */
	bool thread;	   /* about the thread, not the process */
	int number;	   /* a descriptor, a processor */
};

struct pseudo_dynamic {
	/* Fills @ret (entry, number, a borrowed pid) for @name, or -ENOENT. */
	int (*lookup)(const struct pseudo_node *dir, const char *name, struct pseudo_node *ret);
	/*
	 * The first name at or after *cursor (from 0): fills @name and @ret and moves the cursor
	 * behind it. False at the end.
	 */
	bool (*next)(const struct pseudo_node *dir, int64_t *cursor, char name[32],
		struct pseudo_node *ret);
	/* How many links these names add to the directory. Missing: none. */
	uint32_t (*links)(const struct pseudo_node *dir);
	/* The size that stat(2) tells. Missing: 0. */
	uint64_t (*size)(const struct pseudo_node *dir);
};

/* The last position in files and directories that generic_file_llseek() moves in
 * (MAX_NON_LFS). */
#define PSEUDO_LAST_POSITION 0x7fffffff

struct pseudo_entry {
	const char *name;
	uint32_t mode;	/* with the type */
	bool immutable; /* S_IMMUTABLE: the directories of processes and threads */
	bool own;	/* the process may always use it, whoever owns it (proc_fd_permission()) */
	bool private; /* only for those who might trace the process (ptrace(2), access mode checks)
		       */
	/* Positions go up to this, as in a file of no size (generic_file_llseek(),
	 * default_llseek()). 0: those of seq_lseek(). */
	int64_t last_position;
	/* Before an open that the permissions allow: 0 or -errno. Missing: 0. */
	int (*may_open)(const struct pseudo_node *node);
	/* Files: -errno, or 0. May sleep. Missing: reads are -EINVAL. */
	int (*show)(const struct pseudo_node *node, struct seq *seq);
	/* One write of at most a page, NUL-terminated. 0 or -errno. Missing: -EINVAL. */
	int (*store)(const struct pseudo_node *node, char *text, size_t size,
		const struct vfs_ctx *ctx, const struct cred *opener);
	/* Whether it may be opened for writing at all; 0 or -errno. Missing: as its mode says. */
	int (*may_write)(const struct pseudo_node *node, const struct vfs_ctx *ctx);
	/* Files of their own kind: sets file->ops. Missing: those of texts. */
	int (*open)(const struct pseudo_node *node, struct file *file, const struct vfs_ctx *ctx);
	/* Links: text, or where the walk goes on without names. */
	ssize_t (*readlink)(
		const struct pseudo_node *node, const struct vfs_ctx *ctx, char *buffer);
	int (*follow)(const struct pseudo_node *node, const struct vfs_ctx *ctx, struct path *ret);
	/* The mode of links to descriptors tells how they are open; 0: as it was, they are closed.
	 */
	uint32_t (*mode_of)(const struct pseudo_node *node);
	/* Directories. */
	const struct pseudo_entry *children;
	size_t child_count;
	const struct pseudo_dynamic *dynamic;
};

#define PSEUDO_FILE(name_, mode_, show_)                                                           \
	{                                                                                          \
		.name = (name_), .mode = LX_S_IFREG | (mode_), .show = (show_)                     \
	}
#define PSEUDO_DIR(name_, children_)                                                               \
	{                                                                                          \
		.name = (name_), .mode = LX_S_IFDIR | 0555, .children = (children_),               \
		.child_count = sizeof(children_) / sizeof((children_)[0])                          \
	}

/* A file system with @root as its root directory, about the processes of @ns (NULL: none). */
int pseudo_new(const char *type, uint64_t magic, const struct pseudo_entry *root, struct pid_ns *ns,
	struct super_block **ret);
/* The node behind an inode of such a file system, borrowed. */
const struct pseudo_node *pseudo_node(const struct inode *inode);
/* The same behind an open directory of one; NULL when @file is something else. */
const struct pseudo_node *pseudo_dir_node(const struct file *file);

/* Whom to ask about the node's process (its first thread) or thread, borrowed; NULL when that has
 * exited, whoever is left of the process (get_proc_task()). */
struct task *pseudo_task(const struct pseudo_node *node);
/* The process, also as a zombie; NULL when it was reaped. */
struct thread_group *pseudo_group(const struct pseudo_node *node);
/* May the reader look into the process? 0 or -EACCES. */
int pseudo_may_trace(const struct pseudo_node *node, const struct vfs_ctx *ctx);

#endif
