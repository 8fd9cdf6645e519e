/* SPDX-License-Identifier: Apache-2.0 */
/* Interfaces that the guest makes, and how any looks to programs. */
#include "sentry/socket/net_device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/random.h"
#include "sentry/socket/net_proc.h"
#include "sentry/socket/netlink_route.h"

#define ETHERNET_MTU	 1500u
#define MTU_MIN		 68u
#define MTU_MAX		 65535u
#define DEVICES_MAX	 1024u	    /* in the sandbox */
#define VETH_QUEUE_MAX	 (4u << 20) /* bytes on their way to one end */
#define VETH_FRAMES_MAX	 1024u
#define VETH_FRAMES_TURN 64u /* that are handed over before others have their turn */

/* A frame on its way between the ends of a pair. */
struct veth_frame {
	struct list_head link;
	struct netif_offload offload;
	struct netbuf_queue bytes;
};

struct net_device {
	struct netif netif;	 /* first */
	struct net_device *peer; /* of a veth; NULL once it is gone */
	struct list_head frames; /* that the peer sent */
	unsigned frame_count;
	uint32_t queued;
	struct timer timer; /* due when there are frames */
	bool moving;
};

static unsigned device_count;

static const struct netif_ops dummy_ops, veth_ops;

static struct net_device *device_of(const struct netif *netif)
{
	if (netif->ops != &dummy_ops && netif->ops != &veth_ops)
		return NULL;
	return container_of(netif, struct net_device, netif);
}

/* ---- how they look --------------------------------------------------------------------------- */

const char *net_device_kind(const struct netif *netif)
{
	return netif->ops == &dummy_ops ? "dummy" : netif->ops == &veth_ops ? "veth" : NULL;
}

struct netif *net_device_peer(const struct netif *netif)
{
	const struct net_device *device = device_of(netif);

	return device && device->peer ? &device->peer->netif : NULL;
}

static bool is_running(const struct netif *netif)
{
	return (netif->flags & NETIF_UP) && (netif->flags & NETIF_RUNNING);
}

unsigned net_device_flags(const struct netif *netif)
{
	unsigned flags = netif->flags & NETIF_UP ? LX_IFF_UP : 0;

	if (netif->type == NETIF_LOOPBACK)
		flags |= LX_IFF_LOOPBACK;
	else if (netif->type == NETIF_POINT)
		flags |= LX_IFF_POINTOPOINT | LX_IFF_NOARP;
	else
		flags |= LX_IFF_BROADCAST;
	if (netif->type == NETIF_ETHERNET && netif->ops != &dummy_ops)
		flags |= LX_IFF_MULTICAST;
	if (netif->flags & NETIF_NO_ARP)
		flags |= LX_IFF_NOARP;
	if (netif->flags & NETIF_PROMISCUOUS)
		flags |= LX_IFF_PROMISC;
	if (netif->flags & NETIF_ALLMULTI)
		flags |= LX_IFF_ALLMULTI;
	if (is_running(netif))
		flags |= LX_IFF_RUNNING | LX_IFF_LOWER_UP;
	return flags;
}

uint16_t net_device_type(const struct netif *netif)
{
	return netif->type == NETIF_LOOPBACK ? LX_ARPHRD_LOOPBACK
	       : netif->type == NETIF_POINT  ? LX_ARPHRD_NONE
					     : LX_ARPHRD_ETHER;
}

/* rfc2863_policy(): who has no carrier to lose is of unknown state. */
uint8_t net_device_state(const struct netif *netif)
{
	if (!(netif->flags & NETIF_UP))
		return 2; /* IF_OPER_DOWN */
	if (netif->type == NETIF_LOOPBACK || netif->ops == &dummy_ops)
		return 0; /* IF_OPER_UNKNOWN */
	if (is_running(netif))
		return 6;			/* IF_OPER_UP */
	return netif->ops == &veth_ops ? 3 : 2; /* IF_OPER_LOWERLAYERDOWN */
}

const char *net_device_queue(const struct netif *netif)
{
	return netif->flags & NETIF_UP ? "noqueue" : "noop";
}

uint32_t net_device_mtu_min(const struct netif *netif)
{
	return netif->type == NETIF_LOOPBACK || netif->ops == &dummy_ops ? 0 : MTU_MIN;
}

