/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_PLATFORM_PLATFORM_H
#define SENTRY_PLATFORM_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "abi/gaddr.h"
#include "platform/inguest.h"
#include "platform/names.h"
#include "platform/names.h"

/*
 * The one door between the kernel and the machinery that runs guest code.
 *
 * A platform owns *address spaces* (each a host process, the stub) and *threads* (each a host
 * thread of that process). The kernel runs one fiber for each guest thread, and that fiber alone
 * calls the thread functions below; "may sleep" means that the fiber parks while the guest or the
 * stub works. All identity (process ids, parents, who is whose thread) is the kernel's: a vfork
 * child is just another thread of the same address space here.
 *
 * A thread is either *in guest* (between the start and the end of platform run()) or *stopped* (its
 * registers are in regs; memory and mapping operations may be asked for). What runs in the guest's
 * address space is untrusted: results of mapping operations, copied bytes and register values are
 * claims. A platform checks them for range, never for truth.
 *
 * Death is an answer: when the host process or thread is gone, operations return -ESRCH and run()
 * reports PLATFORM_EXITED.
 */

/* Guest registers, in the order of struct user_regs_struct without the segment selectors (which
 * guests cannot change usefully). */
struct guest_regs {
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t orig_rax; /* the call's number; UINT64_MAX when not in a call */
	uint64_t rip, eflags, rsp;
	uint64_t fs_base, gs_base;
};

/* The largest XSAVE image a platform hands out (AVX-512 2.7 KiB, AMX 11 KiB). */
#define PLATFORM_FPU_MAX 12288

/* How late the host may end a guest thread's own timed waits, as on Linux; tasks are told the same
 * (PR_GET_TIMERSLACK). */
#define PLATFORM_TIMER_SLACK_NS 50000ul

enum platform_event_kind {
	PLATFORM_SYSCALL,     /* regs.orig_rax and the argument registers; rip is behind the
				 instruction; result goes to regs.rax */
	PLATFORM_FAULT,	      /* a synchronous fault in guest code: regs are those of the faulting
				 instruction */
	PLATFORM_INTERRUPTED, /* platform interrupt() took effect (or nothing did: spurious ones are
				 allowed) */
	PLATFORM_REFUSED, /* the delayed mapping operation failed: regs are those that run() got */
	PLATFORM_FRAME_REFUSED, /* the frame of signal_frame() could not be written: likewise */
	PLATFORM_EXITED,	/* the host thread is gone; only release is legal now */
};

struct platform_event {
	enum platform_event_kind kind;
	union {
		struct {
			uint64_t nr; /* == regs->orig_rax */
			uint64_t args[6];
			/*
			 * The call was begun in the guest (a host futex wait) and interrupted
			 * there: the handler decides whether it restarts. False for all other
			 * calls.
			 */
			bool interrupted;
			/* The call site is worth a patch(). */
			bool site;
		} syscall;
		struct {
			int signo;     /* LX_SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP */
			int code;      /* si_code */
			uint64_t addr; /* si_addr */
			uint64_t trapno, error_code; /* for sigcontext; error_code bit 1 = write */
		} fault;
		struct {
			int error; /* -errno of the host */
		} refused;
		struct {
			int host_status; /* wait status when known, else 0 */
		} exited;
	};
};

struct platform_as; /* an address space */

