/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_MOUNT_H
#define SENTRY_ABI_MOUNT_H

#include <stdint.h>

#define LX_MS_RDONLY	  0x1
#define LX_MS_NOSUID	  0x2
#define LX_MS_NODEV	  0x4
#define LX_MS_NOEXEC	  0x8
#define LX_MS_SYNCHRONOUS 0x10
#define LX_MS_REMOUNT	  0x20
#define LX_MS_MANDLOCK	  0x40
#define LX_MS_DIRSYNC	  0x80
#define LX_MS_NOSYMFOLLOW 0x100
#define LX_MS_NOATIME	  0x400
#define LX_MS_NODIRATIME  0x800
#define LX_MS_BIND	  0x1000
#define LX_MS_MOVE	  0x2000
#define LX_MS_REC	  0x4000
#define LX_MS_SILENT	  0x8000
#define LX_MS_POSIXACL	  0x10000
#define LX_MS_UNBINDABLE  0x20000
#define LX_MS_PRIVATE	  0x40000
#define LX_MS_SLAVE	  0x80000
#define LX_MS_SHARED	  0x100000
#define LX_MS_RELATIME	  0x200000
#define LX_MS_STRICTATIME 0x1000000
#define LX_MS_LAZYTIME	  0x2000000
#define LX_MS_NOUSER	  0x80000000u
#define LX_MS_MGC_VAL	  0xc0ed0000u
#define LX_MS_MGC_MSK	  0xffff0000u

#define LX_MNT_FORCE  0x1
#define LX_MNT_DETACH 0x2
#define LX_MNT_EXPIRE 0x4

#define LX_UMOUNT_NOFOLLOW 0x8

#define LX_OPEN_TREE_CLONE	   0x1
#define LX_OPEN_TREE_CLOEXEC	   0x80000
#define LX_FSOPEN_CLOEXEC	   0x1
#define LX_FSMOUNT_CLOEXEC	   0x1
#define LX_MOVE_MOUNT_F_EMPTY_PATH 0x4
#define LX_MOVE_MOUNT_T_EMPTY_PATH 0x40
#define LX_MOUNT_ATTR_RDONLY	   0x1
#define LX_MOUNT_ATTR_NOSUID	   0x2
#define LX_MOUNT_ATTR_NODEV	   0x4
#define LX_MOUNT_ATTR_NOEXEC	   0x8
#define LX_MOUNT_ATTR__ATIME	   0x70
#define LX_MOUNT_ATTR_NOATIME	   0x10
#define LX_MOUNT_ATTR_STRICTATIME  0x20
#define LX_MOUNT_ATTR_NODIRATIME   0x80
#define LX_MOUNT_ATTR_IDMAP	   0x100000
#define LX_MOUNT_ATTR_NOSYMFOLLOW  0x200000

/* statmount(2), listmount(2) */
#define LX_MNT_UNIQUE_ID_OFFSET	    (1ull << 31) /* ids are above */
#define LX_MNT_ID_REQ_SIZE_VER0	    24
#define LX_STATMOUNT_SB_BASIC	    0x1
#define LX_STATMOUNT_MNT_BASIC	    0x2
#define LX_STATMOUNT_PROPAGATE_FROM 0x4
#define LX_STATMOUNT_MNT_ROOT	    0x8
#define LX_STATMOUNT_MNT_POINT	    0x10
#define LX_STATMOUNT_FS_TYPE	    0x20
#define LX_LISTMOUNT_REVERSE	    0x1

struct lx_mnt_id_req {
	uint32_t size;
	uint32_t spare;
	uint64_t mnt_id;
	uint64_t param;
	uint64_t mnt_ns_id;
};

struct lx_statmount {
	uint32_t size;
	uint32_t mnt_opts;
	uint64_t mask;
	uint32_t sb_dev_major;
	uint32_t sb_dev_minor;
	uint64_t sb_magic;
	uint32_t sb_flags;
	uint32_t fs_type;
	uint64_t mnt_id;
	uint64_t mnt_parent_id;
	uint32_t mnt_id_old;
	uint32_t mnt_parent_id_old;
	uint64_t mnt_attr;
	uint64_t mnt_propagation;
	uint64_t mnt_peer_group;
	uint64_t mnt_master;
	uint64_t propagate_from;
	uint32_t mnt_root;
	uint32_t mnt_point;
	uint64_t mnt_ns_id;
	uint64_t spare[49];
	/* strings follow */
};
_Static_assert(sizeof(struct lx_statmount) == 512, "struct statmount");

#endif
