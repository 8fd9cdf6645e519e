/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/nsproxy.h"
#include "sentry/socket/unix.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/fcntl.h"
#include "abi/poll.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/random.h"
#include "vfs/landlock.h"

/* Names, connections and life of AF_UNIX sockets. Data: unix_io.c. */

/* Of the whole sandbox, as Linux counts them against fs.file-max: those that wait for accept have
 * no descriptor that would bound them. */
#define UNIX_SOCKETS_MAX 32768u

static unsigned socket_count;
static struct hash_table abstract_names;
static struct list_head all_sockets = LIST_HEAD_INIT(all_sockets);

struct unix_socket *unix_next(const struct unix_socket *socket)
{
	const struct list_head *next = socket ? socket->all.next : all_sockets.next;

	return next == &all_sockets ? NULL : list_entry(next, struct unix_socket, all);
}

struct unix_socket *unix_ref(struct unix_socket *socket)
{
	refcount_get(&socket->refs);
	return socket;
}

static void identity_fini(struct unix_identity *identity)
{
	if (identity->pid)
		pid_unref(identity->pid);
	if (identity->groups)
		cred_unref(identity->groups);
	*identity = (struct unix_identity){0};
}

/* Both own what they refer to; @to had one before, maybe. */
static void identity_copy(struct unix_identity *to, const struct unix_identity *from)
{
	const struct unix_identity copy = {.cred = from->cred,
		.pid = from->pid ? pid_ref(from->pid) : NULL,
		.groups = from->groups ? cred_ref(from->groups) : NULL};

	identity_fini(to);
	*to = copy;
}

/* Copy it: the task owns what it refers to. */
static struct unix_identity identity_of(const struct task *task)
{
	return (struct unix_identity){
		.cred = {.pid = task->group->pid->nr,
			.uid = task->cred->euid,
			.gid = task->cred->egid},
		.pid = task->group->pid,
		.groups = task->cred,
	};
}

void unix_unref(struct unix_socket *socket)
{
	if (!refcount_put(&socket->refs))
		return;
	wait_queue_destroy(&socket->base.queue);
	socket_fini(&socket->base);
	identity_fini(&socket->peer_identity);
	identity_fini(&socket->listener);
	if (socket->maker)
		cred_unref(socket->maker);
	list_remove(&socket->all);
	free(socket);
	socket_count--;
}

void unix_wake(struct unix_socket *socket, uint32_t events)
{
	wait_queue_wake(&socket->base.queue, events);
}

static const struct socket_ops unix_ops;

static int unix_new(int type, struct unix_socket **ret)
{
	struct unix_socket *socket;

	unix_proc_register();
	if (socket_count >= UNIX_SOCKETS_MAX)
		return -ENFILE;
	socket = calloc(1, sizeof(*socket));
	if (!socket)
		return -ENOMEM;
	socket_count++;
	socket->refs = REFCOUNT_ONE;
	socket->maker = task_current() ? cred_ref(task_current()->cred) : NULL;
	socket_init(&socket->base, &unix_ops, LX_AF_UNIX, type, 0);
	list_init(&socket->packets);
	list_init(&socket->backlog);
	list_init(&socket->backlog_link);
	list_add_tail(&socket->all, &all_sockets);
	socket->name = (struct socket_address){.size = 2, .bytes = {LX_AF_UNIX, 0}};
	*ret = socket;
	return 0;
}

