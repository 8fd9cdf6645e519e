/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_MSG_H
#define SENTRY_ABI_MSG_H

#include <stdint.h>

/* System V IPC and POSIX message queues */
#define LX_IPC_CREAT   01000
#define LX_IPC_EXCL    02000
#define LX_IPC_NOWAIT  04000
#define LX_IPC_RMID    0
#define LX_IPC_SET     1
#define LX_IPC_STAT    2
#define LX_IPC_INFO    3
#define LX_IPC_PRIVATE 0
#define LX_GETPID      11
#define LX_GETVAL      12
#define LX_GETALL      13
#define LX_GETNCNT     14
#define LX_GETZCNT     15
#define LX_SETVAL      16
#define LX_SETALL      17

#define LX_SHM_RDONLY  010000
#define LX_SHM_RND     020000
#define LX_SHM_REMAP   040000
#define LX_SHM_EXEC    0100000
#define LX_SEM_UNDO    010000
#define LX_MSG_NOERROR 010000
#define LX_MSG_EXCEPT  020000

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
