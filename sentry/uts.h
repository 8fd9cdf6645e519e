/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_UTS_H
#define SENTRY_SENTRY_UTS_H

/*
 * What uname(2) and /proc/version say. The release tells programs which features to expect, so it
 * is that of the Linux whose calls are implemented; the version names what really runs.
 */
#define UTS_SYSNAME "Linux"
#define UTS_RELEASE "6.12.0-sentry"
/* The same as of the last Linux 2.6, for who asks for UNAME26: personality(2). */
#define UTS_RELEASE_26 "2.6.72-sentry"
#define UTS_VERSION    "#1 SMP PREEMPT_DYNAMIC sentry"
#define UTS_MACHINE    "x86_64"

#endif
