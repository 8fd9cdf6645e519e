/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_XATTR_H
#define SENTRY_ABI_XATTR_H

#include <stdint.h>

#define LX_XATTR_CREATE		 0x1
#define LX_XATTR_REPLACE	 0x2
#define LX_XATTR_USER_PREFIX	 "user."
#define LX_XATTR_TRUSTED_PREFIX	 "trusted."
#define LX_XATTR_SECURITY_PREFIX "security."
#define LX_XATTR_SYSTEM_PREFIX	 "system."
#define LX_XATTR_SOCKPROTONAME	 "system.sockprotoname"

/* setxattrat(2), getxattrat(2) */
struct lx_xattr_args {
	uint64_t value;
	uint32_t size;
	uint32_t flags;
};

#endif
