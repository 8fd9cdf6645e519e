/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_AIO_H
#define SENTRY_ABI_AIO_H

#include <stdint.h>

/* io_submit(2) */
#define LX_IOCB_CMD_PREAD   0
#define LX_IOCB_CMD_PWRITE  1
#define LX_IOCB_CMD_FSYNC   2
#define LX_IOCB_CMD_FDSYNC  3
#define LX_IOCB_CMD_POLL    5
#define LX_IOCB_CMD_NOOP    6
#define LX_IOCB_CMD_PREADV  7
#define LX_IOCB_CMD_PWRITEV 8
#define LX_IOCB_FLAG_RESFD  1
#define LX_IOCB_FLAG_IOPRIO 2

struct lx_iocb {
	uint64_t aio_data;
	uint32_t aio_key;
	uint32_t aio_rw_flags;
	uint16_t aio_lio_opcode;
	int16_t aio_reqprio;
	uint32_t aio_fildes;
	uint64_t aio_buf;
	uint64_t aio_nbytes;
	int64_t aio_offset;
	uint64_t aio_reserved2;
	uint32_t aio_flags;
	uint32_t aio_resfd;
};

struct lx_io_event {
	uint64_t data;
	uint64_t obj;
	int64_t res;
	int64_t res2;
};

struct lx_aio_sigset {
	uint64_t sigmask;
	uint64_t sigsetsize;
};

#endif
