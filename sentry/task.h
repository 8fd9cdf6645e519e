/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_TASK_H
#define SENTRY_SENTRY_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/gaddr.h"
#include "abi/resource.h"
#include "abi/signal.h"
#include "base/fiber.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/refcount.h"
#include "base/wait.h"
#include "platform/platform.h"
#include "vfs/vfs.h"

/*
 * Tasks: one struct task for each guest thread, one struct thread_group for each guest process.
 *
 * A task's fiber runs task_main(): platform->run(), dispatch the call, deliver signals, again. All
 * ids are the sandbox's own. Nothing here is ever read from a guest without a check.
 *
 *   task ---- thread_group ---- process_group ---- session ---- tty
 *     |-- mm (address space; shared by threads and vfork children)
 *     |-- files, fs, cred            |-- signal handlers (shared by CLONE_SIGHAND)
 */

struct mm;
struct tty;
struct task;

/* ---- ids ------------------------------------------------------------------------------------- */

enum pid_type { PID_TASK, PID_GROUP, PID_PGRP, PID_SESSION, PID_TYPES };

struct pid_ns;
struct nsproxy;

/* A number and who uses it; lives while a task, group, process group, session or pidfd refers to
 * it. */
struct pid {
	struct refcount refs;
	int nr;			       /* in the first namespace: what the kernel itself goes by */
	struct pid_ns *ns;	       /* owned: the innermost */
	unsigned level;		       /* of ns */
	struct task *task;	       /* the thread with this tid, NULL when gone */
	struct thread_group *group;    /* the process whose leader had it, until reaped */
	struct list_head pgrp_members; /* thread_group.pgrp_link */
	struct list_head session_members; /* thread_group.session_link */
	struct wait_queue exit_queue;	  /* pidfd poll */
	int numbers[];			  /* in its namespaces from the first one on: level + 1 */
};
/*
 * The next free number, or from the innermost namespace outwards those of @set_tid (clone3(2)); a
 * process in @ns gets one in each namespace above too. -EAGAIN, -ENOMEM, -EINVAL, -EEXIST, -EPERM.
 */
int pid_new(struct pid_ns *ns, const struct cred *cred, const int *set_tid, size_t set_tid_count,
	struct pid **ret);
/* What guests call @nr: numbers of the present task's namespace. Borrowed, NULL when unknown. */
struct pid *pid_find(int nr);
struct pid *pid_find_in(const struct pid_ns *ns, int nr);
/* Those in @ns call @pid so; 0: it has no number there. */
int pid_nr_in(const struct pid *pid, const struct pid_ns *ns);
/* The present task calls it so. NULL has the number 0. */
int pid_vnr(const struct pid *pid);
/* A number of the first namespace, as kept where no struct pid is, as the present task calls it. */
int pid_nr_here(int nr);
struct pid *pid_find_first(int nr); /* by such a number */
/* Kernel ids as the present task calls them. */
uint32_t uid_here(uint32_t uid);
uint32_t gid_here(uint32_t gid);
/* The used number >= @nr (in the first namespace) with the lowest value, for walks; borrowed, NULL
 * at the end. */
struct pid *pid_next(int nr);
struct pid *pid_next_in(const struct pid_ns *ns, int nr); /* the same by the numbers of @ns */
struct thread_group *pid_group(
	int nr);	       /* the process (zombies too) with this tgid; borrowed or NULL */
struct task *pid_task(int nr); /* the thread with this tid; borrowed or NULL */
struct pid *pid_ref(struct pid *pid);
void pid_unref(struct pid *pid);

/* ---- signals --------------------------------------------------------------------------------- */

struct sigaction_table { /* shared by CLONE_SIGHAND */
	struct refcount refs;
	struct lx_sigaction action[LX_NSIG]; /* [signo - 1] */
};

/* One queued signal; standard signals coalesce, real-time ones queue up to RLIMIT_SIGPENDING. */
struct sigqueue {
	struct list_head link;
	struct lx_siginfo info;
	struct posix_timer *timer; /* SI_TIMER: overrun is filled in at delivery; else NULL */
};

struct posix_timer; /* private to sentry/posix_timer.c */

struct sigpending {
	uint64_t set; /* bit signo - 1 */
	struct list_head queue;
};

/* ---- process --------------------------------------------------------------------------------- */

