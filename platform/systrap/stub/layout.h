/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SYSTRAP_STUB_LAYOUT_H
#define SENTRY_SYSTRAP_STUB_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "platform/inguest.h"
#include "platform/names.h"

/*
 * What the Sentry and the stub agree on: addresses in the stub's region and the channel's fields.
 * docs/channel.md explains the protocol. Both sides are built from this file and the stub travels
 * inside the binary, but the version is checked all the same (struct stub_boot).
 *
 * Each field says who writes it. The Sentry must treat what the stub writes as hostile: it is read
 * once, into private memory, and checked there. The stub trusts what the Sentry writes; that a
 * guest may scribble over it harms the guest alone.
 */
#define STUB_LAYOUT_VERSION 5

/*
 * Addresses. The region begins 20 GiB below the end of the 47-bit space: exec puts a program's
 * stack in the last 16 GiB (randomize_stack_top in the kernel's mm/util.c), so an executable linked
 * here never collides with it. Everything from STUB_BASE up is out of the guest's reach by the
 * kernel's bookkeeping (platform guest_end), though not by any mechanism.
 */
#define STUB_BASE	   0x7ffb00000000ull
#define STUB_END	   0x7ffffffff000ull
#define STUB_TEXT_BASE	   STUB_BASE
#define STUB_TEXT_SIZE	   0x10000ull /* 64 KiB aligned: the filter compares the upper bits */
#define STUB_GATE_BASE	   (STUB_BASE + 0x10000ull) /* a `syscall` outside of the text: it traps */
#define STUB_GATE_SIZE	   0x1000ull
#define STUB_VDSO_BASE	   (STUB_BASE + 0x100000ull)
#define STUB_VDSO_SIZE_MAX 0x100000ull
#define STUB_NAMES_BASE	   (STUB_BASE + 0x1000000ull) /* struct platform_names, read-only */
#define STUB_CHANNEL_BASE  (STUB_BASE + 0x10000000ull)
#define STUB_WINDOW_BASE   (STUB_BASE + 0x40000000ull) /* parts of files, read-only */
#define STUB_WINDOW_SIZE   0x200000ull
#define STUB_WINDOWS_MAX   16u
#define STUB_STACK_BASE	   (STUB_BASE + 0x100000000ull)

/* Where a trampoline jumps to (below): the first byte of the stub's text. */
#define STUB_FAST_ENTRY STUB_TEXT_BASE

/* Each host thread's stack, aligned to its size: struct stub_thread at its base, host signal stack
 * above. */
#define STUB_STACK_SIZE	    0x10000ull
#define STUB_STACK_RESERVED 0x4000ull
#define STUB_NAMES_OFFSET                                                                          \
	0x1000ull /* of the table of names (stub/names.c), to the reserved end                     \
		   */
/* Where the stack of a call without a signal begins: inside of the signal stack, so that host
 * signals that interrupt it nest below. */
#define STUB_FAST_STACK (STUB_STACK_SIZE - 64)
#define STUB_STACKS_MAX 4096u
/* Nothing of ours lies at or above it. */
#define STUB_REGION_END (STUB_STACK_BASE + STUB_STACK_SIZE * STUB_STACKS_MAX)

/* Descriptors in a stub. */
#define STUB_FD_KILL	 0 /* read end of the kill pipe */
#define STUB_FD_TRANSFER 1 /* where ADDFD puts what is to be mapped; closed otherwise */
#define STUB_FD_TRANSFERS                                                                          \
	3u		       /* so many such slots, one behind the other: batches use the others \
				*/
#define STUB_FD_CHANNEL	    2  /* the zygote's start-up only */
#define STUB_FD_SOCKET	    3  /* the zygote's start-up only */
#define STUB_FILES_MAX	    32 /* RLIMIT_NOFILE of all stubs */
#define STUB_FD_TEXTS	    4 /* pages of prepared code (text.c), which nobody can write through it */
#define STUB_FD_LIBRARY	    5 /* files that many processes map (library.c), one behind the other */
#define STUB_FD_LIBRARY_MAX 24u
#define STUB_FD_END	    (STUB_FD_LIBRARY + STUB_FD_LIBRARY_MAX)

