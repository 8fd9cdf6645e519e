/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SYSTRAP_SYSTRAP_H
#define SENTRY_SYSTRAP_SYSTRAP_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "base/fiber.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/wait.h"
#include "platform/platform.h"
#include "platform/systrap/site.h"
#include "platform/systrap/stub/layout.h"

/* Private to platform/systrap/. */

#define SYSTRAP_TEXTS_MAX     4u	 /* prepared parts of code in an address space */
#define SYSTRAP_TEXT_SIZE     (2u << 20) /* of code that is looked at, at most */
#define SYSTRAP_LIBRARY_PAGES 64u	 /* of a library that are prepared, at most */
#define SYSTRAP_LEARNING_MAX  4u	 /* mappings whose traps are counted */
#define SYSTRAP_SLOTS_MAX     (CHANNEL_SEGMENT_SLOTS * CHANNEL_SEGMENTS_MAX)

struct systrap_patches; /* patch.c */

/* A host process. Freed when its last thread is released and the process is reaped. */
struct systrap_as {
	struct list_head link;		 /* systrap.spaces */
	struct list_head condemned_link; /* systrap.condemned */
	pid_t pid;
	struct loop_fd pidfd; /* readable when the process ended */
	bool killed;	      /* SIGKILL was sent, or the process is gone */
	bool dying;	      /* likewise, with nobody left who wants to know: counted, unwatched */
	bool reaped;
	unsigned live_threads; /* not yet released */
	unsigned leaving_count;
	int wait_status;
	/* Serialises what uses the transfer slot, and clones. */
	struct fiber_mutex transfer;
	uint64_t kept; /* platform_map.content of the descriptor that lies there; 0: none does */
	struct list_head threads; /* systrap_thread.as_link, leaving ones included */
	struct {
		int memfd;		    /* kept only until it is attached */
		struct channel_slot *slots; /* our mapping of CHANNEL_SEGMENT_SLOTS */
	} segments[CHANNEL_SEGMENTS_MAX];
	uint64_t slots_used[SYSTRAP_SLOTS_MAX / 64];
	uint64_t stacks_used[SYSTRAP_SLOTS_MAX / 64];
	uint64_t stacks_mapped[SYSTRAP_SLOTS_MAX / 64];
	uint64_t slots_locked[SYSTRAP_SLOTS_MAX / 64];
	bool had_threads;		 /* more than its first one */
	uint64_t used_ns, used_memory;	 /* at the last memory_use(): CPU time, and its answer */
	struct systrap_windows *windows; /* owned; NULL: none yet */
	struct systrap_patches *patches; /* owned; NULL: nothing was ever patched */
	unsigned library_count;		 /* files of the library that it has */
	/* Prepared code, and the address that its first page's number counts from. */
	struct {
		struct systrap_text *text; /* borrowed; NULL: free */
		uint64_t addr;
	} texts[SYSTRAP_TEXTS_MAX];
	bool has_store; /* of prepared code: its descriptor */
	bool has_names; /* the table of names is mapped */
	/* Where libraries lie whose calls are counted (learn.c): the last so many. */
	unsigned learning_count;
	struct {
		uint64_t addr, size;
		uint8_t file;
	} learning[SYSTRAP_LEARNING_MAX];
};

enum systrap_state {
	SYSTRAP_STOPPED,    /* the last request was read and has no reply yet */
	SYSTRAP_IN_GUEST,   /* replied "resume" */
	SYSTRAP_IN_COMMAND, /* replied with commands */
	SYSTRAP_LEAVING,    /* released: replied "exit"; the host thread may still be there */
	SYSTRAP_RETIRED,    /* released, but the process's leader: sleeps in its doorbell until the
			       process ends */
	SYSTRAP_DEAD,	    /* the host thread is gone */
};

/* What the last request carried, in our own memory: the only copy that anybody looks at. */
struct systrap_snapshot {
	struct channel_request request; /* as far as its kind goes; not regs */
	uint32_t prefetch_count;	/* of request.prefetch, checked: offsets and sizes */
	uint8_t *data;			/* CHANNEL_DATA_SIZE bytes, allocated when first needed */
};

/* A batch under way (batch.c). */
struct systrap_batch {
	bool active;
	bool locked;		    /* we hold as->transfer */
	int error;		    /* of the first command that failed */
	int fds[STUB_FD_TRANSFERS]; /* ours, that lie in the transfer slots; -1: none */
};

