/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_SECCOMP_H
#define SENTRY_ABI_SECCOMP_H

#include <stdint.h>

/* seccomp(2) */
#define LX_SECCOMP_FILTER_FLAG_TSYNC		  0x1
#define LX_SECCOMP_FILTER_FLAG_LOG		  0x2
#define LX_SECCOMP_FILTER_FLAG_SPEC_ALLOW	  0x4
#define LX_SECCOMP_FILTER_FLAG_NEW_LISTENER	  0x8
#define LX_SECCOMP_FILTER_FLAG_TSYNC_ESRCH	  0x10
#define LX_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV 0x20

#define LX_SECCOMP_RET_KILL_PROCESS 0x80000000u
#define LX_SECCOMP_RET_KILL_THREAD  0x00000000u
#define LX_SECCOMP_RET_TRAP	    0x00030000u
#define LX_SECCOMP_RET_ERRNO	    0x00050000u
#define LX_SECCOMP_RET_USER_NOTIF   0x7fc00000u
#define LX_SECCOMP_RET_TRACE	    0x7ff00000u
#define LX_SECCOMP_RET_LOG	    0x7ffc0000u
#define LX_SECCOMP_RET_ALLOW	    0x7fff0000u
#define LX_SECCOMP_RET_ACTION_FULL  0xffff0000u
#define LX_SECCOMP_RET_DATA	    0x0000ffffu

#define LX_AUDIT_ARCH_X86_64 0xc000003eu

struct lx_seccomp_data {
	int32_t nr;
	uint32_t arch;
	uint64_t instruction_pointer;
	uint64_t args[6];
};

/* Classic BPF: an instruction's code is class | size | mode, or class | operation | source. */
#define LX_BPF_CLASS_MASK 0x07
#define LX_BPF_LD	  0x00
#define LX_BPF_LDX	  0x01
#define LX_BPF_ST	  0x02
#define LX_BPF_STX	  0x03
#define LX_BPF_ALU	  0x04
#define LX_BPF_JMP	  0x05
#define LX_BPF_RET	  0x06
#define LX_BPF_MISC	  0x07
#define LX_BPF_W	  0x00
#define LX_BPF_IMM	  0x00
#define LX_BPF_ABS	  0x20
#define LX_BPF_MEM	  0x60
#define LX_BPF_LEN	  0x80
#define LX_BPF_ADD	  0x00
#define LX_BPF_SUB	  0x10
#define LX_BPF_MUL	  0x20
#define LX_BPF_DIV	  0x30
#define LX_BPF_OR	  0x40
#define LX_BPF_AND	  0x50
#define LX_BPF_LSH	  0x60
#define LX_BPF_RSH	  0x70
#define LX_BPF_NEG	  0x80
#define LX_BPF_MOD	  0x90 /* of socket filters alone */
#define LX_BPF_XOR	  0xa0
#define LX_BPF_JA	  0x00
#define LX_BPF_JEQ	  0x10
#define LX_BPF_JGT	  0x20
#define LX_BPF_JGE	  0x30
#define LX_BPF_JSET	  0x40
#define LX_BPF_K	  0x00
#define LX_BPF_X	  0x08
#define LX_BPF_A	  0x10
#define LX_BPF_TAX	  0x00
#define LX_BPF_TXA	  0x80
#define LX_BPF_MEMWORDS	  16
#define LX_BPF_MAXINSNS	  4096

struct lx_sock_filter {
	uint16_t code;
	uint8_t jt;
	uint8_t jf;
	uint32_t k;
};

struct lx_sock_fprog {
	uint16_t len;
	uint16_t pad0[3];
	uint64_t filter;
};

/* seccomp_unotify(2) */
struct lx_seccomp_notif_sizes {
	uint16_t seccomp_notif;
	uint16_t seccomp_notif_resp;
	uint16_t seccomp_data;
};
struct lx_seccomp_notif {
	uint64_t id;
	uint32_t pid;
	uint32_t flags;
	struct lx_seccomp_data data;
};
struct lx_seccomp_notif_resp {
	uint64_t id;
	int64_t val;
	int32_t error;
	uint32_t flags;
};
struct lx_seccomp_notif_addfd {
	uint64_t id;
	uint32_t flags;
	uint32_t srcfd;
	uint32_t newfd;
	uint32_t newfd_flags;
};
#define LX_SECCOMP_USER_NOTIF_FLAG_CONTINUE	  0x1u
#define LX_SECCOMP_ADDFD_FLAG_SETFD		  0x1u
#define LX_SECCOMP_ADDFD_FLAG_SEND		  0x2u
#define LX_SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP	  0x1u
#define LX_SECCOMP_IOCTL_NOTIF_RECV		  0xc0502100u
#define LX_SECCOMP_IOCTL_NOTIF_SEND		  0xc0182101u
#define LX_SECCOMP_IOCTL_NOTIF_ID_VALID		  0x40082102u
#define LX_SECCOMP_IOCTL_NOTIF_ID_VALID_WRONG_DIR 0x80082102u
#define LX_SECCOMP_IOCTL_NOTIF_ADDFD		  0x40182103u
#define LX_SECCOMP_IOCTL_NOTIF_SET_FLAGS	  0x40082104u

#endif
