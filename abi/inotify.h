/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_INOTIFY_H
#define SENTRY_ABI_INOTIFY_H

#include <stdint.h>

/* name, NUL and padding of len bytes follow */
struct lx_inotify_event {
	int32_t wd;
	uint32_t mask;
	uint32_t cookie;
	uint32_t len;
};
#define LX_IN_ACCESS	    0x1
#define LX_IN_MODIFY	    0x2
#define LX_IN_ATTRIB	    0x4
#define LX_IN_CLOSE_WRITE   0x8
#define LX_IN_CLOSE_NOWRITE 0x10
#define LX_IN_OPEN	    0x20
#define LX_IN_MOVED_FROM    0x40
#define LX_IN_MOVED_TO	    0x80
#define LX_IN_CREATE	    0x100
#define LX_IN_DELETE	    0x200
#define LX_IN_DELETE_SELF   0x400
#define LX_IN_MOVE_SELF	    0x800
#define LX_IN_UNMOUNT	    0x2000
#define LX_IN_Q_OVERFLOW    0x4000
#define LX_IN_IGNORED	    0x8000
#define LX_IN_CLOSE	    0x18
#define LX_IN_MOVE	    0xc0
#define LX_IN_ONLYDIR	    0x1000000
#define LX_IN_DONT_FOLLOW   0x2000000
#define LX_IN_EXCL_UNLINK   0x4000000
#define LX_IN_MASK_CREATE   0x10000000
#define LX_IN_MASK_ADD	    0x20000000
#define LX_IN_ISDIR	    0x40000000
#define LX_IN_ONESHOT	    0x80000000u
#define LX_IN_ALL_EVENTS    0xfff
#define LX_IN_CLOEXEC	    02000000
#define LX_IN_NONBLOCK	    04000

#endif