/* The common head of each platform's thread object. */
struct platform_thread {
	struct platform_as *as;
	/*
	 * Valid while stopped, see platform_regs(). After PLATFORM_SYSCALL rax and orig_rax are
	 * there in any case.
	 */
	struct guest_regs regs;
	bool regs_lazy;	 /* the others are not there yet */
	bool regs_dirty; /* set by the kernel when it changed more than regs.rax: all of regs is
			    loaded at the next run() */
	/*
	 * Set by the kernel around a map, unmap, protect or advise, for a thread that is the only
	 * one of its address space and of which nothing else is asked before run(): the operation
	 * may be delayed until the thread goes back to the guest, and 0 says no more than that. If
	 * it fails then, the guest does not go on, and the event is PLATFORM_REFUSED.
	 */
	bool may_delay;
	/*
	 * Set by the kernel: results are written at once, not on the way back, since somebody looks
	 * at registers and memory before that (a tracer).
	 */
	bool prompt;
	void *kernel_data; /* the kernel's task */
	/*
	 * What the kernel lets the platform answer without it, and what is needed for that; lives
	 * as long as the thread. The kernel fills it in when the thread is made and keeps it
	 * current. Until then the platform answers nothing but futexes. NULL: the platform reports
	 * every call.
	 */
	struct platform_inguest *inguest;
	struct platform_ahead *ahead;  /* likewise; NULL with inguest, or by itself */
	struct platform_held *held_of; /* likewise, PLATFORM_HELD_COUNT of them */
	/*
	 * Set by the kernel: the answer to the present call, about a name, may be given again to
	 * the same question of this thread while inguest->names_epoch stands. Cleared by run().
	 */
	bool answer_lasts;
	/* Set by the platform: it looks at the table of names (shared_names()). */
	bool sees_shared_names;
	/*
	 * Set by run(): a descriptor and one that the guest has closed before the event, by a
	 * close(2) that was answered at once (PLATFORM_OPENED_CLOSE). The kernel closes it before
	 * anything else and clears this. 0: none.
	 */
	uint8_t closed;
	/*
	 * Set by run(): calls that were answered before the event and are told now, to be done
	 * first. The kernel clears the count.
	 */
	uint8_t told_count;
	const struct platform_told *told;
	/* Where the kernel may put PLATFORM_CONTENT_MAX bytes while it handles an open; NULL: the
	 * platform has no use for them. */
	uint8_t *content;
	/* Set by the kernel: PLATFORM_OPENED_ of the present call, an open. Cleared by run(). */
	uint16_t opened_flags;
	/* Set by the kernel around a map or unmap that the guest has made already. */
	bool done_already;
	/* Set by run(): the index and one of the first of held_of that was CHANGED. The kernel
	 * makes the changes before anything else and clears this. 0: none. */
	uint8_t held;
};

/*
 * A host mapping operation, done by a stopped thread in its own address space. The kernel has
 * picked and checked the range. Page aligned; never above the guest's end. @fd is a host descriptor
 * of the Sentry or -1; a platform hands it over for the duration of the mapping with exactly its
 * own access mode.
 */
struct platform_map {
	gaddr_t addr;
	uint64_t size;
	int prot;	 /* LX_PROT_* */
	bool shared;	 /* MAP_SHARED of @fd, else MAP_PRIVATE */
	int fd;		 /* -1: anonymous private memory */
	uint64_t offset; /* in @fd, bytes */
	/* platform_content.id of what @fd leads to, when the platform may hold on to @fd for the
	 * next mapping of it: a file that costs nothing, open for reading alone, that everybody
	 * may read (the process may lose its privileges). 0: it may not. */
	uint64_t content;
	bool common; /* everybody may read it, and nobody in the sandbox change it */
	bool noreserve;
};

/* The bytes of a host file whose size only the kernel changes, or nobody. */
struct platform_content {
	uint64_t id; /* never reused */
	int fd;	     /* open for reading alone, borrowed; -1: none at hand */
};

/* Guest clone, as far as the host takes part. */
struct platform_clone {
	bool new_as; /* fork: the child gets a copy of the address space; else it is one more thread
			of it */
	struct guest_regs regs; /* the child's first registers (rax = 0 is the caller's business) */
};

/* What a handler finds on its stack: bytes of the kernel's, then the FPU's image with what says in
 * its software bytes and header what it holds. */
struct platform_frame {
	gaddr_t addr;
	const void *data;
	size_t size;
	gaddr_t fpu_addr;
	uint64_t fpu_features; /* XSAVE's state components */
	uint32_t fpu_size;     /* of the image, XSAVE's standard format, without the second magic */
};

struct platform_config {
	unsigned max_threads; /* over all address spaces: sizes tables */
	uint64_t data_limit;  /* RLIMIT_DATA each stub starts with, bytes; 0 = none */
	bool patch_sites;     /* report call sites that are worth a patch() */
};

/* What the platform tells the kernel outside of run(); on the kernel thread, must not sleep. */
struct platform_upcalls {
	/* The stub's text made a host call that is not on its list: the kernel audits it and ends
	 * the task. */
	void (*violation)(struct platform_thread *thread, uint64_t nr, const uint64_t args[6]);
	/* Nothing can go on (the zygote died, the listener broke): ends the sandbox with exit code
	 * 125 and @why. */
	void (*fatal)(const char *why);
};