struct systrap_thread {
	struct platform_thread head;
	struct systrap_as *as;
	struct list_head as_link;
	struct hash_entry tid_node; /* systrap.threads, by tid */
	pid_t tid;
	bool leader;
	bool fresh; /* sleeps in its first doorbell, which the first reply answers */
	enum systrap_state state;
	unsigned slot_index, stack_index;
	struct channel_slot *slot; /* in our mapping */
	uint32_t seq;		   /* of the last request that was read */
	bool event_ready;      /* a request was read and run() or a command waits to look at it */
	unsigned idle_rings;   /* doorbells without a request, since the last one */
	uint64_t notification; /* id of its pending doorbell, 0 = none */
	struct fiber *waiter;  /* parked until event_ready or death */
	bool interruptible_command; /* IN_COMMAND, in a futex wait that interrupt() ends */
	bool kicked;		    /* interrupt() was called since the last request */
	bool awaits_doorbell;	    /* waiter waits for `notification` */
	uint64_t since_tick;	    /* systrap.tick when the state was entered */
	uint64_t kicked_tick;

	/* Replies are put together here: delayed copy-outs wait for the resume. The first one is
	 * the reply's own output; when commands join it, it becomes one of them. */
	struct {
		uint64_t addr;
		uint32_t size; /* 0: none; up to CHANNEL_REPLY_NEAR its bytes are in `near` */
		bool lossy, from_window;
		struct channel_window_out window;
		uint8_t near[CHANNEL_REPLY_NEAR];
	} out;
	unsigned pending_commands;
	uint32_t pending_data;
	unsigned deferred_count; /* of the first pending commands: delayed ones */
	int64_t deferred_results[CHANNEL_COMMANDS_MAX]; /* that they must have; DEFERRED_LOSSY */
	uint32_t windows_used;				/* slots that it may be copying from */
	/* A frame is among the pending commands; it was refused; the last resume had one. */
	bool frame_pending, frame_refused, frame_resumed;
	unsigned frame_index;
	bool pending_fault; /* a delayed copy-out had to be done at once, and failed */
	struct systrap_batch batch;
	/* The delayed host call among the pending commands. */
	struct {
		bool pending;
		unsigned index;
		int64_t expected;
		int error; /* it had to be done at once, and failed: run() says so */
	} late;

	/* Spinning, spin.c; times are of the time-stamp counter */
	bool watched;
	unsigned apart_from;	   /* its affinity spares this CPU - 1; 0: none */
	struct list_head hot_link; /* systrap.hot while watched */
	unsigned quick_calls;	   /* in a row */
	uint8_t crowded;	   /* of the last request */
	uint64_t asked_at;	   /* the last request was seen */
	uint64_t replied_at;	   /* 0: never */
	uint64_t usual_away;	   /* average time from an answer to the next request, clipped */
	unsigned cpu;		   /* where it was answered, or sent to (place.c) */
	unsigned rang_cpu;	   /* where it says that it rang, below CPU_SETSIZE */
	uint64_t rang_at;
	uint64_t parked_at;  /* when the answer turned out to need time; 0: it did not */
	uint64_t usual_park; /* average time from there to the answer, clipped */

	struct systrap_snapshot snapshot;
	/* Two requests' worth: the kernel need not have looked at the first one's. */
	struct platform_told told[2 * PLATFORM_TOLD_MAX];
};

/* A clone that was asked of a stub and is not done yet. */
struct systrap_clone {
	struct list_head link; /* systrap.clones */
	uint64_t token;
	struct systrap_thread *parent; /* whose fiber waits */
	uint64_t flags;		       /* what the notification must show */
	unsigned approvals_left;
	bool new_as;
	struct systrap_as *as;	 /* of the thread to come; for a fork the new, empty one */
	pid_t tid;		 /* of the child once it presented the token */
	uint64_t notification;	 /* the child's */
	struct wait_queue queue; /* of the one who asked */
};

