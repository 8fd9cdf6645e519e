/* SPDX-License-Identifier: Apache-2.0 */
/* Raw sockets and echo sockets as /proc/net/{raw,raw6,icmp,icmp6} and ss(8) show them. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "sentry/procfs/procfs.h"
#include "sentry/procfs/pseudo.h"
#include "sentry/socket/netlink_diag.h"
#include "sentry/socket/raw.h"

static unsigned state_of(const struct raw *raw)
{
	return raw->socket->state == INET_CONNECTED ? TCP_ESTABLISHED : TCP_CLOSED;
}

static uint16_t number_of(const struct raw *raw)
{
	return raw->ping ? raw->socket->endpoint->local.port : (uint16_t)raw->socket->base.protocol;
}

static int print_name(
	char *to, size_t room, bool v6, const struct inet_address *address, unsigned port)
{
	uint32_t words[4];

	memcpy(words, address->bytes, sizeof(words));
	if (!v6)
		return snprintf(to, room, "%08X:%04X", words[3], port);
	return snprintf(
		to, room, "%08X%08X%08X%08X:%04X", words[0], words[1], words[2], words[3], port);
}

/* raw_sock_seq_show(), ping_v4_format_sock() */
static void show_one(struct seq *seq, const struct raw *raw)
{
	const struct inet_endpoint *endpoint = raw->socket->endpoint;
	const struct file *file = raw->socket->base.file;
	char local[64], remote[64], line[256];

	print_name(local, sizeof(local), raw->hook.ipv6, &endpoint->local.address, number_of(raw));
	print_name(remote, sizeof(remote), raw->hook.ipv6, &endpoint->remote.address, 0);
	(void)snprintf(line, sizeof(line),
		"%4u: %s %s %02X %08X:%08X %02X:%08X %08X %5u %8d %llu %u %016x %llu",
		number_of(raw), local, remote, state_of(raw), 0u, raw->socket->udp->queued, 0, 0, 0,
		file ? uid_here(file->inode->uid) : 0, 0,
		(unsigned long long)(file ? file->inode->ino : 0), 2u, 0,
		(unsigned long long)raw->socket->udp->dropped);
	seq_printf(seq, "%s\n", line);
}

static int show(struct seq *seq, bool ping, bool v6)
{
	const struct task *task = task_current();
	const struct nsproxy *proxy = task && task->nsproxy ? task->nsproxy : nsproxy_first();

	if (v6)
		seq_puts(seq, "  sl  local_address                         remote_address"
			      "                        st tx_queue rx_queue tr tm->when retrnsmt"
			      "   uid  timeout inode ref pointer drops\n");
	else
		seq_puts(seq, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
			      "retrnsmt   uid  timeout inode ref pointer drops\n");
	for (const struct raw *raw = raw_next(NULL); raw; raw = raw_next(raw))
		if (raw->ping == ping && raw->hook.ipv6 == v6 &&
			raw->socket->base.net == proxy->ns[NS_NET])
			show_one(seq, raw);
	return 0;
}

static int show_raw(struct seq *seq)
{
	return show(seq, false, false);
}

static int show_raw6(struct seq *seq)
{
	return show(seq, false, true);
}

static int show_icmp(struct seq *seq)
{
	return show(seq, true, false);
}

static int show_icmp6(struct seq *seq)
{
	return show(seq, true, true);
}

void raw_proc_register(void)
{
	static bool done;

	if (!done) {
		(void)procfs_register_net("raw", show_raw);
		(void)procfs_register_net("raw6", show_raw6);
		(void)procfs_register_net("icmp", show_icmp);
		(void)procfs_register_net("icmp6", show_icmp6);
	}
	done = true;
}

/* ---- sock_diag ------------------------------------------------------------------------------- */

static int put_raw(
	struct nl_builder *builder, const struct lx_nlmsghdr *header, const struct raw *raw)
{
	const struct inet_endpoint *endpoint = raw->socket->endpoint;
	const struct file *file = raw->socket->base.file;
	struct lx_inet_diag_msg message = {
		.family = raw->hook.ipv6 ? LX_AF_INET6 : LX_AF_INET,
		.state = (uint8_t)state_of(raw),
		.id.sport = htons(number_of(raw)),
		.id.cookie = {diag_inode(file), 0},
		.receiving = raw->socket->udp->queued,
		.uid = file ? uid_here(file->inode->uid) : 0,
		.inode = diag_inode(file),
	};
	size_t start = nl_begin(builder, header), size = raw->hook.ipv6 ? 16 : 4;

	memcpy(message.id.src, endpoint->local.address.bytes + 16 - size, size);
	memcpy(message.id.dst, endpoint->remote.address.bytes + 16 - size, size);
	nl_put(builder, &message, sizeof(message));
	nl_u8(builder, LX_INET_DIAG_SHUTDOWN, 0);
	nl_u8(builder, LX_INET_DIAG_PROTOCOL, (uint8_t)raw->socket->base.protocol);
	return nl_end(builder, start);
}

int raw_diag_fill(struct netlink_socket *asker, struct nl_dump *dump, struct nl_builder *builder)
{
	struct lx_inet_diag_req req;
	size_t place = 0;

	memcpy(&req, dump->filter, sizeof(req));
	for (const struct raw *raw = raw_next(NULL); raw; raw = raw_next(raw)) {
		if (place++ < dump->at[0])
			continue;
		if (!raw->ping && raw->socket->base.net == asker->base.net &&
			raw->hook.ipv6 == (req.family == LX_AF_INET6) &&
			(req.states >> state_of(raw) & 1) &&
			put_raw(builder, &dump->header, raw) < 0)
			return 1;
		dump->at[0] = place;
	}
	return 0;
}