struct platform_futex {
	int op; /* LX_FUTEX_WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAKE_OP, WAIT_BITSET, WAKE_BITSET,
		   with PRIVATE and CLOCK_REALTIME flags */
	gaddr_t uaddr, uaddr2;
	uint32_t val, val3;
	uint64_t val2; /* for the requeue forms */
	bool has_timeout;
	uint64_t timeout_ns; /* absolute on the op's clock */
	/* Not 0: futex_waitv(2) for so many, listed at @uaddr, which the host reads; of the rest
	 * the time and LX_FUTEX_CLOCK_REALTIME count. */
	uint32_t waitv_count;
};

/*
 * The call site of a stopped thread's event is to be patched, so that its next calls come without a
 * trap. The kernel has made sure that the code is a private mapping of a file, readable and
 * executable and not writable, and holds its lock on the mappings.
 */
struct platform_patch {
	gaddr_t text; /* the mapping */
	uint64_t text_size;
	/* A mapping (anonymous, private, readable and executable) for trampolines that the kernel
	 * made upon -ENOSPC; size 0: none. */
	gaddr_t area;
	uint64_t area_size;
};

#define PLATFORM_PATCH_AREA_SIZE  0x10000u
#define PLATFORM_PATCH_AREA_REACH 0x7fff0000ull /* from any byte of it to any byte of the code */

/*
 * Code of a file that nobody in the sandbox can change, just mapped (private, readable and
 * executable) at the page-aligned @addr: by execve into an address space in which nothing runs yet,
 * or by a thread that has not returned from mmap.
 */
struct platform_text {
	gaddr_t addr;
	uint64_t size;
	int fd; /* borrowed */
	uint64_t offset;
	gaddr_t area;	  /* PLATFORM_TEXT_AREA_SIZE bytes, free: addr - PLATFORM_TEXT_DISTANCE */
	uint64_t content; /* platform_map.content; 0: a program's, mapped by execve */
};

#define PLATFORM_TEXT_AREA_SIZE 0x4000u
#define PLATFORM_TEXT_DISTANCE	0x40000000ull

/* The signal with which a platform interrupts guest code: SIGURG, ignored by default. */
#define PLATFORM_KICK_SIGNAL 23

/* A host call that a stub may make, in words; everything else ends its process (or is a trap). */
struct platform_stub_call {
	const char *name;
	const char *constraint; /* "" = none */
	const char *reason;
	bool asks; /* only with the Sentry's consent for this very call */
};

/* What a host thread used: faults of its own, bytes resident in its address space. */
struct platform_usage {
	uint64_t minor_faults, major_faults, resident;
};

struct platform_ops {
	const char *name;

	/*
	 * Whether this host can run the platform. 0, or -errno with a static text that names the
	 * missing feature. Forks and probes; called before start().
	 */
	int (*probe)(const char **ret_missing);

	/*
	 * Makes the zygote and registers with the main loop. Called once, on the kernel thread,
	 * outside fibers, before the Sentry is confined (it may fork and exec). On failure nothing
	 * is left and *ret_why names what failed.
	 */
	int (*start)(const struct platform_config *config, const struct platform_upcalls *upcalls,
		const char **ret_why);
	/*
	 * The rest of the start, for a platform whose first process comes up while the kernel does
	 * other things. Like start() outside of fibers, before the Sentry is confined. On failure
	 * nothing is left. Missing: start() has done it all.
	 */
	int (*start_finish)(const char **ret_why);
	/* Kills every stub and waits for them. Also ends a start that was not finished. */
	void (*stop)(void);

	/* A fresh address space with nothing but the stub in it, and its first thread, stopped. May
	 * sleep. -EAGAIN, -ENOMEM. */
	int (*as_create)(struct platform_as **ret_as, struct platform_thread **ret_thread);
	/* SIGKILLs the host process: every thread of it ends with PLATFORM_EXITED / -ESRCH. Does
	 * not sleep; idempotent. */
	void (*as_kill)(struct platform_as *as);

