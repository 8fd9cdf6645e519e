/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/nsproxy.h"
#include "sentry/socket/filter.h"
#include "sentry/socket/socket.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "abi/poll.h"
#include "abi/stat.h"
#include "abi/time.h"
#include "abi/xattr.h"
#include "base/checked.h"
#include "base/log.h"

/* The file side of sockets, and the options that every family has. */

#define SOCKET_BUFFER_DEFAULT 212992u	 /* net.core.[rw]mem_default */
#define SOCKET_BUFFER_MAX     212992u	 /* net.core.[rw]mem_max */
#define SOCKET_BUFFER_FORCED  (4u << 20) /* SO_SNDBUFFORCE and SO_RCVBUFFORCE */
#define SOCKET_SEND_MIN	      4608u
#define SOCKET_RECEIVE_MIN    2304u

void socket_fini(struct socket *socket)
{
	socket_filter_free(socket->filter);
	ns_unref(socket->net);
}

void socket_init(
	struct socket *socket, const struct socket_ops *ops, int family, int type, int protocol)
{
	const struct task *task = task_current();
	const struct nsproxy *proxy = task && task->nsproxy ? task->nsproxy : nsproxy_first();

	socket->net = ns_ref(proxy->ns[NS_NET]);
	socket->ops = ops;
	socket->family = family;
	socket->type = type;
	socket->protocol = protocol;
	socket->send_size = socket->receive_size = SOCKET_BUFFER_DEFAULT;
	socket->receive_low = 1;
	socket->peek_offset = socket->incoming_cpu = -1;
	wait_queue_init(&socket->queue);
}

uint32_t socket_peek_offset(const struct socket *socket, unsigned flags)
{
	return (flags & LX_MSG_PEEK) && socket->peek_offset > 0 ? (uint32_t)socket->peek_offset : 0;
}

/* sk_peek_offset_fwd(), sk_peek_offset_bwd() */
void socket_move_peek_offset(struct socket *socket, int64_t by)
{
	int64_t offset = socket->peek_offset + by;

	if (socket->peek_offset >= 0)
		socket->peek_offset = (int)(offset < 0 ? 0 : min_of(offset, (int64_t)INT_MAX));
}

int socket_wait_error(int error, uint64_t deadline)
{
	if (error == -ETIMEDOUT)
		return -EAGAIN;
	return error == -ERESTARTSYS && deadline != WAIT_FOREVER ? -EINTR : error;
}

int socket_take_error(struct socket *socket)
{
	int error = socket->error;

	socket->error = 0;
	return -error;
}

/* ---- file operations ---- */

static uint64_t deadline_after(uint64_t timeout)
{
	return timeout ? loop_monotonic_now() + timeout : WAIT_FOREVER;
}

static ssize_t socket_read(struct file *file, struct uio *uio, int64_t *pos)
{
	struct socket *socket = file->private;
	struct socket_message message = {
		.uio = uio, .deadline = deadline_after(socket->receive_timeout)};

	/* read(2) of nothing returns nothing, recv(2) of nothing waits (sock_read_iter). */
	if (!uio->resid)
		return 0;
	if ((file->flags & LX_O_NONBLOCK) || uio->nonblock)
		message.flags |= LX_MSG_DONTWAIT;
	return socket->ops->receive(socket, task_current(), &message);
}

static ssize_t socket_write(
	struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	struct socket *socket = file->private;
	struct socket_message message = {
		.uio = uio, .deadline = deadline_after(socket->send_timeout)};

	if ((file->flags & LX_O_NONBLOCK) || uio->nonblock)
		message.flags |= LX_MSG_DONTWAIT;
	return socket->ops->send(socket, task_current(), &message);
}

static uint32_t socket_poll(struct file *file)
{
	struct socket *socket = file->private;

	return socket->ops->poll(socket);
}

static struct wait_queue *socket_poll_queue(struct file *file)
{
	struct socket *socket = file->private;

	return &socket->queue;
}

static int64_t socket_ioctl(
	struct file *file, unsigned request, gaddr_t arg, const struct vfs_ctx *ctx)
{
	struct socket *socket = file->private;

	int64_t r = socket->ops->ioctl ? socket->ops->ioctl(socket, task_current(), request, arg)
				       : -ENOTTY;

	return r == -ENOTTY ? net_device_ioctl(socket, task_current(), request, arg) : r;
}

/* inet_release(): not for a task that ends (PF_EXITING). */
static int socket_flush(struct file *file)
{
	struct socket *socket = file->private;
	const struct task *task = task_current();

	if (socket->ops->linger && refcount_is_one(&file->refs) && task && !task->group->exiting)
		socket->ops->linger(socket);
	return 0;
}

