/* SPDX-License-Identifier: Apache-2.0 */
/* Classic BPF for packets (kernel net/core/filter.c, Documentation/networking/filter.rst). */
#include "sentry/bpf.h"
#include "sentry/socket/filter.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/seccomp.h"
#include "base/checked.h"
#include "base/loop.h"
#include "base/random.h"
#include "sentry/nsproxy.h"

#define BPF_H	   0x08u
#define BPF_B	   0x10u
#define BPF_IND	   0x40u
#define BPF_MSH	   0xa0u
#define MODE(code) ((code)&0xe0u)
#define SIZE(code) ((code)&0x18u)

#define OFFSET_EXTRA   UINT32_C(0xfffff000) /* SKF_AD_OFF */
#define OFFSET_NETWORK UINT32_C(0xfff00000) /* SKF_NET_OFF */
#define OFFSET_LINK    UINT32_C(0xffe00000) /* SKF_LL_OFF */

enum extra {
	EXTRA_PROTOCOL = 0,
	EXTRA_TYPE = 4,
	EXTRA_INTERFACE = 8,
	EXTRA_MARK = 20,
	EXTRA_QUEUE = 24,
	EXTRA_HARDWARE = 28,
	EXTRA_HASH = 32,
	EXTRA_CPU = 36,
	EXTRA_XOR_X = 40,
	EXTRA_VLAN_TAG = 44,
	EXTRA_VLAN_THERE = 48,
	EXTRA_OFFSET = 52,
	EXTRA_RANDOM = 56,
	EXTRA_VLAN_PROTOCOL = 60,
};

struct socket_filter {
	uint32_t refs;
	size_t count;
	struct lx_sock_filter program[];
};

/* ---- checking -------------------------------------------------------------------------------- */

static bool load_valid(const struct lx_sock_filter *insn)
{
	bool extra = insn->k >= OFFSET_EXTRA;

	switch (MODE(insn->code)) {
	case LX_BPF_ABS:
		/* Others than those that there are (bpf_check_classic()). */
		return SIZE(insn->code) <= BPF_B &&
		       !(extra &&
			       (insn->k - OFFSET_EXTRA > EXTRA_VLAN_PROTOCOL || insn->k % 4 != 0));
	case BPF_IND:
		return SIZE(insn->code) <= BPF_B;
	case LX_BPF_IMM:
	case LX_BPF_LEN:
		return SIZE(insn->code) == LX_BPF_W;
	case LX_BPF_MEM:
		return SIZE(insn->code) == LX_BPF_W && insn->k < LX_BPF_MEMWORDS;
	default:
		return false;
	}
}

static bool alu_valid(const struct lx_sock_filter *insn)
{
	unsigned op = insn->code & 0xf0u;
	bool constant = !(insn->code & LX_BPF_X);

	if (op > LX_BPF_XOR || (constant && insn->k == 0 && (op == LX_BPF_DIV || op == LX_BPF_MOD)))
		return false;
	return !(constant && (op == LX_BPF_LSH || op == LX_BPF_RSH)) || insn->k < 32;
}

static bool jump_valid(const struct lx_sock_filter *insn, size_t behind)
{
	unsigned op = insn->code & 0xf0u;

	if (insn->code == (LX_BPF_JMP | LX_BPF_JA))
		return insn->k < behind;
	return op >= LX_BPF_JEQ && op <= LX_BPF_JSET && insn->jt < behind && insn->jf < behind;
}

static bool instruction_valid(const struct lx_sock_filter *insn, size_t behind)
{
	if (insn->code & ~0xffu)
		return false;
	switch (insn->code & LX_BPF_CLASS_MASK) {
	case LX_BPF_LD:
		return load_valid(insn);
	case LX_BPF_LDX:
		if (insn->code == (LX_BPF_LDX | BPF_B | BPF_MSH))
			return true;
		return MODE(insn->code) != LX_BPF_ABS && MODE(insn->code) != BPF_IND &&
		       load_valid(insn);
	case LX_BPF_ST:
	case LX_BPF_STX:
		return (insn->code & ~LX_BPF_CLASS_MASK) == 0 && insn->k < LX_BPF_MEMWORDS;
	case LX_BPF_ALU:
		return alu_valid(insn);
	case LX_BPF_JMP:
		return jump_valid(insn, behind);
	case LX_BPF_RET:
		return insn->code == (LX_BPF_RET | LX_BPF_K) ||
		       insn->code == (LX_BPF_RET | LX_BPF_A);
	default:
		return insn->code == (LX_BPF_MISC | LX_BPF_TAX) ||
		       insn->code == (LX_BPF_MISC | LX_BPF_TXA);
	}
}

