/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that are answered here, in the guest's own process: those that ask for, or change, nothing
 * but the caller's own state. What they need lies in the slot (platform/inguest.h), where the
 * Sentry keeps it current. Whether a call may be answered is the Sentry's word too, a bit in
 * `features`: a thread whose calls are traced has none.
 *
 * The Sentry never learns of a call that ends here, so nothing here may be needed for its safety:
 * the guest can give itself any answer anyway.
 */
#include "platform/systrap/stub/stub.h"
#include "abi/syscall_nr.h"

enum answer_kind {
	ANSWER_NONE,
	ANSWER_FUTEX,
	ANSWER_GETPGID,
	ANSWER_GETSID,
	ANSWER_ID, /* and the number of the id; last */
};

#define ID(id) (ANSWER_ID + PLATFORM_ID_##id)

static const uint8_t answer_kinds[LX_NR_COUNT] = {
	[LX_NR_getpid] = ID(TGID),
	[LX_NR_gettid] = ID(TID),
	[LX_NR_getppid] = ID(PPID),
	[LX_NR_getpgrp] = ID(PGID),
	[LX_NR_getuid] = ID(UID),
	[LX_NR_geteuid] = ID(EUID),
	[LX_NR_getgid] = ID(GID),
	[LX_NR_getegid] = ID(EGID),
	[LX_NR_getpgid] = ANSWER_GETPGID,
	[LX_NR_getsid] = ANSWER_GETSID,
	[LX_NR_futex] = ANSWER_FUTEX,
};

static bool answer_id(struct stub_thread *self, unsigned id, int64_t *ret)
{
	const struct platform_inguest *known = &self->slot->inguest;

	if (!(known->features & PLATFORM_INGUEST_IDS))
		return false;
	*ret = known->ids[id];
	return true;
}

/* ---- futexes ---- */

#define FUTEX_PRIVATE  128u
#define FUTEX_REALTIME 256u

/*
 * Futexes that need nobody else: FUTEX_WAIT with a (relative) timeout is not among them, since its
 * restart after a signal must not begin the time anew, and neither are the PI forms.
 */
static bool futex_is_plain(const uint64_t args[6])
{
	uint32_t op = (uint32_t)args[1];

	switch (op & ~(FUTEX_PRIVATE | FUTEX_REALTIME)) {
	case 0: /* WAIT */
		return args[3] == 0 && !(op & FUTEX_REALTIME);
	case 1:	 /* WAKE */
	case 3:	 /* REQUEUE */
	case 4:	 /* CMP_REQUEUE */
	case 5:	 /* WAKE_OP */
	case 9:	 /* WAIT_BITSET */
	case 10: /* WAKE_BITSET */
		return true;
	default:
		return false;
	}
}

static bool answer_futex(struct stub_thread *self, const uint64_t args[6], int64_t *ret)
{
	struct channel_slot *slot = self->slot;

	if (!(slot->inguest.features & PLATFORM_INGUEST_FUTEX) || !futex_is_plain(args))
		return false;
	for (;;) {
		int64_t result;

		slot->request.sleeping = 1;
		result = stub_futex(&slot->reply.interrupt, args);
		slot->request.sleeping = 0;
		if (result == STUB_INTERRUPTED) {
			*ret = STUB_INTERRUPTED;
			return false;
		}
		if (result != -4) {
			*ret = result;
			return true;
		}
		/* EINTR: of a kick meant for now (the next round says so) or of a stale one. */
	}
}

bool stub_answer(struct stub_thread *self, uint32_t nr, const uint64_t args[6], int64_t *ret)
{
	unsigned kind = nr < LX_NR_COUNT ? answer_kinds[nr] : ANSWER_NONE;

	if (kind >= ANSWER_ID)
		return answer_id(self, kind - ANSWER_ID, ret);
	switch (kind) {
	case ANSWER_FUTEX:
		return answer_futex(self, args, ret);
	case ANSWER_GETPGID:
		return (uint32_t)args[0] == 0 && answer_id(self, PLATFORM_ID_PGID, ret);
	case ANSWER_GETSID:
		return (uint32_t)args[0] == 0 && answer_id(self, PLATFORM_ID_SID, ret);
	default:
		return false;
	}
}
