/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_FUTEX_H
#define SENTRY_ABI_FUTEX_H

#include <stdint.h>

#define LX_FUTEX_WAIT		  0
#define LX_FUTEX_WAKE		  1
#define LX_FUTEX_FD		  2
#define LX_FUTEX_REQUEUE	  3
#define LX_FUTEX_CMP_REQUEUE	  4
#define LX_FUTEX_WAKE_OP	  5
#define LX_FUTEX_LOCK_PI	  6
#define LX_FUTEX_UNLOCK_PI	  7
#define LX_FUTEX_TRYLOCK_PI	  8
#define LX_FUTEX_WAIT_BITSET	  9
#define LX_FUTEX_WAKE_BITSET	  10
#define LX_FUTEX_WAIT_REQUEUE_PI  11
#define LX_FUTEX_CMP_REQUEUE_PI	  12
#define LX_FUTEX_LOCK_PI2	  13
#define LX_FUTEX_PRIVATE_FLAG	  128
#define LX_FUTEX_CLOCK_REALTIME	  256
#define LX_FUTEX_CMD_MASK	  (~(LX_FUTEX_PRIVATE_FLAG | LX_FUTEX_CLOCK_REALTIME))
#define LX_FUTEX_CMD_BITS	  0x7f
#define LX_FUTEX_WAITERS	  0x80000000u
#define LX_FUTEX_OWNER_DIED	  0x40000000
#define LX_FUTEX_TID_MASK	  0x3fffffff
#define LX_FUTEX_BITSET_MATCH_ANY 0xffffffffu
#define LX_FUTEX_OP_SET		  0
#define LX_FUTEX_OP_ADD		  1
#define LX_FUTEX_OP_OR		  2
#define LX_FUTEX_OP_ANDN	  3
#define LX_FUTEX_OP_XOR		  4
#define LX_FUTEX_OP_OPARG_SHIFT	  8
#define LX_FUTEX_OP_CMP_EQ	  0
#define LX_FUTEX_OP_CMP_NE	  1
#define LX_FUTEX_OP_CMP_LT	  2
#define LX_FUTEX_OP_CMP_LE	  3
#define LX_FUTEX_OP_CMP_GT	  4
#define LX_FUTEX_OP_CMP_GE	  5

/* get_robust_list(2): lists live in guest memory, every word of them is a guest's */
struct lx_robust_list {
	uint64_t next;
};

struct lx_robust_list_head {
	struct lx_robust_list list;
	int64_t futex_offset;
	uint64_t list_op_pending;
};
#define LX_ROBUST_LIST_LIMIT 2048

/* futex_waitv(2); the FUTEX2_ flags serve futex_wait(2), futex_wake(2) and futex_requeue(2) too */
struct lx_futex_waitv {
	uint64_t val;
	uint64_t uaddr;
	uint32_t flags;
	uint32_t reserved;
};
#define LX_FUTEX_WAITV_MAX 128

#define LX_FUTEX2_SIZE_U8  0x0
#define LX_FUTEX2_SIZE_U16 0x1
#define LX_FUTEX2_SIZE_U32 0x2
#define LX_FUTEX2_SIZE_U64 0x3
#define LX_FUTEX2_NUMA	   0x4
#define LX_FUTEX2_MPOL	   0x8
#define LX_FUTEX2_PRIVATE  0x80

#endif