/* No word is read that was not written on every way there (check_load_and_stores()). */
static int check_words(const struct socket_filter *filter)
{
	uint16_t *masks = malloc(filter->count * sizeof(*masks)), valid = 0;
	int err = 0;

	if (!masks)
		return -ENOMEM;
	memset(masks, 0xff, filter->count * sizeof(*masks));
	for (size_t i = 0; i < filter->count && err == 0; i++) {
		const struct lx_sock_filter *insn = &filter->program[i];
		unsigned class = insn->code & LX_BPF_CLASS_MASK;

		valid &= masks[i];
		if (class == LX_BPF_ST || class == LX_BPF_STX) {
			valid |= (uint16_t)(1u << insn->k);
		} else if ((class == LX_BPF_LD || class == LX_BPF_LDX) &&
			   MODE(insn->code) == LX_BPF_MEM) {
			err = valid >> insn->k & 1 ? 0 : -EINVAL;
		} else if (insn->code == (LX_BPF_JMP | LX_BPF_JA)) {
			masks[i + 1 + insn->k] &= valid;
			valid = UINT16_MAX;
		} else if (class == LX_BPF_JMP) {
			masks[i + 1 + insn->jt] &= valid;
			masks[i + 1 + insn->jf] &= valid;
			valid = UINT16_MAX;
		}
	}
	free(masks);
	return err;
}

static int check(const struct socket_filter *filter)
{
	for (size_t i = 0; i < filter->count; i++)
		if (!instruction_valid(&filter->program[i], filter->count - i - 1))
			return -EINVAL;
	if ((filter->program[filter->count - 1].code & LX_BPF_CLASS_MASK) != LX_BPF_RET)
		return -EINVAL;
	return check_words(filter);
}

int socket_filter_read(
	struct task *task, const void *value, size_t size, struct socket_filter **ret)
{
	struct lx_sock_fprog program;
	struct socket_filter *filter;
	int err;

	if (size != sizeof(program))
		return -EINVAL;
	memcpy(&program, value, sizeof(program));
	if (program.len == 0 || program.len > LX_BPF_MAXINSNS)
		return -EINVAL;
	filter = malloc(sizeof(*filter) + program.len * sizeof(filter->program[0]));
	if (!filter)
		return -ENOMEM;
	filter->refs = 1;
	filter->count = program.len;
	err = guest_read(task, filter->program, GADDR(program.filter),
		program.len * sizeof(filter->program[0]));
	err = err < 0 ? err : check(filter);
	if (err < 0)
		free(filter);
	else
		*ret = filter;
	return err;
}

void socket_filter_free(struct socket_filter *filter)
{
	if (filter && --filter->refs == 0)
		free(filter);
}

struct socket_filter *socket_filter_ref(struct socket_filter *filter)
{
	if (filter)
		filter->refs++;
	return filter;
}

/* A program of bpf(2), which nobody has here: there is at most something else behind @fd. */
static int attach_bpf(struct task *task, int fd)
{
	_cleanup_(cleanup_file_unref) struct file *file = fd_get(task->files, fd);

	return file ? -EINVAL : -EBADF;
}

static int attach(struct socket *socket, struct task *task, const void *value, size_t size)
{
	struct socket_filter *filter;
	int err;

	if (size == sizeof(struct lx_sock_fprog) && socket->filter_locked)
		return -EPERM;
	err = socket_filter_read(task, value, size, &filter);
	if (err < 0)
		return err;
	/* Reading the program slept: another task may have locked the socket meanwhile. */
	if (socket->filter_locked) {
		socket_filter_free(filter);
		return -EPERM;
	}
	socket_filter_free(socket->filter);
	socket->filter = filter;
	return 0;
}

int socket_filter_option(
	struct socket *socket, struct task *task, int option, const void *value, size_t size)
{
	int number;

