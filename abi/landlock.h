/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_LANDLOCK_H
#define SENTRY_ABI_LANDLOCK_H

#include <stdint.h>

/* landlock(7), the sixth version of its ABI */
#define LX_LANDLOCK_CREATE_RULESET_VERSION 0x1
#define LX_LANDLOCK_RULE_PATH_BENEATH	   1
#define LX_LANDLOCK_RULE_NET_PORT	   2

#define LX_LANDLOCK_ACCESS_FS_EXECUTE	  0x1
#define LX_LANDLOCK_ACCESS_FS_WRITE_FILE  0x2
#define LX_LANDLOCK_ACCESS_FS_READ_FILE	  0x4
#define LX_LANDLOCK_ACCESS_FS_READ_DIR	  0x8
#define LX_LANDLOCK_ACCESS_FS_REMOVE_DIR  0x10
#define LX_LANDLOCK_ACCESS_FS_REMOVE_FILE 0x20
#define LX_LANDLOCK_ACCESS_FS_MAKE_CHAR	  0x40
#define LX_LANDLOCK_ACCESS_FS_MAKE_DIR	  0x80
#define LX_LANDLOCK_ACCESS_FS_MAKE_REG	  0x100
#define LX_LANDLOCK_ACCESS_FS_MAKE_SOCK	  0x200
#define LX_LANDLOCK_ACCESS_FS_MAKE_FIFO	  0x400
#define LX_LANDLOCK_ACCESS_FS_MAKE_BLOCK  0x800
#define LX_LANDLOCK_ACCESS_FS_MAKE_SYM	  0x1000
#define LX_LANDLOCK_ACCESS_FS_REFER	  0x2000
#define LX_LANDLOCK_ACCESS_FS_TRUNCATE	  0x4000
#define LX_LANDLOCK_ACCESS_FS_IOCTL_DEV	  0x8000
/* Those that are about a file and not about what is in a directory. */
#define LX_LANDLOCK_ACCESS_FILE                                                                    \
	(LX_LANDLOCK_ACCESS_FS_EXECUTE | LX_LANDLOCK_ACCESS_FS_WRITE_FILE |                        \
		LX_LANDLOCK_ACCESS_FS_READ_FILE | LX_LANDLOCK_ACCESS_FS_TRUNCATE |                 \
		LX_LANDLOCK_ACCESS_FS_IOCTL_DEV)

#define LX_LANDLOCK_ACCESS_NET_BIND_TCP	   0x1
#define LX_LANDLOCK_ACCESS_NET_CONNECT_TCP 0x2

#define LX_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET 0x1
#define LX_LANDLOCK_SCOPE_SIGNAL	       0x2

struct lx_landlock_ruleset_attr {
	uint64_t handled_access_fs; /* the first version ends here */
	uint64_t handled_access_net;
	uint64_t scoped;
};

struct lx_landlock_net_port_attr {
	uint64_t allowed_access;
	uint64_t port; /* in the host's order */
};

struct lx_landlock_path_beneath_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

#endif
