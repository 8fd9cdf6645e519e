/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_SIGNAL_H
#define SENTRY_ABI_SIGNAL_H

#include <stdint.h>

/*
 * Signals: numbers, siginfo, and the frame that a handler finds on its stack. Field names avoid
 * those that glibc's <signal.h> defines as macros (si_pid, sa_handler), so that both headers can be
 * included together.
 */

#define LX_NSIG	     64
#define LX_SIGHUP    1
#define LX_SIGINT    2
#define LX_SIGQUIT   3
#define LX_SIGILL    4
#define LX_SIGTRAP   5
#define LX_SIGABRT   6
#define LX_SIGIOT    6
#define LX_SIGBUS    7
#define LX_SIGFPE    8
#define LX_SIGKILL   9
#define LX_SIGUSR1   10
#define LX_SIGSEGV   11
#define LX_SIGUSR2   12
#define LX_SIGPIPE   13
#define LX_SIGALRM   14
#define LX_SIGTERM   15
#define LX_SIGSTKFLT 16
#define LX_SIGCHLD   17
#define LX_SIGCONT   18
#define LX_SIGSTOP   19
#define LX_SIGTSTP   20
#define LX_SIGTTIN   21
#define LX_SIGTTOU   22
#define LX_SIGURG    23
#define LX_SIGXCPU   24
#define LX_SIGXFSZ   25
#define LX_SIGVTALRM 26
#define LX_SIGPROF   27
#define LX_SIGWINCH  28
#define LX_SIGIO     29
#define LX_SIGPOLL   29
#define LX_SIGPWR    30
#define LX_SIGSYS    31
#define LX_SIGRTMIN  32
#define LX_SIGRTMAX  64

/* A signal set is one word; bit n - 1 is signal n. sigset size arguments must be this. */
#define LX_SIGSET_SIZE	8
#define LX_SIGMASK(sig) (1ull << ((sig)-1))

#define LX_SIG_BLOCK   0
#define LX_SIG_UNBLOCK 1
#define LX_SIG_SETMASK 2
#define LX_SIG_DFL     0ull
#define LX_SIG_IGN     1ull

struct lx_sigaction {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};
#define LX_SA_NOCLDSTOP	     0x1
#define LX_SA_NOCLDWAIT	     0x2
#define LX_SA_SIGINFO	     0x4
#define LX_SA_UNSUPPORTED    0x400
#define LX_SA_EXPOSE_TAGBITS 0x800
/* Linux' own, never a program's: the action cannot be changed any more. */
#define LX_SA_IMMUTABLE 0x800000
#define LX_SA_RESTORER	0x4000000
#define LX_SA_ONSTACK	0x8000000
#define LX_SA_RESTART	0x10000000
#define LX_SA_NODEFER	0x40000000
#define LX_SA_RESETHAND 0x80000000u

/* sigaltstack(2) */
struct lx_stack {
	uint64_t ss_sp;
	int32_t ss_flags;
	int32_t pad0;
	uint64_t ss_size;
};
#define LX_SS_ONSTACK	 1
#define LX_SS_DISABLE	 2
#define LX_SS_AUTODISARM 0x80000000u
#define LX_MINSIGSTKSZ	 2048
#define LX_SIGSTKSZ	 8192

/* siginfo_t; which member of the union is meant follows from signo and code (sigaction(2)). */
struct lx_siginfo {
	int32_t signo;
	int32_t error;
	int32_t code;
	int32_t pad0;
	union {
		int32_t pad[28];
		struct {
			int32_t pid;
			uint32_t uid;
		} kill;
		struct {
			int32_t timerid;
			int32_t overrun;
			uint64_t value;
			int32_t sys_private;
		} timer;
		struct {
			int32_t pid;
			uint32_t uid;
			uint64_t value;
		} rt;
		struct {
			int32_t pid;
			uint32_t uid;
			int32_t status;
			int32_t pad0;
			int64_t utime;
			int64_t stime;
		} chld;
		struct {
			uint64_t addr;
			union {
				int32_t trapno;
				int16_t addr_lsb;
				struct {
					uint64_t pad0;
					uint64_t lower;
					uint64_t upper;
				} bnd;
				struct {
					uint64_t pad0;
					uint32_t pkey;
				} pk;
				struct {
					uint64_t data;
					uint32_t type;
					uint32_t flags;
				} perf;
			};
		} fault;
		struct {
			int64_t band;
			int32_t fd;
		} poll;
		struct {
			uint64_t call_addr;
			int32_t syscall;
			uint32_t arch;
		} sys;
	};
};

#define LX_SI_USER     0
#define LX_SI_KERNEL   128
#define LX_SI_QUEUE    (-1)
#define LX_SI_TIMER    (-2)
#define LX_SI_MESGQ    (-3)
#define LX_SI_ASYNCIO  (-4)
#define LX_SI_SIGIO    (-5)
#define LX_SI_TKILL    (-6)
#define LX_SI_DETHREAD (-7)

#define LX_ILL_ILLOPC 1
#define LX_ILL_ILLOPN 2
#define LX_ILL_ILLADR 3
#define LX_ILL_ILLTRP 4
#define LX_ILL_PRVOPC 5
#define LX_ILL_PRVREG 6
#define LX_ILL_COPROC 7
#define LX_ILL_BADSTK 8

#define LX_FPE_INTDIV 1
#define LX_FPE_INTOVF 2
#define LX_FPE_FLTDIV 3
#define LX_FPE_FLTOVF 4
#define LX_FPE_FLTUND 5
#define LX_FPE_FLTRES 6
#define LX_FPE_FLTINV 7
#define LX_FPE_FLTSUB 8
#define LX_FPE_FLTUNK 14

