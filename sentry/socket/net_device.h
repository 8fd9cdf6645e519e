/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SOCKET_NET_DEVICE_H
#define SENTRY_SENTRY_SOCKET_NET_DEVICE_H

#include "abi/socket.h"
#include "sentry/nsproxy.h"

/*
 * Interfaces that the guest makes (ip-link(8)), and what programs are told about any: flags, types
 * and states as Linux names them (netdevice(7)).
 *
 * dummy: takes every packet and drops it. veth: two interfaces, in one network or in two, each
 * of which receives what the other sends.
 */
#define LX_IFF_PROMISC	0x100u
#define LX_IFF_ALLMULTI 0x200u
#define LX_IFF_NOARP	0x80u
#define LX_IFF_LOWER_UP 0x10000u

#define LX_ARPHRD_ETHER	   1
#define LX_ARPHRD_NONE	   0xfffe
#define LX_ARPHRD_LOOPBACK 772

unsigned net_device_flags(const struct netif *netif);
uint16_t net_device_type(const struct netif *netif);
uint8_t net_device_state(const struct netif *netif); /* IF_OPER_* */
const char *net_device_queue(const struct netif *netif);
/* "dummy", "veth", or NULL: it was there from the start. */
const char *net_device_kind(const struct netif *netif);
/* The other end of a veth, or NULL. */
struct netif *net_device_peer(const struct netif *netif);
uint32_t net_device_mtu_min(const struct netif *netif);
uint32_t net_device_mtu_max(const struct netif *netif);

/* A name that an interface may have (dev_valid_name()). */
bool net_device_name_valid(const char *name);
/* @name with %d filled in by the first number that is free; -ENFILE, -EINVAL. */
int net_device_choose_name(const struct netstack *stack, const char *name, char ret[16]);

struct net_device_plan {
	struct net_ns *net; /* where it goes */
	char name[NETIF_NAME_SIZE];
	uint8_t hardware[6];
	bool has_hardware;
	uint32_t mtu;	/* 0: as usual */
	unsigned flags; /* LX_IFF_UP or not */
};
/* -EEXIST, -ENOSPC, -ENOMEM. */
int net_device_add_dummy(const struct net_device_plan *plan, struct netif **ret);
int net_device_add_veth(const struct net_device_plan plans[2], struct netif **ret);
/* Removes it, and its peer. -EOPNOTSUPP: it was there from the start. */
int net_device_remove(struct netif *netif);
/* To another network, down and without addresses; its peer stays its peer. -EINVAL: it was there
 * from the start; -EEXIST: somebody has the name there. */
int net_device_move(struct netif *netif, struct net_ns *to);

int net_device_set_mtu(struct netif *netif, uint32_t mtu);	/* -EINVAL */
int net_device_set_name(struct netif *netif, const char *name); /* -EEXIST, -EINVAL */
int net_device_set_hardware(struct netif *netif, const uint8_t hardware[6]);
/* What of @flags can be changed, among those in @mask. */
int net_device_set_flags(struct netif *netif, unsigned flags, unsigned mask);

/* A network begins, with its loopback; and ends, with what the guest made in it. */
void net_ns_begin(struct net_ns *net);
void net_ns_end(struct net_ns *net);

/* Something about @netif changed: its peer's carrier may. */
void net_device_changed(struct netif *netif);

#endif