	/*
	 * A new host thread, or a forked process with one thread (ret_thread->as is then the new
	 * one), made by the stopped
	 * @parent; the child is stopped, its regs are @clone->regs and its FPU state is the
	 * parent's. May sleep. -EAGAIN, -ENOMEM, -ESRCH. An address space is freed with the release
	 * of its last thread.
	 */
	int (*thread_clone)(struct platform_thread *parent, const struct platform_clone *clone,
		struct platform_thread **ret_thread);
	/*
	 * Ends the host thread of a stopped (or exited) thread and frees the object; with the last
	 * one the address space goes too. Never waits for the guest: a thread that does not leave
	 * by a deadline is killed with its process.
	 */
	void (*thread_release)(struct platform_thread *thread);

	/*
	 * Loads regs and runs guest code until the next event. May sleep. After PLATFORM_SYSCALL
	 * the kernel stores the result in regs.rax and calls run() again; unless regs_dirty, only
	 * rax is carried over.
	 */
	void (*run)(struct platform_thread *thread, struct platform_event *ret_event);
	/* Completes regs, apart from rax and orig_rax, of a stopped thread with regs_lazy and
	 * clears that. Does not sleep. Missing: regs are always complete. */
	void (*load_regs)(struct platform_thread *thread);
	/* Makes a thread that is in guest come back from run() soon; harmless when it is stopped.
	 * Any context; does not sleep. */
	void (*interrupt)(struct platform_thread *thread);

	/* The raw XSAVE image (standard format, as in a signal frame) of a stopped thread. Returns
	 * its size or -errno. May sleep. */
	ssize_t (*fpu_get)(struct platform_thread *thread, void *image, size_t capacity);
	/* Loads an image, no later than at the next return to the guest; garbage in it may kill the
	 * guest thread, nothing else. -EINVAL for a bad size. May sleep. */
	int (*fpu_set)(struct platform_thread *thread, const void *image, size_t size);
	/* Resets the FPU to its state after execve. */
	int (*fpu_reset)(struct platform_thread *thread);

	/*
	 * Writes a signal frame with the thread's FPU state, and resets that, no later than at the
	 * next return to the guest; one at a time. A fault is told by the next run()
	 * (PLATFORM_FRAME_REFUSED), or by signal_frame_flush(), which does it now: 0, -EFAULT,
	 * -ESRCH. May sleep. Missing, both: the kernel does it by fpu_get, copy_out and fpu_reset.
	 */
	int (*signal_frame)(struct platform_thread *thread, const struct platform_frame *frame);
	int (*signal_frame_flush)(struct platform_thread *thread);

	/*
	 * Guest memory of a stopped thread. May sleep. Return the number of bytes copied before the
	 * first inaccessible one (0..size), or -ESRCH. copy_in serves bytes that travelled with the
	 * request from the private snapshot: reading twice within one call gives the same bytes, or
	 * a fresh request, never shared memory. Large sizes are split; each turn copies at most 128
	 * KiB.
	 */
	ssize_t (*copy_in)(struct platform_thread *thread, void *dst, gaddr_t src, size_t size);
	/*
	 * The string at @src as far as it travelled with the request: at most @size bytes, NUL
	 * included. Returns how many when the NUL is among them, else 0 (the caller then uses
	 * copy_in). Missing: 0. Asks nobody and does not sleep.
	 */
	size_t (*string_at_hand)(
		struct platform_thread *thread, char *dst, gaddr_t src, size_t size);
	/*
	 * The @size bytes at @src when all of them travelled with the request, in private memory
	 * that stays until the thread's next exchange; else NULL. Missing: NULL. Asks nobody and
	 * does not sleep.
	 */
	const void *(*bytes_at_hand)(struct platform_thread *thread, gaddr_t src, size_t size);
	/* What travelled with the request is forgotten: what is read from now on is what memory
	 * holds. Missing: nothing travels. */
	void (*forget)(struct platform_thread *thread);
	ssize_t (*copy_out)(
		struct platform_thread *thread, gaddr_t dst, const void *src, size_t size);
	/*
	 * As copy_out, but the platform may delay it until the thread goes back to the guest; a
	 * fault then turns the call's result into -EFAULT. Returns 0, or -EFAULT/-ESRCH when it
	 * copied at once. For results whose loss undoes nothing.
	 */
	int (*copy_out_deferred)(
		struct platform_thread *thread, gaddr_t dst, const void *src, size_t size);