#define LX_SEGV_MAPERR 1
#define LX_SEGV_ACCERR 2
#define LX_SEGV_BNDERR 3
#define LX_SEGV_PKUERR 4
#define LX_SEGV_CPERR  10

#define LX_BUS_ADRALN	 1
#define LX_BUS_ADRERR	 2
#define LX_BUS_OBJERR	 3
#define LX_BUS_MCEERR_AR 4
#define LX_BUS_MCEERR_AO 5

#define LX_TRAP_BRKPT  1
#define LX_TRAP_TRACE  2
#define LX_TRAP_BRANCH 3
#define LX_TRAP_HWBKPT 4
#define LX_TRAP_UNK    5
#define LX_TRAP_PERF   6

#define LX_CLD_EXITED	 1
#define LX_CLD_KILLED	 2
#define LX_CLD_DUMPED	 3
#define LX_CLD_TRAPPED	 4
#define LX_CLD_STOPPED	 5
#define LX_CLD_CONTINUED 6

#define LX_POLL_IN  1
#define LX_POLL_OUT 2
#define LX_POLL_MSG 3
#define LX_POLL_ERR 4
#define LX_POLL_PRI 5
#define LX_POLL_HUP 6

#define LX_SYS_SECCOMP	     1
#define LX_SYS_USER_DISPATCH 2

/* sigevent(3type) */
struct lx_sigevent {
	uint64_t value;
	int32_t signo;
	int32_t notify;
	union {
		int32_t pad[12];
		int32_t tid;
		struct {
			uint64_t function;
			uint64_t attribute;
		} thread;
	};
};
#define LX_SIGEV_SIGNAL	     0
#define LX_SIGEV_NONE	     1
#define LX_SIGEV_THREAD	     2
#define LX_SIGEV_THREAD_ID   4
#define LX_NOTIFY_COOKIE_LEN 32 /* mq_notify(2) with SIGEV_THREAD */
#define LX_NOTIFY_WOKENUP    1
#define LX_NOTIFY_REMOVED    2

/* signalfd(2) */
struct lx_signalfd_siginfo {
	uint32_t ssi_signo;
	int32_t ssi_errno;
	int32_t ssi_code;
	uint32_t ssi_pid;
	uint32_t ssi_uid;
	int32_t ssi_fd;
	uint32_t ssi_tid;
	uint32_t ssi_band;
	uint32_t ssi_overrun;
	uint32_t ssi_trapno;
	int32_t ssi_status;
	int32_t ssi_int;
	uint64_t ssi_ptr;
	uint64_t ssi_utime;
	uint64_t ssi_stime;
	uint64_t ssi_addr;
	uint16_t ssi_addr_lsb;
	uint16_t pad0;
	int32_t ssi_syscall;
	uint64_t ssi_call_addr;
	uint32_t ssi_arch;
	uint8_t pad1[28];
};
#define LX_SFD_CLOEXEC	02000000
#define LX_SFD_NONBLOCK 04000

/* struct sigcontext_64 of arch/x86/include/uapi/asm/sigcontext.h */
struct lx_sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t di, si, bp, bx, dx, ax, cx, sp, ip;
	uint64_t flags;
	uint16_t cs, gs, fs, ss;
	uint64_t err;
	uint64_t trapno;
	uint64_t oldmask;
	uint64_t cr2;
	uint64_t fpstate; /* address of struct lx_fpstate, or 0 */
	uint64_t reserved1[8];
};

struct lx_ucontext {
	uint64_t uc_flags;
	uint64_t uc_link;
	struct lx_stack uc_stack;
	struct lx_sigcontext uc_mcontext;
	uint64_t uc_sigmask;
};
#define LX_UC_FP_XSTATE		0x1
#define LX_UC_SIGCONTEXT_SS	0x2
#define LX_UC_STRICT_RESTORE_SS 0x4

/* What a handler finds at its stack pointer; the stack pointer plus 8 is 16-byte aligned (arch/x86
 * signal_64.c). */
struct lx_rt_sigframe {
	uint64_t pretcode; /* return address: sa_restorer */
	struct lx_ucontext uc;
	struct lx_siginfo info;
};

/* The software-reserved bytes 464..511 of the FXSAVE area: say that an XSAVE area follows. */
struct lx_fpx_sw_bytes {
	uint32_t magic1;
	uint32_t extended_size; /* of the whole, with magic2 */
	uint64_t xfeatures;
	uint32_t xstate_size;
	uint32_t padding[7];
};

/* struct _fpstate_64: the FXSAVE image; with XSAVE a header of 64 bytes and the extended state
 * follow. */
struct lx_fpstate {
	uint16_t cwd;
	uint16_t swd;
	uint16_t twd;
	uint16_t fop;
	uint64_t rip;
	uint64_t rdp;
	uint32_t mxcsr;
	uint32_t mxcsr_mask;
	uint32_t st_space[32];
	uint32_t xmm_space[64];
	uint32_t reserved2[12];
	struct lx_fpx_sw_bytes sw;
};

struct lx_xsave_header {
	uint64_t xfeatures;
	uint64_t xcomp_bv;
	uint64_t reserved[6];
};
#define LX_FP_XSTATE_MAGIC1	 0x46505853u
#define LX_FP_XSTATE_MAGIC2	 0x46505845u
#define LX_FP_XSTATE_MAGIC2_SIZE 4

#endif
