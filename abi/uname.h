/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_UNAME_H
#define SENTRY_ABI_UNAME_H

#include <stdint.h>

#define LX_UTS_LEN 64
struct lx_utsname {
	char sysname[LX_UTS_LEN + 1];
	char nodename[LX_UTS_LEN + 1];
	char release[LX_UTS_LEN + 1];
	char version[LX_UTS_LEN + 1];
	char machine[LX_UTS_LEN + 1];
	char domainname[LX_UTS_LEN + 1];
};

struct lx_sysinfo {
	int64_t uptime;
	uint64_t loads[3]; /* fixed point, 16 bits of fraction */
	uint64_t totalram;
	uint64_t freeram;
	uint64_t sharedram;
	uint64_t bufferram;
	uint64_t totalswap;
	uint64_t freeswap;
	uint16_t procs;
	uint16_t pad0;
	uint32_t pad1;
	uint64_t totalhigh;
	uint64_t freehigh;
	uint32_t mem_unit;
	uint32_t pad2;
};

#endif