struct systrap {
	struct platform_config config;
	const struct platform_upcalls *upcalls;
	bool started, stopping;
	pid_t group;   /* process group of all stubs */
	int kill_pipe; /* write end: its closing kills every stub */
	struct loop_fd listener;
	struct loop_source source;
	struct timer check_timer; /* lost threads, late leavers */
	uint64_t tick;		  /* of check_timer: time that stands still while we are stopped */
	struct list_head spaces;
	struct list_head clones;
	struct list_head condemned; /* processes without threads of the kernel, to be killed */
	unsigned condemned_turns;   /* of the loop, since the last one came */
	unsigned dying_count;	    /* killed and to be reaped when there is time */
	struct list_head hot;
	unsigned hot_count, cpu_count;
	cpu_set_t cpus; /* that we may use */
	struct hash_table threads;
	unsigned thread_count; /* that the kernel holds */
	struct systrap_thread *zygote;
	struct {
		uint64_t verdicts[SITE_VERDICTS]; /* of sites that were worth a patch */
		uint64_t seen, patched, failed, unread, restored;
		uint64_t prepared_programs, prepared_libraries; /* text.c */
	} sites;
	unsigned running_count; /* threads in guest */
	bool strays_possible;	/* a clone was let through and nobody came of it */
	bool sync_wake;		/* the listener wakes on the current CPU */
	uint64_t vdso_addr, vdso_size;
	uint64_t vdso_clock_gettime; /* the stubs' address of it, 0: none */
	uint64_t tsc_per_us;
	/* Requests by doorbell and by watching; hot periods, and those that did not pay; calls
	 * through a trampoline among the requests; what the stubs counted (struct
	 * channel_counters). */
	struct {
		uint64_t cold, hot, promotions, wasted, sent, stayed;
		uint64_t fast_cold, fast_hot;
		uint64_t trapped, trapped_answered, fast_answered;
		uint64_t answered[CHANNEL_NUMBERS]; /* by number */
	} stats;
};

extern struct systrap systrap;

static inline struct systrap_thread *systrap_thread(struct platform_thread *thread)
{
	return (struct systrap_thread *)thread;
}

static inline void systrap_set_state(struct systrap_thread *thread, enum systrap_state state)
{
	if (thread->state == SYSTRAP_IN_GUEST)
		systrap.running_count--;
	if (state == SYSTRAP_IN_GUEST)
		systrap.running_count++;
	thread->state = state;
}

/* space.c: processes and their channels */
int systrap_as_new(struct systrap_as **ret_as);
/* Frees what the Sentry holds for an address space whose process never came up or is reaped. */
void systrap_as_free(struct systrap_as *as);
int systrap_as_attach(struct systrap_as *as, pid_t pid); /* the process exists: watch it */
/* Reserves a slot and makes sure that its segment exists on our side. -EAGAIN, -ENOMEM. */
int systrap_slot_alloc(struct systrap_as *as, unsigned *ret_index);
void systrap_slot_free(struct systrap_as *as, unsigned index);
int systrap_stack_alloc(struct systrap_as *as, unsigned *ret_index);
void systrap_stack_free(struct systrap_as *as, unsigned index);
/* The segment's memfd while no stub has it mapped, else -1. */
int systrap_segment_fd(struct systrap_as *as, unsigned index);
void systrap_segment_attached(struct systrap_as *as, unsigned index);
void systrap_as_kill(struct platform_as *as);
void systrap_reap(void); /* every stub process that ended */
/*
 * Kills the processes that the kernel has let go of. Not at once: whoever waits for their end is
 * answered first, since a dying process takes the CPU. Called in each turn of the loop, and with
 * @now before it sleeps.
 */
void systrap_bury(bool now);
int systrap_thread_new(struct systrap_thread **ret_thread, struct systrap_as *as, pid_t tid,
	unsigned slot_index, unsigned stack_index, bool leader);
/* Frees a released thread whose host thread is gone (or will be with its process). */
void systrap_thread_free(struct systrap_thread *thread);
/* What the thread's stub claims to have answered so far is added to @sums. */
void systrap_add_answered(const struct systrap_thread *thread, uint64_t sums[CHANNEL_NUMBERS]);
/* Release without the count of max_threads. */
void systrap_thread_drop(struct systrap_thread *thread);
void systrap_thread_died(struct systrap_thread *thread);
struct systrap_thread *systrap_thread_find(pid_t tid);
/* Frees the slots of released threads that are gone by now. */
void systrap_sweep_leaving(struct systrap_as *as);
/* Asks the host. */
bool systrap_thread_exists(const struct systrap_thread *thread);
void systrap_check_expired(struct timer *timer);
void systrap_check_arm(void);

/* channel.c: the shared-memory side of a thread */
/* Reads a new request into the snapshot when there is one. 1 = yes, 0 = no, -EPROTO: nonsense, the
 * space was killed. */
int systrap_channel_poll(struct systrap_thread *thread);
/* Copies from shared memory: what lies there is looked at nowhere else. */
static inline void systrap_take(void *dst, const void *shared, size_t size)
{
	memcpy(dst, shared, size);
	__asm__ volatile("" ::: "memory");
}
/* The snapshot's bytes of a prefetched range. */
uint8_t *systrap_prefetched(
	struct systrap_snapshot *snapshot, const struct channel_prefetch *entry);
