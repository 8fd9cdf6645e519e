/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_PLATFORM_INGUEST_H
#define SENTRY_PLATFORM_INGUEST_H

#include <stdint.h>

/*
 * What a platform needs to know of a thread in order to answer calls where the guest runs. The
 * kernel never hears of a call that was answered so.
 *
 * The struct lies in memory that the guest's process can write, whatever a field says of its
 * writer. The kernel never believes what it reads here for anybody but the guest itself. It is
 * included by freestanding code.
 */

/* `features`: what may be answered. Without a bit the kernel gets the calls. */
#define PLATFORM_INGUEST_IDS   1u
#define PLATFORM_INGUEST_FUTEX 2u /* plain futex calls on the guest's own memory */
#define PLATFORM_INGUEST_MASK  4u /* rt_sigprocmask */
#define PLATFORM_INGUEST_TIME  8u /* the clocks that the guest's own vDSO reads */
#define PLATFORM_INGUEST_YIELD 16u
#define PLATFORM_INGUEST_CPU   32u /* getcpu: the thread may run on any CPU */
#define PLATFORM_INGUEST_OWN                                                                       \
	64u /* set_robust_list, set_tid_address, questions to rt_sigaction, and what a program     \
	       asks for at its start: its limits, brk, FS base and some random bytes */

/* What no mask can hold: SIGKILL and SIGSTOP. */
#define PLATFORM_UNBLOCKABLE (1ull << (9 - 1) | 1ull << (19 - 1))

#define PLATFORM_INGUEST_SIGRETURN 128u /* from frames of the usual kind */
#define PLATFORM_INGUEST_RSEQ	   256u /* rseq(2), which is the host's own */
#define PLATFORM_INGUEST_HELD	   512u /* what struct platform_held says */

#define PLATFORM_UMASK_KNOWN 0x80000000u

/*
 * The file that the thread's last successful open made, as long as nobody but this thread can touch
 * the open file: the thread is alone in its process and with its descriptors. What is said here of
 * it holds until the thread makes a call that may change it (stub/opened.c), or the epoch moves on.
 */
#define PLATFORM_OPENED_PLAIN 1u  /* no terminal */
#define PLATFORM_OPENED_START 2u  /* a regular file; the position is 0 */
#define PLATFORM_OPENED_STAT  4u  /* `stat` is what fstat(2) says */
#define PLATFORM_OPENED_CLOSE 8u  /* nobody waits for its end: close(2) may be told later */
#define PLATFORM_OPENED_READ  16u /* a read at its end finds nothing */
#define PLATFORM_OPENED_DATA  32u /* nobody is told of reads, also of directories */
/* All of the file's bytes lie in platform_thread.content, until the thread's next event. */
#define PLATFORM_OPENED_CONTENT 64u

#define PLATFORM_CONTENT_MAX 0x8000u

struct platform_opened {
	uint32_t flags; /* 0: nothing is known of the last open, or it failed */
	int32_t fd;
	uint32_t epoch;	     /* names_epoch of then */
	uint32_t file_flags; /* as F_GETFL says them */
	uint64_t stat[18];   /* struct stat */
};

/*
 * What is said of descriptors, each at the index of its number's low bits: calls on them that the
 * platform answers by itself (sentry/held.c). All that is known is one word, so that the kernel can
 * take it back at any time, by exchanging it for 0: it then has what the platform did with it, or
 * the platform finds it gone. The platform changes it by compare and exchange alone.
 *
 * Of a descriptor in an epoll instance: epoll_ctl(2) is answered here and done by the kernel later:
 * the word says so (CHANGED), with what is to be registered in the half of `events` and `data` that
 * SECOND chooses. What is to be done so is chained, by index and one, from platform_thread.held on.
 */
#define PLATFORM_HELD_COUNT	 128u
#define PLATFORM_HELD_FD(word)	 ((uint32_t)(word)&0xffff)
#define PLATFORM_HELD_EPOLL	 (1ull << 32) /* with an epoll instance's descriptor << 16 */
#define PLATFORM_HELD_DEVICE	 (1ull << 33) /* /dev/null or /dev/zero, and what may be done: */
#define PLATFORM_HELD_KEY	 0xffffffffffull
#define PLATFORM_HELD_REGISTERED (1ull << 40) /* it is in the instance, once changes are made */
#define PLATFORM_HELD_CHANGED	 (1ull << 41)
#define PLATFORM_HELD_SECOND	 (1ull << 42)
#define PLATFORM_HELD_READS_ZERO (1ull << 43)
#define PLATFORM_HELD_READS_END	 (1ull << 44)
#define PLATFORM_HELD_WRITES	 (1ull << 45) /* what is written goes nowhere */
#define PLATFORM_HELD_NEXT_SHIFT 48
#define PLATFORM_HELD_NEXT(word) ((uint8_t)((word) >> PLATFORM_HELD_NEXT_SHIFT))

struct platform_held {
	uint64_t word; /* 0: nothing is known */
	uint64_t data[2];
	uint32_t events[2];
};

/*
 * Names that are likely to be asked for next: what stat(2) and lstat(2) say of some names in the
 * directory that `prefix` leads to, when that is put before them. It holds as long as `epoch`, and
 * for a relative prefix as long as `dirfd` (AT_FDCWD, or a descriptor) is what it was.
 */
