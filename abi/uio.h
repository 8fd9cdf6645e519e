/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_UIO_H
#define SENTRY_ABI_UIO_H

#include <stdint.h>

struct lx_iovec {
	uint64_t iov_base;
	uint64_t iov_len;
};

/* preadv2(2), pwritev2(2) */
#define LX_RWF_HIPRI	 0x1
#define LX_RWF_DSYNC	 0x2
#define LX_RWF_SYNC	 0x4
#define LX_RWF_NOWAIT	 0x8
#define LX_RWF_APPEND	 0x10
#define LX_RWF_NOAPPEND	 0x20
#define LX_RWF_ATOMIC	 0x40
#define LX_RWF_DONTCACHE 0x80
#define LX_RWF_NOSIGNAL	 0x100

#endif
