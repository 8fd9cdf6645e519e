/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/socket/socket.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/resource.h"
#include "abi/time.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/syscalls_gen.h"
#include "vfs/landlock.h"

/* socket(2) and its relatives: descriptors, guest addresses and message headers on one side, struct
 * socket on the other. */

#define OPTION_VALUE_MAX 4096 /* bytes that an option's value may have */
#define MMSG_MAX	 1024 /* UIO_MAXIOV, as Linux caps sendmmsg and recvmmsg */

/* The file of a socket descriptor. Owned. */
static int get_socket(struct task *task, int fd, struct file **ret_file, struct socket **ret_socket)
{
	struct file *file = fd_get(task->files, fd);
	struct socket *socket;

	if (!file)
		return -EBADF;
	socket = socket_of_file(file);
	if (!socket) {
		file_unref(file);
		return -ENOTSOCK;
	}
	*ret_file = file;
	*ret_socket = socket;
	return 0;
}

static int read_address(struct task *task, gaddr_t addr, int size, struct socket_address *ret)
{
	*ret = (struct socket_address){0};
	if (size < 0 || (size_t)size > sizeof(ret->bytes))
		return -EINVAL;
	ret->size = (uint32_t)size;
	return size ? guest_read(task, ret->bytes, addr, (size_t)size) : 0;
}

/* To a guest buffer whose room is at @size_addr, which then gets the full size (move_addr_to_user).
 */
static int write_address(
	struct task *task, const struct socket_address *address, gaddr_t addr, gaddr_t size_addr)
{
	int32_t room, size = (int32_t)address->size;
	int r = guest_read_value(task, &room, size_addr);

	if (r < 0)
		return r;
	if (room < 0)
		return -EINVAL;
	room = min_of(room, size);
	r = guest_write_value(task, size_addr, &size);
	return r < 0 || !room ? r : guest_write(task, addr, address->bytes, (size_t)room);
}

/* ---- creation ---- */

static int type_flags(unsigned type, int *ret_file_flags)
{
	if (type & ~(unsigned)(LX_SOCK_TYPE_MASK | LX_SOCK_CLOEXEC | LX_SOCK_NONBLOCK))
		return -EINVAL;
	*ret_file_flags = type & LX_SOCK_NONBLOCK ? LX_O_NONBLOCK : 0;
	return 0;
}

static int install_socket(struct task *task, struct socket *socket, int file_flags, bool cloexec)
{
	struct file *file;
	int r = socket_file_new(socket, task->cred, file_flags, &file);

	if (r < 0) {
		socket->ops->release(socket);
		return r;
	}
	r = fd_install(task->files, file, 0, task_rlimit(task, LX_RLIMIT_NOFILE), cloexec);
	if (r < 0)
		file_unref(file);
	return r;
}

int64_t sys_socket(struct task *task, int domain, unsigned type, int protocol)
{
	struct socket *socket;
	int flags, r = type_flags(type, &flags);

	if (r < 0)
		return r;
	r = socket_create(domain, (int)(type & LX_SOCK_TYPE_MASK), protocol, &socket);
	return r < 0 ? r : install_socket(task, socket, flags, type & LX_SOCK_CLOEXEC);
}

/*
 * Linux takes both numbers and tells them before it makes the sockets: that shows when there are no
 * numbers, or no memory to tell them in, and in that memory after any other failure.
 */
static int pair_failed(struct task *task, gaddr_t sv, int error)
{
	uint64_t limit = task_rlimit(task, LX_RLIMIT_NOFILE);
	int32_t fds[2];

	fds[0] = fd_lowest_free(task->files, 0);
	fds[1] = fd_lowest_free(task->files, fds[0] + 1);
	if ((uint64_t)fds[1] >= limit)
		return -EMFILE;
	return guest_write(task, sv, fds, sizeof(fds)) < 0 ? -EFAULT : error;
}