/* Whether systrap_channel_poll() would find something. */
static inline bool systrap_channel_has_news(const struct systrap_thread *thread)
{
	return __atomic_load_n(&thread->slot->request.head.seq, __ATOMIC_RELAXED) != thread->seq;
}
/* Publishes a reply with @flags, the result and the pending commands or output. */
void systrap_channel_reply(struct systrap_thread *thread, uint8_t flags, uint64_t rax);
/* Sleeps until the next request. 0, or -ESRCH. */
int systrap_wait_request(struct systrap_thread *thread);
/*
 * Appends a command to the reply under construction. NULL when it is full. Its data area grows from
 * thread->pending_data.
 */
struct channel_command *systrap_command_add(
	struct systrap_thread *thread, enum channel_command_kind kind);
/* Runs the pending commands with @flags and waits for the results (in the snapshot). 0 or -ESRCH.
 */
int systrap_commands_run(struct systrap_thread *thread, uint8_t flags);
/* Forgets what the reply under construction held. */
void systrap_reply_clear(struct systrap_thread *thread);
int64_t systrap_result(const struct systrap_thread *thread, unsigned index);
/* One host call in the stub; @ret_result -4095..-1 for an error. 0 or -ESRCH. */
int systrap_host_call(
	struct systrap_thread *thread, uint32_t nr, const uint64_t args[6], int64_t *ret_result);
/* A host call that must have the result @expected: at once, or delayed where the kernel allows it
 * (may_delay). 0 or -errno. */
int systrap_host_call_expect(
	struct systrap_thread *thread, uint32_t nr, const uint64_t args[6], int64_t expected);
/* May the host calls of this operation wait for the resume? */
bool systrap_may_delay(const struct systrap_thread *thread);
/* Appends a host call to what is done before the thread goes on. There is room. */
struct channel_command *systrap_command_late(
	struct systrap_thread *thread, uint32_t nr, const uint64_t args[6], int64_t expected);
/* Whether a result is the one that was expected: 0, the host's -errno, or -EFAULT for a lie. */
int systrap_check_result(int64_t result, int64_t expected);
/* Runs delayed commands now, so that the data area and the commands are free. 0 or -ESRCH. */
int systrap_flush(struct systrap_thread *thread);
/* Makes sure that @count more commands and @size more bytes find room behind the delayed ones. 0 or
 * -ESRCH. */
int systrap_make_room(struct systrap_thread *thread, unsigned count, size_t size);
/*
 * A command that is carried out no later than the thread's return to the guest: the caller has made
 * room. @expected is the result that it must have, or DEFERRED_LOSSY; another one makes the call's
 * result -EFAULT.
 */
#define DEFERRED_LOSSY INT64_MIN
struct channel_command *systrap_command_defer(
	struct systrap_thread *thread, enum channel_command_kind kind, int64_t expected);
/* Whether the result of a delayed command decides something. */
bool systrap_deferred_matter(const struct systrap_thread *thread);
/* Makes @src the reply's own output, when there is nothing else in it yet. */
bool systrap_out_set(
	struct systrap_thread *thread, uint64_t dst, const void *src, size_t size, bool lossy);
/* Other commands are to join that: it becomes the first of them. */
/* The same from a window. */
bool systrap_out_set_window(struct systrap_thread *thread, uint64_t dst,
	const struct channel_window_out *from, size_t size);
void systrap_out_to_command(struct systrap_thread *thread);
/* Takes @size bytes of the data area for a delayed command: their offset. */
uint32_t systrap_data_take(struct systrap_thread *thread, size_t size);
/* Makes sure that the thread sleeps in its doorbell, so that a descriptor can be put into it. 0 or
 * -ESRCH. */
int systrap_need_doorbell(struct systrap_thread *thread);

/* window.c */
ssize_t systrap_copy_content(struct platform_thread *thread, gaddr_t dst,
	const struct platform_content *content, uint64_t offset, size_t size, uint64_t before);
void systrap_forget_content(struct platform_thread *head);

/* notify.c: the listener */
void systrap_listener_ready(struct loop_fd *fd, uint32_t events);
/* Answers a pending notification with @value, or lets the call go on. */
void systrap_notification_answer(uint64_t id, int64_t value);
void systrap_doorbell_answer(struct systrap_thread *thread);
/* Puts @fd into a transfer slot of the notification's process. -errno. */
int systrap_notification_addfd(uint64_t id, int fd, unsigned slot);
/* The same for a thread in its doorbell that exists; -ESRCH when it does no longer. */
int systrap_transfer(struct systrap_thread *thread, int fd, unsigned slot);