	/*
	 * As copy_out, no later than the thread's next return to the guest, and a fault is nobody's
	 * business (clear_child_tid and the like). Ordered with what else is asked of the thread.
	 * Missing: copy_out.
	 */
	void (*copy_out_lossy)(
		struct platform_thread *thread, gaddr_t dst, const void *src, size_t size);

	/*
	 * As copy_out_deferred, of what @content has at @offset, without the bytes passing through
	 * the kernel: for reads of files that the platform has mapped in the address space, or now
	 * maps because they are read a lot. The kernel knows that the content has all @size bytes;
	 * should it be shorter by then, the call's result becomes @before (what the call's results
	 * are without these bytes) and what was there. Returns how many bytes of the first ones it
	 * took care of (> 0); -EAGAIN: use copy_out; -EBADF: as before, but with a descriptor it
	 * would do it; -ESRCH. Missing: -EAGAIN. May sleep.
	 */
	ssize_t (*copy_content)(struct platform_thread *thread, gaddr_t dst,
		const struct platform_content *content, uint64_t offset, size_t size,
		uint64_t before);

	/*
	 * The stopped thread may read less from now on: what is mapped for copy_content in its
	 * address space goes, but for what other threads may be copying from, which have not given
	 * up anything yet. Missing: there is nothing. May sleep.
	 */
	void (*forget_content)(struct platform_thread *thread);

	/*
	 * Between these two, map, unmap, protect and copy_out of the stopped thread may be delayed
	 * and report success all the same; descriptors must stay open. batch_end() runs what was
	 * delayed and returns what the first of them that failed did, Linux's errno, or -ESRCH:
	 * what became of the others is not said, so batches are for what is given up as a whole.
	 * May sleep. Missing: nothing is delayed.
	 */
	void (*batch_begin)(struct platform_thread *thread);
	int (*batch_end)(struct platform_thread *thread);

	/* Mapping operations by a stopped thread in its own address space; one at a time for each.
	 * May sleep. Linux's errno. */
	int (*map)(struct platform_thread *thread, const struct platform_map *map);
	int (*unmap)(struct platform_thread *thread, gaddr_t addr, uint64_t size);
	int (*protect)(struct platform_thread *thread, gaddr_t addr, uint64_t size, int prot);
	/* To a destination that the kernel picked and that is free (MREMAP_FIXED), or in place when
	 * the addresses are equal. */
	int (*remap)(struct platform_thread *thread, gaddr_t old_addr, uint64_t old_size,
		uint64_t new_size, gaddr_t new_addr);
	int (*advise)(struct platform_thread *thread, gaddr_t addr, uint64_t size, int advice);
	/* Does at once what was delayed (may_delay). May sleep. 0, or how the mapping operation
	 * among it failed. Missing: nothing is ever delayed. */
	int (*settle)(struct platform_thread *thread);

	/*
	 * Patches the call site of the thread's last event (platform_event.syscall.site). 0: it is
	 * done; -ENOSPC: no area of trampolines with room is within reach, come again with a new
	 * one; other errors: it stays as it is. May sleep. Missing: sites are never worth it.
	 */
	int (*patch)(struct platform_thread *thread, const struct platform_patch *patch);
	/* Gives all patched sites of the address space their own bytes back; the kernel holds its
	 * lock on the mappings. May sleep. 0, -ESRCH. Missing: there are none. */
	int (*unpatch)(struct platform_thread *thread);

	/*
	 * Within a batch, or with @text->content directly after map(): replaces pages of such code
	 * by ones that do the same without what is slow in a sandbox, with the help of code at
	 * @text->area. True: the area is taken, the kernel lists it like those of patch(). When any
	 * of it changes later, the platform puts the file's code back by itself. May sleep with
	 * @text->content. Missing: never.
	 */
	bool (*prepare_text)(struct platform_thread *thread, const struct platform_text *text);

	/*
	 * A host futex operation on the guest's own memory. May sleep; ends with -ERESTARTSYS when
	 * interrupt()ed. The systrap stub answers plain futex calls itself; this is for the rest
	 * and for the kernel's own wakes (clear-child-tid).
	 */
	int64_t (*futex)(struct platform_thread *thread, const struct platform_futex *futex);