uint32_t net_device_mtu_max(const struct netif *netif)
{
	return netif->type == NETIF_LOOPBACK || netif->ops == &dummy_ops ? 0 : MTU_MAX;
}

/* ---- dummy and veth as drivers --------------------------------------------------------------- */

static void dummy_transmit(
	struct netif *netif, struct netbuf_queue *frame, const struct netif_offload *offload)
{
	netbuf_queue_clear(frame);
}

static void frame_free(struct net_device *device, struct veth_frame *frame)
{
	list_remove(&frame->link);
	device->frame_count--;
	device->queued -= frame->bytes.size;
	netbuf_queue_clear(&frame->bytes);
	free(frame);
}

/* Nothing is received from within the call that sends: both ends may be one connection's. */
static void veth_arrive(struct timer *timer)
{
	struct net_device *device = timer->data;
	struct netstack *stack = device->netif.stack;

	for (unsigned i = 0; i < VETH_FRAMES_TURN && !list_empty(&device->frames); i++) {
		struct veth_frame *frame = list_first(&device->frames, struct veth_frame, link);
		struct netif_offload offload = frame->offload;
		struct netbuf_queue bytes = {0};

		netbuf_move(&bytes, &frame->bytes);
		device->queued -= bytes.size;
		frame_free(device, frame);
		netif_receive(&device->netif, &bytes, &offload);
	}
	netstack_run(stack);
	if (!list_empty(&device->frames))
		(void)timer_arm(&device->timer, loop_monotonic());
}

static void veth_transmit(
	struct netif *netif, struct netbuf_queue *bytes, const struct netif_offload *offload)
{
	struct net_device *peer = device_of(netif)->peer;
	struct veth_frame *frame = NULL;

	if (peer && is_running(netif) && peer->frame_count < VETH_FRAMES_MAX &&
		peer->queued < VETH_QUEUE_MAX)
		frame = calloc(1, sizeof(*frame));
	if (!frame) {
		netif->counters.tx_dropped++;
		netbuf_queue_clear(bytes);
		return;
	}
	if (offload)
		frame->offload = *offload;
	/* Nothing can be damaged on the way. */
	frame->offload.checksum_valid = true;
	netbuf_move(&frame->bytes, bytes);
	list_add_tail(&frame->link, &peer->frames);
	peer->frame_count++;
	peer->queued += frame->bytes.size;
	if (!timer_armed(&peer->timer) && timer_arm(&peer->timer, loop_monotonic()) < 0)
		frame_free(peer, frame);
}

static void device_free(struct netif *netif)
{
	struct net_device *device = container_of(netif, struct net_device, netif);
	struct net_device *peer = device->peer;

	while (!list_empty(&device->frames))
		frame_free(device, list_first(&device->frames, struct veth_frame, link));
	(void)timer_cancel(&device->timer);
	if (device->moving)
		return;
	if (peer) {
		peer->peer = NULL;
		netif_remove(&peer->netif);
	}
	device_count--;
	free(device);
}

static const struct netif_ops dummy_ops = {.transmit = dummy_transmit, .free = device_free};
static const struct netif_ops veth_ops = {.transmit = veth_transmit, .free = device_free};

/* Each end has a carrier while both are up. */
void net_device_changed(struct netif *netif)
{
	struct net_device *device = device_of(netif);
	struct netif *peer = net_device_peer(netif);
	uint32_t before;
	bool carrier;

	if (!device || netif->ops != &veth_ops || !peer)
		return;
	carrier = (netif->flags & NETIF_UP) && (peer->flags & NETIF_UP);
	netif->flags = (netif->flags & ~NETIF_RUNNING) | (carrier ? NETIF_RUNNING : 0);
	before = peer->flags;
	peer->flags = (peer->flags & ~NETIF_RUNNING) | (carrier ? NETIF_RUNNING : 0);
	if (before != peer->flags && peer->stack && peer->stack->changed)
		peer->stack->changed(peer->stack, NETSTACK_LINK, peer);
}

/* ---- names ----------------------------------------------------------------------------------- */

