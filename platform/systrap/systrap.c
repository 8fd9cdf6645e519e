/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The systrap platform: guest threads are threads of host processes whose every system call raises
 *SIGSYS; a handler in the same process (the stub, stub/) hands it to the Sentry through shared
 *memory.
 *
 *	zygote.c   starting the first stub        notify.c   doorbells, approvals, violations
 *	space.c    processes, slots, deaths       channel.c  requests and replies of one thread
 *	clone.c    new threads and processes      memory.c   copies and mappings
 *	filter.c   what a stub may ask the host   thread.c   run, interrupt, futex, FPU
 *	batch.c    many of these at once
 *	spin.c     when to watch a channel        usage.c    CPU time and resident size
 *	vdso.c     what the stub calls there      window.c   reads that need no channel
 *	patch.c    call sites without a trap      site.c     which ones, and how (insn.c)
 *	text.c     code that is changed before it runs       cpuid.c    how
 *	library.c  files that many processes map
 *
 * docs/channel.md has the protocol, design rules 5b of docs/architecture.md the reasons.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/log.h"
#include "platform/systrap/filter.h"
#include "platform/systrap/probe.h"
#include "platform/systrap/zygote.h"

struct systrap systrap = {
	.kill_pipe = -1,
	.listener = {.fd = -1},
	.spaces = LIST_HEAD_INIT(systrap.spaces),
	.clones = LIST_HEAD_INIT(systrap.clones),
	.condemned = LIST_HEAD_INIT(systrap.condemned),
	.hot = LIST_HEAD_INIT(systrap.hot),
};

static int start(const struct platform_config *config, const struct platform_upcalls *upcalls,
	const char **ret_why)
{
	sentry_assert(!systrap.started);
	systrap.config = *config;
	systrap.upcalls = upcalls;
	systrap.stopping = false;
	timer_init(&systrap.check_timer, systrap_check_expired, NULL);
	systrap_spin_init();
	return systrap_zygote_begin(ret_why);
}

static int start_finish(const char **ret_why)
{
	int err = systrap_zygote_finish(ret_why);

	if (err < 0)
		return err;
	loop_set_bell(&systrap.listener);
	systrap_spin_attach();
	systrap_usage_init();
	systrap.started = true;
	return 0;
}

/* The kill pipe does it even without us; this also waits and frees. */
static void stop(void)
{
	struct systrap_as *as, *tmp;

	systrap_zygote_abandon();
	if (!systrap.started)
		return;
	systrap_text_fini();
	systrap_learn_fini();
	systrap_library_fini();
	log_debug("systrap: %" PRIu64 " requests by doorbell, %" PRIu64 " by watching; %" PRIu64
		  " hot periods, %" PRIu64 " wasted",
		systrap.stats.cold, systrap.stats.hot, systrap.stats.promotions,
		systrap.stats.wasted);
	systrap.stopping = true;
	timer_cancel(&systrap.check_timer);
	/*
	 * First the pipe, which kills them. Without a listener each doorbell would fail at once
	 * (ENOSYS, seccomp_do_user_notification()), and those who wait in it ring again and again,
	 * on our CPU, until their time slices end.
	 */
	close(systrap.kill_pipe);
	systrap.kill_pipe = -1;
	loop_set_bell(NULL);
	close(systrap.listener.fd);
	systrap.listener.fd = -1;
	/* They lie on stacks of fibers that run no more, and name threads that are freed below. */
	while (!list_empty(&systrap.clones))
		list_remove(systrap.clones.next);
	/* Threads that the kernel never released: it is going away as a whole. */
	list_for_each_entry_safe (as, tmp, &systrap.spaces, link) {
		struct systrap_thread *thread;

		if (as->reaped) {
			/* Its threads are dead, and nothing will tell of it again. */
			while (!list_empty(&as->threads))
				systrap_thread_free(
					list_first(&as->threads, struct systrap_thread, as_link));
			systrap_as_free(as);
			continue;
		}
		list_for_each_entry (thread, &as->threads, as_link) {
			if (thread->state != SYSTRAP_LEAVING && thread->state != SYSTRAP_RETIRED)
				as->live_threads--;
			systrap_spin_leave(thread);
			systrap_set_state(thread, SYSTRAP_RETIRED);
			thread->waiter = NULL;
		}
		as->killed = false;
		systrap_as_kill((struct platform_as *)as);
	}
	systrap.zygote = NULL;
	while (!list_empty(&systrap.spaces)) {
		siginfo_t info;

		/* Whoever is left has been killed. */
		(void)waitid(P_PGID, (id_t)systrap.group, &info, WEXITED | WNOWAIT);
		systrap_reap();
	}
	systrap_spin_detach();
	systrap_usage_fini();
	hash_fini(&systrap.threads);
	systrap.thread_count = 0;
	systrap.started = false;
}

static void vdso(struct platform_as *as, gaddr_t *ret_addr, uint64_t *ret_size)
{
	(void)as;
	*ret_addr = GADDR(systrap.vdso_addr);
	*ret_size = systrap.vdso_size;
}

