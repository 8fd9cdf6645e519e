/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_VFS_TMPFS_H
#define SENTRY_VFS_TMPFS_H

#include "vfs/internal.h"

/* Private to the memory file system (tmpfs.c, tmpfs_dir.c, tmpfs_file.c). */

#define TMPFS_HEAP_SMALL (16 * 1024ull)	  /* larger files are memfds */
#define TMPFS_HEAP_MAX	 (4096 * 1024ull) /* the same, when descriptors get scarce */
#define TMPFS_HEAP_PAGES (TMPFS_HEAP_MAX / LX_PAGE_SIZE)
#define TMPFS_INODES_MAX (1u << 20)    /* when the mount states no limit */
#define TMPFS_XATTRS_MAX (128 * 1024u) /* bytes of an inode's attributes */
#define TMPFS_INODE_COST 1024u	       /* bytes that an inode counts for, its dentry included */

struct tmpfs_sb {
	uint64_t page_limit; /* 0: none */
	uint64_t pages_used;
	uint64_t inode_limit, inode_count;
	uint64_t pages_shown; /* statfs' total when there is no limit */
};

struct tmpfs_entry {
	struct hash_entry hash;
	struct tmpfs_entry *next_doomed;
	struct inode *inode; /* owned */
	int64_t cookie;
	uint16_t size;
	char name[];
};

struct tmpfs_slot {
	int64_t cookie;
	struct tmpfs_entry *entry; /* NULL: removed */
};

struct tmpfs_dir {
	struct hash_table names;
	struct tmpfs_slot *slots; /* by cookie */
	size_t slot_count, slot_capacity, live;
	int64_t next_cookie;
};

struct tmpfs_file {
	uint8_t *heap; /* while fd < 0 */
	size_t heap_size;
	/* Bit n: page n has data; the others are holes. */
	uint64_t heap_pages[TMPFS_HEAP_PAGES / 64];
	int fd;			 /* memfd or -1 */
	int read_fd;		 /* the same, opened read-only; or -1 */
	uint64_t content_id;	 /* of the memfd, for uio_copy_content(); 0: none yet */
	uint64_t read_size;	 /* bytes that reads took from the heap */
	uint64_t charged;	 /* pages in tmpfs_sb.pages_used */
	bool preallocated;	 /* there may be pages behind the end */
	bool mapped_writable;	 /* pages may appear without us: the whole size is charged */
	struct list_head sparse; /* on the list of sparse files that are mapped for reading */
	struct inode *inode;	 /* borrowed, while on that list */
	unsigned seals;
};

struct tmpfs_xattr {
	struct list_head link;
	size_t size;
	uint8_t *value; /* owned */
	char name[];
};

struct tmpfs_inode {
	struct list_head xattrs;
	size_t xattr_size;
	union {
		struct tmpfs_dir dir;
		struct tmpfs_file file;
		char *target; /* symlink, owned */
	};
};

static inline struct tmpfs_sb *tmpfs_sb(const struct inode *inode)
{
	return inode->sb->private;
}

static inline struct tmpfs_inode *tmpfs_inode(const struct inode *inode)
{
	return inode->private;
}

/*
 * tmpfs.c. Memory of all these file systems together, pages and what names and attributes take of
 * ours: a guest must not fill the host with it, however many mounts and memfds it spreads it over.
 * False, and nothing charged, when it would exceed the limit.
 */
bool tmpfs_memory_charge(uint64_t size);
void tmpfs_memory_uncharge(uint64_t size);
/* For what the host has given already. */
void tmpfs_memory_adjust(uint64_t old_size, uint64_t new_size);
uint64_t tmpfs_memory_left(void);
/* One reference, nlink 1 (2 for a directory); @dir may be NULL. -ENOSPC, -ENOMEM. */
int tmpfs_inode_new(struct super_block *sb, const struct inode *dir, uint32_t mode,
	const struct cred *cred, struct inode **ret);
int tmpfs_setattr(struct inode *inode, const struct iattr *attr);
int tmpfs_getattr(struct inode *inode, struct kstat *ret);
ssize_t tmpfs_getxattr(struct inode *inode, const char *name, void *value, size_t size);
int tmpfs_setxattr(
	struct inode *inode, const char *name, const void *value, size_t size, int flags);
ssize_t tmpfs_listxattr(struct inode *inode, char *list, size_t size);
int tmpfs_removexattr(struct inode *inode, const char *name);

/* tmpfs_dir.c */
extern const struct inode_ops tmpfs_dir_ops;
extern const struct file_ops tmpfs_dir_file_ops;
void tmpfs_dir_destroy(struct inode *inode);
void tmpfs_symlink_destroy(struct inode *inode);

/* tmpfs_file.c */
extern const struct inode_ops tmpfs_file_inode_ops;
extern const struct file_ops tmpfs_file_ops;
void tmpfs_file_init(struct tmpfs_file *file);
void tmpfs_file_destroy(struct inode *inode);
int tmpfs_file_resize(struct inode *inode, uint64_t size);
uint64_t tmpfs_file_pages(const struct inode *inode);
int tmpfs_files_init(void);
extern uint64_t tmpfs_host_pages; /* of memory; what a tmpfs without a limit shows half of */

#endif