/* Which pages a core would hold, by kind: core(5). */
#define COREDUMP_FILTER_DEFAULT 0x33
#define COREDUMP_FILTER_MASK	0x1ff

/* What read(2) and write(2) and their relatives moved (proc(5), /proc/PID/io). */
struct task_io {
	uint64_t read_bytes, written_bytes, read_calls, write_calls;
};
static inline void task_io_add(struct task_io *to, const struct task_io *from)
{
	to->read_bytes += from->read_bytes;
	to->written_bytes += from->written_bytes;
	to->read_calls += from->read_calls;
	to->write_calls += from->write_calls;
}

struct thread_group {
	struct refcount refs;
	struct pid *pid;	/* tgid, owned */
	struct list_head tasks; /* task.group_link; live threads, leader first */
	struct task *leader;	/* may be a zombie while others live */
	unsigned live_count;

	struct key *process_keyring; /* owned; NULL: none yet */
	struct thread_group *parent; /* borrowed; NULL only for init */
	struct list_head children, child_link;
	struct wait_queue wait_children; /* wait4 sleeps here */
	struct task *parent_task; /* the thread that made us, NULL once it is gone: pdeath_signal,
				     __WNOTHREAD; borrowed */
	int exit_signal;	  /* to the parent; SIGCHLD for fork; 0 none */
	/* How many programs we had, and the parent had when it made us: a new one of the parent's
	 * gets no other signal than SIGCHLD from us. */
	unsigned exec_id, parent_exec_id;
	bool zombie, reaped, dumpable, did_exec, child_subreaper;
	bool was_subreaper_child; /* some ancestor may be a subreaper */
	bool unkillable; /* init of a namespace: what its own send without a handler for it does
			    not reach it */
	struct task *exec_task;		     /* waits in group_kill_other_threads(); borrowed */
	struct wait_queue thread_exit_queue; /* it sleeps here */

	struct pid *pgrp, *session; /* owned */
	struct list_head pgrp_link, session_link;
	struct tty *tty; /* controlling terminal, owned; NULL = none */
	struct pid
		*tty_old_pgrp; /* owned: its foreground group when it was hung up; leaders only */

	struct sigpending pending;	 /* process-directed */
	struct sigaction_table *sighand; /* owned; the group shares one */
	struct wait_queue signal_queue;	 /* signalfd and sigtimedwait watch it */

	bool exiting;		 /* exit_group or a fatal signal: every thread leaves */
	int exit_code;		 /* wait status once exiting */
	struct timer kill_timer; /* while exiting: the host process is killed when threads do not
				    leave by then */
	bool stopped;		 /* job control: all threads are parked */
	int stop_signo;
	unsigned stop_count; /* threads that have still to park; the last one reports */
	bool stop_reported, continued_pending; /* for wait4 WUNTRACED / WCONTINUED */
	struct wait_queue stop_queue;

	struct lx_rlimit64 rlimits[LX_RLIM_NLIMITS];
	struct task_io
		dead_io; /* of threads that have ended and of children that were waited for */
	struct {
		uint64_t user_ns, system_ns, minor_faults, major_faults, in_blocks, out_blocks,
			switches, max_rss;
	} dead_threads, dead_children; /* accumulated usage */
	uint64_t start_time;	       /* monotonic ns */

	struct timer alarm_real; /* ITIMER_REAL */
	uint64_t alarm_interval;
	void *cpu_timers; /* ITIMER_VIRTUAL/PROF: private to sentry/itimer.c */
	struct list_head posix_timers;
	int next_timer_id;

	int oom_score_adj, oom_score_adj_min; /* below the second only with CAP_SYS_RESOURCE */
	bool memory_killed;		      /* by the memory limit, its host process too */
	unsigned coredump_filter;	      /* core(5) */
};

/* ---- thread ---------------------------------------------------------------------------------- */

struct task {
	struct refcount refs;
	struct fiber *fiber;
	struct platform_thread *thread; /* owned; NULL before start and after exit */
	struct pid *pid;		/* tid, owned */
	struct thread_group *group;	/* owned */
	struct task_io io;
	struct list_head group_link;
	struct list_head inguest_link; /* inguest.c, once it was published; else empty */

	struct mm *mm;			/* owned reference */
	struct fd_table *files;		/* owned */
	struct fs_context *fs;		/* owned */
	struct cred *cred;		/* owned, replaced as a whole */
	struct nsproxy *nsproxy;	/* owned, likewise; NULL once it has left */
	struct sem_undo_list *sem_undo; /* System V semaphores, sentry/ipc/; owned, NULL: nothing */
	char comm[16];