int64_t sys_socketpair(struct task *task, int domain, unsigned type, int protocol, gaddr_t sv)
{
	struct socket *a, *b;
	int32_t fds[2];
	int flags, r = type_flags(type, &flags);

	if (r < 0)
		return r;
	r = socket_create_pair(task, domain, (int)(type & LX_SOCK_TYPE_MASK), protocol, &a, &b);
	if (r < 0)
		return pair_failed(task, sv, r);
	fds[0] = install_socket(task, a, flags, type & LX_SOCK_CLOEXEC);
	if (fds[0] < 0) {
		b->ops->release(b);
		return fds[0];
	}
	fds[1] = install_socket(task, b, flags, type & LX_SOCK_CLOEXEC);
	r = fds[1] < 0 ? fds[1] : guest_write(task, sv, fds, sizeof(fds));
	if (r < 0) {
		fd_close(task->files, fds[0], task->files);
		if (fds[1] >= 0)
			fd_close(task->files, fds[1], task->files);
	}
	return r;
}

/* ---- addresses and connections ---- */

#define SIN6_LEN_RFC2133 24 /* without sin6_scope_id */

/* hook_socket_bind(), hook_socket_connect(): ports of TCP. */
static int check_port(const struct task *task, const struct socket *socket,
	const struct socket_address *address, uint64_t right)
{
	struct lx_sockaddr_in in;
	uint16_t family, port;

	if ((socket->family != LX_AF_INET && socket->family != LX_AF_INET6) ||
		socket->type != LX_SOCK_STREAM || !landlock_handles_net(task->cred, right))
		return 0;
	if (address->size < sizeof(family))
		return -EINVAL;
	memcpy(&family, address->bytes, sizeof(family));
	switch (family) {
	case LX_AF_UNSPEC:
		if (right == LX_LANDLOCK_ACCESS_NET_CONNECT_TCP)
			return 0; /* ends a connection */
		/* bind(2) takes it for AF_INET, with the address of all. */
		if (address->size < sizeof(in))
			return -EINVAL;
		memcpy(&in, address->bytes, sizeof(in));
		if (socket->family == LX_AF_INET && in.sin_addr)
			return -EAFNOSUPPORT;
		break;
	case LX_AF_INET:
		if (address->size < sizeof(struct lx_sockaddr_in))
			return -EINVAL;
		break;
	case LX_AF_INET6:
		if (address->size < SIN6_LEN_RFC2133)
			return -EINVAL;
		break;
	default:
		return 0;
	}
	if (family != socket->family && family != LX_AF_UNSPEC)
		return -EINVAL;
	/* At the same place in both. */
	memcpy(&port, address->bytes + sizeof(family), sizeof(port));
	return landlock_check_port(task->cred, be16toh(port), right);
}

int64_t sys_bind(struct task *task, int sockfd, gaddr_t addr, int addrlen)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct socket_address address;
	struct socket *socket;
	int r = get_socket(task, sockfd, &file, &socket);

	r = r < 0 ? r : read_address(task, addr, addrlen, &address);
	r = r < 0 ? r : check_port(task, socket, &address, LX_LANDLOCK_ACCESS_NET_BIND_TCP);
	return r < 0 ? r : socket->ops->bind(socket, task, &address);
}

int64_t sys_connect(struct task *task, int sockfd, gaddr_t addr, int addrlen)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct socket_address address;
	struct socket *socket;
	int r = get_socket(task, sockfd, &file, &socket);

	/* __sys_connect(): the address before what the descriptor is. */
	if (r == 0 || r == -ENOTSOCK) {
		int err = read_address(task, addr, addrlen, &address);

		r = err < 0 ? err : r;
	}
	r = r < 0 ? r : check_port(task, socket, &address, LX_LANDLOCK_ACCESS_NET_CONNECT_TCP);
	return r < 0 ? r
		     : socket->ops->connect(socket, task, &address, file->flags & LX_O_NONBLOCK);
}

int64_t sys_listen(struct task *task, int sockfd, int backlog)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct socket *socket;
	int r = get_socket(task, sockfd, &file, &socket);

	return r < 0 ? r : socket->ops->listen(socket, task, backlog);
}

