/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prctl(2) and arch_prctl(2). One function for each option; arguments that Linux wants to be zero
 * are checked where it does. Options that would do nothing here (memory failure,
 * speculation) answer as a kernel built without them.
 */
#include <cpuid.h>
#include <errno.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/limits.h"
#include "abi/prctl.h"
#include "abi/signal.h"
#include "base/checked.h"
#include "sentry/mm.h"
#include "sentry/seccomp.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task.h"

struct prctl_args {
	uint64_t a2, a3, a4, a5;
};

#define PR_TSC_ENABLE	  1
#define ANON_VMA_NAME_MAX 80
#define SECURE_ALL_BITS	  0x55 /* NOROOT, NO_SETUID_FIXUP, KEEP_CAPS, NO_CAP_AMBIENT_RAISE */

/* ---- credentials ----------------------------------------------------------------------------- */

static int change_cred(
	struct task *t, void (*change)(struct cred *cred, uint64_t value), uint64_t value)
{
	struct cred *cred;
	int err = cred_copy(t->cred, t->cred->group_count, &cred);

	if (err < 0)
		return err;
	change(cred, value);
	cred_unref(t->cred);
	t->cred = cred;
	vfs_lasting_end_own();
	return 0;
}

static void drop_bounding(struct cred *cred, uint64_t capability)
{
	cred->cap_bounding &= ~LX_CAP_MASK(capability);
}

static void set_securebits(struct cred *cred, uint64_t bits)
{
	cred->securebits = (uint32_t)bits;
}

static void set_no_new_privs(struct cred *cred, uint64_t value)
{
	cred->no_new_privs = true;
}

static void raise_ambient(struct cred *cred, uint64_t capability)
{
	cred->cap_ambient |= LX_CAP_MASK(capability);
}

static void lower_ambient(struct cred *cred, uint64_t capability)
{
	cred->cap_ambient &= ~LX_CAP_MASK(capability);
}

static void clear_ambient(struct cred *cred, uint64_t value)
{
	cred->cap_ambient = 0;
}

static int64_t capbset_read(struct task *t, const struct prctl_args *a)
{
	if (a->a2 > LX_CAP_LAST_CAP)
		return -EINVAL;
	return (t->cred->cap_bounding & LX_CAP_MASK(a->a2)) != 0;
}

static int64_t capbset_drop(struct task *t, const struct prctl_args *a)
{
	if (!cred_own_capable(t->cred, LX_CAP_SETPCAP))
		return -EPERM;
	if (a->a2 > LX_CAP_LAST_CAP)
		return -EINVAL;
	return change_cred(t, drop_bounding, a->a2);
}

/* cap_task_prctl(): each base bit of securebits has a lock bit above it. */
static int64_t securebits_set(struct task *t, const struct prctl_args *a)
{
	uint64_t old = t->cred->securebits, locks = (old >> 1) & SECURE_ALL_BITS;

	if (((old ^ a->a2) & locks) || (old & (SECURE_ALL_BITS << 1) & ~a->a2) ||
		(a->a2 & ~(uint64_t)(SECURE_ALL_BITS | SECURE_ALL_BITS << 1)) ||
		!cred_own_capable(t->cred, LX_CAP_SETPCAP))
		return -EPERM;
	return change_cred(t, set_securebits, a->a2);
}

static int64_t keepcaps_set(struct task *t, const struct prctl_args *a)
{
	uint64_t bits = t->cred->securebits;

	if (a->a2 > 1)
		return -EINVAL;
	if (bits & (LX_SECBIT_KEEP_CAPS << 1))
		return -EPERM;
	bits = a->a2 ? bits | LX_SECBIT_KEEP_CAPS : bits & ~(uint64_t)LX_SECBIT_KEEP_CAPS;
	return change_cred(t, set_securebits, bits);
}