	/* Signals. */
	uint64_t blocked;	/* the mask while mask_shared is false: others use task_blocked() */
	struct ahead *ahead;	/* ahead.c: what it listed last; owned, NULL: nothing */
	uint64_t brk_changes;	/* mm->changes of when inguest.brk_low and brk_high were said */
	bool opened_told;	/* thread->inguest->opened says something, namely of */
	uint8_t opened_reads;	/* (reads in a row that it was too old for) */
	uint8_t content_unused; /* opens in a row whose bytes nobody is known to have read */
	int opened_fd;		/* this, as of */
	uint32_t opened_epoch;	/* this names_epoch */
	bool umask_lent;	/* with mask_shared: and fs->umask is thread->inguest->umask */
	struct held *held;	/* held.c: what it knows of its descriptors; owned, NULL: nothing */
	bool mask_shared;	/* in guest: the mask is thread->inguest->blocked; inguest.c */
	uint64_t real_blocked;	/* sigtimedwait: the mask without the signals that it waits for; 0
				   else */
	uint64_t saved_blocked; /* sigsuspend, ppoll...: restored by the frame or on return */
	bool restore_blocked;
	struct sigpending pending; /* thread-directed */
	bool signal_wake;	   /* something for signal_deliver(): a signal, a stop, a kill */
	bool stop_pending;	   /* a group stop in which this thread has to park */
	bool parked;		   /* it does */
	bool may_stop;		   /* no SIGCONT came since it took the signal that it acts on */
	struct lx_stack sigaltstack;
	struct { /* while a handler's frame is still to be written: how it was without it */
		bool pending;
		int signo;
		struct guest_regs regs;
		uint64_t blocked, saved_blocked;
		bool restore_blocked;
		struct lx_stack sigaltstack;
	} unframed;
	uint32_t fpu_image_size; /* of the last image that the platform handed out; 0: none yet */
	struct {		 /* of the last fault, for sigcontext */
		uint64_t trapno, error_code, cr2;
	} fault;
	struct {
		int (*fn)(struct task *task); /* restart_syscall(2): runs again with data */
		uint64_t deadline;	      /* ns on clock */
		int clock;
		gaddr_t addr, addr2;
		uint64_t value;
		uint32_t bits, flags;
	} restart;
	int pdeath_signal;
	int seccomp_mode;		/* LX_SECCOMP_MODE_*, 0 none: sentry/seccomp.c */
	struct seccomp_filter *seccomp; /* owned; what is in force */
	struct key *thread_keyring, *session_keyring; /* owned; NULL: none yet. sentry/keys.c */
	int request_key_keyring;		      /* KEYCTL_SET_REQKEY_KEYRING */

	/* ptrace(2), sentry/trace.h. A traced thread keeps its tracer as a zombie. */
	struct task *tracer;	      /* borrowed; NULL: nobody traces it */
	struct list_head tracer_link; /* tracer->tracees */
	struct list_head tracees;
	struct trace *trace; /* owned; NULL: was never traced */
	bool gaining;	     /* in execve of what gives rights: nobody may look into it */
	bool errands;	     /* others wait for something on our fiber: before going to the guest */

	/* Threads. */
	gaddr_t clear_child_tid, robust_list; /* while mask_shared is false, as the mask */
	gaddr_t rseq;
	uint32_t rseq_size, rseq_sig;
	struct pi_state *pi_waiting; /* the futex that it sleeps for: sentry/futex_pi.c */
	gaddr_t set_child_tid;	     /* CLONE_CHILD_SETTID: written before the first instruction */
	bool vfork; /* the parent sleeps on vfork_queue until vfork_done: we exec or exit */
	bool vfork_done;
	struct wait_queue vfork_queue;
	struct task *vfork_child; /* whose queue we sleep on; borrowed */