int64_t sys_accept4(struct task *task, int sockfd, gaddr_t addr, gaddr_t addrlen, unsigned flags)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct socket_address address;
	struct socket *socket, *connection;
	int fd, r;

	/* A descriptor that is none first, flags second, what it is third. */
	if (flags & ~(unsigned)(LX_SOCK_CLOEXEC | LX_SOCK_NONBLOCK))
		return fd_get_flags(task->files, sockfd) < 0 ? -EBADF : -EINVAL;
	r = get_socket(task, sockfd, &file, &socket);
	if (r < 0)
		return r;
	r = socket->ops->accept(socket, file->flags & LX_O_NONBLOCK, &connection);
	if (r < 0)
		return r;
	if (connection->ops->getname(connection, true, &address) < 0)
		address = (struct socket_address){
			.size = 2, .bytes = {(uint8_t)connection->family, 0}};
	fd = install_socket(task, connection, flags & LX_SOCK_NONBLOCK ? LX_O_NONBLOCK : 0,
		flags & LX_SOCK_CLOEXEC);
	if (fd < 0 || gaddr_is_null(addr))
		return fd;
	r = write_address(task, &address, addr, addrlen);
	if (r < 0) {
		fd_close(task->files, fd, task->files);
		return r;
	}
	return fd;
}

int64_t sys_accept(struct task *task, int sockfd, gaddr_t addr, gaddr_t addrlen)
{
	return sys_accept4(task, sockfd, addr, addrlen, 0);
}

static int64_t get_name(struct task *task, int fd, bool peer, gaddr_t addr, gaddr_t addrlen)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct socket_address address;
	struct socket *socket;
	int r = get_socket(task, fd, &file, &socket);

	r = r < 0 ? r : socket->ops->getname(socket, peer, &address);
	return r < 0 ? r : write_address(task, &address, addr, addrlen);
}

int64_t sys_getsockname(struct task *task, int sockfd, gaddr_t addr, gaddr_t addrlen)
{
	return get_name(task, sockfd, false, addr, addrlen);
}

int64_t sys_getpeername(struct task *task, int sockfd, gaddr_t addr, gaddr_t addrlen)
{
	return get_name(task, sockfd, true, addr, addrlen);
}

int64_t sys_shutdown(struct task *task, int sockfd, int how)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct socket *socket;
	int r = get_socket(task, sockfd, &file, &socket);

	if (r < 0)
		return r;
	return how < LX_SHUT_RD || how > LX_SHUT_RDWR ? -EINVAL
						      : socket->ops->shutdown(socket, how);
}

/* ---- options ---- */

int64_t sys_setsockopt(
	struct task *task, int sockfd, int level, int optname, gaddr_t optval, int optlen)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	uint8_t value[OPTION_VALUE_MAX];
	struct socket *socket;
	int r;

	r = get_socket(task, sockfd, &file, &socket);
	if (r < 0)
		return r;
	if (optlen < 0)
		return -EINVAL;
	/* Before anything is read: AF_UNIX has no options of its own. */
	if (level != LX_SOL_SOCKET && !socket->ops->setsockopt)
		return -EOPNOTSUPP;
	/* No option looks further. */
	optlen = min_of(optlen, (int)sizeof(value));
	r = optlen ? guest_read(task, value, optval, (size_t)optlen) : 0;
	if (r < 0)
		return r;
	r = -ENOPROTOOPT;
	if (socket->ops->setsockopt)
		r = socket->ops->setsockopt(socket, task, level, optname, value, (size_t)optlen);
	if (r == -ENOPROTOOPT && level == LX_SOL_SOCKET)
		r = socket_set_option(socket, task, optname, value, (size_t)optlen);
	return r;
}

/* As getpeername(2), but who asks for more than the name has gets nothing (sk_getsockopt()). */
static int get_peer_name(struct task *task, struct socket *socket, gaddr_t to, int32_t size)
{
	struct socket_address address;

	if (socket->ops->getname(socket, true, &address) < 0)
		return -ENOTCONN;
	if ((uint32_t)size > address.size)
		return -EINVAL;
	return size ? guest_write(task, to, address.bytes, (size_t)size) : 0;
}

