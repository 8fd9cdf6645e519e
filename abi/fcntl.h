/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_FCNTL_H
#define SENTRY_ABI_FCNTL_H

#include <stdint.h>

/* open(2) */
#define LX_O_ACCMODE	 03
#define LX_O_RDONLY	 0
#define LX_O_WRONLY	 01
#define LX_O_RDWR	 02
#define LX_O_CREAT	 0100
#define LX_O_EXCL	 0200
#define LX_O_NOCTTY	 0400
#define LX_O_TRUNC	 01000
#define LX_O_APPEND	 02000
#define LX_O_NONBLOCK	 04000
#define LX_O_DSYNC	 010000
#define LX_FASYNC	 020000
#define LX_O_DIRECT	 040000
#define LX_O_LARGEFILE	 0100000
#define LX_O_DIRECTORY	 0200000
#define LX_O_NOFOLLOW	 0400000
#define LX_O_NOATIME	 01000000
#define LX_O_CLOEXEC	 02000000
#define LX_O_SYNC	 04010000
#define LX_O_PATH	 010000000
#define LX_O_TMPFILE	 020200000
#define LX_O_TMPFILE_BIT 020000000 /* __O_TMPFILE: O_TMPFILE without O_DIRECTORY */

/* openat2(2) */
struct lx_open_how {
	uint64_t flags;
	uint64_t mode;
	uint64_t resolve;
};
#define LX_OPEN_HOW_SIZE_VER0	 24
#define LX_RESOLVE_NO_XDEV	 0x1
#define LX_RESOLVE_NO_MAGICLINKS 0x2
#define LX_RESOLVE_NO_SYMLINKS	 0x4
#define LX_RESOLVE_BENEATH	 0x8
#define LX_RESOLVE_IN_ROOT	 0x10
#define LX_RESOLVE_CACHED	 0x20

/* fcntl(2) */
#define LX_F_DUPFD		  0
#define LX_F_GETFD		  1
#define LX_F_SETFD		  2
#define LX_F_GETFL		  3
#define LX_F_SETFL		  4
#define LX_F_GETLK		  5
#define LX_F_SETLK		  6
#define LX_F_SETLKW		  7
#define LX_F_SETOWN		  8
#define LX_F_GETOWN		  9
#define LX_F_SETSIG		  10
#define LX_F_GETSIG		  11
#define LX_F_SETOWN_EX		  15
#define LX_F_GETOWN_EX		  16
#define LX_F_GETOWNER_UIDS	  17
#define LX_F_OFD_GETLK		  36
#define LX_F_OFD_SETLK		  37
#define LX_F_OFD_SETLKW		  38
#define LX_F_SETLEASE		  1024
#define LX_F_GETLEASE		  1025
#define LX_F_NOTIFY		  1026
#define LX_F_DUPFD_QUERY	  1027
#define LX_F_CREATED_QUERY	  1028
#define LX_F_DUPFD_CLOEXEC	  1030
#define LX_F_SETPIPE_SZ		  1031
#define LX_F_GETPIPE_SZ		  1032
#define LX_F_ADD_SEALS		  1033
#define LX_F_GET_SEALS		  1034
#define LX_LOCK_MAND		  32
#define LX_MAX_HANDLE_SZ	  128
#define LX_RWH_WRITE_LIFE_EXTREME 5
#define LX_F_GET_RW_HINT	  1035
#define LX_F_SET_RW_HINT	  1036
#define LX_F_GET_FILE_RW_HINT	  1037
#define LX_F_SET_FILE_RW_HINT	  1038

#define LX_FD_CLOEXEC	       1
#define LX_F_RDLCK	       0
#define LX_F_WRLCK	       1
#define LX_F_UNLCK	       2
#define LX_F_OWNER_TID	       0
#define LX_F_OWNER_PID	       1
#define LX_F_OWNER_PGRP	       2
#define LX_F_SEAL_SEAL	       0x1
#define LX_F_SEAL_SHRINK       0x2
#define LX_F_SEAL_GROW	       0x4
#define LX_F_SEAL_WRITE	       0x8
#define LX_F_SEAL_FUTURE_WRITE 0x10
#define LX_F_SEAL_EXEC	       0x20

#define LX_DN_ACCESS	0x1
#define LX_DN_MODIFY	0x2
#define LX_DN_CREATE	0x4
#define LX_DN_DELETE	0x8
#define LX_DN_RENAME	0x10
#define LX_DN_ATTRIB	0x20
#define LX_DN_MULTISHOT 0x80000000u

struct lx_flock {
	int16_t l_type;
	int16_t l_whence;
	int32_t pad0;
	int64_t l_start;
	int64_t l_len;
	int32_t l_pid;
	int32_t pad1;
};