	int nice, sched_policy, sched_priority;
	bool sched_reset_on_fork; /* SCHED_RESET_ON_FORK: children get what everybody has */
	int ioprio;		  /* class << 13 | level (ioprio_set(2)) */
	uint64_t affinity[16];	  /* bit mask of CPUs, as set by the guest */
	uint64_t timer_slack_ns, default_timer_slack_ns; /* the second as when it began */
	uint64_t start_time;
	uint64_t utime_ns, stime_ns;	       /* last known, in all */
	uint64_t past_utime_ns, past_stime_ns; /* of host threads before the present one (execve) */
	uint64_t minor_faults, major_faults;   /* last known, in all */
	uint64_t past_minor_faults, past_major_faults; /* as past_utime_ns */
	uint64_t switches;
	bool in_guest; /* within platform run() */
	unsigned personality;
	bool keep_caps;
	bool killed; /* SIGKILL, exit_group or another thread's execve reached this thread */
	bool exited;
	int exit_code; /* wait status with which it leaves */
	bool in_exec;
	bool may_run, abandoned;     /* the fiber waits until clone is complete, or has failed */
	struct platform_event event; /* of the present turn */
	struct observed *observed;   /* owned by observe.c; NULL while nobody looks */
	uint64_t current_nr; /* call in progress, UINT64_MAX when none: /proc/PID/syscall, wchan */
};

/* The numbers that the task itself knows. */
int task_own_tid(const struct task *task);
int task_own_tgid(const struct task *task);
/* Where a task can wait: what others want done on its fiber (task_run_errand()). May sleep. */
static inline void task_serve(struct task *task)
{
	if (!task->errands)
		return;
	task->errands = false;
	fiber_run_errands();
}

struct task *task_current(void); /* the task of the running fiber; NULL in callbacks */
struct task *task_ref(struct task *task);
void task_unref(struct task *task);

/* Fills the view that vfs wants. Borrowed from the task. */
struct vfs_ctx task_vfs_ctx(struct task *task);
uint64_t task_rlimit(const struct task *task, int resource); /* soft limit */

/* Guest memory of the calling task: 0 or -EFAULT (-ESRCH turned into -EINTR while dying). May
 * sleep. sentry/usercopy.c */
int guest_read(struct task *task, void *dst, gaddr_t src, size_t size);
int guest_write(
	struct task *task, gaddr_t dst, const void *src, size_t size); /* done when it returns */
int guest_write_result(struct task *task, gaddr_t dst, const void *src,
	size_t size); /* deferred: see platform copy_out_deferred */
/* As platform copy_out_lossy: before the task's return to the guest, if it can be written. */
void guest_write_lossy(struct task *task, gaddr_t dst, const void *src, size_t size);
/* A NUL-terminated string into a buffer of @capacity. Returns its length, -EFAULT, or
 * -ENAMETOOLONG. */
ssize_t guest_read_string(struct task *task, char *dst, gaddr_t src, size_t capacity);
/* A path: malloc'ed, <= PATH_MAX. -ENAMETOOLONG, -EFAULT, -ENOMEM. "" is returned as such. */
int guest_read_path(struct task *task, gaddr_t src, char **ret_path);
/* A struct that may be shorter or longer than ours (clone3, openat2, sched_setattr):
 * copy_struct_from_user(9): -E2BIG when the tail that we do not know is not zero; the part that the
 * guest did not give is zeroed. */
int guest_read_struct(
	struct task *task, void *dst, size_t known_size, gaddr_t src, size_t guest_size);
/* An iovec array: malloc'ed segments; total is capped at LX_MAX_RW_COUNT. -EINVAL for count >
 * UIO_MAXIOV or negative sums. */
int guest_read_iovec(struct task *task, gaddr_t iov, uint64_t count,
	struct uio_segment **ret_segments, struct uio *ret_uio);

#define guest_read_value(task, ptr, addr)  guest_read(task, ptr, addr, sizeof(*(ptr)))
#define guest_write_value(task, addr, ptr) guest_write_result(task, addr, ptr, sizeof(*(ptr)))

/* ---- life ------------------------------------------------------------------------------------ */

struct kernel_config;

/*
 * The first tasks. Pid 1 is a reaper made of kernel code alone (no address space, no platform
 * thread, no descriptors): it adopts orphans, and when the program ends it kills what is left. The
 * program is pid 2, leader of its own session and group.
 */
struct task_init {
	const struct kernel_config *config;
	struct cred *cred; /* references of the caller: taken over on success */
	struct fs_context *fs;
	struct fd_table *files;
	/*
	 * On the new task's fiber: loads the program with do_execve(); task->thread and task->mm
	 * are NULL until then. A negative result ends the task as if it had exited with 127.
	 */
	int (*start)(struct task *task, void *data);
	void *data;
	void (*gone)(int wait_status); /* every task has ended; @wait_status is the program's. Must
					  not sleep. */
};
int task_create_init(
	const struct task_init *init, struct task **ret_program); /* borrowed. -ENOMEM, -EAGAIN */
