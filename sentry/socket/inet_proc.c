/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/net/{tcp,tcp6,udp,udp6}: the reader's network namespace, as tcp4_seq_show() and its
 * relatives have it. */
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "sentry/nsproxy.h"
#include "sentry/procfs/procfs.h"
#include "sentry/procfs/pseudo.h"
#include "sentry/socket/inet_socket.h"

#define ROW_MAX	  256
#define V4_WIDTH  149 /* Linux fills the rows of IPv4 up to here */
#define UDP_WIDTH 127

/* An address is four-byte words of the machine's order, as they lie in memory. */
static int print_name(char *to, size_t room, bool v6, const struct inet_name *name)
{
	uint32_t words[4];

	memcpy(words, name->address.bytes, sizeof(words));
	if (!v6)
		return snprintf(to, room, "%08X:%04X", words[3], name->port);
	return snprintf(to, room, "%08X%08X%08X%08X:%04X", words[0], words[1], words[2], words[3],
		name->port);
}

struct row {
	unsigned number, state, retransmits, refs;
	uint32_t sending, receiving, uid;
	unsigned long long inode;
	char tail[64]; /* what only the protocol has */
};

static void fill_owner(const struct inet_endpoint *endpoint, struct row *row)
{
	const struct inet_socket *socket = endpoint->owner;
	const struct file *file = socket ? socket->base.file : NULL;

	row->refs = 1;
	if (file) {
		row->uid = uid_here(file->inode->uid);
		row->inode = (unsigned long long)file->inode->ino;
	}
}

static void print_row(
	struct seq *seq, const struct inet_endpoint *endpoint, const struct row *row, bool tcp)
{
	char text[ROW_MAX];
	int n = snprintf(text, sizeof(text), tcp ? "%4u: " : "%5u: ", row->number);

	n += print_name(text + n, sizeof(text) - (size_t)n, endpoint->ipv6, &endpoint->local);
	text[n++] = ' ';
	n += print_name(text + n, sizeof(text) - (size_t)n, endpoint->ipv6, &endpoint->remote);
	(void)snprintf(text + n, sizeof(text) - (size_t)n,
		" %02X %08X:%08X %02X:%08X %08X %5u %8d %llu %u %016x %s", row->state, row->sending,
		row->receiving, 0, 0, row->retransmits, row->uid, 0, row->inode, row->refs, 0,
		row->tail);
	if (endpoint->ipv6)
		seq_printf(seq, "%s\n", text);
	else
		seq_printf(seq, "%-*s\n", tcp ? V4_WIDTH : UDP_WIDTH, text);
}

static void print_tcp(struct seq *seq, const struct inet_endpoint *endpoint, unsigned number)
{
	const struct inet_tcp *tcp = container_of(endpoint, struct inet_tcp, endpoint);
	struct row row = {
		.number = number,
		.state = (unsigned)tcp->tcp.state,
		.sending = tcp->tcp.send.size,
		.receiving = tcp->tcp.receive.size,
		.retransmits = tcp->tcp.unanswered,
	};

	/* In clock ticks: the timer and the delay of acknowledgements; then quick acknowledgements,
	 * and the congestion window and its threshold in segments. */
	(void)snprintf(row.tail, sizeof(row.tail), "%llu %u %u %u %d",
		(unsigned long long)(tcp->tcp.rto / 10000000), 4, tcp->tcp.quick_acks << 1,
		max_of(tcp->tcp.cwnd / max_of(tcp->tcp.mss, 1u), 1u),
		tcp->tcp.ssthresh == UINT32_MAX
			? -1
			: (int)(tcp->tcp.ssthresh / max_of(tcp->tcp.mss, 1u)));
	if (endpoint->listening) {
		row.state = TCP_LISTEN;
		row.receiving = tcp->accept_count;
	}
	fill_owner(endpoint, &row);
	print_row(seq, endpoint, &row, true);
}

static void print_udp(struct seq *seq, const struct inet_endpoint *endpoint, unsigned number)
{
	const struct inet_udp *udp = container_of(endpoint, struct inet_udp, endpoint);
	struct row row = {
		.number = number,
		.state = endpoint->has_pair ? TCP_ESTABLISHED : TCP_CLOSED,
		.receiving = udp->queued,
	};

	(void)snprintf(row.tail, sizeof(row.tail), "%llu", (unsigned long long)udp->dropped);
	fill_owner(endpoint, &row);
	print_row(seq, endpoint, &row, false);
}

static int show(struct seq *seq, uint8_t protocol, bool v6, const char *head)
{
	const struct task *task = task_current();
	const struct nsproxy *proxy = task && task->nsproxy ? task->nsproxy : nsproxy_first();
	const struct netstack *stack = &container_of(proxy->ns[NS_NET], struct net_ns, ns)->stack;
	const struct inet_endpoint *endpoint;
	unsigned number = 0;

	seq_puts(seq, head);
	list_for_each_entry (endpoint, &stack->endpoints, list) {
		if (endpoint->protocol != protocol || endpoint->ipv6 != v6 ||
			!(endpoint->has_port || endpoint->has_pair))
			continue;
		if (protocol == INET_TCP)
			print_tcp(seq, endpoint, number++);
		else
			print_udp(seq, endpoint, number++);
	}
	return 0;
}

static int show_tcp(struct seq *seq)
{
	return show(seq, INET_TCP, false,
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"
		"  timeout inode                                                     \n");
}

static int show_tcp6(struct seq *seq)
{
	return show(seq, INET_TCP, true,
		"  sl  local_address                         remote_address                       "
		" st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n");
}

static int show_udp(struct seq *seq)
{
	return show(seq, INET_UDP, false,
		"   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"
		"  timeout inode ref pointer drops            \n");
}

static int show_udp6(struct seq *seq)
{
	return show(seq, INET_UDP, true,
		"  sl  local_address                         remote_address                       "
		" st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer "
		"drops\n");
}

void inet_proc_register(void)
{
	static bool done;

	if (!done) {
		(void)procfs_register_net("tcp", show_tcp);
		(void)procfs_register_net("tcp6", show_tcp6);
		(void)procfs_register_net("udp", show_udp);
		(void)procfs_register_net("udp6", show_udp6);
	}
	done = true;
}