int64_t sys_getsockopt(
	struct task *task, int sockfd, int level, int optname, gaddr_t optval, gaddr_t optlen)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	uint8_t value[OPTION_VALUE_MAX] = {0};
	struct socket *socket;
	int32_t size, length;
	int r = get_socket(task, sockfd, &file, &socket);

	if (r >= 0 && socket->family == LX_AF_UNIX && level != LX_SOL_SOCKET)
		return -EOPNOTSUPP;
	if (r >= 0 && socket->family == LX_AF_UNIX &&
		(optname == LX_SO_PEERPIDFD || optname == LX_SO_PEERGROUPS))
		return unix_peer_option(socket, task, optname, optval, optlen);
	r = r < 0 ? r : guest_read_value(task, &size, optlen);
	if (r < 0)
		return r;
	if (size < 0)
		return -EINVAL;
	if (level == LX_SOL_SOCKET && optname == LX_SO_PEERNAME) {
		r = get_peer_name(task, socket, optval, size);
		return r < 0 ? r : guest_write_value(task, optlen, &size);
	}
	size = min_of(size, (int32_t)sizeof(value));
	/* PACKET_HDRLEN (packet(7)) asks with a value. */
	if (socket->family == LX_AF_PACKET && size) {
		r = guest_read(task, value, optval, (size_t)size);
		if (r < 0)
			return r;
	}
	r = -ENOPROTOOPT;
	if (socket->ops->getsockopt)
		r = socket->ops->getsockopt(socket, task, level, optname, value, (size_t)size);
	if (r == -ENOPROTOOPT && level == LX_SOL_SOCKET)
		r = socket_get_option(socket, task, optname, value, (size_t)size);
	else if (r == -ENOPROTOOPT && socket->family == LX_AF_UNIX)
		r = -EOPNOTSUPP;
	if (r < 0)
		return r;
	/* Some options tell a length that there was no room for. */
	length = r;
	size = min_of(size, length);
	r = size ? guest_write(task, optval, value, (size_t)size) : 0;
	return r < 0 ? r : guest_write_value(task, optlen, &length);
}

/* ---- data ---- */

/* Only streams raise SIGPIPE. */
static void finish_send(
	struct task *task, const struct socket *socket, ssize_t result, unsigned flags)
{
	if (result == -EPIPE && !(flags & LX_MSG_NOSIGNAL) && socket->type == LX_SOCK_STREAM) {
		struct lx_siginfo info = {.signo = LX_SIGPIPE, .code = LX_SI_KERNEL};

		(void)signal_send_task(task, &info);
	}
}

static unsigned call_flags(const struct file *file, unsigned flags)
{
	return file->flags & LX_O_NONBLOCK ? flags | LX_MSG_DONTWAIT : flags;
}

static uint64_t deadline_of(uint64_t timeout)
{
	return timeout ? loop_monotonic_now() + timeout : WAIT_FOREVER;
}

int64_t sys_sendto(struct task *task, int sockfd, gaddr_t buf, uint64_t len, unsigned flags,
	gaddr_t dest_addr, int addrlen)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct socket_message message = {0};
	struct socket_address address;
	struct uio_segment segment;
	struct socket *socket;
	struct uio uio;
	ssize_t n;
	int r = get_socket(task, sockfd, &file, &socket);

	if (r == 0 && !gaddr_is_null(dest_addr)) {
		r = read_address(task, dest_addr, addrlen, &address);
		message.name = addrlen ? &address : NULL;
	}
	if (r < 0)
		return r;
	uio_init_guest(&uio, &segment, task->thread, buf, len);
	message.uio = &uio;
	message.flags = call_flags(file, flags);
	message.deadline = deadline_of(socket->send_timeout);
	n = socket->ops->send(socket, task, &message);
	finish_send(task, socket, n, flags);
	return n;
}

int64_t sys_recvfrom(struct task *task, int sockfd, gaddr_t buf, uint64_t len, unsigned flags,
	gaddr_t src_addr, gaddr_t addrlen)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct socket_message message = {0};
	struct socket_address address = {0};
	struct uio_segment segment;
	struct socket *socket;
	struct uio uio;
	ssize_t n;
	int r = get_socket(task, sockfd, &file, &socket);

	if (r < 0)
		return r;
	uio_init_guest(&uio, &segment, task->thread, buf, len);
	message.uio = &uio;
	message.name = &address;
	message.flags = call_flags(file, flags);
	message.deadline = deadline_of(socket->receive_timeout);
	n = socket->ops->receive(socket, task, &message);
	if (n >= 0 && !gaddr_is_null(src_addr)) {
		r = write_address(task, &address, src_addr, addrlen);
		if (r < 0)
			return r;
	}
	return n;
}

/* Everything that one sendmsg or recvmsg holds of the guest's header. */
struct guest_message {
	struct lx_msghdr header;
	struct uio_segment *segments; /* owned */
	struct uio uio;
	struct socket_address name;
	struct scm scm; /* owned */
};