/* vdso.c: where stubs find a function of their vDSO; 0: nowhere. */
uint64_t systrap_vdso_symbol(const char *name);

/* spin.c */
#define SYSTRAP_STUB_SPIN_US 50u /* how long a stub waits awake for a reply while it is watched */
void systrap_spin_init(void);
uint64_t systrap_spin_tsc(void); /* that time, in ticks of the time-stamp counter */
/* A request was read, at @now on the time-stamp counter; @cold: it came by doorbell. */
void systrap_spin_event(struct systrap_thread *thread, bool cold, uint64_t now);
/* A reply is about to be published. */
void systrap_spin_reply(struct systrap_thread *thread);
void systrap_spin_leave(struct systrap_thread *thread);
/*
 * Around a clone: the parent, and thus the child, stays on our CPU, since it is us the child talks
 * to first; the scheduler would put it on another, whose wake-up costs more than the clone. Born:
 * it may go where it likes. With @seat so do we, for some time after: a process that starts or ends
 * has us woken many times, each time on whichever CPU is idle if the scheduler may choose, and
 * memory that two CPUs have used is forked and freed at the price of interrupts to both.
 */
void systrap_spin_clone(struct systrap_thread *parent, bool begin, bool seat);
void systrap_spin_born(pid_t tid);
bool systrap_spin_watching(void);
/* In guest, as far as we know, and not in a futex. */
bool systrap_spin_awake(const struct systrap_thread *thread);
/* Moves a thread to a CPU, where it need not stay. */
void systrap_spin_send(struct systrap_thread *thread, unsigned cpu);
/* Whether doorbells and their answers wake the other side on the present CPU. */
void systrap_spin_sync_wake(bool sync);
void systrap_spin_attach(void);
void systrap_spin_detach(void);

/* place.c: a doorbell of a thread that goes to the guest is about to be answered. True: not by
 * taking the thread to our CPU. */
bool systrap_place(struct systrap_thread *thread);

/* patch.c: call sites that jump instead of trapping */
int systrap_patch(struct platform_thread *head, const struct platform_patch *patch);
int systrap_unpatch(struct platform_thread *head);
void systrap_patches_free(struct systrap_patches *patches);
/* For a forked child. NULL when there is nothing to copy; -ENOMEM. */
int systrap_patches_copy(
	const struct systrap_patches *patches, struct systrap_patches **ret_patches);
/*
 * Before [addr, addr + size) is unmapped, replaced or (@gone false) otherwise changed: patched code
 * in it gets its bytes back, and so does what jumps to trampolines in it. May sleep. 0 or -ESRCH.
 */
int systrap_patch_leave(struct systrap_thread *thread, uint64_t addr, uint64_t size, bool gone);
/* Whether [addr, addr + size) holds a part of a trampoline area. */
bool systrap_patch_in_area(const struct systrap_as *as, uint64_t addr, uint64_t size);
/*
 * Corrects an event that happened in code that is being patched. True: it is none of the guest's,
 * run on with the registers as they are now.
 */
bool systrap_patch_event(struct systrap_thread *thread, const struct platform_event *event);

/* library.c: files that many processes map */
unsigned systrap_library_count(void); /* that a clone of the zygote has */
void systrap_library_fini(void);
int systrap_library_number(uint64_t content); /* -1: it is not there */
/* The descriptor in the address space's process. -1: it has none. */
int systrap_library_find(const struct systrap_as *as, const struct platform_map *map);
/* The file was brought to a process: again and again, it is worth a place. */
void systrap_library_note(const struct platform_map *map);

/* text.c: code that is changed before it runs */
/* For each program: before the second one makes what all stubs to come inherit. The zygote is the
 * caller's (its transfer mutex). */
void systrap_text_init(void);
void systrap_text_fini(void);
bool systrap_prepare_text(struct platform_thread *head, const struct platform_text *text);
/* Whether stubs that are cloned from the zygote now have the store's descriptor. */
bool systrap_text_has_store(void);
/* platform_ops.shared_names: it lies in the store. NULL: the zygote has it not mapped. */
struct platform_names *systrap_shared_names(void);
/*
 * Prepares @count pages of a library's code from @first on. False: not now, it would have to be
 * read from a disk. *ret_text stays as it is when there is no room for it.
 */
