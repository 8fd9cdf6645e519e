/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_PLATFORM_INGUEST_H
#define SENTRY_PLATFORM_INGUEST_H

#include <stdint.h>

/*
 * What a platform needs to know of a thread in order to answer calls where the guest runs. The
 * kernel never hears of a call that was answered so.
 *
 * The struct lies in memory that the guest's process can write, whatever a field says of its
 * writer. The kernel never believes what it reads here for anybody but the guest itself. It is
 * included by freestanding code.
 */

/* `features`: what may be answered. Without a bit the kernel gets the calls. */
#define PLATFORM_INGUEST_IDS   1u
#define PLATFORM_INGUEST_FUTEX 2u /* plain futex calls on the guest's own memory */

enum platform_inguest_id {
	PLATFORM_ID_TGID,
	PLATFORM_ID_TID,
	PLATFORM_ID_PPID,
	PLATFORM_ID_PGID,
	PLATFORM_ID_SID,
	PLATFORM_ID_UID,
	PLATFORM_ID_EUID,
	PLATFORM_ID_GID,
	PLATFORM_ID_EGID,
	PLATFORM_ID_COUNT,
};

struct platform_inguest {
	/* Written by the kernel, at any time, each word at once. */
	uint32_t features;
	uint32_t ids[PLATFORM_ID_COUNT];
};

#endif
