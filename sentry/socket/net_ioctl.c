/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ioctl(2) about interfaces and routes, for sockets of all families (netdevice(7); kernel
 * net/core/dev_ioctl.c, net/ipv4/devinet.c, net/ipv6/addrconf.c).
 *
 * A name may have a label behind it ("eth0:1"), which is an IPv4 address's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/socket/net_device.h"
#include "sentry/socket/socket.h"

#define TX_QUEUE_LENGTH 1000

static struct net_ns *net_of(const struct socket *socket)
{
	return container_of(socket->net, struct net_ns, ns);
}

static bool may_administer(const struct socket *socket, const struct task *task)
{
	return cred_ns_capable(task->cred, socket->net->user_ns, LX_CAP_NET_ADMIN);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static void write_v4(struct lx_ifreq *ifreq, const struct inet_address *address)
{
	struct lx_sockaddr_in in = {.sin_family = LX_AF_INET};

	memcpy(&in.sin_addr, address->bytes + 12, sizeof(in.sin_addr));
	memcpy(ifreq->bytes, &in, sizeof(in));
}

static struct inet_address mask_of(unsigned prefix)
{
	static const struct inet_address all = {{[10] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	struct inet_address mask = inet_network_first(&all, prefix);

	/* Only the four bytes of IPv4 are looked at. */
	return mask;
}

static int prefix_of(const struct inet_address *mask)
{
	uint32_t bits;

	memcpy(&bits, mask->bytes + 12, sizeof(bits));
	bits = __builtin_bswap32(bits);
	if (~bits & (~bits + 1))
		return -EINVAL;
	return __builtin_popcount(bits);
}

/* The address with this label, or the first of IPv4. */
static struct netif_address *find_v4(const struct netif *netif, const char *label)
{
	struct netif_address *address;

	list_for_each_entry (address, &netif->addresses, link) {
		if (inet_is_v4(&address->address) &&
			strncmp(address->label, label, sizeof(address->label)) == 0)
			return address;
	}
	return NULL;
}

static int get_address(
	const struct netif *netif, unsigned request, struct lx_ifreq *ifreq, const char *label)
{
	const struct netif_address *own = find_v4(netif, label);
	struct inet_address mask;

	if (!own)
		return -EADDRNOTAVAIL;
	switch (request) {
	case LX_SIOCGIFADDR:
		write_v4(ifreq, &own->address);
		break;
	case LX_SIOCGIFDSTADDR:
		write_v4(ifreq, inet_is_any(&own->peer) ? &own->address : &own->peer);
		break;
	case LX_SIOCGIFBRDADDR:
		write_v4(ifreq, &own->broadcast);
		break;
	default:
		mask = mask_of(own->prefix);
		write_v4(ifreq, &mask);
		break;
	}
	return 0;
}

/* The prefix that an address of the old classes has (inet_abc_len()). */
static int class_prefix(const struct inet_address *address)
{
	uint8_t first = address->bytes[12];

	if (inet_is_any(address))
		return 0;
	return first < 128 ? 8 : first < 192 ? 16 : first < 224 ? 24 : -1;
}

static int replace(struct netif *netif, const struct netif_address *old, struct netif_address *now)
{
	struct inet_address address = old->address;

	(void)netif_address_remove(netif, &address, old->prefix);
	return netif_address_add(netif, now);
}

static void set_broadcast(const struct netif *netif, struct netif_address *address)
{
	if (netif->type == NETIF_ETHERNET && address->prefix < 31)
		address->broadcast = inet_network_last(&address->address, address->prefix);
	else
		address->broadcast = inet_any4;
}

/* devinet_ioctl(): one address for each label. */
static int set_address(
	struct netif *netif, unsigned request, const struct lx_ifreq *ifreq, const char *label)
{
	struct netif_address *own = find_v4(netif, label), now;
	struct inet_address given;
	struct lx_sockaddr_in in;
	int prefix;

	memcpy(&in, ifreq->bytes, sizeof(in));
	if (in.sin_family != LX_AF_INET)
		return -EINVAL;
	given = inet_from_v4((const uint8_t *)&in.sin_addr);
	if (!own && request != LX_SIOCSIFADDR)
		return -EADDRNOTAVAIL;
	now = own ? *own
		  : (struct netif_address){.peer = inet_any4,
			    .flags = NETADDR_PERMANENT,
			    .preferred_until = INT64_MAX,
			    .valid_until = INT64_MAX};
	memset(now.label, 0, sizeof(now.label));
	memcpy(now.label, label, strnlen(label, sizeof(now.label) - 1));
	switch (request) {
	case LX_SIOCSIFADDR:
		prefix = class_prefix(&given);
		if (prefix < 0)
			return -EINVAL;
		if (own && inet_equal(&own->address, &given))
			return 0;
		now.address = given;
		now.scope = inet_is_loopback(&given) ? NETSCOPE_HOST : NETSCOPE_GLOBAL;
		now.prefix = (uint8_t)prefix;
		set_broadcast(netif, &now);
		/* No address at all: the one that was there goes. */
		if (inet_is_any(&given)) {
			given = own ? own->address : given;
			return own ? netif_address_remove(netif, &given, own->prefix) : 0;
		}
		if (own)
			return replace(netif, own, &now);
		return netif_address_add(netif, &now);
	case LX_SIOCSIFNETMASK:
		prefix = prefix_of(&given);
		if (prefix < 0)
			return -EINVAL;
		if (prefix == own->prefix)
			return 0;
		now.prefix = (uint8_t)prefix;
		if (!inet_is_any(&own->broadcast))
			set_broadcast(netif, &now);
		return replace(netif, own, &now);
	case LX_SIOCSIFBRDADDR:
		own->broadcast = given;
		return 0;
	default: /* LX_SIOCSIFDSTADDR */
		now.peer = given;
		now.prefix = 32;
		return replace(netif, own, &now);
	}
}

/* ---- SIOCGIFCONF: all IPv4 addresses --------------------------------------------------------- */

static int64_t get_conf(const struct net_ns *net, struct task *task, gaddr_t arg)
{
	_cleanup_free_ struct lx_ifreq *rows = NULL;
	const struct netif_address *address;
	const struct netif *netif;
	struct lx_ifconf conf;
	size_t count = 0, room;
	int err = guest_read_value(task, &conf, arg);

	if (err < 0)
		return err;
	/* Who only asks for the size need not have set one (dev_ifconf()). */
	conf.len = max_of(conf.len, 0);
	rows = calloc(NETIF_ADDRESSES_MAX + 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	list_for_each_entry (netif, &net->stack.netifs, link) {
		list_for_each_entry (address, &netif->addresses, link) {
			if (!inet_is_v4(&address->address) || count == NETIF_ADDRESSES_MAX)
				continue;
			memcpy(rows[count].name, address->label[0] ? address->label : netif->name,
				sizeof(netif->name));
			write_v4(&rows[count++], &address->address);
		}
	}
	room = conf.buf ? (size_t)conf.len / sizeof(*rows) : count;
	count = min_of(count, room);
	conf.len = (int32_t)(count * sizeof(*rows));
	if (conf.buf && count) {
		err = guest_write(task, GADDR(conf.buf), rows, count * sizeof(*rows));
		if (err < 0)
			return err;
	}
	return guest_write_value(task, arg, &conf);
}

/* ---- IPv6 addresses, routes ------------------------------------------------------------------ */

struct in6_ifreq {
	uint8_t address[16];
	uint32_t prefix;
	int32_t index;
};

static int64_t change_v6(struct socket *socket, struct task *task, unsigned request, gaddr_t arg)
{
	struct netif_address address = {
		.flags = NETADDR_PERMANENT, .preferred_until = INT64_MAX, .valid_until = INT64_MAX};
	struct in6_ifreq wanted;
	struct netif *netif;
	int err;

	if (!may_administer(socket, task))
		return -EPERM;
	err = guest_read_value(task, &wanted, arg);
	if (err < 0)
		return err;
	if (wanted.prefix > 128)
		return -EINVAL;
	netif = netif_by_index(&net_of(socket)->stack, (unsigned)wanted.index);
	if (!netif)
		return -ENODEV;
	memcpy(address.address.bytes, wanted.address, sizeof(wanted.address));
	address.prefix = (uint8_t)wanted.prefix;
	if (request == LX_SIOCDIFADDR)
		return netif_address_remove(netif, &address.address, address.prefix);
	address.scope = inet_is_link_local(&address.address) ? NETSCOPE_LINK : NETSCOPE_GLOBAL;
	return netif_address_add(netif, &address);
}

/* struct rtentry */
struct route_entry {
	uint64_t pad1;
	struct lx_sockaddr_in target, gateway, mask;
	uint16_t flags;
	int16_t pad2;
	uint32_t pad3;
	uint64_t pad4;
	uint8_t tos, class;
	int16_t pad5[3];
	int16_t metric;
	uint8_t pad6[6];
	uint64_t device;
	uint64_t mtu, window;
	uint16_t rtt;
	uint8_t pad7[6];
};
_Static_assert(sizeof(struct route_entry) == 120, "struct rtentry");

#define RTF_GATEWAY 0x2u
#define RTF_HOST    0x4u
#define RTF_MTU	    0x40u
#define RTF_REJECT  0x200u

static int find_route_device(
	struct net_ns *net, struct task *task, const struct route_entry *entry, struct netif **ret)
{
	char name[NETIF_NAME_SIZE] = "";
	int err;

	*ret = NULL;
	if (!entry->device)
		return 0;
	err = guest_read(task, name, GADDR(entry->device), sizeof(name) - 1);
	if (err < 0)
		return err;
	*ret = netif_by_name(&net->stack, name);
	return *ret ? 0 : -ENODEV;
}

/* rtentry_to_fib_config() */
static int64_t change_route(struct socket *socket, struct task *task, unsigned request, gaddr_t arg)
{
	struct net_ns *net = net_of(socket);
	struct route route = {.gateway = inet_any4,
		.source = inet_any4,
		.protocol = NETROUTE_BY_BOOT,
		.type = NETROUTE_UNICAST,
		.scope = NETSCOPE_LINK,
		.prefix = 32,
		.valid_until = INT64_MAX};
	struct route_entry entry;
	struct inet_address mask, first;
	struct route_result result;
	int err, prefix;

	if (!may_administer(socket, task))
		return -EPERM;
	err = guest_read_value(task, &entry, arg);
	if (err < 0)
		return err;
	if (entry.target.sin_family != LX_AF_INET)
		return -EAFNOSUPPORT;
	route.destination = inet_from_v4((const uint8_t *)&entry.target.sin_addr);
	if (!(entry.flags & RTF_HOST)) {
		mask = inet_from_v4((const uint8_t *)&entry.mask.sin_addr);
		prefix = prefix_of(&mask);
		if (prefix < 0 ||
			(entry.mask.sin_family != LX_AF_INET && (prefix || entry.mask.sin_family)))
			return prefix < 0 ? -EINVAL : -EAFNOSUPPORT;
		route.prefix = (uint8_t)prefix;
		first = inet_network_first(&route.destination, route.prefix);
		if (!inet_equal(&first, &route.destination))
			return -EINVAL;
	}
	if (entry.metric > 0)
		route.metric = (uint32_t)entry.metric - 1;
	if (entry.flags & RTF_MTU)
		route.mtu = (uint32_t)min_of(entry.mtu, (uint64_t)UINT16_MAX);
	if (entry.flags & RTF_REJECT)
		route.type = NETROUTE_UNREACHABLE;
	err = find_route_device(net, task, &entry, &route.netif);
	if (err < 0)
		return err;
	if (entry.flags & RTF_GATEWAY) {
		if (entry.gateway.sin_family != LX_AF_INET)
			return -EINVAL;
		route.gateway = inet_from_v4((const uint8_t *)&entry.gateway.sin_addr);
		route.scope = NETSCOPE_GLOBAL;
	}
	if (request == LX_SIOCDELRT)
		return route_remove(&net->stack, &route);
	if (route.type == NETROUTE_UNICAST && !route.netif) {
		if (inet_is_any(&route.gateway))
			return -ENODEV;
		if (route_lookup(&net->stack, &route.gateway, NULL, &result) < 0 || result.local)
			return -ENETUNREACH;
		route.netif = result.netif;
	}
	return route_add(&net->stack, &route);
}

/* ---- one interface --------------------------------------------------------------------------- */

static int get_value(const struct netif *netif, unsigned request, struct lx_ifreq *ifreq)
{
	switch (request) {
	case LX_SIOCGIFINDEX:
		ifreq->value = (int32_t)netif->index;
		return 0;
	case LX_SIOCGIFFLAGS:
		ifreq->flags = (int16_t)net_device_flags(netif);
		return 0;
	case LX_SIOCGIFMTU:
		ifreq->value = (int32_t)netif->mtu;
		return 0;
	case LX_SIOCGIFMETRIC:
		ifreq->value = 0;
		return 0;
	case LX_SIOCGIFTXQLEN:
		ifreq->value = TX_QUEUE_LENGTH;
		return 0;
	case LX_SIOCGIFMAP:
		memset(ifreq->bytes, 0, sizeof(ifreq->bytes));
		return 0;
	default: /* LX_SIOCGIFHWADDR */
		memset(ifreq->bytes, 0, sizeof(ifreq->bytes));
		ifreq->addr.sa_family = net_device_type(netif);
		memcpy(ifreq->addr.sa_data, netif->hardware, sizeof(netif->hardware));
		return 0;
	}
}

static int set_value(struct netif *netif, unsigned request, struct lx_ifreq *ifreq)
{
	char name[NETIF_NAME_SIZE];

	switch (request) {
	case LX_SIOCSIFFLAGS:
		/* The upper half is not in the sixteen bits. */
		return net_device_set_flags(netif, (uint16_t)ifreq->flags, 0xffff);
	case LX_SIOCSIFMTU:
		return net_device_set_mtu(netif, (uint32_t)ifreq->value);
	case LX_SIOCSIFTXQLEN:
		return ifreq->value == TX_QUEUE_LENGTH ? 0 : -EOPNOTSUPP;
	case LX_SIOCSIFMETRIC:
		return -EOPNOTSUPP;
	case LX_SIOCSIFNAME:
		memcpy(name, ifreq->bytes, sizeof(name));
		name[sizeof(name) - 1] = '\0';
		return net_device_set_name(netif, name);
	default: /* LX_SIOCSIFHWADDR */
		if (ifreq->addr.sa_family != net_device_type(netif))
			return -EINVAL;
		return net_device_set_hardware(netif, ifreq->addr.sa_data);
	}
}

/* ethtool: that there is a link, and who drives it. Nothing can be set. */
static int64_t ethtool(const struct netif *netif, struct task *task, const struct lx_ifreq *ifreq)
{
	struct {
		uint32_t command;
		char driver[32], version[32], firmware[32], bus[32], rom[32], reserved[12];
		uint32_t counts[5];
	} info = {0};
	const char *kind = net_device_kind(netif);
	uint32_t words[2];
	uint64_t at;
	int err;

	memcpy(&at, ifreq->bytes, sizeof(at));
	err = guest_read_value(task, &words[0], GADDR(at));
	if (err < 0)
		return err;
	switch (words[0]) {
	case 0x3: /* ETHTOOL_GDRVINFO */
		if (!kind)
			return -EOPNOTSUPP;
		info.command = words[0];
		memcpy(info.driver, kind, strlen(kind));
		memcpy(info.version, "1.0", 3);
		return guest_write_value(task, GADDR(at), &info);
	case 0xa: /* ETHTOOL_GLINK */
		words[1] = !!(net_device_flags(netif) & LX_IFF_LOWER_UP);
		return guest_write_value(task, GADDR(at), &words);
	default:
		return -EOPNOTSUPP;
	}
}

static int64_t get_name(const struct net_ns *net, struct task *task, gaddr_t arg)
{
	const struct netif *netif;
	struct lx_ifreq ifreq;
	int err = guest_read_value(task, &ifreq, arg);

	if (err < 0)
		return err;
	netif = netif_by_index(&net->stack, (unsigned)ifreq.value);
	if (!netif)
		return -ENODEV;
	memcpy(ifreq.name, netif->name, sizeof(ifreq.name));
	return guest_write_value(task, arg, &ifreq);
}

enum kind { NO_REQUEST, GET_VALUE, SET_VALUE, GET_ADDRESS, SET_ADDRESS, ETHTOOL };

static enum kind kind_of(unsigned request)
{
	switch (request) {
	case LX_SIOCGIFINDEX:
	case LX_SIOCGIFFLAGS:
	case LX_SIOCGIFMTU:
	case LX_SIOCGIFMETRIC:
	case LX_SIOCGIFTXQLEN:
	case LX_SIOCGIFMAP:
	case LX_SIOCGIFHWADDR:
		return GET_VALUE;
	case LX_SIOCSIFFLAGS:
	case LX_SIOCSIFMTU:
	case LX_SIOCSIFTXQLEN:
	case LX_SIOCSIFMETRIC:
	case LX_SIOCSIFNAME:
	case LX_SIOCSIFHWADDR:
		return SET_VALUE;
	case LX_SIOCGIFADDR:
	case LX_SIOCGIFDSTADDR:
	case LX_SIOCGIFBRDADDR:
	case LX_SIOCGIFNETMASK:
		return GET_ADDRESS;
	case LX_SIOCSIFADDR:
	case LX_SIOCSIFDSTADDR:
	case LX_SIOCSIFBRDADDR:
	case LX_SIOCSIFNETMASK:
		return SET_ADDRESS;
	case LX_SIOCETHTOOL:
		return ETHTOOL;
	default:
		return NO_REQUEST;
	}
}

static int64_t of_interface(
	struct socket *socket, struct task *task, unsigned request, enum kind kind, gaddr_t arg)
{
	char label[NETIF_NAME_SIZE], *colon;
	struct lx_ifreq ifreq;
	struct netif *netif;
	int err = guest_read_value(task, &ifreq, arg);

	if (err < 0)
		return err;
	ifreq.name[sizeof(ifreq.name) - 1] = '\0';
	memcpy(label, ifreq.name, sizeof(label));
	colon = strchr(ifreq.name, ':');
	if (colon)
		*colon = '\0';
	if ((kind == SET_VALUE || kind == SET_ADDRESS) && !may_administer(socket, task))
		return -EPERM;
	netif = netif_by_name(&net_of(socket)->stack, ifreq.name);
	if (!netif)
		return -ENODEV;
	memcpy(ifreq.name, label, sizeof(label));
	switch (kind) {
	case SET_VALUE:
		return set_value(netif, request, &ifreq);
	case GET_ADDRESS:
	case SET_ADDRESS:
		/* AF_INET's own requests (inet_ioctl()). */
		if (socket->family != LX_AF_INET)
			return -ENOTTY;
		if (kind == SET_ADDRESS)
			return set_address(netif, request, &ifreq, label);
		memset(ifreq.bytes, 0, sizeof(ifreq.bytes));
		err = get_address(netif, request, &ifreq, label);
		break;
	case ETHTOOL:
		return ethtool(netif, task, &ifreq);
	default:
		err = get_value(netif, request, &ifreq);
		break;
	}
	return err < 0 ? err : guest_write_value(task, arg, &ifreq);
}

int64_t net_device_ioctl(struct socket *socket, struct task *task, unsigned request, gaddr_t arg)
{
	enum kind kind = kind_of(request);

	if (kind != NO_REQUEST && !((kind == SET_ADDRESS || request == LX_SIOCGIFDSTADDR) &&
					  socket->family == LX_AF_INET6))
		return of_interface(socket, task, request, kind, arg);
	switch (request) {
	case LX_SIOCGIFNAME:
		return get_name(net_of(socket), task, arg);
	case LX_SIOCGIFCONF:
		return get_conf(net_of(socket), task, arg);
	case LX_SIOCADDRT:
	case LX_SIOCDELRT:
		return socket->family == LX_AF_INET ? change_route(socket, task, request, arg)
						    : -ENOTTY;
	case LX_SIOCSIFADDR:
	case LX_SIOCDIFADDR:
		return socket->family == LX_AF_INET6 ? change_v6(socket, task, request, arg)
						     : -ENOTTY;
	default:
		return -ENOTTY;
	}
}