static int socket_map(struct file *file, struct file_map *map)
{
	struct socket *socket = file->private;

	return socket->ops->map ? socket->ops->map(socket, map) : -ENODEV;
}

static void socket_release(struct file *file)
{
	struct socket *socket = file->private;

	socket->file = NULL;
	socket->ops->release(socket);
}

static const struct file_ops socket_file_ops = {
	.name = "socket",
	.read = socket_read,
	.write = socket_write,
	.poll = socket_poll,
	.poll_queue = socket_poll_queue,
	.ioctl = socket_ioctl,
	.map = socket_map,
	.flush = socket_flush,
	.release = socket_release,
};

/* ---- its inode ---- */

static int socket_setattr(struct inode *inode, const struct iattr *attr)
{
	inode_apply_attr(inode, attr);
	return 0;
}

/* What the protocol is called (struct proto); by what makes the socket, so accept(2) inherits it.
 */
static const char *protocol_name(const struct socket *socket)
{
	bool v6 = socket->family == LX_AF_INET6;

	switch (socket->family) {
	case LX_AF_UNIX:
		return socket->type == LX_SOCK_STREAM ? "UNIX-STREAM" : "UNIX";
	case LX_AF_NETLINK:
		return "NETLINK";
	case LX_AF_PACKET:
		return "PACKET";
	default:
		break;
	}
	if (socket->type == LX_SOCK_STREAM)
		return v6 ? "TCPv6" : "TCP";
	if (socket->type == LX_SOCK_RAW)
		return v6 ? "RAWv6" : "RAW";
	if (socket->protocol == LX_IPPROTO_ICMP || socket->protocol == LX_IPPROTO_ICMPV6)
		return v6 ? "PINGv6" : "PING";
	if (socket->protocol == LX_IPPROTO_UDPLITE)
		return v6 ? "UDPLITEv6" : "UDP-Lite";
	return v6 ? "UDPv6" : "UDP";
}

static ssize_t return_text(const char *text, void *value, size_t size)
{
	size_t length = strlen(text) + 1;

	if (size && size < length)
		return -ERANGE;
	if (size)
		memcpy(value, text, length);
	return (ssize_t)length;
}

/* sockfs_xattr_get(), sockfs_listxattr(): the protocol's name is the one attribute. */
static ssize_t socket_getxattr(struct inode *inode, const char *name, void *value, size_t size)
{
	return strcmp(name, LX_XATTR_SOCKPROTONAME) ? -EOPNOTSUPP
						    : return_text(inode->private, value, size);
}

static ssize_t socket_listxattr(struct inode *inode, char *list, size_t size)
{
	(void)inode;
	return return_text(LX_XATTR_SOCKPROTONAME, list, size);
}

static const struct inode_ops socket_inode_ops = {
	.setattr = socket_setattr,
	.system_names = true,
	.getxattr = socket_getxattr,
	.listxattr = socket_listxattr,
};

int socket_file_new(struct socket *socket, const struct cred *cred, int flags, struct file **ret)
{
	int r = file_new_anonymous(
		"socket:", &socket_file_ops, socket, LX_O_RDWR | flags, LX_S_IFSOCK | 0777, ret);

	if (r < 0)
		return r;
	socket->file = *ret;
	(*ret)->stream = true;
	(*ret)->inode->uid = cred->fsuid;
	(*ret)->inode->gid = cred->fsgid;
	(*ret)->inode->ops = &socket_inode_ops;
	(*ret)->inode->private = (void *)(uintptr_t)protocol_name(socket);
	return 0;
}

struct socket *socket_of_file(struct file *file)
{
	return file->ops == &socket_file_ops ? file->private : NULL;
}

bool socket_without_sigpipe(struct file *file)
{
	struct socket *socket = socket_of_file(file);

	return socket && socket->type != LX_SOCK_STREAM;
}

/* ---- creation ---- */

static int check_family(int family, int *type)
{
	if (family < 0 || family >= LX_AF_MAX)
		return -EAFNOSUPPORT;
	if (*type < 0 || *type > LX_SOCK_PACKET)
		return -EINVAL;
	if (family == LX_AF_UNIX) {
		/* As Linux: SOCK_RAW on AF_UNIX is SOCK_DGRAM. */
		if (*type == LX_SOCK_RAW)
			*type = LX_SOCK_DGRAM;
		return 0;
	}
	if (family >= 0 && family < LX_AF_MAX) {
		char number[16];

		snprintf(number, sizeof(number), "%d", family);
		audit_event("denied", "call", "socket", "family", number, "rule",
			"no such address family in this sandbox", "allow",
			"AF_UNIX, AF_INET, AF_INET6, AF_NETLINK and AF_PACKET sockets", NULL);
	}
	return -EAFNOSUPPORT;
}

