/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record of what was sent: for each segment its place in the sequence space, when it was sent
 * last, and what became of it. It is kept in two orders: by sequence number, for acknowledgements,
 * and by the time of sending, for RACK; of the second order those are part that may still arrive.
 * Those taken for lost stand in a line of their own until they are sent again.
 *
 *	in flight --- sacked		delivered, waits for the cumulative acknowledgement
 *	    |   ^
 *	  lost -+ sent again
 *
 * The sums in struct tcp follow here and nowhere else.
 */
#include <stdlib.h>

#include "netstack/tcp_private.h"

struct tcp_sent *tcp_sent_add(
	struct tcp *tcp, uint32_t start, uint32_t end, bool syn, bool fin, int64_t now)
{
	struct tcp_sent *sent = malloc(sizeof(*sent));

	if (!sent)
		return NULL;
	*sent = (struct tcp_sent){
		.start = start, .end = end, .sent_at = now, .syn = syn, .fin = fin};
	list_add_tail(&sent->by_seq, &tcp->sent_by_seq);
	list_add_tail(&sent->by_time, &tcp->sent_by_time);
	tcp->sent_count++;
	tcp->in_flight += end - start;
	return sent;
}

/* It goes out once more, lost or not (a probe repeats what may still be under way). */
void tcp_sent_again(struct tcp *tcp, struct tcp_sent *sent, int64_t now)
{
	if (sent->lost) {
		sent->lost = false;
		tcp->lost_count--;
		tcp->in_flight += sent_size(sent);
	}
	sent->retransmitted = true;
	sent->sent_at = now;
	list_remove(&sent->by_time);
	list_add_tail(&sent->by_time, &tcp->sent_by_time);
}

void tcp_sent_forget(struct tcp *tcp, struct tcp_sent *sent)
{
	if (sent->lost)
		tcp->lost_count--;
	else if (sent->sacked)
		tcp->sacked_count--;
	else
		tcp->in_flight -= sent_size(sent);
	list_remove(&sent->by_seq);
	list_remove(&sent->by_time);
	tcp->sent_count--;
	free(sent);
}

void tcp_sent_sack(struct tcp *tcp, struct tcp_sent *sent)
{
	if (sent->lost) {
		sent->lost = false;
		tcp->lost_count--;
	} else {
		tcp->in_flight -= sent_size(sent);
	}
	sent->sacked = true;
	tcp->sacked_count++;
	list_remove(&sent->by_time);
}

/* To the end of the line of those that wait to be sent again; also one that was in it. */
void tcp_sent_lose(struct tcp *tcp, struct tcp_sent *sent)
{
	if (!sent->lost) {
		sent->lost = true;
		tcp->lost_count++;
		tcp->in_flight -= sent_size(sent);
	}
	list_remove(&sent->by_time);
	list_add_tail(&sent->by_time, &tcp->sent_lost);
}

struct tcp_sent *tcp_sent_split(struct tcp *tcp, struct tcp_sent *sent, uint32_t seq)
{
	struct tcp_sent *later;

	if (tcp->sent_count >= TCP_SENT_MAX)
		return NULL;
	later = malloc(sizeof(*later));
	if (!later)
		return NULL;
	*later = *sent;
	later->start = seq;
	later->syn = false;
	sent->end = seq;
	sent->fin = false;
	list_add(&later->by_seq, &sent->by_seq);
	list_init(&later->by_time);
	if (!sent->sacked)
		list_add(&later->by_time, &sent->by_time);
	tcp->sent_count++;
	tcp->lost_count += sent->lost;
	tcp->sacked_count += sent->sacked;
	return later;
}

void tcp_sent_clear(struct tcp *tcp)
{
	struct tcp_sent *sent, *next;

	list_for_each_entry_safe (sent, next, &tcp->sent_by_seq, by_seq)
		tcp_sent_forget(tcp, sent);
}
