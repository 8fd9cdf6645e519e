/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error queues (recvmsg(2), MSG_ERRQUEUE): what ICMP said of datagrams (IP_RECVERR), which sends
 * with MSG_ZEROCOPY are done with their memory, and when datagrams left (SO_TIMESTAMPING).
 *
 * Everything is copied here, so a send is done at once, and its notice says so
 * (SO_EE_CODE_ZEROCOPY_COPIED), as Linux does where a packet is for its own host. Notices of
 * sends in a row are one, so that who does not read them costs nothing; stamps and errors have
 * INET_ERRORS_MAX.
 */
#include "sentry/socket/inet_socket.h"

#include <errno.h>
#include <string.h>

#include "abi/poll.h"
#include "abi/time.h"
#include "base/checked.h"

static struct list_head *queue_of(const struct inet_socket *socket)
{
	struct inet_socket *owner = (struct inet_socket *)socket;

	return socket->base.type == LX_SOCK_STREAM ? &owner->notices : &owner->udp->errors;
}

static unsigned *count_of(struct inet_socket *socket)
{
	return socket->base.type == LX_SOCK_STREAM ? &socket->notice_count
						   : &socket->udp->error_count;
}

bool inet_has_notices(const struct inet_socket *socket)
{
	return !list_empty(queue_of(socket));
}

void inet_drop_notices(struct inet_socket *socket)
{
	while (!list_empty(&socket->notices)) {
		struct inet_error *notice = list_first(&socket->notices, struct inet_error, link);

		list_remove(&notice->link);
		inet_error_free(notice);
	}
	socket->notice_count = 0;
}

/* ---- notices --------------------------------------------------------------------------------- */

/* NULL: there is no room, and it is lost (sock_queue_err_skb()). */
static struct inet_error *add(struct inet_socket *socket, uint8_t origin)
{
	struct inet_error *notice = *count_of(socket) < INET_ERRORS_MAX ? inet_error_new() : NULL;

	if (!notice)
		return NULL;
	notice->origin = origin;
	list_add_tail(&notice->link, queue_of(socket));
	++*count_of(socket);
	return notice;
}

/* __msg_zerocopy_callback(), skb_zerocopy_notify_extend() */
void inet_note_copied(struct inet_socket *socket)
{
	struct list_head *queue = queue_of(socket);
	uint32_t number = socket->zero_copies++;
	struct inet_error *notice = NULL;

	if (!list_empty(queue))
		notice = list_entry(queue->prev, struct inet_error, link);
	if (notice && notice->origin == LX_SO_EE_ORIGIN_ZEROCOPY && notice->data + 1 == number) {
		notice->data = number;
		return;
	}
	notice = add(socket, LX_SO_EE_ORIGIN_ZEROCOPY);
	if (!notice)
		return;
	notice->code = LX_SO_EE_CODE_ZEROCOPY_COPIED;
	notice->info = notice->data = number;
	wait_queue_wake(&socket->base.queue, LX_POLLERR);
}

/* Whom ipv6_recv_error() names beside a stamp: who sent it. */
static struct inet_address source_of(struct netbuf_queue *image)
{
	struct inet_address source = inet_any4;
	uint8_t type[2];

	netbuf_peek(image, 12, type, sizeof(type));
	if (type[0] == 0x86 && image->size >= 14 + 24)
		netbuf_peek(image, 14 + 8, source.bytes, 16);
	else if (image->size >= 14 + 16)
		netbuf_peek(image, 14 + 12, source.bytes + 12, 4);
	return source;
}

/* __skb_tstamp_tx() */
void inet_note_sent(struct inet_socket *socket, struct netbuf_queue *image)
{
	static const struct {
		uint32_t wanted, what;
	} stamps[] = {
		{LX_SOF_TIMESTAMPING_TX_SCHED, LX_SCM_TSTAMP_SCHED},
		{LX_SOF_TIMESTAMPING_TX_SOFTWARE, LX_SCM_TSTAMP_SND},
	};
	uint32_t id = socket->want_stamping & LX_SOF_TIMESTAMPING_OPT_ID ? socket->stamp_id++ : 0;

	for (unsigned i = 0; i < array_size(stamps); i++) {
		struct inet_error *notice;

		if (!(socket->want_stamping & stamps[i].wanted))
			continue;
		notice = add(socket, LX_SO_EE_ORIGIN_TIMESTAMPING);
		if (!notice)
			break;
		notice->error = ENOMSG;
		notice->info = stamps[i].what;
		notice->data = id;
		notice->at = (int64_t)loop_realtime_now();
		if (!(socket->want_stamping & LX_SOF_TIMESTAMPING_OPT_TSONLY) && image->size) {
			(void)netbuf_slice(image, 0, image->size, &notice->payload);
			if (socket->v6)
				notice->offender = source_of(image);
		}
		wait_queue_wake(&socket->base.queue, LX_POLLERR);
	}
	netbuf_queue_clear(image);
}