/* Shows all calls from now on (--strace); @sink lives on. sentry/dispatch.c */
/* SIGKILLs every task. Does not sleep. */
void tasks_kill_all(void);

/* A clone request, decoded; flags are checked by do_clone(). */
struct clone_request {
	uint64_t flags; /* LX_CLONE_* without CSIGNAL */
	int exit_signal;
	gaddr_t stack; /* first stack pointer; 0: the parent's */
	uint64_t tls;  /* with CLONE_SETTLS */
	gaddr_t parent_tid, child_tid, pidfd;
	const int *set_tid; /* borrowed; what clone3(2) asked for */
	size_t set_tid_count;
};

/* argv or envp of an execve, read once: the strings with their NULs, back to back. */
struct exec_strings {
	char *data;  /* owned by whoever made it */
	size_t size; /* bytes in data */
	size_t count;
};

/* clone(2) in all its forms. @args as in clone3. Returns the child's tid as seen by the caller. May
 * sleep. */
int64_t do_clone(struct task *task, const struct clone_request *request);
/* execve: on success the task has a fresh address space and the old one is gone; returns 0 and regs
 * are the new program's. */
int64_t do_execve(struct task *task, struct file *file, const char *path, struct exec_strings *argv,
	struct exec_strings *envp, int flags);
/* Marks the group as leaving with @wait_status and kills its threads; the caller leaves at its next
 * return. */
void group_exit(struct thread_group *group, int wait_status);
/* Ends the calling thread with a wait status; called by task_main only, whose fiber ends after it.
 */
void task_exit(struct task *task, int code);

/*
 * execve's part in the life of tasks, in this order. May sleep.
 * 1. Ends the other threads and takes over the leader's tid. -EAGAIN when this thread was killed
 * meanwhile. Unshares the signal handlers (-ENOMEM). After it the old program cannot be returned
 * to.
 */
int group_kill_other_threads(struct task *task);
/* 2. While task->thread still is the old address space: robust list, clear-child-tid; wakes a vfork
 * parent. */
void task_release_memory(struct task *task);
/* 3. With the new one in place: handlers to default, timers gone, alternate stack off, CPU time
 * carried over. */
void task_exec_done(struct task *task);
/* Before platform->thread_release(task->thread) of a task that lives on: keeps its CPU time. */
void task_keep_cpu_time(struct task *task);
void task_keep_page_faults(struct task *task); /* the same */

/* The file mode creation mask, of which task->fs may not know yet. sentry/inguest.c */
uint32_t task_umask(const struct task *task);

/* Ids of @task changed, or it has a new platform thread: what its platform answers by itself
 * (platform/inguest.h). Before anybody can know of the change. sentry/inguest.c */
void task_publish(struct task *task);
/* Where its heap ends, after every change of that, or of who else may change it. */
void task_publish_brk(struct task *task);
/* Some random bytes, which it has not seen. */
void task_publish_random(struct task *task);
/* @task, in a call of its own, may from now on read less than before: what its platform holds of
 * files goes. May sleep. */
void task_forget_content(struct task *task);
/* A map of ids of @ns was written: those in it are called otherwise from now on. */
void tasks_ids_changed(const struct user_ns *ns);
/* The answer to @task's present call, about a name, may be given again until names_changed(). */
void task_answer_lasts(struct task *task);
struct lx_stat;
/*
 * Around an open(2) of @task: nothing is known of an earlier one any more; the new descriptor, what
 * can be said of it (PLATFORM_OPENED_*), what F_GETFL says, and its struct stat with
 * PLATFORM_OPENED_STAT. Not for a task that shares its descriptors or process.
 */
void task_forget_opened(struct task *task);
/*
 * The epoch of what is said now and may be made void at any time from now on; 0: nothing is to be
 * said to @task.
 */
uint32_t task_names_epoch(struct task *task);
/* Of all tasks: from now on somebody waits for what is closed (PLATFORM_OPENED_CLOSE). */
void tasks_forget_opened(void);
bool task_may_know_opened(const struct task *task);
/* Does what the guest says that it has been answered already. May sleep. */
void task_do_told(struct task *task);
/* Others got hold of open files that only their opener could reach before, or watch files. */
void tasks_files_shared(void);
/* What was said of @fd is not true any more, it is read again and again, and nothing changes
 * meanwhile. */
