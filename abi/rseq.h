/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_RSEQ_H
#define SENTRY_ABI_RSEQ_H

#include <stdint.h>

struct lx_rseq {
	uint32_t cpu_id_start;
	uint32_t cpu_id;
	uint64_t rseq_cs;
	uint32_t flags;
	uint32_t node_id;
	uint32_t mm_cid;
	uint32_t pad0;
};

struct lx_rseq_cs {
	uint32_t version;
	uint32_t flags;
	uint64_t start_ip;
	uint64_t post_commit_offset;
	uint64_t abort_ip;
};
#define LX_RSEQ_ORIG_SIZE		   32
#define LX_RSEQ_FLAG_UNREGISTER		   0x1
#define LX_RSEQ_CPU_ID_UNINITIALIZED	   (-1)
#define LX_RSEQ_CPU_ID_REGISTRATION_FAILED (-2)

#endif
