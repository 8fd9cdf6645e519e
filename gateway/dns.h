/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_GATEWAY_DNS_H
#define SENTRY_GATEWAY_DNS_H

#include "gateway/rules.h"

/*
 * DNS messages (RFC 1035): what guests ask, what we ask, what we are told. Read with libc's ns_*
 * functions.
 */
#define GATE_DNS_MESSAGE_MAX 65535u
#define GATE_DNS_ADDRESSES   32u /* of an answer; more are left out */
#define GATE_DNS_A	     1u
#define GATE_DNS_AAAA	     28u

#define GATE_DNS_NOERROR  0u
#define GATE_DNS_FORMERR  1u
#define GATE_DNS_SERVFAIL 2u
#define GATE_DNS_NXDOMAIN 3u
#define GATE_DNS_NOTIMP	  4u

struct gate_dns_query {
	uint16_t id, type;
	bool recursion;
	char asked[GATE_DOMAIN_MAX]; /* the name as it was written */
	char name[GATE_DOMAIN_MAX];  /* clean */
};

struct gate_dns_answer {
	uint8_t rcode;
	bool truncated;
	uint32_t ttl; /* seconds, the least of all records that led to it */
	struct gate_address addresses[GATE_DNS_ADDRESSES];
	unsigned count;
};

/*
 * What a guest asks. 0; -EINVAL when no answer is due (no query at all); or a rcode to be answered
 * with, ret->id set.
 */
int gate_dns_read_query(const uint8_t *data, size_t size, struct gate_dns_query *ret);
/* The answer for it. Returns the message's size, at most @capacity: what does not fit is left out,
 * and `truncated` set. */
size_t gate_dns_write_answer(const struct gate_dns_query *query,
	const struct gate_dns_answer *answer, uint8_t *out, size_t capacity);

/*
 * Our own question: ret_asked is @name with letters in random case (@bits: a random bit for each),
 * which an honest server repeats. Returns the size; 0 when it does not fit.
 */
size_t gate_dns_write_query(const char *name, uint16_t type, uint16_t id, const uint8_t bits[32],
	char ret_asked[GATE_DOMAIN_MAX], uint8_t *out, size_t capacity);
/*
 * Its answer: addresses of @asked itself or of what its aliases lead to, of the type asked for.
 * -EINVAL for what is no answer to it: another id, name or type.
 */
int gate_dns_read_answer(const uint8_t *data, size_t size, const char *asked, uint16_t type,
	uint16_t id, struct gate_dns_answer *ret);

#endif