/* ---- receiving ------------------------------------------------------------------------------- */

static bool is_of_network(const struct inet_error *error)
{
	return error->origin == LX_SO_EE_ORIGIN_ICMP || error->origin == LX_SO_EE_ORIGIN_ICMP6;
}

static bool has_names(const struct inet_error *error)
{
	return error->origin != LX_SO_EE_ORIGIN_ZEROCOPY &&
	       error->origin != LX_SO_EE_ORIGIN_TIMESTAMPING;
}

static void write_notes(
	const struct inet_socket *socket, const struct inet_error *error, struct scm *scm)
{
	struct {
		struct lx_sock_extended_err error;
		uint8_t offender[sizeof(struct lx_sockaddr_in6)];
	} note = {.error = {.ee_errno = (uint32_t)error->error,
			  .ee_origin = error->origin,
			  .ee_type = error->type,
			  .ee_code = error->code,
			  .ee_info = error->info,
			  .ee_data = error->data}};
	bool v4 = has_names(error) ? inet_is_v4(&error->to.address) : !socket->v6;
	struct socket_address offender;

	if (error->at && (socket->want_stamping & LX_SOF_TIMESTAMPING_SOFTWARE)) {
		struct lx_timespec three[3] = {
			{.tv_sec = error->at / 1000000000, .tv_nsec = error->at % 1000000000}};

		scm_note(scm, LX_SOL_SOCKET,
			socket->wants & INET_STAMPING_NEW ? LX_SO_TIMESTAMPING_NEW
							  : LX_SO_TIMESTAMPING,
			three, sizeof(three));
	}
	inet_write_name_as(
		v4 ? LX_AF_INET : LX_AF_INET6, &(struct inet_name){error->offender, 0}, &offender);
	if (has_names(error) || (!v4 && error->at && error->payload.size > 0))
		memcpy(note.offender, offender.bytes, offender.size);
	scm_note(scm, v4 ? LX_SOL_IP : LX_SOL_IPV6, v4 ? LX_IP_RECVERR : LX_IPV6_RECVERR, &note,
		sizeof(note.error) + offender.size);
}

/* ip_recv_error(), ipv6_recv_error(). */
ssize_t inet_receive_error(struct inet_socket *socket, struct socket_message *message)
{
	struct list_head *queue = queue_of(socket);
	struct inet_error *error, *next;
	ssize_t n = 0;
	uint32_t done = 0;

	if (socket->base.type == LX_SOCK_RAW || list_empty(queue))
		return -EAGAIN;
	error = list_first(queue, struct inet_error, link);
	list_remove(&error->link);
	--*count_of(socket);
	for (struct netbuf *buf = error->payload.first; buf && message->uio->resid > 0;
		buf = buf->next) {
		n = uio_copy_to(message->uio, buf->block->bytes + buf->offset,
			min_of((uint64_t)buf->size, message->uio->resid));
		if (n <= 0)
			break;
		done += (uint32_t)n;
	}
	if (n >= 0) {
		if (message->scm)
			write_notes(socket, error, message->scm);
		if (message->name && has_names(error))
			inet_write_name(socket, &error->to, message->name);
		else if (message->name)
			message->name->size = 0;
		message->out_flags |= LX_MSG_ERRQUEUE;
		if (done < error->payload.size)
			message->out_flags |= LX_MSG_TRUNC;
	}
	/* The next one shows as SO_ERROR (sock_dequeue_err_skb()). */
	next = list_empty(queue) ? NULL : list_first(queue, struct inet_error, link);
	if (next && is_of_network(next))
		socket->base.error = next->error;
	else if (is_of_network(error))
		socket->base.error = 0;
	inet_error_free(error);
	return n < 0 ? n : (ssize_t)done;
}