static bool is_internet(int family)
{
	return family == LX_AF_INET || family == LX_AF_INET6;
}

int socket_create(int family, int type, int protocol, struct socket **ret)
{
	int r;

	if (family == LX_AF_NETLINK && type >= 0 && type <= LX_SOCK_PACKET)
		return netlink_create(type, protocol, ret);
	if (is_internet(family) && type >= 0 && type <= LX_SOCK_PACKET)
		return inet_create(task_current(), family, type, protocol, ret);
	if (family == LX_AF_PACKET && type >= 0 && type <= LX_SOCK_PACKET)
		return packet_create(task_current(), type, protocol, ret);
	r = check_family(family, &type);
	if (r < 0)
		return r;
	if (protocol != 0 && protocol != LX_AF_UNIX)
		return -EPROTONOSUPPORT;
	return unix_create(type, ret);
}

int socket_create_pair(struct task *task, int family, int type, int protocol, struct socket **ret_a,
	struct socket **ret_b)
{
	int r;

	/* Both are made before they are joined: what is wrong with one alone comes first. */
	if ((family == LX_AF_NETLINK || family == LX_AF_PACKET || is_internet(family)) &&
		type >= 0 && type <= LX_SOCK_PACKET) {
		r = socket_create(family, type, protocol, ret_a);
		if (r < 0)
			return r;
		(*ret_a)->ops->release(*ret_a);
		return -EOPNOTSUPP;
	}
	r = check_family(family, &type);
	if (r < 0)
		return r;
	if (protocol != 0 && protocol != LX_AF_UNIX)
		return -EPROTONOSUPPORT;
	return unix_create_pair(task, type, ret_a, ret_b);
}

/* ---- options ---- */

static int option_int(const void *value, size_t size, int *ret)
{
	if (size < sizeof(int))
		return -EINVAL;
	memcpy(ret, value, sizeof(int));
	return 0;
}

/* Linux doubles what is asked for, for its own overhead, and shows the doubled value. */
static uint32_t buffer_size(int asked, uint32_t least, uint32_t most)
{
	uint32_t size = asked < 0 || (uint32_t)asked > most ? most : (uint32_t)asked;

	return max_of(size * 2, least);
}