/* The doorbell is getppid: harmless, and no container profile refuses it. */
#define STUB_DOORBELL_NR 110
#define STUB_DOORBELL_CHILD                                                                        \
	0x6368696c64ull /* args[1] of a new thread's first ring; args[0] is its token */

/* The signal that interrupts guest code. Ignored by default: a stray one before start-up is
 * harmless. */
#define STUB_KICK_SIGNAL 23 /* SIGURG */

/* The two clones that the Sentry approves. */
#define STUB_CLONE_FORK	  0x00008011ull /* CLONE_PARENT | SIGCHLD */
#define STUB_CLONE_THREAD 0x00050f00ull /* VM | FS | FILES | SIGHAND | THREAD | SYSVSEM */

/* ---- the channel ---- */

#define CHANNEL_SLOT_HEADER 0x2000u
#define CHANNEL_AHEAD_SIZE  0x2000u
#define CHANNEL_DATA_SIZE   0x10000u
#define CHANNEL_HELD_SIZE   0x1000u
#define CHANNEL_SLOT_SIZE                                                                          \
	(CHANNEL_SLOT_HEADER + CHANNEL_AHEAD_SIZE + CHANNEL_HELD_SIZE + CHANNEL_DATA_SIZE)
#define CHANNEL_SEGMENT_SLOTS 16u
#define CHANNEL_SEGMENT_SIZE  (CHANNEL_SLOT_SIZE * CHANNEL_SEGMENT_SLOTS)
#define CHANNEL_SEGMENTS_MAX  64u

#define CHANNEL_PREFETCH_MAX 8u
#define CHANNEL_COMMANDS_MAX 24u

enum channel_request_kind {
	REQUEST_NONE,
	REQUEST_SYSCALL,
	REQUEST_FAULT,
	REQUEST_INTERRUPTED,
	REQUEST_DONE,	 /* the commands of the last reply were executed: results */
	REQUEST_REFUSED, /* a COMMAND_HOST_LATE had another result than it must have, or a signal
			    frame could not be written: results */
};

/*
 * Guest bytes that travel with a request. An offset below CHANNEL_DATA_SIZE is one in the data
 * area; from there on it is one in the request's `near` bytes.
 */
struct channel_prefetch {
	uint64_t addr; /* in the guest */
	uint32_t size;
	uint32_t offset;
};

/* As struct guest_regs of platform.h (asserted there), without orig_rax: that is `nr`. */
struct channel_regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t nr;
	uint64_t rip, eflags, rsp;
	uint64_t fs_base, gs_base;
};

#define REQUEST_FLAG_INTERRUPTED 1u /* SYSCALL: begun by the stub, ended by a kick */
#define REQUEST_FLAG_SITE	 2u /* SYSCALL: trapped so often that its site is worth a patch */
#define REQUEST_FLAG_OUT_FAULT	 4u /* DONE: the reply's `out` could not be copied as a whole */
#define REQUEST_FLAG_FAST	 8u /* SYSCALL: came through a trampoline (for statistics) */

/* One word: it is stored, last and with release, and loaded as a whole. */
union channel_request_head {
	struct {
		uint32_t seq; /* one more than the request before */
		uint8_t kind, flags;
		uint8_t prefetch_count : 4;
		/* Not for DONE and REFUSED: a descriptor and one, whose close(2) has been answered
		 * already. 0: none. CHANNEL_CLOSED_TOLD: there are calls in `told`. */
		uint8_t closed : 4;
		/* SYSCALL without prefetch entries: the last words of `args` are (bits 3 to 7) + 1
		 * bytes of the guest's, at the address in argument (bits 0 to 2) - 1. 0: they are
		 * not. */
		uint8_t spare;
	};
	uint64_t word;
};

#define CHANNEL_SPARE_WORDS 4u
#define CHANNEL_CLOSED_TOLD 15u
#define CHANNEL_CLOSED_MAX  14u

/* The results of a DONE that fit into its first cache line. */
#define CHANNEL_RESULTS_NEAR 6u
/* Bytes behind the first cache line, where small inputs travel. */
#define CHANNEL_REQUEST_NEAR 1472u