bool systrap_text_make_part(const struct platform_text *from, uint64_t first, uint64_t count,
	struct systrap_text **ret_text);
/* As systrap_patch_leave(), which calls it. */
int systrap_text_leave(struct systrap_thread *thread, uint64_t addr, uint64_t size, bool gone);

/* learn.c: which part of a library makes calls */
/* That code was mapped: what is prepared of it (borrowed), or NULL; then its calls are counted. */
struct systrap_text *systrap_learnt_text(struct systrap_as *as, const struct platform_text *from);
/* The thread's request was a call that trapped. */
void systrap_learn_trap(struct systrap_thread *thread);
void systrap_learn_fini(void);

/* memory.c, thread.c: operations */
const void *systrap_bytes_at_hand(struct platform_thread *thread, gaddr_t src, size_t size);
size_t systrap_string_at_hand(struct platform_thread *thread, char *dst, gaddr_t src, size_t size);
ssize_t systrap_copy_in(struct platform_thread *thread, void *dst, gaddr_t src, size_t size);
void systrap_forget(struct platform_thread *thread);
ssize_t systrap_copy_out(struct platform_thread *thread, gaddr_t dst, const void *src, size_t size);
int systrap_copy_out_deferred(
	struct platform_thread *thread, gaddr_t dst, const void *src, size_t size);
void systrap_copy_out_lossy(
	struct platform_thread *thread, gaddr_t dst, const void *src, size_t size);
int systrap_map(struct platform_thread *thread, const struct platform_map *map);
int systrap_unmap(struct platform_thread *thread, gaddr_t addr, uint64_t size);
/* batch.c: the same, collected */
void systrap_batch_begin(struct platform_thread *thread);
int systrap_batch_end(struct platform_thread *thread);
/* A mapping that may fail, which then changes nothing. @args of mmap; no descriptor. */
int systrap_batch_try_map(struct systrap_thread *thread, const uint64_t args[6]);
/* @args of mmap; the descriptor is filled in when there is one. */
int systrap_batch_map(
	struct systrap_thread *thread, uint64_t args[6], const struct platform_map *map);
/* A call that returns 0. */
int systrap_batch_call(struct systrap_thread *thread, uint32_t nr, const uint64_t args[6]);
int systrap_batch_copy_out(
	struct systrap_thread *thread, uint64_t dst, const void *src, size_t size);
int systrap_protect(struct platform_thread *thread, gaddr_t addr, uint64_t size, int prot);
int systrap_remap(struct platform_thread *thread, gaddr_t old_addr, uint64_t old_size,
	uint64_t new_size, gaddr_t new_addr);
int systrap_settle(struct platform_thread *head);
int systrap_rseq(
	struct platform_thread *thread, gaddr_t area, uint32_t size, uint32_t flags, uint32_t sig);
void systrap_rseq_end(struct platform_thread *thread, gaddr_t area, uint32_t size, uint32_t sig);
int systrap_advise(struct platform_thread *thread, gaddr_t addr, uint64_t size, int advice);
int64_t systrap_futex(struct platform_thread *thread, const struct platform_futex *futex);
ssize_t systrap_fpu_get(struct platform_thread *thread, void *image, size_t capacity);
int systrap_fpu_set(struct platform_thread *thread, const void *image, size_t size);
int systrap_fpu_reset(struct platform_thread *thread);
int systrap_signal_frame(struct platform_thread *thread, const struct platform_frame *frame);
int systrap_signal_frame_flush(struct platform_thread *thread);
int systrap_as_create(struct platform_as **ret_as, struct platform_thread **ret_thread);
int systrap_thread_clone(struct platform_thread *parent, const struct platform_clone *clone,
	struct platform_thread **ret_thread);
void systrap_thread_release(struct platform_thread *thread);
void systrap_run(struct platform_thread *thread, struct platform_event *ret_event);
void systrap_load_regs(struct platform_thread *thread);
void systrap_interrupt(struct platform_thread *thread);
void systrap_usage_init(void);
void systrap_usage_fini(void);
/* Kills processes of our group that no address space stands for. */
void systrap_kill_strays(void);
int systrap_cpu_time(struct platform_thread *thread, uint64_t *ret_user, uint64_t *ret_system);
int systrap_usage(struct platform_thread *thread, struct platform_usage *ret);
int systrap_resident_size(struct platform_as *as, uint64_t *ret_size, uint64_t *ret_shared);
int systrap_memory_use(struct platform_as *as, uint64_t *ret_size);

#endif
