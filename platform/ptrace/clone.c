/* SPDX-License-Identifier: Apache-2.0 */
/*
 * New address spaces and threads: an injected clone() with one of two exact flag words. The child
 * is attached by the host before it can run (PTRACE_O_TRACEFORK and TRACECLONE) and stops at once;
 * its first stop and its parent's event arrive in either order, so the table keeps stops of unknown
 * children for a while (newborns). CLONE_PARENT makes every stub process the Sentry's own child.
 */
#include "platform/ptrace/tracee.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>

/* Makes @parent clone. Returns the child's thread id or -errno. */
static int inject_clone(struct tracee *parent, uint64_t flags)
{
	struct injected_call call = {.nr = SYS_clone, .args = {flags}};
	int64_t result;

	parent->child = 0;
	result = tracee_call(parent, &call);
	if (result < 0)
		return (int)result;
	return parent->child > 0 ? parent->child : -ESRCH;
}

/*
 * A child of @parent in @as (fresh for a fork). On failure nothing is left. The child's segments
 * come from the parent, its other registers are the caller's to fill.
 */
static int birth(struct tracee *parent, struct platform_as *as, uint64_t flags, struct tracee **ret)
{
	struct tracee *t = tracee_new(as);
	int tid, err;

	if (!t)
		return -EAGAIN;
	pt.births++;
	tid = inject_clone(parent, flags);
	err = tid < 0 ? tid : tracee_register(t, tid);
	if (err == 0) {
		if (as->tgid == 0)
			as->tgid = tid;
		tracee_wait(t);
		if (t->state == TRACEE_DEAD)
			err = -ESRCH;
	}
	if (--pt.births == 0)
		newborns_kill();
	if (err < 0) {
		/* May free @as with its only tracee. */
		tracee_release(t);
		return err;
	}
	t->host = parent->host;
	t->unpinned = parent->unpinned;
	*ret = t;
	return 0;
}

static int birth_as(struct tracee *parent, struct tracee **ret)
{
	struct platform_as *as = as_new();

	if (!as)
		return -ENOMEM;
	/* From here on the tracee, even a failed one, owns the address space. */
	if (!tracees_below_cap()) {
		free(as);
		return -EAGAIN;
	}
	return birth(parent, as, PT_CLONE_FORK, ret);
}

int ptrace_as_create(struct platform_as **ret_as, struct platform_thread **ret_thread)
{
	struct tracee *t;
	int err;

	fiber_mutex_lock(&pt.zygote_lock);
	err = birth_as(pt.zygote, &t);
	fiber_mutex_unlock(&pt.zygote_lock);
	if (err < 0)
		return err == -ESRCH ? -EAGAIN : err;
	*ret_as = t->pub.as;
	*ret_thread = &t->pub;
	return 0;
}

int ptrace_thread_clone(struct platform_thread *parent, const struct platform_clone *clone,
	struct platform_thread **ret_thread)
{
	struct tracee *p = tracee_of(parent), *t;
	int err;

	if (clone->new_as)
		err = birth_as(p, &t);
	else
		err = birth(p, p->pub.as, PT_CLONE_THREAD, &t);
	if (err < 0)
		return err;
	t->pub.regs = clone->regs;
	t->pub.regs_dirty = true;
	*ret_thread = &t->pub;
	return 0;
}