/* Written by the stub, in any order, before it stores the head. */
struct channel_request {
	/* A cache line that is all that a call without inputs needs. The Sentry watches it, so it
	 * is written once for each request, at one go. */
	union channel_request_head head;
	uint32_t nr;	 /* SYSCALL */
	uint16_t cpu;	 /* hints: where the stub ran lately, */
	uint8_t crowded; /* and how often a yield gave the CPU away for long */
	/* Not for DONE and REFUSED: the index and one of the first of `held` that was changed. 0:
	 * none. */
	uint8_t held;
	union {
		uint64_t args[6];		       /* SYSCALL */
		int64_t results[CHANNEL_RESULTS_NEAR]; /* DONE: of the first commands */
	};
	/* The prefetch entries, and behind those that are in use the bytes that lie near. */
	union {
		struct channel_prefetch prefetch[CHANNEL_PREFETCH_MAX];
		uint8_t near[CHANNEL_REQUEST_NEAR];
	};
	/* Not for DONE. The Sentry reads them only when it needs them: what a call leaves unread
	 * stays in the stub's cache. */
	struct channel_regs regs;
	struct {
		int32_t signo, code;
		uint64_t addr, trapno, error_code;
	} fault;
	int64_t more_results[CHANNEL_COMMANDS_MAX - CHANNEL_RESULTS_NEAR];
	/* Any time: in a futex wait that the stub began itself, a hint. Away from the lines above,
	 * by padding: the Sentry's copies of this struct lie anywhere. */
	uint32_t pad[16];
	uint32_t sleeping;
};

/* No call that is answered in the guest has a greater number. */
#define CHANNEL_NUMBERS 470u

/* The stub counts; the Sentry looks once, when the thread has ended. For statistics. */
struct channel_counters {
	uint64_t trapped;		    /* calls that raised SIGSYS */
	uint64_t trapped_answered;	    /* of these, in the guest */
	uint64_t fast_answered;		    /* through a trampoline, in the guest */
	uint32_t answered[CHANNEL_NUMBERS]; /* in the guest, by number; wraps around */
};

enum channel_command_kind {
	COMMAND_NONE,
	COMMAND_COPY_IN,  /* args: guest address, size, offset. Result: bytes copied */
	COMMAND_COPY_OUT, /* args: guest address, size, offset; nr: a fault does not matter. Result:
			     bytes copied */
	COMMAND_COPY_WINDOW, /* args: guest address, size, address in a window, bytes of the same
				call before these. Result: bytes copied; when they are fewer, the
				call's result becomes what was copied in all */
	COMMAND_HOST,	     /* nr, args: a host call, result as the host gives it */
	COMMAND_FUTEX,	     /* args as futex(2) or futex_waitv(2); nr: CHANNEL_FUTEX_ bits */
	COMMAND_FORK,	     /* args: token. Result: host pid or -errno */
	COMMAND_THREAD,	     /* args: token, stack base, slot address. Result: host tid or -errno */
	COMMAND_FPU_GET,     /* args: capacity, offset. Result: size */
	COMMAND_FPU_SET,     /* args: size, offset. Result: 0 or -EINVAL */
	COMMAND_FPU_RESET,
	/* args: address, size and offset of a frame; address, features and size of the FPU image
	 * behind it. Resets the FPU. Result: 0, or an error: what is behind it is not executed. */
	COMMAND_SIGFRAME,
	COMMAND_EXIT,	   /* the host thread ends */
	COMMAND_HOST_LATE, /* as COMMAND_HOST, before going back to the guest: only with the result
			      timespec[0] does it go there */
	COMMAND_POKE,	   /* args: address of an aligned word, mask, expected, value: replaces the
			      masked bytes at once if they are the expected ones. Result: 0, -EAGAIN,
			      -EFAULT; -ECANCELED behind one of the same reply that failed */
};

#define CHANNEL_FUTEX_TIMEOUT 1u /* args[3] != 0: the timeout is the command's timespec */
#define CHANNEL_FUTEX_WAITV   2u /* futex_waitv(2) */

struct channel_command {
	uint32_t kind;
	uint32_t nr;
	uint64_t args[6];
	int64_t timespec[2];
};

