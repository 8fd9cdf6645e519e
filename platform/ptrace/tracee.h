/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_PLATFORM_PTRACE_TRACEE_H
#define SENTRY_PLATFORM_PTRACE_TRACEE_H

/* Private to platform/ptrace/. The theory is in docs/ptrace.md. */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>

#include "abi/limits.h"
#include "base/fiber.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/wait.h"
#include "platform/platform.h"

#ifndef PTRACE_SYSEMU
#define PTRACE_SYSEMU 31
#endif

/*
 * What sits above the guest in each address space, from the top down (TASK_SIZE_MAX is
 * 0x7ffffffff000): the injection page (r-x), the mailbox (rw-, scratch for injected calls, which
 * the guest may scribble over to its own harm), then the vDSO with its data pages.
 */
#define PT_INJECT_PAGE	0x7fffffffd000ull
#define PT_MAILBOX	0x7fffffffc000ull
#define PT_VDSO_CEILING 0x7fffffff0000ull
#define PT_GUEST_END	0x7fffff000000ull

/* Entry points in the injection page; see inject.c for the code. */
#define PT_INJECT_CALL (PT_INJECT_PAGE + 0x00) /* syscall; int3 */
#define PT_INJECT_MAP  (PT_INJECT_PAGE + 0x10) /* recvmsg; mmap; close; int3 */

/* Descriptors of a stub. */
#define PT_STUB_SOCKET 0 /* receiving end of the transfer socket */
#define PT_STUB_PIPE   1 /* kill pipe, read end */
#define PT_STUB_SLOT   2 /* where a received descriptor lands: the lowest free number */

/* The two clones a stub may make. */
#define PT_CLONE_FORK	0x00008011ull /* CLONE_PARENT | SIGCHLD */
#define PT_CLONE_THREAD 0x00050f00ull /* CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM */

enum tracee_state {
	TRACEE_STOPPED, /* in a ptrace stop that we have collected: every request is legal */
	TRACEE_RUNNING, /* resumed; the next stop has not been collected */
	TRACEE_DEAD,	/* exited or being killed: only reaping is left */
};

enum tracee_activity {
	TRACEE_IDLE,	 /* stopped, or in an injected call that is certain to end */
	TRACEE_IN_GUEST, /* run() is waiting for it: may be interrupted */
	TRACEE_IN_FUTEX, /* an injected futex wait: may be interrupted */
};

/* A host process. Freed when its last tracee is. */
struct platform_as {
	unsigned tracee_count; /* objects, those that wait to be reaped included */
	unsigned thread_count; /* tracees that the kernel has not released */
	pid_t tgid;
	bool leader_reaped; /* tgid may belong to somebody else by now */
	bool killed;
	uint64_t used_ns, used_memory; /* at the last memory_use(): CPU time, and its answer */
	struct list_head tracees;
};

/*
 * A host thread. The kernel's object and the host's thread end in either order: it is freed when it
 * is both released and reaped.
 */
struct tracee {
	struct platform_thread pub; /* first: the two pointers convert */
	struct list_head as_link;
	struct hash_entry by_tid; /* while not reaped */
	pid_t tid;
	enum tracee_state state;
	enum tracee_activity activity;
	bool released;	      /* by the kernel */
	bool reaped;	      /* by wait4(): the tid is free */
	int status;	      /* of the last stop collected, or of the exit when reaped */
	struct fiber *waiter; /* parked until state is no longer RUNNING */
	/* The host's view at the last stop. With in_host set these are the registers that the
	 * tracee has. */
	struct user_regs_struct host;
	bool in_host;
	struct user_regs_struct injected; /* registers when the last injected call ended */
	pid_t child;			  /* born of the last injected clone; 0 = none */
	bool interrupted;		  /* interrupt() came during this activity */
	bool unpinned;			  /* may run on any core */
	uint64_t away_since; /* when it went to the guest, ns; while a fiber is parked for that */
	bool quick;	     /* its last turn in the guest was short: waiting for it at once pays */
};

struct pt_globals {
	const struct platform_upcalls *upcalls;
	struct platform_config config;
	bool started;
	pid_t group; /* process group of all stubs */
	struct platform_as *zygote_as;
	struct tracee *zygote;
	struct fiber_mutex zygote_lock;
	struct hash_table tracees; /* by tid */
	unsigned tracee_count;	   /* objects */
	unsigned thread_count;	   /* those that the kernel has not released, and the zygote */
	unsigned running;	   /* tracees in TRACEE_RUNNING, dying ones included */
	unsigned away;		   /* tracees in the guest whose fibers are parked */
	struct list_head newborns; /* stops of children that nobody has claimed yet */
	unsigned births; /* clones under way: their children may show up among the newborns */
	int socket_send,
		socket_receive; /* the receiving end is kept to drain what a dead stub left */
	struct fiber_mutex socket_lock;
	int kill_pipe; /* write end */
	int proc_fd;
	gaddr_t vdso_addr;
	uint64_t vdso_size;
	void *fpu_initial;
	size_t fpu_size, fpu_host_size;	       /* of images that we hand out; of the host's */
	uint8_t fpu_scratch[PLATFORM_FPU_MAX]; /* for one request; nothing sleeps with it */
	struct loop_source source;
	bool poll_needed;	/* a SIGCHLD was consumed and not every tracee was asked since */
	struct loop_fd sigchld; /* a signalfd */
};
extern struct pt_globals pt;

static inline struct tracee *tracee_of(struct platform_thread *thread)
{
	return (struct tracee *)thread;
}

