/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_RESOURCE_H
#define SENTRY_ABI_RESOURCE_H

#include <stdint.h>

#include "abi/time.h"

#define LX_RLIMIT_CPU	     0
#define LX_RLIMIT_FSIZE	     1
#define LX_RLIMIT_DATA	     2
#define LX_RLIMIT_STACK	     3
#define LX_RLIMIT_CORE	     4
#define LX_RLIMIT_RSS	     5
#define LX_RLIMIT_NPROC	     6
#define LX_RLIMIT_NOFILE     7
#define LX_RLIMIT_MEMLOCK    8
#define LX_RLIMIT_AS	     9
#define LX_RLIMIT_LOCKS	     10
#define LX_RLIMIT_SIGPENDING 11
#define LX_RLIMIT_MSGQUEUE   12
#define LX_RLIMIT_NICE	     13
#define LX_RLIMIT_RTPRIO     14
#define LX_RLIMIT_RTTIME     15
#define LX_RLIM_NLIMITS	     16
#define LX_RLIM_INFINITY     (~0ull)

/* struct rlimit of getrlimit(2) is the same on a 64-bit machine. */
struct lx_rlimit64 {
	uint64_t rlim_cur;
	uint64_t rlim_max;
};

struct lx_rusage {
	struct lx_timeval ru_utime;
	struct lx_timeval ru_stime;
	int64_t ru_maxrss; /* KiB */
	int64_t ru_ixrss;
	int64_t ru_idrss;
	int64_t ru_isrss;
	int64_t ru_minflt;
	int64_t ru_majflt;
	int64_t ru_nswap;
	int64_t ru_inblock;
	int64_t ru_oublock;
	int64_t ru_msgsnd;
	int64_t ru_msgrcv;
	int64_t ru_nsignals;
	int64_t ru_nvcsw;
	int64_t ru_nivcsw;
};
#define LX_RUSAGE_SELF	   0
#define LX_RUSAGE_CHILDREN (-1)
#define LX_RUSAGE_THREAD   1
#define LX_RUSAGE_BOTH	   (-2)

#endif
