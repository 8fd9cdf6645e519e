/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_QUOTA_H
#define SENTRY_ABI_QUOTA_H

/* quotactl(2): the command holds the kind of quota in its low bits. */
#define LX_MAXQUOTAS   3
#define LX_SUBCMDMASK  0x00ff
#define LX_SUBCMDSHIFT 8
#define LX_Q_SYNC      0x800001u
/* swapon(2) */
#define LX_SWAP_FLAGS_VALID 0x7ffffu

#endif