static int64_t cap_ambient(struct task *t, const struct prctl_args *a)
{
	const struct cred *cred = t->cred;

	if (a->a2 == LX_PR_CAP_AMBIENT_CLEAR_ALL) {
		if (a->a3 | a->a4 | a->a5)
			return -EINVAL;
		return change_cred(t, clear_ambient, 0);
	}
	if (a->a3 > LX_CAP_LAST_CAP || (a->a4 | a->a5))
		return -EINVAL;
	switch (a->a2) {
	case LX_PR_CAP_AMBIENT_IS_SET:
		return (cred->cap_ambient & LX_CAP_MASK(a->a3)) != 0;
	case LX_PR_CAP_AMBIENT_RAISE:
		if (!(cred->cap_permitted & cred->cap_inheritable & LX_CAP_MASK(a->a3)) ||
			(cred->securebits & LX_SECBIT_NO_CAP_AMBIENT_RAISE))
			return -EPERM;
		return change_cred(t, raise_ambient, a->a3);
	case LX_PR_CAP_AMBIENT_LOWER:
		return change_cred(t, lower_ambient, a->a3);
	default:
		return -EINVAL;
	}
}

static int64_t no_new_privs_set(struct task *t, const struct prctl_args *a)
{
	if (a->a2 != 1 || (a->a3 | a->a4 | a->a5))
		return -EINVAL;
	return t->cred->no_new_privs ? 0 : change_cred(t, set_no_new_privs, 1);
}

/* ---- the process ----------------------------------------------------------------------------- */

static int64_t put_int(struct task *t, uint64_t addr, int32_t value)
{
	return guest_write_value(t, GADDR(addr), &value);
}

static int64_t name_set(struct task *t, const struct prctl_args *a)
{
	char name[LX_TASK_COMM_LEN] = {0};
	ssize_t size = guest_read_string(t, name, GADDR(a->a2), sizeof(name));

	/* A longer name is cut. */
	if (size == -ENAMETOOLONG)
		size = guest_read(t, name, GADDR(a->a2), sizeof(name) - 1);
	if (size < 0)
		return size;
	name[sizeof(name) - 1] = '\0';
	memset(t->comm, 0, sizeof(t->comm));
	memcpy(t->comm, name, strlen(name));
	return 0;
}

static int64_t name_get(struct task *t, const struct prctl_args *a)
{
	return guest_write(t, GADDR(a->a2), t->comm, sizeof(t->comm));
}

static int64_t dumpable_set(struct task *t, const struct prctl_args *a)
{
	if (a->a2 > 1)
		return -EINVAL;
	t->mm->dumpable = t->group->dumpable = a->a2 == 1;
	return 0;
}

static int64_t pdeathsig_set(struct task *t, const struct prctl_args *a)
{
	if (a->a2 > LX_NSIG)
		return -EINVAL;
	t->pdeath_signal = (int)a->a2;
	return 0;
}

static int64_t timer_slack_set(struct task *t, const struct prctl_args *a)
{
	t->timer_slack_ns = (int64_t)a->a2 <= 0 ? t->default_timer_slack_ns : a->a2;
	return 0;
}

static bool name_char_ok(char c)
{
	return c > 0x1f && c < 0x7f && !strchr("\\`$[]", c);
}

static int64_t vma_name(struct task *t, const struct prctl_args *a)
{
	char name[ANON_VMA_NAME_MAX];
	ssize_t size;

	if (a->a2 != LX_PR_SET_VMA_ANON_NAME)
		return -EINVAL;
	if (a->a5 == 0)
		return mm_set_anon_name(t, a->a3, a->a4, NULL);
	size = guest_read_string(t, name, GADDR(a->a5), sizeof(name));
	if (size < 0)
		return size == -ENAMETOOLONG ? -EINVAL : size;
	for (ssize_t i = 0; i < size; i++)
		if (!name_char_ok(name[i]))
			return -EINVAL;
	return mm_set_anon_name(t, a->a3, a->a4, name);
}

