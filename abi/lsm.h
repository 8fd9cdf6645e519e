/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_LSM_H
#define SENTRY_ABI_LSM_H

#include <stdint.h>

/* lsm_list_modules(2), lsm_get_self_attr(2): kernel include/uapi/linux/lsm.h */
#define LX_LSM_ID_UNDEF	     0
#define LX_LSM_ID_CAPABILITY 100
#define LX_LSM_ID_LANDLOCK   110
#define LX_LSM_ATTR_UNDEF    0
#define LX_LSM_FLAG_SINGLE   1

struct lx_lsm_ctx {
	uint64_t id, flags, len, ctx_len;
};

#endif