static int set_timeout(const void *value, size_t size, uint64_t *ret)
{
	struct lx_timeval time;

	if (size < sizeof(time))
		return -EINVAL;
	memcpy(&time, value, sizeof(time));
	if (time.tv_usec < 0 || time.tv_usec >= 1000000)
		return -EDOM;
	if (time.tv_sec < 0)
		*ret = 1; /* Linux: at once */
	else if ((uint64_t)time.tv_sec > UINT64_MAX / 4 / 1000000000)
		*ret = 0;
	else
		*ret = (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_usec * 1000;
	return 0;
}

static int set_linger(struct socket *socket, const void *value, size_t size)
{
	struct lx_linger linger;

	if (size < sizeof(linger))
		return -EINVAL;
	memcpy(&linger, value, sizeof(linger));
	socket->linger.l_onoff = linger.l_onoff != 0;
	if (linger.l_onoff)
		socket->linger.l_linger = linger.l_linger;
	return 0;
}

/* sk_may_scm_recv() */
static bool may_receive_scm(const struct socket *socket)
{
	return socket->family == LX_AF_UNIX || socket->family == LX_AF_NETLINK;
}

/*
 * Flags of every Linux socket that mean nothing to AF_UNIX, there as here: they are kept and told.
 * Other families know those that they honour themselves.
 */
static int keep_option(struct socket *socket, unsigned flag, int number)
{
	if (socket->family != LX_AF_UNIX)
		return -ENOPROTOOPT;
	socket->kept = number ? socket->kept | flag : socket->kept & ~flag;
	return 0;
}

/* Who sets SO_PEEK_OFF: those whose proto_ops have set_peek_off(). */
static bool may_peek_at(const struct socket *socket)
{
	return socket->family == LX_AF_UNIX ||
	       (is_internet(socket->family) && socket->type != LX_SOCK_RAW);
}

/* What a mark does is up to rules that do not exist here; it is shown, and goes with datagrams. */
static int set_mark(struct socket *socket, const struct task *task, int number)
{
	const struct user_ns *ns = socket->net->user_ns;

	if (!cred_ns_capable(task->cred, ns, LX_CAP_NET_RAW) &&
		!cred_ns_capable(task->cred, ns, LX_CAP_NET_ADMIN))
		return -EPERM;
	socket->mark = (uint32_t)number;
	return 0;
}

int socket_set_option(
	struct socket *socket, struct task *task, int option, const void *value, size_t size)
{
	bool admin = cred_capable(task->cred, LX_CAP_NET_ADMIN);
	int number = 0, r = option_int(value, size, &number);

	if (option == LX_SO_RCVTIMEO)
		return set_timeout(value, size, &socket->receive_timeout);
	if (option == LX_SO_SNDTIMEO)
		return set_timeout(value, size, &socket->send_timeout);
	/* The only interface is "lo"; no name means none. */
	if (option == LX_SO_BINDTODEVICE) {
		const char *name = value;

		if (size == 0 || !name[0])
			return 0;
		return -ENODEV;
	}
	if (r < 0)
		return r;
	switch (option) {
	case LX_SO_DEBUG:
		if (number && !admin)
			return -EACCES;
		return keep_option(socket, SOCKET_KEPT_DEBUG, number);
	case LX_SO_DONTROUTE:
		return keep_option(socket, SOCKET_KEPT_DONTROUTE, number);
	case LX_SO_NO_CHECK:
		return keep_option(socket, SOCKET_KEPT_NO_CHECK, number);
	case LX_SO_BSDCOMPAT:
		return socket->family == LX_AF_UNIX ? 0
						    : -ENOPROTOOPT; /* nothing since Linux 2.2 */
	case LX_SO_REUSEADDR:
		socket->reuse_address = number != 0;
		return 0;
	case LX_SO_KEEPALIVE:
		socket->keep_alive = number != 0;
		return 0;
	case LX_SO_BROADCAST:
		socket->broadcast = number != 0;
		return 0;
	case LX_SO_PASSCRED:
		if (!may_receive_scm(socket))
			return -EOPNOTSUPP;
		socket->pass_cred = number != 0;
		return 0;
	case LX_SO_PASSPIDFD:
		if (!may_receive_scm(socket))
			return -EOPNOTSUPP;
		socket->pass_pidfd = number != 0;
		return 0;
	case LX_SO_SNDBUF:
		socket->send_size = buffer_size(number, SOCKET_SEND_MIN, SOCKET_BUFFER_MAX);
		wait_queue_wake(&socket->queue, LX_POLLOUT);
		return 0;
	case LX_SO_RCVBUF:
		socket->receive_size = buffer_size(number, SOCKET_RECEIVE_MIN, SOCKET_BUFFER_MAX);
		return 0;
	case LX_SO_SNDBUFFORCE:
		socket->send_size =
			admin ? buffer_size(number, SOCKET_SEND_MIN, SOCKET_BUFFER_FORCED)
			      : socket->send_size;
		return admin ? 0 : -EPERM;
	case LX_SO_RCVBUFFORCE:
		socket->receive_size =
			admin ? buffer_size(number, SOCKET_RECEIVE_MIN, SOCKET_BUFFER_FORCED)
			      : socket->receive_size;
		return admin ? 0 : -EPERM;
	case LX_SO_LINGER:
		return set_linger(socket, value, size);
	case LX_SO_MARK:
		return set_mark(socket, task, number);
	case LX_SO_PEEK_OFF:
		if (!may_peek_at(socket))
			return -EOPNOTSUPP;
		socket->peek_offset = number;
		return 0;
	case LX_SO_BUSY_POLL:
		if (number < 0)
			return -EINVAL;
		socket->busy_poll = number;
		return 0;
	case LX_SO_INCOMING_CPU:
		socket->incoming_cpu = number;
		return 0;
	case LX_SO_ZEROCOPY: /* of those that have it: inet_options.c */
		return -EOPNOTSUPP;
	case LX_SO_ATTACH_FILTER:
	case LX_SO_ATTACH_BPF:
	case LX_SO_DETACH_FILTER:
	case LX_SO_LOCK_FILTER:
		return socket_filter_option(socket, task, option, value, size);
	case LX_SO_RCVLOWAT:
		socket->receive_low = number < 0 ? INT_MAX : max_of(number, 1);
		wait_queue_wake(&socket->queue, LX_POLLIN | LX_POLLRDNORM);
		return 0;
	case LX_SO_PRIORITY:
		if ((number < 0 || number > 6) && !admin)
			return -EPERM;
		socket->priority = (uint32_t)number;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static uint64_t last_cookie;

int socket_return_bytes(const void *from, size_t from_size, void *value, size_t size)
{
	size_t n = min_of(from_size, size);

	memcpy(value, from, n);
	return (int)n;
}

int socket_return_int(int number, void *value, size_t size)
{
	return socket_return_bytes(&number, sizeof(number), value, size);
}

static int return_timeout(uint64_t timeout, void *value, size_t size)
{
	struct lx_timeval time = {.tv_sec = (int64_t)(timeout / 1000000000),
		.tv_usec = (int64_t)(timeout % 1000000000 / 1000)};

	return socket_return_bytes(&time, sizeof(time), value, size);
}

int socket_get_option(
	struct socket *socket, struct task *task, int option, void *value, size_t size)
{
	switch (option) {
	case LX_SO_TYPE:
		return socket_return_int(socket->type, value, size);
	case LX_SO_DOMAIN:
		return socket_return_int(socket->family, value, size);
	case LX_SO_PROTOCOL:
		return socket_return_int(socket->protocol, value, size);
	case LX_SO_ERROR:
		return socket_return_int(-socket_take_error(socket), value, size);
	case LX_SO_ACCEPTCONN:
		return socket_return_int(socket->listening, value, size);
	case LX_SO_REUSEADDR:
		return socket_return_int(socket->reuse_address, value, size);
	case LX_SO_KEEPALIVE:
		return socket_return_int(socket->keep_alive, value, size);
	case LX_SO_BROADCAST:
		return socket_return_int(socket->broadcast, value, size);
	case LX_SO_PASSCRED:
		return may_receive_scm(socket) ? socket_return_int(socket->pass_cred, value, size)
					       : -EOPNOTSUPP;
	case LX_SO_PASSPIDFD:
		return may_receive_scm(socket) ? socket_return_int(socket->pass_pidfd, value, size)
					       : -EOPNOTSUPP;
	case LX_SO_PEERPIDFD:
	case LX_SO_PEERGROUPS:
		return -ENODATA; /* only AF_UNIX has them: unix_peer_option() */
	case LX_SO_SNDBUF:
		return socket_return_int((int)socket->send_size, value, size);
	case LX_SO_RCVBUF:
		return socket_return_int((int)socket->receive_size, value, size);
	case LX_SO_PRIORITY:
		return socket_return_int((int)socket->priority, value, size);
	case LX_SO_LINGER:
		return socket_return_bytes(&socket->linger, sizeof(socket->linger), value, size);
	case LX_SO_RCVTIMEO:
		return return_timeout(socket->receive_timeout, value, size);
	case LX_SO_SNDTIMEO:
		return return_timeout(socket->send_timeout, value, size);
	case LX_SO_RCVLOWAT:
		return socket_return_int(socket->receive_low, value, size);
	case LX_SO_COOKIE:
		if (size < sizeof(socket->cookie))
			return -EINVAL;
		if (!socket->cookie)
			socket->cookie = ++last_cookie;
		return socket_return_bytes(&socket->cookie, sizeof(socket->cookie), value, size);
	case LX_SO_SNDLOWAT:
		return socket_return_int(1, value, size);
	case LX_SO_BINDTODEVICE: /* none: no name at all */
		return 0;
	case LX_SO_LOCK_FILTER:
		return socket_return_int(socket->filter_locked, value, size);
	case LX_SO_DEBUG:
		return socket_return_int(!!(socket->kept & SOCKET_KEPT_DEBUG), value, size);
	case LX_SO_DONTROUTE:
		return socket_return_int(!!(socket->kept & SOCKET_KEPT_DONTROUTE), value, size);
	case LX_SO_NO_CHECK:
		return socket_return_int(!!(socket->kept & SOCKET_KEPT_NO_CHECK), value, size);
	case LX_SO_BSDCOMPAT:
	case LX_SO_OOBINLINE:
	case LX_SO_TIMESTAMP:
	case LX_SO_TIMESTAMPNS:
	case LX_SO_REUSEPORT:
	case LX_SO_RXQ_OVFL:
	case LX_SO_ZEROCOPY:
	case LX_SO_PASSSEC:
		return socket_return_int(0, value, size);
	case LX_SO_PEEK_OFF:
		return may_peek_at(socket) ? socket_return_int(socket->peek_offset, value, size)
					   : -EOPNOTSUPP;
	case LX_SO_MARK:
		return socket_return_int((int)socket->mark, value, size);
	case LX_SO_BUSY_POLL:
		return socket_return_int(socket->busy_poll, value, size);
	case LX_SO_INCOMING_CPU:
		return socket_return_int(socket->incoming_cpu, value, size);
	default:
		return -ENOPROTOOPT;
	}
}