/* PR_SET_THP_DISABLE: 0, 1, or 1 and a flag, which leaves the mappings whose advice asks for it. */
static int64_t thp_disable(struct task *t, const struct prctl_args *a)
{
	if (a->a4 | a->a5)
		return -EINVAL;
	if ((!a->a2 && a->a3) || (a->a3 & ~(uint64_t)LX_PR_THP_DISABLE_EXCEPT_ADVISED))
		return -EINVAL;
	t->mm->thp_disable = a->a2 ? (uint8_t)(1 | a->a3) : 0;
	return 0;
}

/* Memory deny write execute: enforced by mm_denies_exec(); never taken back. */
static int64_t mdwe_set(struct task *t, const struct prctl_args *a)
{
	const uint64_t known = LX_PR_MDWE_REFUSE_EXEC_GAIN | LX_PR_MDWE_NO_INHERIT;

	if (a->a3 | a->a4 | a->a5 || a->a2 & ~known || a->a2 == LX_PR_MDWE_NO_INHERIT)
		return -EINVAL;
	if (t->mm->mdwe && t->mm->mdwe != a->a2)
		return -EPERM;
	t->mm->mdwe = (uint8_t)a->a2;
	return 0;
}

static int64_t auxv_get(struct task *t, const struct prctl_args *a)
{
	uint64_t size = t->mm->auxv_count * sizeof(t->mm->auxv[0]);
	int err;

	if (a->a4 | a->a5)
		return -EINVAL;
	err = guest_write(t, GADDR(a->a2), t->mm->auxv, min_of(size, a->a3));
	return err < 0 ? err : (int64_t)size;
}

static int64_t tid_address(struct task *t, const struct prctl_args *a)
{
	uint64_t addr = t->clear_child_tid.v;

	return guest_write_value(t, GADDR(a->a2), &addr);
}

/* Options that read or change one field. */
static int64_t prctl_field(struct task *t, int option, const struct prctl_args *a)
{
	bool rest = (a->a3 | a->a4 | a->a5) != 0;

	switch (option) {
	case LX_PR_GET_PDEATHSIG:
		return put_int(t, a->a2, t->pdeath_signal);
	case LX_PR_GET_DUMPABLE:
		return t->mm->dumpable;
	case LX_PR_GET_KEEPCAPS:
		return (t->cred->securebits & LX_SECBIT_KEEP_CAPS) != 0;
	case LX_PR_GET_TIMING:
		return 0; /* PR_TIMING_STATISTICAL */
	case LX_PR_SET_TIMING:
		return a->a2 == 0 ? 0 : -EINVAL;
	case LX_PR_GET_SECCOMP:
		return t->seccomp_mode;
	case LX_PR_SET_SECCOMP:
		return seccomp_prctl(t, a->a2, GADDR(a->a3));
	case LX_PR_GET_SECUREBITS:
		return t->cred->securebits;
	case LX_PR_GET_TIMERSLACK:
		return (int64_t)t->timer_slack_ns;
	case LX_PR_GET_TSC:
		return put_int(t, a->a2, PR_TSC_ENABLE);
	case LX_PR_SET_TSC:
		return a->a2 == PR_TSC_ENABLE ? 0 : -EINVAL;
	case LX_PR_SET_CHILD_SUBREAPER:
		t->group->child_subreaper = a->a2 != 0;
		return 0;
	case LX_PR_GET_CHILD_SUBREAPER:
		return put_int(t, a->a2, t->group->child_subreaper);
	case LX_PR_GET_NO_NEW_PRIVS:
		return a->a2 || rest ? -EINVAL : t->cred->no_new_privs;
	case LX_PR_GET_THP_DISABLE:
		return a->a2 || rest ? -EINVAL : t->mm->thp_disable;
	case LX_PR_GET_MDWE:
		return a->a2 || rest ? -EINVAL : t->mm->mdwe;
	case LX_PR_GET_SPECULATION_CTRL:
	case LX_PR_SET_SPECULATION_CTRL:
		return -ENODEV;
	case LX_PR_SET_MM:
	case LX_PR_SET_IO_FLUSHER:
	case LX_PR_GET_IO_FLUSHER:
		return cred_capable(t->cred, LX_CAP_SYS_RESOURCE) ? -EINVAL : -EPERM;
	default:
		return -EINVAL;
	}
}