#define PLATFORM_AHEAD_PREFIX 200u
#define PLATFORM_AHEAD_NAME   48u
#define PLATFORM_AHEAD_MAX    40u

struct platform_ahead {
	uint32_t epoch; /* names_epoch of then */
	int32_t dirfd;
	uint32_t prefix_size; /* with the last slash, without a NUL; 0: names in `dirfd` itself */
	uint32_t unused;
	char prefix[PLATFORM_AHEAD_PREFIX];
	struct {
		char name[PLATFORM_AHEAD_NAME]; /* padded with NUL, at least one */
		uint64_t stat[18];		/* struct stat */
	} names[PLATFORM_AHEAD_MAX];
};

#define PLATFORM_LIMITS 16u

/*
 * A call that the platform has answered already; told with the thread's next event, and done by the
 * kernel before anything else. They take effect in their order, as if they had been made then:
 * nobody else can tell, since only the thread itself can see what they change (stub/told.c).
 */
#define PLATFORM_TOLD_MAX 24u

struct platform_told {
	uint32_t nr;
	uint32_t unused;
	/* close: descriptor. lseek: descriptor, position. rt_sigaction: a set of signals, struct
	 * sigaction. openat: the descriptor that it got, index in platform_names.files_known,
	 * flags. Done already as far as memory goes: brk: the heap's end; mmap: address, size,
	 * rights with flags in the upper half, descriptor, offset; munmap: address, size; mprotect:
	 * address, size, rights. */
	uint64_t args[5];
};

/* `told`: what may be told in this way. */
#define PLATFORM_TOLD_ACTIONS 1u /* nobody shares the signal actions */
#define PLATFORM_TOLD_MAPS    2u /* nobody shares the address space */

enum platform_inguest_id {
	PLATFORM_ID_TGID,
	PLATFORM_ID_TID,
	PLATFORM_ID_PPID,
	PLATFORM_ID_PGID,
	PLATFORM_ID_SID,
	PLATFORM_ID_UID,
	PLATFORM_ID_EUID,
	PLATFORM_ID_GID,
	PLATFORM_ID_EGID,
	PLATFORM_ID_COUNT,
};

struct platform_inguest {
	/* Written by the kernel, at any time, each word at once. */
	uint32_t features;
	uint32_t ids[PLATFORM_ID_COUNT];
	/* Answers of an earlier epoch that were to last (platform_thread.answer_lasts) are void. 0:
	 * none is to be kept. */
	uint32_t names_epoch;
	/* Not 0: the table of struct platform_names may be believed, too. */
	uint32_t names_shared;
	/* How many of platform_thread.ahead's names are true. The kernel writes it while the thread
	 * is stopped; a platform that knows better makes it 0. */
	uint32_t ahead_count;
	/* Moves on when others get hold of open files of the thread's, or begin to watch any. */
	uint32_t files_epoch;
	uint32_t told;	  /* PLATFORM_TOLD_ */
	uint64_t pending; /* the thread's and its process's signals, or more than those */
	uint64_t
		default_actions; /* signals whose struct sigaction is all zeroes, or some of them */
	/*
	 * The signal mask. It is the platform's while the thread is in guest, the kernel's while it
	 * is stopped. A platform that clears bits stores the mask, then looks at `pending` with a
	 * full fence between; when something there is no longer blocked, it puts the old mask back
	 * and reports the call. The kernel raises `pending`, then looks at the mask, likewise. So
	 * one of them sees the other (sentry/inguest.c).
	 */
	uint64_t blocked __attribute__((aligned(64)));
	/* Changes hands with the mask. The head of the robust list may travel with exit. */
	uint64_t robust_list, clear_child_tid;
	/* Likewise: the area that rseq(2) registered with the host, 0: none. */
	uint64_t rseq;
	uint32_t rseq_size, rseq_sig;
	/* The alternate signal stack, as in a frame; the kernel's, current while in guest. */
	uint64_t altstack[3];
	/* The end of the heap as long as nobody else can move it; 0: ask. */
	uint64_t brk;
	/* While it is not 0: the platform may move it in [brk_low, brk_high] and tell later; the
	 * memory there is the heap's or nobody's. The kernel's, current while in guest. */
	uint64_t brk_low, brk_high;
	/*
	 * Likewise: gaps where nothing lies, from whose upper ends new mappings may be taken: the
	 * highest one of all, and one that is larger than all above it, for what is larger than
	 * map_size_min. The platform makes them smaller, or empty.
	 */
	uint64_t hole_low, hole_high, map_low, map_high, map_size_min;
	/* Descriptors below 64 that are in use, while nobody else can change them; else all bits.
	 * The kernel's, current while in guest. */
	uint64_t fds;
	/* Changes hands with the mask: the file mode creation mask and PLATFORM_UMASK_KNOWN, while
	 * nobody else shares it; 0: ask. */
	uint32_t umask;
	/* Bytes for one getrandom(2), which nobody else has; the platform makes it 0. 0: none. */
	uint64_t random;
	/* As prlimit(2) says them, by resource; the version is odd while they change, at any time.
	 */
	uint32_t limits_version;
	uint64_t limits[PLATFORM_LIMITS][2];
	/* Written by the kernel while the thread is stopped. */
	struct platform_opened opened __attribute__((aligned(64)));
};

#endif