bool net_device_name_valid(const char *name)
{
	if (!name[0] || strnlen(name, NETIF_NAME_SIZE) == NETIF_NAME_SIZE ||
		strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (; *name; name++)
		if (*name == '/' || *name == ':' || (*name >= 9 && *name <= 13) || *name == ' ')
			return false;
	return true;
}

int net_device_choose_name(const struct netstack *stack, const char *name, char ret[16])
{
	const char *mark = strchr(name, '%');
	char text[NETIF_NAME_SIZE + 16];

	if (!net_device_name_valid(name))
		return -EINVAL;
	if (!mark) {
		snprintf(ret, NETIF_NAME_SIZE, "%s", name);
		return 0;
	}
	if (mark[1] != 'd' || strchr(mark + 1, '%'))
		return -EINVAL;
	for (unsigned i = 0; i <= NETIF_COUNT_MAX; i++) {
		snprintf(text, sizeof(text), "%.*s%u%s", (int)(mark - name), name, i, mark + 2);
		if (strlen(text) < NETIF_NAME_SIZE && !netif_by_name(stack, text)) {
			memcpy(ret, text, strlen(text) + 1);
			return 0;
		}
	}
	return -ENFILE;
}

/* ---- making and removing --------------------------------------------------------------------- */

static int device_new(
	const struct net_device_plan *plan, const struct netif_ops *ops, struct net_device **ret)
{
	struct net_device *device;

	if (plan->mtu && ops == &veth_ops && (plan->mtu < MTU_MIN || plan->mtu > MTU_MAX))
		return -EINVAL;
	if (device_count >= DEVICES_MAX)
		return -ENOSPC;
	device = calloc(1, sizeof(*device));
	if (!device)
		return -ENOMEM;
	device_count++;
	device->netif.ops = ops;
	device->netif.type = NETIF_ETHERNET;
	device->netif.mtu = plan->mtu ? plan->mtu : ETHERNET_MTU;
	device->netif.flags = ops == &dummy_ops ? NETIF_RUNNING | NETIF_NO_ARP : NETIF_TX_CHECKSUM;
	memcpy(device->netif.name, plan->name, sizeof(device->netif.name));
	list_init(&device->frames);
	timer_init(&device->timer, veth_arrive, device);
	if (plan->has_hardware) {
		memcpy(device->netif.hardware, plan->hardware, sizeof(plan->hardware));
	} else {
		/* Locally administered, for one station (IEEE 802). */
		random_bytes(device->netif.hardware, sizeof(device->netif.hardware));
		device->netif.hardware[0] = (uint8_t)((device->netif.hardware[0] & 0xfe) | 2);
	}
	*ret = device;
	return 0;
}

static void device_discard(struct net_device *device)
{
	if (device)
		device_count--;
	free(device);
}

int net_device_add_dummy(const struct net_device_plan *plan, struct netif **ret)
{
	struct net_device *device;
	int err = device_new(plan, &dummy_ops, &device);

	if (err < 0)
		return err;
	err = netif_add(&plan->net->stack, &device->netif);
	if (err < 0) {
		device_discard(device);
		return err;
	}
	if (plan->flags & LX_IFF_UP)
		(void)netif_set_up(&device->netif, true);
	*ret = &device->netif;
	return 0;
}

int net_device_add_veth(const struct net_device_plan plans[2], struct netif **ret)
{
	struct net_device *devices[2] = {NULL, NULL};
	int err = device_new(&plans[0], &veth_ops, &devices[0]);

	err = err < 0 ? err : device_new(&plans[1], &veth_ops, &devices[1]);
	/* The peer comes first, as veth_newlink() has it. */
	err = err < 0 ? err : netif_add(&plans[1].net->stack, &devices[1]->netif);
	if (err < 0) {
		device_discard(devices[0]);
		device_discard(devices[1]);
		return err;
	}
	err = netif_add(&plans[0].net->stack, &devices[0]->netif);
	if (err < 0) {
		netif_remove(&devices[1]->netif);
		device_discard(devices[0]);
		return err;
	}
	devices[0]->peer = devices[1];
	devices[1]->peer = devices[0];
	for (int i = 0; i < 2; i++)
		if (plans[i].flags & LX_IFF_UP)
			(void)netif_set_up(&devices[i]->netif, true);
	*ret = &devices[0]->netif;
	return 0;
}

int net_device_remove(struct netif *netif)
{
	if (!device_of(netif))
		return -EOPNOTSUPP;
	netif_remove(netif);
	return 0;
}

int net_device_move(struct netif *netif, struct net_ns *to)
{
	struct net_device *device = device_of(netif);
	struct netstack *from = netif->stack;
	int err;

	if (!device)
		return -EINVAL;
	if (netif_by_name(&to->stack, netif->name))
		return -EEXIST;
	device->moving = true;
	netif_remove(netif);
	err = netif_add(&to->stack, netif);
	if (err < 0)
		sentry_assert(netif_add(from, netif) == 0); /* its place is still free */
	device->moving = false;
	return err;
}

/* ---- changing -------------------------------------------------------------------------------- */

static void tell(struct netif *netif)
{
	if (netif->stack->changed)
		netif->stack->changed(netif->stack, NETSTACK_LINK, netif);
}

int net_device_set_mtu(struct netif *netif, uint32_t mtu)
{
	if (mtu == netif->mtu)
		return 0;
	if (mtu < MTU_MIN || mtu > MTU_MAX)
		return -EINVAL;
	/* What is on the loopback link is never cut. */
	if (netif->type == NETIF_LOOPBACK)
		return -EOPNOTSUPP;
	netif->mtu = mtu;
	tell(netif);
	return 0;
}

/* The labels of addresses begin with the interface's name (inetdev_changename()). */
static void relabel(struct netif *netif, const char *name)
{
	struct netif_address *address;
	size_t size = strlen(netif->name);

	list_for_each_entry (address, &netif->addresses, link) {
		char label[2 * NETIF_NAME_SIZE];

		if (strncmp(address->label, netif->name, size) != 0)
			continue;
		(void)snprintf(label, sizeof(label), "%s%s", name, address->label + size);
		if (strlen(label) < sizeof(address->label))
			memcpy(address->label, label, strlen(label) + 1);
	}
}

int net_device_set_name(struct netif *netif, const char *name)
{
	char chosen[NETIF_NAME_SIZE];
	int err = net_device_choose_name(netif->stack, name, chosen);

	if (err < 0)
		return err;
	if (netif_by_name(netif->stack, chosen))
		return strcmp(chosen, netif->name) == 0 ? 0 : -EEXIST;
	relabel(netif, chosen);
	memcpy(netif->name, chosen, sizeof(chosen));
	tell(netif);
	return 0;
}

int net_device_set_hardware(struct netif *netif, const uint8_t hardware[6])
{
	if (!device_of(netif))
		return -EOPNOTSUPP;
	/* is_valid_ether_addr() */
	if ((hardware[0] & 1) || memcmp(hardware, "\0\0\0\0\0\0", 6) == 0)
		return -EADDRNOTAVAIL;
	memcpy(netif->hardware, hardware, 6);
	tell(netif);
	return 0;
}

int net_device_set_flags(struct netif *netif, unsigned flags, unsigned mask)
{
	static const struct {
		unsigned shown;
		uint32_t kept;
	} switches[] = {{LX_IFF_PROMISC, NETIF_PROMISCUOUS}, {LX_IFF_ALLMULTI, NETIF_ALLMULTI},
		{LX_IFF_NOARP, NETIF_NO_ARP}};
	uint32_t before = netif->flags;

	for (size_t i = 0; i < array_size(switches); i++) {
		if (!(mask & switches[i].shown) || netif->type != NETIF_ETHERNET)
			continue;
		netif->flags &= ~switches[i].kept;
		if (flags & switches[i].shown)
			netif->flags |= switches[i].kept;
	}
	if (netif->flags != before)
		tell(netif);
	return mask & LX_IFF_UP ? netif_set_up(netif, flags & LX_IFF_UP) : 0;
}

/* ---- networks -------------------------------------------------------------------------------- */

void net_ns_begin(struct net_ns *net)
{
	net_proc_register();
	net->stack.changed = route_changed;
	net->stack.owner = net;
	net->ping_first = 1; /* and the last is 0: nobody */
}

void net_ns_end(struct net_ns *net)
{
	struct netif *netif, *found;

	/* One at a time: a peer may go along. */
	do {
		found = NULL;
		list_for_each_entry (netif, &net->stack.netifs, link) {
			if (device_of(netif))
				found = netif;
		}
		if (found)
			netif_remove(found);
	} while (found);
}