int unix_create(int type, struct socket **ret)
{
	struct unix_socket *socket;
	int r;

	if (type != LX_SOCK_STREAM && type != LX_SOCK_DGRAM && type != LX_SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	r = unix_new(type, &socket);
	if (r < 0)
		return r;
	*ret = &socket->base;
	return 0;
}

int unix_create_pair(struct task *task, int type, struct socket **ret_a, struct socket **ret_b)
{
	const struct unix_identity me = identity_of(task);
	struct socket *first, *second;
	struct unix_socket *a, *b;
	int r = unix_create(type, &first);

	if (r < 0)
		return r;
	r = unix_create(type, &second);
	if (r < 0) {
		unix_unref(unix_of(first));
		return r;
	}
	a = unix_of(first);
	b = unix_of(second);
	a->peer = unix_ref(b);
	b->peer = unix_ref(a);
	a->state = b->state = UNIX_CONNECTED;
	identity_copy(&a->peer_identity, &me);
	identity_copy(&b->peer_identity, &me);
	*ret_a = first;
	*ret_b = second;
	return 0;
}

/* ---- names ---- */

/* A path name in an address: NUL-terminated into @path (UNIX_PATH_MAX + 1). False for abstract and
 * empty ones. */
static bool path_of(const struct socket_address *address, char *path)
{
	size_t size = address->size - 2;

	if (size == 0 || address->bytes[2] == '\0')
		return false;
	memcpy(path, address->bytes + 2, size);
	path[size] = '\0';
	return true;
}

static int check_address(const struct socket_address *address)
{
	uint16_t family;

	if (address->size <= 2 || address->size > sizeof(struct lx_sockaddr_un))
		return -EINVAL;
	memcpy(&family, address->bytes, sizeof(family));
	return family == LX_AF_UNIX ? 0 : -EINVAL;
}

/* Of the present task's network namespace. */
static uint32_t net_here(void)
{
	const struct task *task = task_current();

	return task && task->nsproxy ? task->nsproxy->ns[NS_NET]->number : 0;
}

static uint64_t abstract_hash(const struct socket_address *address)
{
	return hash_u64_bytes(net_here(), address->bytes + 2, address->size - 2);
}

/* Each type of socket has a name space of its own. */
static struct unix_socket *abstract_find(const struct socket_address *address, int type)
{
	struct unix_socket *socket;

	hash_for_each_match(socket, &abstract_names, abstract_hash(address), abstract)
	{
		if (socket->base.type == type && socket->net == net_here() &&
			socket->name.size == address->size &&
			memcmp(socket->name.bytes, address->bytes, address->size) == 0)
			return socket;
	}
	return NULL;
}

int unix_find(
	struct task *task, const struct socket_address *address, int type, struct unix_socket **ret)
{
	struct vfs_ctx ctx = task_vfs_ctx(task);
	struct unix_socket *found = NULL;
	char name[LX_UNIX_PATH_MAX + 1];
	struct path path;
	int r = check_address(address);

	if (r < 0)
		return r;
	if (!path_of(address, name)) {
		found = abstract_find(address, type);
		if (found)
			unix_ref(found);
	} else {
		r = path_walk(&ctx, NULL, name, WALK_FOLLOW, &path);
		if (r < 0)
			return r;
		r = inode_permission(path.dentry->inode, VFS_MAY_WRITE, &ctx);
		if (r == 0 && path.dentry->inode->bound)
			found = unix_ref(path.dentry->inode->bound->socket);
		path_unref(&path);
		if (r < 0)
			return r;
	}
	if (!found)
		return -ECONNREFUSED;
	if (found->base.type != type) {
		unix_unref(found);
		return -EPROTOTYPE;
	}
	*ret = found;
	return 0;
}

/* hook_unix_stream_connect(), hook_unix_may_send() */
int unix_check_scope(const struct task *task, const struct unix_socket *target)
{
	return target->is_abstract && target->maker &&
			       landlock_out_of_scope(task->cred, target->maker,
				       LX_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET)
		       ? -EPERM
		       : 0;
}

static bool is_bound(const struct unix_socket *socket)
{
	return socket->name.size > 2;
}

static int bind_abstract(struct unix_socket *socket, const struct socket_address *address)
{
	int r;

	if (abstract_find(address, socket->base.type))
		return -EADDRINUSE;
	socket->name = *address;
	r = hash_insert(&abstract_names, &socket->abstract, abstract_hash(address));
	if (r < 0) {
		socket->name = (struct socket_address){.size = 2, .bytes = {LX_AF_UNIX, 0}};
		return r;
	}
	socket->is_abstract = true;
	socket->net = net_here();
	return 0;
}

/* unix(7), autobind: five hexadecimal digits. */
static int autobind(struct unix_socket *socket)
{
	struct socket_address address = {.size = 2 + 6, .bytes = {LX_AF_UNIX, 0}};

	for (int attempt = 0; attempt < 1000; attempt++) {
		char digits[8];
		uint32_t number;
		int r;

		random_bytes(&number, sizeof(number));
		snprintf(digits, sizeof(digits), "%05x", number & 0xfffff);
		memcpy(address.bytes + 3, digits, 5);
		r = bind_abstract(socket, &address);
		if (r != -EADDRINUSE)
			return r;
	}
	return -ENOSPC;
}

/* Linux looks at the path before it notices that the socket has a name (unix_bind_bsd). */
static int bind_path(struct unix_socket *socket, struct task *task, const char *name,
	const struct socket_address *address)
{
	struct vfs_ctx ctx = task_vfs_ctx(task);
	const struct file *file = socket->base.file;
	/* fchmod(2) of the socket before is what the name gets. */
	uint32_t mode = (file ? file->inode->mode & 07777 : 0777) & ~ctx.fs->umask;
	struct path path;
	int r = vfs_mknod_path(&ctx, NULL, name, LX_S_IFSOCK | mode, 0, &path);

	if (r < 0)
		return r == -EEXIST ? -EADDRINUSE : r;
	if (is_bound(socket)) {
		path_unref(&path);
		(void)vfs_unlink(&ctx, NULL, name);
		return -EINVAL;
	}
	socket->bound_path = path;
	socket->bound.socket = socket;
	path.dentry->inode->bound = &socket->bound;
	/* Linux shows the name with a terminating NUL, counted. */
	socket->name = *address;
	socket->name.size = (uint32_t)(2 + strlen(name) + 1);
	if (socket->name.size > sizeof(socket->name.bytes))
		socket->name.size = sizeof(socket->name.bytes);
	socket->name.bytes[socket->name.size - 1] = '\0';
	return 0;
}

static int unix_bind(struct socket *base, struct task *task, const struct socket_address *address)
{
	struct unix_socket *socket = unix_of(base);
	char name[LX_UNIX_PATH_MAX + 1];
	uint16_t family;
	int r;

	if (address->size == 2) {
		memcpy(&family, address->bytes, sizeof(family));
		if (family != LX_AF_UNIX)
			return -EINVAL;
		return is_bound(socket) ? 0 : autobind(socket);
	}
	r = check_address(address);
	if (r < 0)
		return r;
	if (path_of(address, name))
		return bind_path(socket, task, name, address);
	return is_bound(socket) ? -EINVAL : bind_abstract(socket, address);
}

static int unix_getname(struct socket *base, bool peer, struct socket_address *ret)
{
	struct unix_socket *socket = unix_of(base);

	if (peer) {
		socket = socket->peer;
		if (!socket || unix_of(base)->state != UNIX_CONNECTED)
			return -ENOTCONN;
	}
	*ret = socket->name;
	return 0;
}

/* ---- connections ---- */

static void set_peer(struct unix_socket *socket, struct unix_socket *peer)
{
	if (socket->peer)
		unix_unref(socket->peer);
	socket->peer = peer ? unix_ref(peer) : NULL;
}

static int connect_datagram(
	struct unix_socket *socket, struct task *task, const struct socket_address *address)
{
	struct unix_socket *peer;
	uint16_t family;
	int r;

	memcpy(&family, address->bytes, sizeof(family));
	if (address->size >= 2 && family == LX_AF_UNSPEC) {
		set_peer(socket, NULL);
		socket->state = UNIX_NEW;
		return 0;
	}
	r = unix_find(task, address, socket->base.type, &peer);
	if (r < 0)
		return r;
	if (peer->peer && peer->peer != socket) {
		unix_unref(peer);
		return -EPERM;
	}
	if (socket->peer != peer && unix_check_scope(task, peer) < 0) {
		unix_unref(peer);
		return -EPERM;
	}
	set_peer(socket, peer);
	unix_unref(peer);
	socket->state = UNIX_CONNECTED;
	unix_wake(socket, LX_POLLOUT);
	return 0;
}

/* The listener's end of a new connection, ready to be accepted. */
static int make_server_end(
	struct unix_socket *client, struct unix_socket *listener, struct task *task)
{
	const struct unix_identity me = identity_of(task);
	struct unix_socket *server;
	int r = unix_new(client->base.type, &server);

	if (r < 0)
		return r;
	server->state = UNIX_CONNECTED;
	server->name = listener->name;
	server->base.pass_cred = listener->base.pass_cred;
	server->base.pass_pidfd = listener->base.pass_pidfd;
	identity_copy(&server->peer_identity, &me);
	identity_copy(&client->peer_identity, &listener->listener);
	set_peer(server, client);
	set_peer(client, server);
	client->state = UNIX_CONNECTED;
	list_add_tail(&server->backlog_link, &listener->backlog);
	listener->backlog_count++;
	unix_wake(listener, LX_POLLIN | LX_POLLRDNORM);
	unix_wake(client, LX_POLLOUT);
	return 0;
}

static bool accepts(const struct unix_socket *listener)
{
	return listener->state == UNIX_LISTENING && !listener->read_shut;
}

static int unix_connect(
	struct socket *base, struct task *task, const struct socket_address *address, bool nonblock)
{
	struct unix_socket *socket = unix_of(base), *listener;
	uint64_t deadline =
		base->send_timeout ? loop_monotonic_now() + base->send_timeout : WAIT_FOREVER;
	int r;

	if (base->type == LX_SOCK_DGRAM)
		return connect_datagram(socket, task, address);
	for (;;) {
		r = unix_find(task, address, base->type, &listener);
		if (r < 0)
			return r;
		if (!accepts(listener)) {
			unix_unref(listener);
			return -ECONNREFUSED;
		}
		if (listener->backlog_count <= listener->backlog_limit)
			break;
		r = nonblock ? -EAGAIN
			     : wait_event_deadline(&listener->base.queue,
				       !accepts(listener) ||
					       listener->backlog_count <= listener->backlog_limit,
				       deadline);
		unix_unref(listener);
		if (r < 0)
			return socket_wait_error(r, deadline);
	}
	/* Our own state comes last, as on Linux. */
	if (socket->state == UNIX_NEW) {
		r = unix_check_scope(task, listener);
		r = r < 0 ? r : make_server_end(socket, listener, task);
	} else
		r = socket->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
	unix_unref(listener);
	return r;
}

static int unix_listen(struct socket *base, struct task *task, int backlog)
{
	const struct unix_identity me = identity_of(task);
	struct unix_socket *socket = unix_of(base);

	if (base->type == LX_SOCK_DGRAM)
		return -EOPNOTSUPP;
	if (socket->name.size <= 2 ||
		(socket->state != UNIX_NEW && socket->state != UNIX_LISTENING))
		return -EINVAL;
	socket->state = UNIX_LISTENING;
	base->listening = true;
	socket->backlog_limit =
		backlog < 0 || backlog > LX_SOMAXCONN ? LX_SOMAXCONN : (unsigned)backlog;
	identity_copy(&socket->listener, &me);
	unix_wake(socket, LX_POLLOUT);
	return 0;
}

static int unix_accept(struct socket *base, bool nonblock, struct socket **ret)
{
	struct unix_socket *socket = unix_of(base), *server;
	uint64_t deadline =
		base->receive_timeout ? loop_monotonic_now() + base->receive_timeout : WAIT_FOREVER;
	int r;

	if (base->type == LX_SOCK_DGRAM)
		return -EOPNOTSUPP;
	if (socket->state != UNIX_LISTENING)
		return -EINVAL;
	while (list_empty(&socket->backlog)) {
		if (socket->read_shut)
			return -EINVAL;
		if (nonblock)
			return -EAGAIN;
		r = wait_event_deadline(
			&base->queue, !list_empty(&socket->backlog) || socket->read_shut, deadline);
		if (r < 0)
			return socket_wait_error(r, deadline);
	}
	server = list_first(&socket->backlog, struct unix_socket, backlog_link);
	list_remove(&server->backlog_link);
	socket->backlog_count--;
	unix_wake(socket, LX_POLLOUT);
	*ret = &server->base;
	return 0;
}

static int unix_shutdown(struct socket *base, int how)
{
	struct unix_socket *socket = unix_of(base), *peer = socket->peer;

	socket->read_shut |= how != LX_SHUT_WR;
	socket->write_shut |= how != LX_SHUT_RD;
	unix_wake(socket, ~0u & ~WAIT_QUEUE_GONE);
	if (peer && base->type != LX_SOCK_DGRAM) {
		peer->write_shut |= how != LX_SHUT_WR;
		peer->read_shut |= how != LX_SHUT_RD;
		unix_wake(peer, ~0u & ~WAIT_QUEUE_GONE);
	}
	return 0;
}

static const struct unix_identity *peer_of(const struct unix_socket *socket)
{
	return socket->state == UNIX_LISTENING ? &socket->listener : &socket->peer_identity;
}

static int64_t peer_groups(
	struct task *task, const struct cred *cred, gaddr_t value, int32_t size, gaddr_t size_addr)
{
	int32_t needed = (int32_t)(cred->group_count * sizeof(cred->groups[0]));
	int r;

	/* Counting with it how many did not fit (sk_getsockopt()). */
	if (size < needed) {
		r = guest_write_value(task, size_addr, &needed);
		return r < 0 ? r : -ERANGE;
	}
	for (uint32_t i = 0; i < cred->group_count; i++) {
		uint32_t gid = gid_here(cred->groups[i]);

		r = guest_write_value(task, gaddr_add(value, i * sizeof(gid)), &gid);
		if (r < 0)
			return r;
	}
	return guest_write_value(task, size_addr, &needed);
}

int64_t unix_peer_option(
	struct socket *base, struct task *task, int option, gaddr_t value, gaddr_t size_addr)
{
	struct unix_socket *socket = unix_of(base);
	struct unix_identity peer = {0};
	int32_t size;
	int64_t r;

	r = guest_read_value(task, &size, size_addr);
	if (r < 0)
		return r;
	if (size < 0)
		return -EINVAL;
	/* Guest memory may take its time: the socket's own may change meanwhile. */
	identity_copy(&peer, peer_of(socket));
	if (!peer.pid) {
		r = -ENODATA;
	} else if (option == LX_SO_PEERGROUPS) {
		r = peer_groups(task, peer.groups, value, size, size_addr);
	} else {
		int32_t fd = pidfd_install(task, peer.pid);

		size = min_of(size, (int32_t)sizeof(fd));
		r = fd < 0 ? fd : guest_write(task, value, &fd, (size_t)size);
		if (r == 0)
			r = guest_write_value(task, size_addr, &size);
		if (fd >= 0 && r < 0)
			(void)fd_close(task->files, fd, task->files);
	}
	identity_fini(&peer);
	return r;
}

static int unix_getsockopt(
	struct socket *base, struct task *task, int level, int option, void *value, size_t size)
{
	struct unix_socket *socket = unix_of(base);
	struct lx_ucred cred = {.pid = 0, .uid = UINT32_MAX, .gid = UINT32_MAX};
	size_t n = min_of(size, sizeof(cred));

	if (level != LX_SOL_SOCKET || option != LX_SO_PEERCRED)
		return -ENOPROTOOPT;
	if (peer_of(socket)->cred.pid)
		cred = ucred_here(&peer_of(socket)->cred);
	memcpy(value, &cred, n);
	return (int)n;
}

/* ---- the end ---- */

static void unbind(struct unix_socket *socket)
{
	if (socket->is_abstract)
		hash_remove(&abstract_names, &socket->abstract);
	socket->is_abstract = false;
	if (socket->bound_path.dentry) {
		struct inode *inode = socket->bound_path.dentry->inode;

		if (inode && inode->bound == &socket->bound)
			inode->bound = NULL;
		path_unref(&socket->bound_path);
	}
}

/* @socket is going: its peer reads the rest and then end of file, or ECONNRESET when we left data
 * unread. */
static void disconnect(struct unix_socket *socket)
{
	struct unix_socket *peer = socket->peer;

	if (!peer)
		return;
	/* A datagram peer notices at its next send (ECONNREFUSED). */
	if (peer->peer == socket && socket->base.type != LX_SOCK_DGRAM) {
		peer->read_shut = peer->write_shut = true;
		if (!list_empty(&socket->packets) || !list_empty(&socket->backlog_link))
			peer->base.error = ECONNRESET;
	}
	if (peer->peer == socket)
		unix_wake(peer, ~0u & ~WAIT_QUEUE_GONE);
	set_peer(socket, NULL);
}

static void unix_release(struct socket *base)
{
	struct unix_socket *socket = unix_of(base);

	unbind(socket);
	while (!list_empty(&socket->backlog)) {
		struct unix_socket *waiting =
			list_first(&socket->backlog, struct unix_socket, backlog_link);

		/* Still linked while it disconnects: the client sees ECONNRESET. */
		disconnect(waiting);
		list_remove(&waiting->backlog_link);
		waiting->state = UNIX_CLOSED;
		unix_drop_packets(waiting);
		unix_unref(waiting);
	}
	disconnect(socket);
	socket->state = UNIX_CLOSED;
	unix_drop_packets(socket);
	unix_wake(socket, ~0u & ~WAIT_QUEUE_GONE);
	unix_unref(socket);
	unix_collect_later();
}

static const struct socket_ops unix_ops = {
	.bind = unix_bind,
	.connect = unix_connect,
	.listen = unix_listen,
	.accept = unix_accept,
	.getname = unix_getname,
	.send = unix_send,
	.receive = unix_receive,
	.shutdown = unix_shutdown,
	.getsockopt = unix_getsockopt,
	.ioctl = unix_ioctl,
	.poll = unix_poll,
	.release = unix_release,
};
