/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_LIMITS_H
#define SENTRY_ABI_LIMITS_H

/*
 * Sizes. First those that are part of the ABI, then our own caps: each size that a guest controls
 * and that makes the Sentry allocate, loop or copy has one here, unless it belongs to a single
 * module, whose header then has it.
 */
#define LX_PATH_MAX 4096
#define LX_NAME_MAX 255

/* proc_pid_oom_score_adj(5) */
#define LX_OOM_SCORE_ADJ_MIN (-1000)
#define LX_OOM_SCORE_ADJ_MAX 1000

#define LX_UIO_MAXIOV  1024
#define LX_UIO_FASTIOV 8

#define LX_PIPE_BUF	  4096
#define LX_XATTR_NAME_MAX 255
#define LX_XATTR_SIZE_MAX 65536
#define LX_XATTR_LIST_MAX 65536
#define LX_NGROUPS_MAX	  65536
#define LX_LINK_MAX	  65000
#define LX_SYMLOOP_MAX	  40			/* path_resolution(7): ELOOP after this many */
#define LX_MAX_RW_COUNT	  0x7ffff000		/* one read or write moves no more (read(2)) */
#define LX_IOV_TOTAL_MAX  0x7fffffffffffffffull /* sums above are EINVAL (readv(2)) */

/* execve(2) */
#define LX_MAX_ARG_STRLEN    (32 * 4096) /* one string, NUL included */
#define LX_ARG_MAX	     (2048 * 1024) /* all strings, when the stack limit is the default 8 MiB */
#define LX_MAX_ARG_STRINGS   0x7fffffff
#define LX_BINPRM_BUF_SIZE   256 /* how much of a #! line is read */
#define LX_SHEBANG_DEPTH_MAX 5
#define LX_STACK_DEFAULT     (8ull << 20)

/* Addresses: 47 bits, the top page is not usable (TASK_SIZE_MAX) */
#define LX_TASK_SIZE	 0x7ffffffff000ull
#define LX_MMAP_MIN_ADDR 0x10000ull

/* Identifiers */
#define LX_PID_MAX_DEFAULT 32768
#define LX_PID_MAX_LIMIT   4194304

/* Our caps */
#define SENTRY_MAX_ARGV_STRINGS		131072 /* argv and envp entries of one execve */
#define SENTRY_MAX_FDS			65536 /* slots of a descriptor table, above any RLIMIT_NOFILE */
#define SENTRY_MAX_FILES		262144	/* open files of a sandbox (fs.file-max) */
#define SENTRY_MAX_TASKS		16384	/* tasks of a sandbox; --pids-limit is below */
#define SENTRY_MAX_VMAS			65530	/* vm.max_map_count */
#define SENTRY_MAX_VMAS_TOTAL		1048576 /* of a sandbox: what the lists take of our memory */
#define SENTRY_MAX_DIRENT_BUFFER	(64 * 1024)   /* of one getdents64 answer */
#define SENTRY_MAX_COPY_TURN		(128 * 1024)  /* bytes copied before a handler yields */
#define SENTRY_MAX_PIPE_SIZE		(1024 * 1024) /* fs.pipe-max-size */
#define LX_PIPE_SIZE_DEFAULT		65536
#define SENTRY_MAX_POLL_FDS		65536		  /* entries of one poll */
#define SENTRY_MAX_EPOLL_EVENTS		4096		  /* of one epoll_wait */
#define LX_EPOLL_NEST_MAX		5		  /* ELOOP beyond (epoll_ctl(2)) */
#define SENTRY_MAX_SOCKET_CONTROL	20480		  /* net.core.optmem_max */
#define SENTRY_MAX_SOCKET_BUFFER	(4 * 1024 * 1024) /* SO_SNDBUF, SO_RCVBUF */
#define SENTRY_MAX_UNIX_INFLIGHT_FDS	16384 /* descriptors within messages of a sandbox */
#define SENTRY_MAX_SIGQUEUE		4096 /* pending real-time signals, above any RLIMIT_SIGPENDING */
#define SENTRY_MAX_POSIX_TIMERS		1024  /* of one process */
#define SENTRY_MAX_INOTIFY_QUEUE	16384 /* fs.inotify.max_queued_events */
#define SENTRY_MAX_INOTIFY_WATCHES	65536
#define SENTRY_MAX_FILE_LOCKS		16384 /* of a sandbox */
#define SENTRY_MAX_MOUNTS		32768 /* of a sandbox, all namespaces: ENOSPC */
#define SENTRY_MAX_NAMESPACES		4096  /* of all kinds: ENOSPC */
#define SENTRY_MAX_PID_NAMESPACES	256   /* each has a table of up to 256 KiB: ENOSPC */
#define SENTRY_MAX_FS_CONTEXTS		256   /* fsopen(2): ENFILE */
#define SENTRY_MAX_ROBUST_LIST		2048  /* entries walked of a robust list */
#define SENTRY_MAX_STRUCT_SIZE		4096  /* extensible structs: E2BIG beyond a page */
#define SENTRY_MAX_CPUSET_SIZE		128   /* bytes of a CPU mask that we keep */
#define SENTRY_MAX_CLONE_SET_TID	32    /* MAX_PID_NS_LEVEL */
#define SENTRY_MAX_MEMPOLICY_NODES	1024
#define SENTRY_MAX_SEMAPHORES		(1024 * 1024) /* System V, of a sandbox: ENOSPC beyond */
#define SENTRY_MAX_SEM_UNDOS		(1024 * 1024) /* values kept for SEM_UNDO: ENOMEM beyond */
#define SENTRY_MAX_MESSAGE_MEMORY	(64 * 1024 * 1024)  /* messages in queues: ENOMEM beyond */
#define SENTRY_MAX_LISTING_MEMORY	(128 * 1024 * 1024) /* of open directories: ENOMEM beyond */
#define SENTRY_MAX_LANDLOCK_RULES	4096		    /* of a ruleset: E2BIG */
#define SENTRY_MAX_LANDLOCK_RULES_TOTAL 262144		    /* of a sandbox: E2BIG */
#define SENTRY_MAX_AIO_EVENTS		65536		  /* fs.aio-max-nr, of a sandbox: EAGAIN */
#define SENTRY_MAX_SECCOMP_INSNS	(4 * 1024 * 1024) /* of all filters of guests: ENOMEM */
#define SENTRY_MAX_MQUEUES		4096 /* POSIX message queues of a sandbox, whoever asks: ENOSPC */

#endif
