/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_MSG_H
#define SENTRY_ABI_MSG_H

#include <stdint.h>

/* System V IPC and POSIX message queues */
#define LX_IPC_CREAT	01000
#define LX_IPC_EXCL	02000
#define LX_IPC_NOWAIT	04000
#define LX_IPC_RMID	0
#define LX_IPC_SET	1
#define LX_IPC_STAT	2
#define LX_IPC_INFO	3
#define LX_IPC_PRIVATE	0
#define LX_MSG_STAT	11
#define LX_MSG_INFO	12
#define LX_MSG_STAT_ANY 13
#define LX_SHM_LOCK	11
#define LX_SHM_UNLOCK	12
#define LX_SHM_STAT	13
#define LX_SHM_INFO	14
#define LX_SHM_STAT_ANY 15
#define LX_SEM_STAT	18
#define LX_SEM_INFO	19
#define LX_SEM_STAT_ANY 20
#define LX_GETPID	11
#define LX_GETVAL	12
#define LX_GETALL	13
#define LX_GETNCNT	14
#define LX_GETZCNT	15
#define LX_SETVAL	16
#define LX_SETALL	17

#define LX_SHM_RDONLY  010000
#define LX_SHM_RND     020000
#define LX_SHM_REMAP   040000
#define LX_SHM_EXEC    0100000
#define LX_SHM_HUGETLB 04000
#define LX_SHM_DEST    01000 /* in shm_perm.mode: goes with the last detach */
#define LX_SHM_LOCKED  02000
#define LX_SEM_UNDO    010000
#define LX_MSG_NOERROR 010000
#define LX_MSG_EXCEPT  020000
#define LX_MSG_COPY    040000

/* The kernel's default limits (shmget(2), semget(2), msgget(2), mq_overview(7)). */
#define LX_SHMMNI	       4096
#define LX_SHMMAX	       (~0ull - (1ull << 24))
#define LX_SEMMNI	       32000
#define LX_SEMMSL	       32000
#define LX_SEMMNS	       1024000000
#define LX_SEMOPM	       500
#define LX_SEMVMX	       32767
#define LX_MSGMNI	       32000
#define LX_MSGMAX	       8192
#define LX_MSGMNB	       16384
#define LX_MQ_PRIO_MAX	       32768
#define LX_MQ_MSG_MAX	       10
#define LX_MQ_MSGSIZE_MAX      8192
#define LX_MQ_QUEUES_MAX       256
#define LX_MQ_HARD_MSG_MAX     65536
#define LX_MQ_HARD_MSGSIZE_MAX (16 * 1024 * 1024)

struct lx_ipc_perm {
	int32_t key;
	uint32_t uid;
	uint32_t gid;
	uint32_t cuid;
	uint32_t cgid;
	uint32_t mode;
	uint16_t seq;
	uint16_t pad0;
	uint32_t pad1;
	uint64_t unused[2];
};

struct lx_shmid_ds {
	struct lx_ipc_perm shm_perm;
	uint64_t shm_segsz;
	int64_t shm_atime;
	int64_t shm_dtime;
	int64_t shm_ctime;
	int32_t shm_cpid;
	int32_t shm_lpid;
	uint64_t shm_nattch;
	uint64_t unused[2];
};

struct lx_shminfo {
	uint64_t shmmax;
	uint64_t shmmin;
	uint64_t shmmni;
	uint64_t shmseg;
	uint64_t shmall;
	uint64_t unused[4];
};

struct lx_shm_info {
	int32_t used_ids;
	uint32_t pad;
	uint64_t shm_tot;
	uint64_t shm_rss;
	uint64_t shm_swp;
	uint64_t swap_attempts;
	uint64_t swap_successes;
};

struct lx_semid_ds {
	struct lx_ipc_perm sem_perm;
	int64_t sem_otime;
	uint64_t unused1;
	int64_t sem_ctime;
	uint64_t unused2;
	uint64_t sem_nsems;
	uint64_t unused3[2];
};

struct lx_seminfo {
	int32_t semmap;
	int32_t semmni;
	int32_t semmns;
	int32_t semmnu;
	int32_t semmsl;
	int32_t semopm;
	int32_t semume;
	int32_t semusz;
	int32_t semvmx;
	int32_t semaem;
};

struct lx_msqid_ds {
	struct lx_ipc_perm msg_perm;
	int64_t msg_stime;
	int64_t msg_rtime;
	int64_t msg_ctime;
	uint64_t msg_cbytes;
	uint64_t msg_qnum;
	uint64_t msg_qbytes;
	int32_t msg_lspid;
	int32_t msg_lrpid;
	uint64_t unused[2];
};

struct lx_msginfo {
	int32_t msgpool;
	int32_t msgmap;
	int32_t msgmax;
	int32_t msgmnb;
	int32_t msgmni;
	int32_t msgssz;
	int32_t msgtql;
	uint16_t msgseg;
};

struct lx_sembuf {
	uint16_t sem_num;
	int16_t sem_op;
	int16_t sem_flg;
};

struct lx_mq_attr {
	int64_t mq_flags;
	int64_t mq_maxmsg;
	int64_t mq_msgsize;
	int64_t mq_curmsgs;
	int64_t reserved[4];
};

#endif