int64_t sys_prctl(
	struct task *t, int option, uint64_t arg2, uint64_t arg3, uint64_t arg4, uint64_t arg5)
{
	const struct prctl_args a = {arg2, arg3, arg4, arg5};

	switch (option) {
	case LX_PR_SET_NAME:
		return name_set(t, &a);
	case LX_PR_GET_NAME:
		return name_get(t, &a);
	case LX_PR_SET_PDEATHSIG:
		return pdeathsig_set(t, &a);
	case LX_PR_SET_DUMPABLE:
		return dumpable_set(t, &a);
	case LX_PR_SET_KEEPCAPS:
		return keepcaps_set(t, &a);
	case LX_PR_CAPBSET_READ:
		return capbset_read(t, &a);
	case LX_PR_CAPBSET_DROP:
		return capbset_drop(t, &a);
	case LX_PR_SET_SECUREBITS:
		return securebits_set(t, &a);
	case LX_PR_CAP_AMBIENT:
		return cap_ambient(t, &a);
	case LX_PR_SET_TIMERSLACK:
		return timer_slack_set(t, &a);
	case LX_PR_SET_NO_NEW_PRIVS:
		return no_new_privs_set(t, &a);
	case LX_PR_SET_THP_DISABLE:
		return thp_disable(t, &a);
	case LX_PR_SET_MDWE:
		return mdwe_set(t, &a);
	case LX_PR_SET_VMA:
		return vma_name(t, &a);
	case LX_PR_GET_AUXV:
		return auxv_get(t, &a);
	case LX_PR_GET_TID_ADDRESS:
		return tid_address(t, &a);
	default:
		return prctl_field(t, option, &a);
	}
}

/* ---- arch_prctl ------------------------------------------------------------------------------ */

/* XSAVE components that every task may use: what the host enables, without those that need a
 * permission (AMX). */
static uint64_t xsave_components(void)
{
	const uint64_t on_request = (1ull << 17) | (1ull << 18);
	uint32_t eax, ebx, ecx, edx;

	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE))
		return 3; /* x87 and SSE */
	__asm__("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
	return ((uint64_t)edx << 32 | eax) & ~on_request;
}

static int64_t set_base(struct task *t, uint64_t *base, uint64_t addr)
{
	if (addr >= LX_TASK_SIZE)
		return -EPERM;
	*base = addr;
	t->thread->regs_dirty = true;
	return 0;
}

int64_t sys_arch_prctl(struct task *t, int code, uint64_t addr)
{
	struct guest_regs *regs = platform_regs(t->thread);
	uint64_t components;

	switch (code) {
	case LX_ARCH_SET_FS:
		return set_base(t, &regs->fs_base, addr);
	case LX_ARCH_SET_GS:
		return set_base(t, &regs->gs_base, addr);
	case LX_ARCH_GET_FS:
		return guest_write_value(t, GADDR(addr), &regs->fs_base);
	case LX_ARCH_GET_GS:
		return guest_write_value(t, GADDR(addr), &regs->gs_base);
	case LX_ARCH_GET_CPUID:
		return 1;
	case LX_ARCH_SET_CPUID:
		return -ENODEV; /* a CPU without CPUID faulting */
	case LX_ARCH_GET_XCOMP_SUPP:
	case LX_ARCH_GET_XCOMP_PERM:
		components = xsave_components();
		return guest_write_value(t, GADDR(addr), &components);
	case LX_ARCH_REQ_XCOMP_PERM:
		if (addr >= 64)
			return -EINVAL;
		return xsave_components() >> addr & 1 ? 0 : -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

int64_t sys_personality(struct task *t, unsigned persona)
{
	unsigned old = t->personality;

	if (persona != 0xffffffffu)
		t->personality = persona;
	task_publish_brk(t);
	return old;
}
