/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens what `--network tap:IF` and `--network packet:IF` name (tun(4) and its kernel document
 * tuntap, packet(7)).
 *
 * All that takes a privilege or the host's network namespace is done here, before the kernel
 * process exists: attaching, binding, offloads. What it gets is a descriptor that can be read and
 * written, and no more: its list of host calls has none that would turn it to another interface.
 *
 * Either kind carries a struct virtio_net_hdr before each frame, so that checksums are completed
 * and large segments cut by whoever has to, which between two programs of one host is nobody.
 */
#include "cmd/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

#define LINK_MTU_MIN 68u    /* RFC 791 section 3.2 */
#define LINK_MTU_MAX 65521u /* of which a frame with its header and 14 bytes to spare is 64 KiB */

/* Bytes that the host may hold for us before frames are lost: many of the largest. */
#define LINK_BUFFER (4 << 20)

static int refuse(const struct network_link *options, const char *why, const char *remedy)
{
	log_error("--network %s:%s: %s%s%s", options->kind == NETWORK_TAP ? "tap" : "packet",
		options->interface, why, *remedy ? "; " : "", remedy);
	return -EINVAL;
}

static struct ifreq name_request(const struct network_link *options)
{
	struct ifreq request = {0};

	strcpy(request.ifr_name, options->interface);
	return request;
}

static int refuse_tap(const struct network_link *options, int error)
{
	char remedy[160];

	switch (error) {
	case EPERM:
		(void)snprintf(remedy, sizeof(remedy),
			"CAP_NET_ADMIN would allow it, or a TAP of yours: "
			"'ip tuntap add dev %s mode tap vnet_hdr user %u'",
			options->interface, geteuid());
		return refuse(options, "not permitted", remedy);
	case EBUSY:
		return refuse(options, "another process uses it", "");
	case EINVAL:
		return refuse(options, "is not a TAP interface with one queue",
			"packet:IF takes other Ethernet interfaces");
	default:
		return refuse(options, strerror(error), "");
	}
}

/* An existing interface or, which takes CAP_NET_ADMIN, a new one that goes with the sandbox. */
static int open_tap(const struct network_link *options, int *ret_fd)
{
	const unsigned offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	_cleanup_close_ int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct ifreq request = name_request(options);
	int header = sizeof(struct virtio_net_hdr);

	if (fd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV))
		return refuse(options, "this host has no /dev/net/tun",
			"'modprobe tun' brings it, in a container '--device /dev/net/tun'");
	if (fd < 0)
		return refuse(options, strerror(errno),
			"reading and writing /dev/net/tun would allow it");
	request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return refuse_tap(options, errno);
	if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0 || ioctl(fd, TUNSETOFFLOAD, offloads) < 0)
		return refuse(options, "offloads", strerror(errno));
	*ret_fd = take_fd(&fd);
	return 0;
}

static int open_packet(const struct network_link *options, int *ret_fd)
{
	/* No protocol yet: nothing gets in before it is bound. */
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 && errno == EPERM)
		return refuse(options, "not permitted",
			"CAP_NET_RAW would allow it: run as root, or in a network namespace of a "
			"user namespace ('unshare -Urn')");
	if (fd < 0)
		return refuse(options, "packet socket", strerror(errno));
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Frames for us get through a card that filters addresses; what the host sends itself does not come
 * in. Then it is bound. */
static int settle_packet(int fd, int index, const uint8_t hardware[6])
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index};
	struct packet_mreq ours = {.mr_ifindex = index, .mr_type = PACKET_MR_UNICAST, .mr_alen = 6};
	struct packet_mreq groups = {.mr_ifindex = index, .mr_type = PACKET_MR_ALLMULTI};
	int size = LINK_BUFFER, one = 1;

	memcpy(ours.mr_address, hardware, 6);
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &ours, sizeof(ours)) < 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &groups, sizeof(groups)) < 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0)
		return -errno;
	/* Beyond net.core.[rw]mem_max where we may; else as much as that. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

/*
 * The sandbox's own Ethernet address: another than the interface's, since the host's stack takes
 * frames for that one as its own, but the same each time. Neighbours remember for a minute who an
 * IP address belongs to, and would talk to the sandbox before this one.
 */
static void derive_hardware(const uint8_t interface[6], uint8_t hardware[6])
{
	memcpy(hardware, interface, 6);
	hardware[0] = (uint8_t)((hardware[0] & 0xfc) | 0x02); /* of one interface, nobody's brand */
	hardware[1] ^= 0x53;
}

static int look_at_interface(
	const struct network_link *options, struct link_config *link, int *ret_index)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = name_request(options);

	if (fd < 0)
		return refuse(options, "socket", strerror(errno));
	if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
		return refuse(options, "there is no such interface", "'ip link' lists them");
	*ret_index = request.ifr_ifindex;
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0 || request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return refuse(options, "is not an Ethernet interface", "");
	if (options->has_hardware)
		memcpy(link->hardware, options->hardware, 6);
	else
		derive_hardware((uint8_t *)request.ifr_hwaddr.sa_data, link->hardware);
	if (ioctl(fd, SIOCGIFMTU, &request) < 0 || request.ifr_mtu < (int)LINK_MTU_MIN)
		return refuse(options, "its MTU is too small", "");
	link->mtu = request.ifr_mtu < (int)LINK_MTU_MAX ? (uint32_t)request.ifr_mtu : LINK_MTU_MAX;
	/* That may come later. */
	if (ioctl(fd, SIOCGIFFLAGS, &request) == 0 && !(request.ifr_flags & IFF_UP))
		log_warning("--network: the host's interface %s is down: 'ip link set %s up'",
			options->interface, options->interface);
	return 0;
}

static struct link_address link_address(const struct network_address *address)
{
	struct link_address ret = {.given = address->version, .prefix = address->prefix};

	if (address->version == 4)
		ret.address = inet_from_v4(address->bytes);
	else
		memcpy(ret.address.bytes, address->bytes, sizeof(ret.address.bytes));
	return ret;
}

int link_open(const struct network_link *options, struct link_config *ret)
{
	struct link_config link = {.fd = -1,
		.ip4 = link_address(&options->ip4),
		.ip6 = link_address(&options->ip6),
		.gateway4 = link_address(&options->gateway4),
		.gateway6 = link_address(&options->gateway6)};
	_cleanup_close_ int fd = -1;
	int r, index;

	if (!network_is_link(options->kind)) {
		*ret = link;
		return 0;
	}
	strcpy(link.host_name, options->interface);
	r = options->kind == NETWORK_TAP ? open_tap(options, &fd) : open_packet(options, &fd);
	r = r < 0 ? r : look_at_interface(options, &link, &index);
	if (r < 0)
		return r;
	if (options->kind == NETWORK_PACKET) {
		r = settle_packet(fd, index, link.hardware);
		if (r < 0)
			return refuse(options, "packet socket", strerror(-r));
	}
	link.fd = take_fd(&fd);
	*ret = link;
	return 0;
}