#define REPLY_RESUME   1u  /* after `out` or the commands back to the guest; else post results */
#define REPLY_REGS     2u  /* load all registers from `regs`, not only rax */
#define REPLY_DOORBELL 4u  /* post the results, then ring without spinning */
#define REPLY_LASTS    8u  /* with RESUME: a name's answer that may be given again */
#define REPLY_OUT      16u /* copy `out` to the guest: a fault makes the result -EFAULT... */
#define REPLY_LOSSY    32u /* ... or does not matter */
#define REPLY_WINDOW   64u /* `out` comes from a window, as with COMMAND_COPY_WINDOW */

/* One word: it is stored, last and with release, and loaded as a whole. */
union channel_reply_head {
	struct {
		uint32_t seq; /* the request's */
		uint8_t flags;
		uint8_t command_count; /* 0 with REPLY_OUT */
		uint16_t opened;       /* with RESUME, of an open: PLATFORM_OPENED_ */
	};
	uint64_t word;
};

/* Output bytes that travel in the reply's own cache lines. */
#define CHANNEL_REPLY_NEAR 1248u

struct channel_window_out {
	uint64_t addr;	 /* in a window */
	uint64_t before; /* bytes of the same call before these */
};

/* Written by the Sentry, before it stores the head, except for the words that say otherwise. */
struct channel_reply {
	/* A cache line that is all that a call with a small output needs. */
	union channel_reply_head head;
	uint64_t rax;
	/* Bytes for the guest: from `near` when they fit there, else from the begin of the data
	 * area. */
	uint64_t out_addr;
	uint32_t out_size;
	uint32_t unused;
	union {
		uint8_t near[CHANNEL_REPLY_NEAR];
		struct channel_window_out window; /* REPLY_WINDOW */
		struct channel_command commands[CHANNEL_COMMANDS_MAX];
	};
	struct channel_regs regs;
	/* Of these the stub has a copy in its cache most of the time. */
	uint32_t polled /* any time: the Sentry watches this slot, so spinning pays */
		__attribute__((aligned(64)));
	uint32_t interrupt; /* any time: do not enter guest code or a futex wait, post a request
			       instead */
	uint64_t spin_tsc;  /* how long to spin for a reply, in time-stamp counter ticks */
	uint32_t watcher;   /* the CPU where the Sentry watches from; meaningful while polled */
	uint32_t parked; /* any time: the number of a request whose answer has to wait for something
			  */
	uint32_t patience; /* stored before parked: how long that is likely worth looking, in ticks
			    */
};

struct channel_slot {
	struct channel_request request __attribute__((aligned(4096)));	 /* the stub writes */
	struct channel_counters counters __attribute__((aligned(1024))); /* in the same page */
	struct channel_reply reply __attribute__((aligned(4096)));	 /* the Sentry writes */
	struct platform_inguest inguest __attribute__((aligned(2048)));	 /* in the page of reply */
	uint64_t vdso_clock_gettime; /* the Sentry writes, when the thread is made; 0: none */
	uint32_t library_count;	     /* likewise: descriptors from STUB_FD_LIBRARY on */
	/* The stub writes, before it stores the head of a request with CHANNEL_CLOSED_TOLD. */
	uint32_t told_count;
	struct platform_told told[PLATFORM_TOLD_MAX];
	/* The Sentry writes, while the thread is stopped. Pages that only those threads have which
	 * make use of them. */
	struct platform_ahead ahead __attribute__((aligned(4096)));
	/* Both write, at any time. */
	struct platform_held held[PLATFORM_HELD_COUNT] __attribute__((aligned(4096)));
	uint8_t data[CHANNEL_DATA_SIZE] __attribute__((
		aligned(4096))); /* whose turn it is: the stub before it posts, then the Sentry */
};

_Static_assert(sizeof(struct channel_request) <= 4096, "one page");
_Static_assert(offsetof(struct channel_request, near) == 64, "a cache line of its own");
_Static_assert(offsetof(struct channel_reply, near) == 32, "half a cache line");
_Static_assert(offsetof(struct channel_slot, counters) + sizeof(struct channel_counters) <= 4096,
	"in the request's page");
