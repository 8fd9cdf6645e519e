/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SYSTRAP_STUB_OFFSETS_H
#define SENTRY_SYSTRAP_STUB_OFFSETS_H

/* Offsets for fast.S, which cannot read C: fast.c asserts each. */

/* struct stub_thread */
#define THREAD_SLOT   8
#define THREAD_STACK  16
#define THREAD_RAX    24
#define THREAD_RSP    32
#define THREAD_RIP    40
#define THREAD_EFLAGS 48
#define THREAD_ARGS   64
#define THREAD_LOAD   112

/* What the first word of a stub_thread holds: 31 bits. */
#define THREAD_MAGIC 0x62757473

/* struct channel_slot */
#define SLOT_R15       (SLOT_REGS + 0)
#define SLOT_R14       (SLOT_REGS + 8)
#define SLOT_R13       (SLOT_REGS + 16)
#define SLOT_R12       (SLOT_REGS + 24)
#define SLOT_RBP       (SLOT_REGS + 32)
#define SLOT_RBX       (SLOT_REGS + 40)
#define SLOT_FS_BASE   (SLOT_REGS + 152)
#define SLOT_REGS      1536
#define SLOT_INTERRUPT (4096 + 1988)

#endif