struct lx_f_owner_ex {
	int32_t type;
	int32_t pid;
};

/* flock(2) */
#define LX_LOCK_SH 1
#define LX_LOCK_EX 2
#define LX_LOCK_NB 4
#define LX_LOCK_UN 8

/* lseek(2) */
#define LX_SEEK_SET  0
#define LX_SEEK_CUR  1
#define LX_SEEK_END  2
#define LX_SEEK_DATA 3
#define LX_SEEK_HOLE 4

/* The ...at(2) calls */
#define LX_AT_FDCWD (-100)

#define LX_PIDFD_SELF_THREAD	   (-10000)
#define LX_PIDFD_SELF_THREAD_GROUP (-10001)

#define LX_AT_SYMLINK_NOFOLLOW	   0x100
#define LX_AT_REMOVEDIR		   0x200
#define LX_AT_EACCESS		   0x200
#define LX_AT_SYMLINK_FOLLOW	   0x400
#define LX_AT_NO_AUTOMOUNT	   0x800
#define LX_AT_EMPTY_PATH	   0x1000
#define LX_AT_STATX_SYNC_TYPE	   0x6000
#define LX_AT_STATX_SYNC_AS_STAT   0x0
#define LX_AT_STATX_FORCE_SYNC	   0x2000
#define LX_AT_STATX_DONT_SYNC	   0x4000
#define LX_AT_RECURSIVE		   0x8000
#define LX_AT_HANDLE_FID	   0x200
#define LX_AT_HANDLE_MNT_ID_UNIQUE 0x1
#define LX_AT_HANDLE_CONNECTABLE   0x2
#define LX_AT_EXECVE_CHECK	   0x10000

/* access(2) */
#define LX_F_OK 0
#define LX_X_OK 1
#define LX_W_OK 2
#define LX_R_OK 4

/* memfd_create(2) */
#define LX_MFD_CLOEXEC	     0x1
#define LX_MFD_ALLOW_SEALING 0x2
#define LX_MFD_HUGETLB	     0x4
#define LX_MFD_NOEXEC_SEAL   0x8
#define LX_MFD_EXEC	     0x10

/* fallocate(2) */
#define LX_FALLOC_FL_KEEP_SIZE	    0x1
#define LX_FALLOC_FL_PUNCH_HOLE	    0x2
#define LX_FALLOC_FL_NO_HIDE_STALE  0x4
#define LX_FALLOC_FL_COLLAPSE_RANGE 0x8
#define LX_FALLOC_FL_ZERO_RANGE	    0x10
#define LX_FALLOC_FL_INSERT_RANGE   0x20
#define LX_FALLOC_FL_UNSHARE_RANGE  0x40

/* renameat2(2) */
#define LX_RENAME_NOREPLACE 0x1
#define LX_RENAME_EXCHANGE  0x2
#define LX_RENAME_WHITEOUT  0x4

/* splice(2), tee(2), vmsplice(2) */
#define LX_SPLICE_F_MOVE     0x1
#define LX_SPLICE_F_NONBLOCK 0x2
#define LX_SPLICE_F_MORE     0x4
#define LX_SPLICE_F_GIFT     0x8

/* posix_fadvise(2) */
#define LX_POSIX_FADV_NORMAL	 0
#define LX_POSIX_FADV_RANDOM	 1
#define LX_POSIX_FADV_SEQUENTIAL 2
#define LX_POSIX_FADV_WILLNEED	 3
#define LX_POSIX_FADV_DONTNEED	 4
#define LX_POSIX_FADV_NOREUSE	 5

/* sync_file_range(2) */
#define LX_SYNC_FILE_RANGE_WAIT_BEFORE 0x1
#define LX_SYNC_FILE_RANGE_WRITE       0x2
#define LX_SYNC_FILE_RANGE_WAIT_AFTER  0x4

/* close_range(2) */
#define LX_CLOSE_RANGE_UNSHARE 0x2
#define LX_CLOSE_RANGE_CLOEXEC 0x4

/* pidfd_open(2); PIDFD_THREAD is newer */
#define LX_PIDFD_NONBLOCK	      LX_O_NONBLOCK
#define LX_PIDFD_THREAD		      LX_O_EXCL
#define LX_PIDFD_SIGNAL_THREAD	      0x1
#define LX_PIDFD_SIGNAL_THREAD_GROUP  0x2
#define LX_PIDFD_SIGNAL_PROCESS_GROUP 0x4

/* name_to_handle_at(2) */
struct lx_file_handle {
	uint32_t handle_bytes;
	int32_t handle_type;
	/* handle_bytes bytes follow */
};
#define LX_MAX_HANDLE_SZ 128

#endif