_Static_assert(sizeof(struct channel_reply) <= 2048, "half a page");
_Static_assert(sizeof(struct platform_inguest) <= 1024, "in the other half");
_Static_assert(offsetof(struct channel_slot, reply) == 4096, "one page each");
_Static_assert(offsetof(struct channel_slot, inguest) == 4096 + 2048, "in the reply's page");
_Static_assert(offsetof(struct channel_slot, ahead) == CHANNEL_SLOT_HEADER, "two header pages");
_Static_assert(offsetof(struct channel_slot, held) == CHANNEL_SLOT_HEADER + CHANNEL_AHEAD_SIZE,
	"and two more");
_Static_assert(sizeof(((struct channel_slot *)0)->held) == CHANNEL_HELD_SIZE, "and one");
_Static_assert(sizeof(struct channel_slot) == CHANNEL_SLOT_SIZE, "no padding");
_Static_assert(CHANNEL_SEGMENT_SIZE % 4096 == 0, "whole pages");

/* ---- call sites ---- */

/* How often a site traps before it is patched, and the code that travels: before and behind the
 * address that follows the `syscall`. */
#define STUB_SITE_THRESHOLD 16u
#define STUB_SITE_BEFORE    160u
#define STUB_SITE_BEHIND    130u

/* ---- trampolines ---- */

/*
 * The instruction before a hot `syscall` is replaced by a jump to a slot of a trampoline page. The
 * slot's code is: that instruction; lea NEXT(%rip), %rcx; jmp *entry(%rip), where NEXT is the
 * address behind the `syscall`. It may use rcx and r11, which the call would destroy anyway, and
 * nothing else; not the stack, whose red zone is in use.
 *
 * Written by the Sentry. The stub looks at it when a host signal arrives with an instruction
 * pointer in a page that begins with the magic words, to tell which instruction of the guest's that
 * one stands for: behind the slot's begin it is the `syscall`, else the replaced one. A guest
 * that makes such pages itself confuses itself.
 */
#define TRAMPOLINE_MAGIC0     0x6172742079727473ull
#define TRAMPOLINE_MAGIC1     0x73656e696c6f706dull
#define TRAMPOLINE_PAGE_SIZE  4096u
#define TRAMPOLINE_PAGE_SLOTS 63u
#define TRAMPOLINE_CODE_SIZE  40u /* at most 15 of the instruction, 7 of lea, 6 of jmp */

struct trampoline_slot {
	uint8_t code[TRAMPOLINE_CODE_SIZE];
	/* Relative to the slot's begin, so that a page can be mapped anywhere. */
	uint64_t site;	   /* the replaced instruction; 0: the slot is free */
	uint64_t hole;	   /* a second jump that leads here (the site's own is a short one), or 0 */
	uint8_t size;	   /* of the replaced instruction: the `syscall` is at site + size */
	uint8_t code_size; /* of what stands for it at the begin of code[] */
	uint8_t unused[6];
};

struct trampoline_page {
	uint64_t magic[2];
	uint64_t entry; /* STUB_FAST_ENTRY */
	uint64_t unused[5];
	struct trampoline_slot slots[TRAMPOLINE_PAGE_SLOTS];
};

_Static_assert(sizeof(struct trampoline_slot) == 64, "a cache line each");
_Static_assert(sizeof(struct trampoline_page) == TRAMPOLINE_PAGE_SIZE, "one page");

/* ---- the zygote's start-up, in the data area of slot 0 ---- */

#define STUB_BOOT_PARTS_MAX  8u
#define STUB_BOOT_FILTER_MAX 512u

struct stub_boot {
	/* the stub writes */
	uint32_t version;
	int32_t error; /* of the step that failed */
	uint32_t error_step;
	int32_t listener;    /* the filter's listener; -1 until there is one */
	uint32_t sent;	     /* the helper has sent it and closed everything */
	uint32_t vdso_moved; /* it lies at STUB_VDSO_BASE */
	/* The Sentry writes, before the stub exists. */
	uint32_t part_count;
	uint32_t filter_count;
	/* The vDSO and its data pages, in ascending order, relative to the vDSO. */
	struct {
		int64_t offset;
		uint64_t size;
	} parts[STUB_BOOT_PARTS_MAX];
	uint64_t filter[STUB_BOOT_FILTER_MAX]; /* struct sock_filter */
};

_Static_assert(sizeof(struct stub_boot) <= CHANNEL_DATA_SIZE, "fits the data area");

#endif