	/*
	 * The host's rseq(2) for the stopped thread's host thread: 0, or Linux's errno. What is
	 * registered lives and ends with that thread; a forked process inherits it (the host's
	 * clone(2)). May sleep. Missing: there is none.
	 */
	int (*rseq)(struct platform_thread *thread, gaddr_t area, uint32_t size, uint32_t flags,
		uint32_t sig);
	/* As rseq() with RSEQ_FLAG_UNREGISTER, ordered with what else is asked of the thread, when
	 * nobody cares whether it succeeds. May sleep. Missing with rseq(). */
	void (*rseq_end)(struct platform_thread *thread, gaddr_t area, uint32_t size, uint32_t sig);

	/* Where the host's vDSO is mapped in a fresh address space (the kernel may move it with
	 * remap()), and its size. 0 = none. */
	void (*vdso)(struct platform_as *as, gaddr_t *ret_addr, uint64_t *ret_size);
	/* First address above the guest's: the kernel places nothing at or above it. */
	gaddr_t (*guest_end)(void);

	/* Host CPU time used by the thread, ns, split user/system. 0 or -ESRCH. Does not sleep. */
	int (*cpu_time)(struct platform_thread *thread, uint64_t *ret_user, uint64_t *ret_system);
	/* Page faults that the host's thread took, and what is resident. 0 or -ESRCH, also where
	 * the host does not tell. Does not sleep. */
	int (*usage)(struct platform_thread *thread, struct platform_usage *ret);
	/* Bytes resident in the address space, and how many of them are of files and shared memory
	 * (@ret_shared may be NULL). 0 or -ESRCH. Does not sleep. */
	int (*resident_size)(struct platform_as *as, uint64_t *ret_size, uint64_t *ret_shared);
	/*
	 * Bytes of host memory that the address space holds and nobody else could take back:
	 * private pages, resident or swapped out, and page tables. (Shared memory and files are the
	 * kernel's own to count.) Believes nothing that the guest can write. Cheap when the process
	 * has not run since it was asked last. 0 or -ESRCH. Does not sleep.
	 */
	int (*memory_use)(struct platform_as *as, uint64_t *ret_size);

	/* The table that processes look at which were made since there is one: the kernel's to
	 * write, and nobody else's. Missing, or NULL: there is none (yet). */
	struct platform_names *(*shared_names)(void);

	/* The number of the file with this platform_content.id among those that processes which are
	 * made from now on can map without its descriptor; -1: it is not one of them. */
	int (*library_number)(uint64_t content);

	/*
	 * Hands @put one number after the other with a name for people: how calls came, what was
	 * patched. Part of it is what guests claim. Complete after stop(). Missing: nothing is
	 * counted.
	 */
	void (*stats)(void (*put)(const char *name, uint64_t value));

	/* How many calls of each number never came here so far, as the guests' side claims;
	 * complete after stop(). NULL: none. */
	void (*answered)(void (*put)(uint64_t nr, uint64_t count));

	/* The list that the stubs' seccomp filter is made of: entry @index, false behind the last
	 * one. Needs no start(). Missing: there is no such filter. */
	bool (*stub_call)(unsigned index, struct platform_stub_call *ret);
};

/* For memory_use(): what the text of /proc/PID/status (proc(5)) adds up to; 0 for a process that
 * has no memory any more. */
uint64_t platform_status_memory(const char *status);

extern const struct platform_ops platform_systrap;
extern const struct platform_ops platform_ptrace;
/* For unit tests: runs no code; memory is a sparse array, events are scripted. platform/null/null.h
 * drives it. */
extern const struct platform_ops platform_null;

/* The platform in use, set once by the kernel before start(). */
extern const struct platform_ops *platform;

/* What a platform wants to know of the host's files, asked while they are in reach: before the
 * kernel process is confined. */
void platform_capture_host(void);
/* CPUs that the control groups of this process leave it, rounded down; UINT32_MAX: all. */
extern unsigned platform_cpu_quota;

/* All registers of a stopped thread, to be read or changed (then regs_dirty says so). */
static inline struct guest_regs *platform_regs(struct platform_thread *thread)
{
	if (thread->regs_lazy)
		platform->load_regs(thread);
	return &thread->regs;
}

#endif