static gaddr_t guest_end(void)
{
	return GADDR(STUB_BASE);
}

static bool stub_call(unsigned index, struct platform_stub_call *ret)
{
	const struct filter_rule *rule = &systrap_filter_rules[index];

	if (index >= systrap_filter_rule_count)
		return false;
	*ret = (struct platform_stub_call){
		rule->name, rule->constraint, rule->reason, rule->notify};
	return true;
}

/* Those of threads that live are read where guests write them. */
static void answered(void (*put)(uint64_t nr, uint64_t count))
{
	static uint64_t sums[CHANNEL_NUMBERS]; /* stacks are small */
	const struct systrap_as *as;

	memcpy(sums, systrap.stats.answered, sizeof(sums));
	if (systrap.started) {
		list_for_each_entry (as, &systrap.spaces, link) {
			const struct systrap_thread *thread;

			list_for_each_entry (thread, &as->threads, as_link)
				systrap_add_answered(thread, sums);
		}
	}
	for (unsigned nr = 0; nr < CHANNEL_NUMBERS; nr++)
		if (sums[nr])
			put(nr, sums[nr]);
}

static void stats(void (*put)(const char *name, uint64_t value))
{
	char name[64];

	put("calls answered in the guest, by patched site", systrap.stats.fast_answered);
	put("calls answered in the guest, by trap", systrap.stats.trapped_answered);
	put("calls to the kernel, by patched site, hot", systrap.stats.fast_hot);
	put("calls to the kernel, by patched site, cold", systrap.stats.fast_cold);
	put("calls to the kernel, by trap",
		systrap.stats.trapped -
			min_of(systrap.stats.trapped_answered, systrap.stats.trapped));
	put("requests seen by watching", systrap.stats.hot);
	put("requests by doorbell", systrap.stats.cold);
	put("hot periods", systrap.stats.promotions);
	put("hot periods that did not pay", systrap.stats.wasted);
	put("guests sent to another processor", systrap.stats.sent);
	put("guests answered on another processor", systrap.stats.stayed);
	put("mappings of programs' code that were prepared", systrap.sites.prepared_programs);
	put("mappings of libraries' code that were prepared", systrap.sites.prepared_libraries);
	put("call sites worth a patch", systrap.sites.seen + systrap.sites.unread);
	put("call sites patched", systrap.sites.patched);
	put("call sites given their bytes back", systrap.sites.restored);
	put("call sites refused: code not readable", systrap.sites.unread);
	put("call sites refused: writing failed", systrap.sites.failed);
	for (unsigned i = 0; i < SITE_VERDICTS; i++) {
		if (i == SITE_OK)
			continue;
		(void)snprintf(name, sizeof(name), "call sites refused: %s", site_verdict_name(i));
		put(name, systrap.sites.verdicts[i]);
	}
}

const struct platform_ops platform_systrap = {
	.name = "systrap",
	.probe = systrap_probe,
	.start = start,
	.start_finish = start_finish,
	.stop = stop,
	.as_create = systrap_as_create,
	.as_kill = systrap_as_kill,
	.thread_clone = systrap_thread_clone,
	.thread_release = systrap_thread_release,
	.run = systrap_run,
	.load_regs = systrap_load_regs,
	.interrupt = systrap_interrupt,
	.fpu_get = systrap_fpu_get,
	.fpu_set = systrap_fpu_set,
	.fpu_reset = systrap_fpu_reset,
	.signal_frame = systrap_signal_frame,
	.signal_frame_flush = systrap_signal_frame_flush,
	.copy_in = systrap_copy_in,
	.string_at_hand = systrap_string_at_hand,
	.bytes_at_hand = systrap_bytes_at_hand,
	.forget = systrap_forget,
	.copy_out = systrap_copy_out,
	.copy_out_deferred = systrap_copy_out_deferred,
	.copy_out_lossy = systrap_copy_out_lossy,
	.copy_content = systrap_copy_content,
	.forget_content = systrap_forget_content,
	.batch_begin = systrap_batch_begin,
	.batch_end = systrap_batch_end,
	.map = systrap_map,
	.unmap = systrap_unmap,
	.protect = systrap_protect,
	.remap = systrap_remap,
	.advise = systrap_advise,
	.rseq = systrap_rseq,
	.rseq_end = systrap_rseq_end,
	.settle = systrap_settle,
	.patch = systrap_patch,
	.unpatch = systrap_unpatch,
	.prepare_text = systrap_prepare_text,
	.futex = systrap_futex,
	.vdso = vdso,
	.guest_end = guest_end,
	.cpu_time = systrap_cpu_time,
	.usage = systrap_usage,
	.resident_size = systrap_resident_size,
	.memory_use = systrap_memory_use,
	.shared_names = systrap_shared_names,
	.library_number = systrap_library_number,
	.stub_call = stub_call,
	.answered = answered,
	.stats = stats,
};