/* tracee.c: objects, waiting and reaping */

/* Whether one more thread may be made: EAGAIN where not. */
bool tracees_below_cap(void);
/* A tracee that is in no table yet. NULL at the cap or when out of memory. */
struct tracee *tracee_new(struct platform_as *as);
/* Gives it its thread id; -ENOMEM. The state is RUNNING until its first stop is collected. */
int tracee_register(struct tracee *t, pid_t tid);
/* The kernel (or a failed clone) gives up its hold. */
void tracee_release(struct tracee *t);
struct platform_as *as_new(void);
void as_sigkill(struct platform_as *as);

/* ptrace(2) on a stopped tracee: 0 or -errno; -ESRCH turns it DEAD. */
int tracee_request(struct tracee *t, int request, void *addr, void *data);
/* Resumes; on success the state is RUNNING. @request is PTRACE_SYSEMU or PTRACE_CONT. */
int tracee_resume(struct tracee *t, int request);
/* Parks the fiber (outside fibers: blocks) until @t is not RUNNING. May sleep. */
void tracee_wait(struct tracee *t);
/* Collects every status that the host has for us. Returns how many. */
unsigned tracees_poll(void);
/* Called when no clone is under way: children that nobody claimed are killed. */
void newborns_kill(void);
/* After every host process is gone: what the kernel still holds is DEAD, the rest is freed. */
void tracees_forget(void);

/* affinity.c */

void affinity_start(void);
void affinity_stop(void);
/* Around a parked wait for a tracee that runs guest code. */
void affinity_leave(struct tracee *t, uint64_t now);
void affinity_contended(uint64_t now);
void affinity_return(struct tracee *t, uint64_t now);

/* inject.c: host calls made by a stopped tracee */

struct injected_call {
	uint64_t nr;
	uint64_t args[6];
};
/*
 * Makes @t perform a host call in the injection page. May sleep. The guest's registers are reloaded
 * by the next run(). Returns the host's result (a negative errno in its range), or -ESRCH when the
 * thread died.
 */
int64_t tracee_call(struct tracee *t, const struct injected_call *call);
/* Loads registers that start @call at @entry and lets the tracee go, without waiting. */
int tracee_call_begin(struct tracee *t, uint64_t entry, const struct injected_call *call);
/*
 * Waits for the int3 behind the injected call, skipping stops that are none of ours. False when the
 * tracee died. With @interruptible it also ends (true) when the call was interrupted in the host:
 * check the registers.
 */
bool tracee_call_finish(struct tracee *t, bool interruptible);
extern const uint8_t inject_code[];
extern const size_t inject_code_size;

/* filter.c: the seccomp program of the stubs */

struct sock_filter;
const struct sock_filter *filter_program(unsigned short *ret_count);
bool ptrace_stub_call(unsigned index, struct platform_stub_call *ret);

/* fault.c */

/* Fills @event from a signal-delivery-stop. False when the signal is not the guest's doing (a
 * kill(1) from outside). */
bool fault_from_stop(struct tracee *t, int signo, struct platform_event *event);
void fault_int80(struct tracee *t, struct platform_event *event);

/* run.c */

void regs_from_host(struct tracee *t);
void ptrace_run(struct platform_thread *thread, struct platform_event *ret_event);
void ptrace_interrupt(struct platform_thread *thread);

/* zygote.c */

int zygote_start(const char **ret_why);

/* The slots of platform_ops. */
int ptrace_probe(const char **ret_missing);
int ptrace_as_create(struct platform_as **ret_as, struct platform_thread **ret_thread);
int ptrace_thread_clone(struct platform_thread *parent, const struct platform_clone *clone,
	struct platform_thread **ret_thread);
int ptrace_map(struct platform_thread *thread, const struct platform_map *map);
int ptrace_unmap(struct platform_thread *thread, gaddr_t addr, uint64_t size);
int ptrace_protect(struct platform_thread *thread, gaddr_t addr, uint64_t size, int prot);
int ptrace_remap(struct platform_thread *thread, gaddr_t old_addr, uint64_t old_size,
	uint64_t new_size, gaddr_t new_addr);
int ptrace_rseq(
	struct platform_thread *thread, gaddr_t area, uint32_t size, uint32_t flags, uint32_t sig);
void ptrace_rseq_end(struct platform_thread *thread, gaddr_t area, uint32_t size, uint32_t sig);
int ptrace_advise(struct platform_thread *thread, gaddr_t addr, uint64_t size, int advice);
int64_t ptrace_futex(struct platform_thread *thread, const struct platform_futex *futex);
ssize_t ptrace_fpu_get(struct platform_thread *thread, void *image, size_t capacity);
int ptrace_fpu_set(struct platform_thread *thread, const void *image, size_t size);
int ptrace_fpu_reset(struct platform_thread *thread);
ssize_t ptrace_copy_in(struct platform_thread *thread, void *dst, gaddr_t src, size_t size);
ssize_t ptrace_copy_out(struct platform_thread *thread, gaddr_t dst, const void *src, size_t size);
int ptrace_copy_out_deferred(
	struct platform_thread *thread, gaddr_t dst, const void *src, size_t size);
int ptrace_cpu_time(struct platform_thread *thread, uint64_t *ret_user, uint64_t *ret_system);
int ptrace_usage(struct platform_thread *thread, struct platform_usage *ret);
int ptrace_resident_size(struct platform_as *as, uint64_t *ret_size, uint64_t *ret_shared);
int ptrace_memory_use(struct platform_as *as, uint64_t *ret_size);

#endif