bool task_should_tell_again(struct task *task, int fd);
void task_tell_opened(
	struct task *task, int fd, uint32_t flags, int file_flags, const struct lx_stat *stat);
/* For vfs_lasting_register(), and when somebody's identity or root changes. Does not sleep. */
void names_changed(bool everybody);

/* CPU time of a thread, of a process with its dead threads; ns. */
void task_cpu_time(struct task *task, uint64_t *ret_user, uint64_t *ret_system);
void group_cpu_time(struct thread_group *group, uint64_t *ret_user, uint64_t *ret_system);
/* Brings @task->minor_faults and major_faults up to date where the host tells. Returns the bytes
 * resident in its address space; 0: it does not tell. */
uint64_t task_page_faults(struct task *task);
/* Of a process with its dead threads. */
void group_page_faults(struct thread_group *group, uint64_t *ret_minor, uint64_t *ret_major);

/* RLIMIT_CPU was set: it is sampled from now on. -ENOMEM. sentry/itimer.c */
int itimers_limit_changed(struct thread_group *group);

/* Session and process group of a terminal that vanished or of a task; sentry/session.c */
bool pgrp_is_orphaned(struct pid *pgrp);
struct pid *group_session(struct thread_group *group); /* borrowed */

/* An open file for pidfd_open and CLONE_PIDFD; and back: borrowed pid, or -EBADF. sentry/pidfd.c */
int pidfd_file_new(struct pid *pid, int flags, struct file **ret);
int pidfd_install(struct task *task, struct pid *pid); /* a descriptor, close-on-exec */
int pidfd_file_pid(struct file *file, struct pid **ret_pid);

/* ---- sending signals (sentry/signal.c)
 * -------------------------------------------------------------------------------- */

/* To one thread / to a process; @info->si_signo is the signal. May be called from timer callbacks;
 * does not sleep. 0, -EAGAIN (queue full). */
int signal_send_task(struct task *task, const struct lx_siginfo *info);
int signal_send_group(struct thread_group *group, const struct lx_siginfo *info);
/* The same, and @task is the first who may take it (complete_signal()). */
int signal_send_group_through(struct task *task, const struct lx_siginfo *info);
int signal_send_pgrp(struct pid *pgrp, const struct lx_siginfo *info); /* -ESRCH when empty */
/* ptrace_may_access(): may who has @cred, as the real ids or else the file system's, look into
 * @target? */
bool task_may_inspect(
	const struct task *task, const struct cred *cred, const struct task *target, bool fs_ids);
/* kill(2)'s permission rule. 0 or -EPERM. */
/* __kill_pgrp_info(): success when one could be told. */
int signal_kill_pgrp(struct task *task, struct pid *pgrp, const struct lx_siginfo *info);
int signal_permitted(struct task *from, struct thread_group *to, int signo);
/* A fault: unblocks and resets an ignored or blocked signal (force_sig_info). */
void signal_force(struct task *task, const struct lx_siginfo *info);
void signal_force_simple(struct task *task, int signo);
/* For a timer's signal, against RLIMIT_SIGPENDING: 0 or -EAGAIN; given back by the other. */
int signal_reserve(const struct task *task);
void signal_unreserve(void);
/* Recomputes the fiber's interruption flag after the mask or pending sets changed. */
void signal_recalculate(struct task *task);
bool signal_pending(const struct task *task);
/* The mask of any task, as it is at this moment: read once for each decision. sentry/inguest.c */
uint64_t task_blocked(const struct task *task);
gaddr_t task_robust_list(const struct task *task); /* likewise */
/* Changes the mask (SIGKILL and SIGSTOP are filtered) and recalculates. */
void signal_set_blocked(struct task *task, uint64_t mask);
/* For the calls with a temporary mask (ppoll, pselect6, epoll_pwait, sigsuspend): reads the guest's
 * set, applies it. */
int signal_set_temporary_mask(struct task *task, gaddr_t mask, uint64_t mask_size);
void signal_restore_mask(struct task *task); /* when the call was not interrupted */
/* Before going back to the guest: acts on stops, fatal signals and handlers; builds frames; handles
 * restarts. May sleep. */
void signal_deliver(struct task *task);
int64_t signal_return(struct task *task); /* rt_sigreturn */

#endif