static void guest_message_fini(struct guest_message *message)
{
	free(message->segments);
	scm_fini(&message->scm);
}

static int read_header(struct task *task, gaddr_t addr, struct guest_message *ret)
{
	int r = guest_read_value(task, &ret->header, addr);

	if (r < 0)
		return r;
	if (!ret->header.msg_name)
		ret->header.msg_namelen = 0;
	if (ret->header.msg_namelen < 0)
		return -EINVAL;
	if ((size_t)ret->header.msg_namelen > sizeof(ret->name.bytes))
		ret->header.msg_namelen = sizeof(ret->name.bytes);
	if (ret->header.msg_iovlen > LX_UIO_MAXIOV)
		return -EMSGSIZE;
	return guest_read_iovec(task, GADDR(ret->header.msg_iov), ret->header.msg_iovlen,
		&ret->segments, &ret->uio);
}

static ssize_t send_message(
	struct task *task, struct file *file, struct socket *socket, gaddr_t msg, unsigned flags)
{
	_cleanup_(guest_message_fini) struct guest_message guest = {0};
	struct socket_message message = {
		.uio = &guest.uio, .scm = &guest.scm, .flags = call_flags(file, flags)};
	ssize_t n;
	int r = read_header(task, msg, &guest);

	if (r == 0 && guest.header.msg_name && guest.header.msg_namelen) {
		r = read_address(
			task, GADDR(guest.header.msg_name), guest.header.msg_namelen, &guest.name);
		message.name = &guest.name;
	}
	r = r < 0 ? r
		  : scm_read(task, GADDR(guest.header.msg_control), guest.header.msg_controllen,
			    &guest.scm);
	if (r < 0)
		return r;
	message.deadline = deadline_of(socket->send_timeout);
	n = socket->ops->send(socket, task, &message);
	finish_send(task, socket, n, flags);
	return n;
}

int64_t sys_sendmsg(struct task *task, int sockfd, gaddr_t msg, unsigned flags)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct socket *socket;
	int r = get_socket(task, sockfd, &file, &socket);

	if (flags & LX_MSG_CMSG_COMPAT)
		return -EINVAL;
	return r < 0 ? r : send_message(task, file, socket, msg, flags);
}

/* The parts of the header that recvmsg changes. */
static int write_header(struct task *task, gaddr_t msg, struct guest_message *guest,
	struct socket_message *message, const struct socket *socket)
{
	bool cloexec = message->flags & LX_MSG_CMSG_CLOEXEC;
	uint64_t control_size = 0;
	uint32_t flags;
	int32_t name_size = (int32_t)guest->name.size;
	int r = scm_write(task, &guest->scm, socket, GADDR(guest->header.msg_control),
		guest->header.msg_controllen, cloexec, &control_size, &message->out_flags);

	if (r == 0 && guest->header.msg_name) {
		int32_t room = min_of(guest->header.msg_namelen, name_size);

		r = room ? guest_write(task, GADDR(guest->header.msg_name), guest->name.bytes,
				   (size_t)room)
			 : 0;
		r = r < 0 ? r
			  : guest_write_value(task,
				    gaddr_add(msg, offsetof(struct lx_msghdr, msg_namelen)),
				    &name_size);
	}
	flags = message->out_flags | (message->flags & LX_MSG_CMSG_CLOEXEC);
	r = r < 0 ? r
		  : guest_write_value(
			    task, gaddr_add(msg, offsetof(struct lx_msghdr, msg_flags)), &flags);
	return r < 0 ? r
		     : guest_write_value(task,
			       gaddr_add(msg, offsetof(struct lx_msghdr, msg_controllen)),
			       &control_size);
}

static ssize_t receive_message(struct task *task, struct file *file, struct socket *socket,
	gaddr_t msg, unsigned flags, uint64_t deadline)
{
	_cleanup_(guest_message_fini) struct guest_message guest = {0};
	struct socket_message message = {
		.uio = &guest.uio,
		.name = &guest.name,
		.scm = &guest.scm,
		.flags = call_flags(file, flags),
		.deadline = min_of(deadline, deadline_of(socket->receive_timeout)),
	};
	ssize_t n;
	int r = read_header(task, msg, &guest);

	if (r < 0)
		return r;
	n = socket->ops->receive(socket, task, &message);
	if (n < 0)
		return n;
	r = write_header(task, msg, &guest, &message, socket);
	return r < 0 ? r : n;
}

