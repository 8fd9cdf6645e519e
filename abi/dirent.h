/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_DIRENT_H
#define SENTRY_ABI_DIRENT_H

#include <stdint.h>

/* getdents64(2): d_name, its NUL and padding to 8 follow; the offset of d_name is 19. */
struct lx_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	uint16_t d_reclen;
	uint8_t d_type;
	char d_name[];
} __attribute__((packed));

/* getdents(2): d_name from offset 18, d_type in the record's last byte */
struct lx_dirent {
	uint64_t d_ino;
	uint64_t d_off;
	uint16_t d_reclen;
	char d_name[];
} __attribute__((packed));

#define LX_DT_UNKNOWN 0
#define LX_DT_FIFO    1
#define LX_DT_CHR     2
#define LX_DT_DIR     4
#define LX_DT_BLK     6
#define LX_DT_REG     8
#define LX_DT_LNK     10
#define LX_DT_SOCK    12
#define LX_DT_WHT     14

#endif
