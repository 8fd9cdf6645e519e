/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lsm_list_modules(2) and its relatives (kernel security/lsm_syscalls.c). Capabilities and Landlock
 * are the modules here; neither gives a task attributes.
 */
#include <errno.h>

#include "abi/limits.h"
#include "abi/lsm.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task.h"

int64_t sys_lsm_list_modules(struct task *t, gaddr_t ids, gaddr_t size_addr, unsigned flags)
{
	const uint64_t modules[] = {LX_LSM_ID_CAPABILITY, LX_LSM_ID_LANDLOCK};
	uint32_t size, needed = sizeof(modules);
	int err;

	if (flags)
		return -EINVAL;
	err = guest_read_value(t, &size, size_addr);
	if (err == 0)
		err = guest_write_value(t, size_addr, &needed);
	if (err < 0)
		return err;
	if (size < needed)
		return -E2BIG;
	err = guest_write(t, ids, modules, sizeof(modules));
	return err < 0 ? err : (int64_t)(sizeof(modules) / sizeof(modules[0]));
}

/* security_getselfattr() */
int64_t sys_lsm_get_self_attr(
	struct task *t, unsigned attr, gaddr_t ctx, gaddr_t size_addr, unsigned flags)
{
	const uint32_t nothing = 0;
	struct lx_lsm_ctx context;
	uint32_t size;
	int err;

	if (attr == LX_LSM_ATTR_UNDEF || gaddr_is_null(size_addr))
		return -EINVAL;
	err = guest_read_value(t, &size, size_addr);
	if (err < 0)
		return err;
	if (flags) {
		/* One module's alone, which the buffer names. */
		if (flags != LX_LSM_FLAG_SINGLE || gaddr_is_null(ctx))
			return -EINVAL;
		err = guest_read_value(t, &context, ctx);
		if (err < 0)
			return err;
		if (context.id == LX_LSM_ID_UNDEF)
			return -EINVAL;
	}
	err = guest_write_value(t, size_addr, &nothing);
	return err < 0 ? err : -EOPNOTSUPP;
}

/* security_setselfattr() */
int64_t sys_lsm_set_self_attr(
	struct task *t, unsigned attr, gaddr_t ctx, unsigned size, unsigned flags)
{
	struct lx_lsm_ctx context;
	int err;

	if (flags || size < sizeof(context))
		return -EINVAL;
	if (size > LX_PAGE_SIZE)
		return -E2BIG;
	err = guest_read_value(t, &context, ctx);
	if (err < 0)
		return err;
	if (size < context.len || context.ctx_len > UINT64_MAX - sizeof(context) ||
		context.len < sizeof(context) + context.ctx_len)
		return -EINVAL;
	return -EOPNOTSUPP;
}