int64_t sys_recvmsg(struct task *task, int sockfd, gaddr_t msg, unsigned flags)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct socket *socket;
	int r = get_socket(task, sockfd, &file, &socket);

	if (flags & LX_MSG_CMSG_COMPAT)
		return -EINVAL;
	return r < 0 ? r : receive_message(task, file, socket, msg, flags, WAIT_FOREVER);
}

int64_t sys_sendmmsg(struct task *task, int sockfd, gaddr_t msgvec, unsigned vlen, unsigned flags)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct socket *socket;
	int64_t done = 0;
	int r = get_socket(task, sockfd, &file, &socket);

	if (flags & LX_MSG_CMSG_COMPAT)
		return -EINVAL;
	if (r < 0)
		return r;
	vlen = min_of(vlen, (unsigned)MMSG_MAX);
	while (done < vlen) {
		gaddr_t entry = gaddr_add(msgvec, (uint64_t)done * sizeof(struct lx_mmsghdr));
		ssize_t n = send_message(task, file, socket, entry, flags);
		uint32_t size = (uint32_t)n;

		r = n < 0 ? (int)n
			  : guest_write_value(task,
				    gaddr_add(entry, offsetof(struct lx_mmsghdr, msg_len)), &size);
		if (r < 0)
			return done ? done : r;
		done++;
	}
	return done;
}

static int read_timeout(struct task *task, gaddr_t timeout, uint64_t *ret_deadline)
{
	struct lx_timespec time;
	int r;

	*ret_deadline = WAIT_FOREVER;
	if (gaddr_is_null(timeout))
		return 0;
	r = guest_read_value(task, &time, timeout);
	if (r < 0)
		return r;
	if (time.tv_sec < 0 || time.tv_nsec < 0 || time.tv_nsec >= 1000000000)
		return -EINVAL;
	if ((uint64_t)time.tv_sec < UINT64_MAX / 4 / 1000000000)
		*ret_deadline = loop_monotonic_now() + (uint64_t)time.tv_sec * 1000000000 +
				(uint64_t)time.tv_nsec;
	return 0;
}

/* What is left of the time, as recvmmsg(2) reports it. */
static int write_timeout(struct task *task, gaddr_t timeout, uint64_t deadline)
{
	uint64_t now = loop_monotonic_now(), left = deadline > now ? deadline - now : 0;
	struct lx_timespec time = {
		.tv_sec = (int64_t)(left / 1000000000), .tv_nsec = (int64_t)(left % 1000000000)};

	if (gaddr_is_null(timeout) || deadline == WAIT_FOREVER)
		return 0;
	return guest_write_value(task, timeout, &time);
}

int64_t sys_recvmmsg(struct task *task, int sockfd, gaddr_t msgvec, unsigned vlen, unsigned flags,
	gaddr_t timeout)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct socket *socket;
	uint64_t deadline;
	unsigned message_flags = flags;
	int64_t done = 0;
	int r = read_timeout(task, timeout, &deadline);

	if (flags & LX_MSG_CMSG_COMPAT)
		return -EINVAL;
	r = r < 0 ? r : get_socket(task, sockfd, &file, &socket);
	if (r < 0)
		return r;
	vlen = min_of(vlen, (unsigned)MMSG_MAX);
	while (done < vlen && (done == 0 || loop_monotonic_now() < deadline)) {
		gaddr_t entry = gaddr_add(msgvec, (uint64_t)done * sizeof(struct lx_mmsghdr));
		ssize_t n = receive_message(task, file, socket, entry,
			message_flags & ~(unsigned)LX_MSG_WAITFORONE, WAIT_FOREVER);
		uint32_t size = (uint32_t)n;

		r = n < 0 ? (int)n
			  : guest_write_value(task,
				    gaddr_add(entry, offsetof(struct lx_mmsghdr, msg_len)), &size);
		if (r < 0)
			break;
		done++;
		if (message_flags & LX_MSG_WAITFORONE)
			message_flags |= LX_MSG_DONTWAIT;
	}
	if (!done)
		return r;
	r = write_timeout(task, timeout, deadline);
	return r < 0 ? r : done;
}