	if (size < sizeof(number))
		return -EINVAL;
	memcpy(&number, value, sizeof(number));
	switch (option) {
	case LX_SO_ATTACH_FILTER:
		/* A stream that is cut is a means against its peer: late kernels want a right. */
		if (socket->protocol == LX_IPPROTO_TCP &&
			!cred_ns_capable(task->cred, socket->net->user_ns, LX_CAP_NET_ADMIN))
			return -EPERM;
		return attach(socket, task, value, size);
	case LX_SO_ATTACH_BPF:
		if (socket->filter_locked)
			return -EPERM;
		return size == sizeof(number) ? attach_bpf(task, number) : -EINVAL;
	case LX_SO_DETACH_FILTER:
		if (socket->filter_locked)
			return -EPERM;
		if (!socket->filter)
			return -ENOENT;
		socket_filter_free(TAKE(socket->filter));
		return 0;
	case LX_SO_LOCK_FILTER:
		if (socket->filter_locked && !number)
			return -EPERM;
		socket->filter_locked = number != 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

/* ---- running --------------------------------------------------------------------------------- */

static uint32_t extra(const struct filter_packet *packet, enum extra which, uint32_t a, uint32_t x)
{
	switch (which) {
	case EXTRA_PROTOCOL:
		return packet->protocol;
	case EXTRA_TYPE:
		return packet->type;
	case EXTRA_INTERFACE:
		return packet->interface;
	case EXTRA_HARDWARE:
		return packet->hardware_type;
	case EXTRA_XOR_X:
		return a ^ x;
	case EXTRA_OFFSET:
		return packet->network_offset;
	case EXTRA_RANDOM:
		return (uint32_t)random_u64();
	default:
		return 0;
	}
}

/* False: not all of it is in the packet, which ends the program with 0. */
static bool load(const struct filter_packet *packet, uint64_t offset, unsigned size, uint32_t *ret)
{
	unsigned bytes = size == LX_BPF_W ? 4 : size == BPF_H ? 2 : 1;
	uint8_t raw[4];

	/* Before the packet's end as an int: what is negative is a region of its own. */
	if ((uint32_t)offset >= UINT32_C(0x80000000)) {
		uint32_t place = (uint32_t)offset;

		if (place >= OFFSET_NETWORK)
			offset = (uint64_t)(place - OFFSET_NETWORK) + packet->network_offset;
		else if (place >= OFFSET_LINK)
			offset = place - OFFSET_LINK;
		else
			return false;
	} else {
		offset += packet->start;
	}
	if (offset > packet->bytes->size || bytes > packet->bytes->size - offset)
		return false;
	netbuf_peek(packet->bytes, (uint32_t)offset, raw, bytes);
	*ret = 0;
	for (unsigned i = 0; i < bytes; i++)
		*ret = *ret << 8 | raw[i];
	return true;
}

struct machine {
	uint32_t a, x, words[LX_BPF_MEMWORDS];
};

static bool do_load(const struct filter_packet *packet, const struct lx_sock_filter *insn,
	struct machine *machine)
{
	uint32_t value = insn->k;

	switch (MODE(insn->code)) {
	case LX_BPF_ABS:
		if (insn->k >= OFFSET_EXTRA)
			value = extra(packet, (enum extra)(insn->k - OFFSET_EXTRA), machine->a,
				machine->x);
		else if (!load(packet, insn->k, SIZE(insn->code), &value))
			return false;
		break;
	case BPF_IND:
		if (!load(packet, (uint32_t)(insn->k + machine->x), SIZE(insn->code), &value))
			return false;
		break;
	case LX_BPF_MEM:
		value = machine->words[insn->k];
		break;
	case LX_BPF_LEN:
		value = packet->bytes->size - packet->start;
		break;
	case BPF_MSH:
		if (!load(packet, insn->k, BPF_B, &value))
			return false;
		value = (value & 0xf) * 4;
		break;
	default:
		break;
	}
	if ((insn->code & LX_BPF_CLASS_MASK) == LX_BPF_LD)
		machine->a = value;
	else
		machine->x = value;
	return true;
}

size_t socket_filter_steps(const struct socket_filter *filter)
{
	return filter ? filter->count : 0;
}

uint32_t socket_filter_run(const struct socket_filter *filter, const struct filter_packet *packet)
{
	struct machine machine = {0};

	if (!filter)
		return UINT32_MAX;
	for (size_t i = 0; i < filter->count; i++) {
		const struct lx_sock_filter *insn = &filter->program[i];
		unsigned op = insn->code & 0xf0u;
		uint32_t b = insn->code & LX_BPF_X ? machine.x : insn->k;

		switch (insn->code & LX_BPF_CLASS_MASK) {
		case LX_BPF_LD:
		case LX_BPF_LDX:
			if (!do_load(packet, insn, &machine))
				return 0;
			break;
		case LX_BPF_ST:
			machine.words[insn->k] = machine.a;
			break;
		case LX_BPF_STX:
			machine.words[insn->k] = machine.x;
			break;
		case LX_BPF_ALU:
			if (!bpf_alu(op, &machine.a, b))
				return 0;
			break;
		case LX_BPF_JMP:
			if (op == LX_BPF_JA)
				i += insn->k;
			else
				i += bpf_jump(op, machine.a, b) ? insn->jt : insn->jf;
			break;
		case LX_BPF_RET:
			return insn->code & LX_BPF_A ? machine.a : insn->k;
		default:
			if (insn->code & LX_BPF_TXA)
				machine.a = machine.x;
			else
				machine.x = machine.a;
			break;
		}
	}
	return 0; /* not reached: a checked program returns */
}

#define STEPS_SHORT 64u	       /* no more work than the delivery itself */
#define STEPS_TURN  (4u << 20) /* some 10 ms */

uint32_t socket_filter_packet(
	const struct socket_filter *filter, const struct filter_packet *packet)
{
	static uint64_t turn;
	static size_t steps;

	if (socket_filter_steps(filter) > STEPS_SHORT) {
		if (turn != loop_monotonic()) {
			turn = loop_monotonic();
			steps = 0;
		}
		steps += socket_filter_steps(filter);
		if (steps > STEPS_TURN)
			return 0;
	}
	return socket_filter_run(filter, packet);
}
