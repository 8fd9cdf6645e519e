/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/dns.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"

#define HEADER_SIZE 12u
#define ALIASES_MAX 16u

static unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static uint8_t *put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
	return at + 2;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
	return put16(put16(at, value >> 16), value & 0xffff);
}

/* ---- queries of guests ----------------------------------------------------------------------- */

int gate_dns_read_query(const uint8_t *data, size_t size, struct gate_dns_query *ret)
{
	ns_msg message;
	ns_rr question;

	*ret = (struct gate_dns_query){0};
	/* Nothing is said to what may itself be an answer. */
	if (size < HEADER_SIZE || size > GATE_DNS_MESSAGE_MAX || data[2] & 0x80)
		return -EINVAL;
	ret->id = (uint16_t)get16(data);
	ret->recursion = data[2] & 1;
	if (data[2] & 0x78)
		return GATE_DNS_NOTIMP;
	if (ns_initparse(data, (int)size, &message) < 0 || ns_msg_count(message, ns_s_qd) != 1 ||
		ns_msg_count(message, ns_s_an) != 0 ||
		ns_parserr(&message, ns_s_qd, 0, &question) < 0)
		return GATE_DNS_FORMERR;
	ret->type = (uint16_t)ns_rr_type(question);
	if (strlen(ns_rr_name(question)) >= sizeof(ret->asked) ||
		gate_name_clean(ns_rr_name(question), ret->name) < 0)
		return ret->asked[0] = '\0', GATE_DNS_NXDOMAIN;
	strcpy(ret->asked, ns_rr_name(question));
	return ns_rr_class(question) == ns_c_in ? 0 : GATE_DNS_NOTIMP;
}

/* NULL when there is no room, or @name is none. */
static uint8_t *put_question(uint8_t *at, const uint8_t *end, const char *name, unsigned type)
{
	int size = ns_name_compress(name, at, (size_t)(end - at), NULL, NULL);

	if (size < 0 || end - at - size < 4)
		return NULL;
	return put16(put16(at + size, type), ns_c_in);
}

size_t gate_dns_write_answer(const struct gate_dns_query *query,
	const struct gate_dns_answer *answer, uint8_t *out, size_t capacity)
{
	const uint8_t *end = out + capacity;
	unsigned count = 0, length = query->type == GATE_DNS_A ? 4 : 16;
	bool truncated = answer->truncated;
	uint8_t *at = out + HEADER_SIZE, *question = NULL;

	sentry_assert(capacity >= 512);
	memset(out, 0, HEADER_SIZE);
	if (query->asked[0])
		question = put_question(at, end, query->asked, query->type);
	if (question)
		at = question;
	for (unsigned i = 0; question && i < answer->count; i++) {
		if ((size_t)(end - at) < 12 + length) {
			truncated = true;
			break;
		}
		at = put16(at, 0xc000 | HEADER_SIZE); /* the question's name */
		at = put16(put16(at, query->type), ns_c_in);
		at = put16(put32(at, answer->ttl), length);
		memcpy(at, answer->addresses[i].bytes + 16 - length, length);
		at += length;
		count++;
	}
	put16(out, query->id);
	out[2] = (uint8_t)(0x80 | (truncated ? 0x02 : 0) | (query->recursion ? 0x01 : 0));
	out[3] = (uint8_t)(0x80 | (answer->rcode & 0x0f)); /* recursion is available */
	put16(out + 4, question != NULL);
	put16(out + 6, count);
	return (size_t)(at - out);
}

/* ---- our own queries ------------------------------------------------------------------------- */

size_t gate_dns_write_query(const char *name, uint16_t type, uint16_t id, const uint8_t bits[32],
	char ret_asked[GATE_DOMAIN_MAX], uint8_t *out, size_t capacity)
{
	uint8_t *at;
	size_t i;

	/* draft-vixie-dnsext-dns0x20: a bit more to guess for each letter. */
	for (i = 0; name[i]; i++) {
		char c = name[i];

		ret_asked[i] = c >= 'a' && c <= 'z' && bits[i / 8] >> (i % 8) & 1
				       ? (char)(c - 'a' + 'A')
				       : c;
	}
	ret_asked[i] = '\0';
	if (capacity < HEADER_SIZE)
		return 0;
	memset(out, 0, HEADER_SIZE);
	put16(out, id);
	out[2] = 0x01; /* recursion desired */
	put16(out + 4, 1);
	at = put_question(out + HEADER_SIZE, out + capacity, ret_asked, type);
	return at ? (size_t)(at - out) : 0;
}

/* The names that @asked is an alias for, in the order of the records (which is that of the chain).
 */
static void follow_aliases(ns_msg *message, char name[GATE_DOMAIN_MAX], uint32_t *ttl)
{
	for (unsigned step = 0; step < ALIASES_MAX; step++) {
		bool found = false;

		for (int i = 0; i < ns_msg_count(*message, ns_s_an) && !found; i++) {
			char target[NS_MAXDNAME], owner[GATE_DOMAIN_MAX];
			ns_rr rr;

			if (ns_parserr(message, ns_s_an, i, &rr) < 0)
				return;
			if (ns_rr_type(rr) != ns_t_cname || ns_rr_class(rr) != ns_c_in ||
				gate_name_clean(ns_rr_name(rr), owner) < 0 ||
				strcmp(owner, name) != 0)
				continue;
			if (ns_name_uncompress(ns_msg_base(*message), ns_msg_end(*message),
				    ns_rr_rdata(rr), target, sizeof(target)) < 0 ||
				gate_name_clean(target, name) < 0)
				return;
			*ttl = min_of(*ttl, (uint32_t)ns_rr_ttl(rr));
			found = true;
		}
		if (!found)
			return;
	}
}

static void take_address(const ns_rr *rr, uint16_t type, struct gate_dns_answer *answer)
{
	struct gate_address address;

	if (ns_rr_rdlen(*rr) != (type == GATE_DNS_A ? 4 : 16) ||
		answer->count == GATE_DNS_ADDRESSES)
		return;
	if (type == GATE_DNS_A)
		address = gate_from_v4(ns_rr_rdata(*rr));
	else
		memcpy(address.bytes, ns_rr_rdata(*rr), 16);
	/* ::ffff:0:0/96 as an AAAA: an IPv4 address in disguise. */
	if (type == GATE_DNS_AAAA && gate_is_v4(&address))
		return;
	answer->addresses[answer->count++] = address;
	answer->ttl = min_of(answer->ttl, (uint32_t)ns_rr_ttl(*rr));
}

int gate_dns_read_answer(const uint8_t *data, size_t size, const char *asked, uint16_t type,
	uint16_t id, struct gate_dns_answer *ret)
{
	struct gate_dns_answer answer = {.ttl = INT32_MAX};
	char name[GATE_DOMAIN_MAX], owner[GATE_DOMAIN_MAX];
	ns_msg message;
	ns_rr rr;

	if (size < HEADER_SIZE || size > GATE_DNS_MESSAGE_MAX || get16(data) != id ||
		(data[2] & 0xf8) != 0x80 || ns_initparse(data, (int)size, &message) < 0 ||
		ns_msg_count(message, ns_s_qd) != 1 || ns_parserr(&message, ns_s_qd, 0, &rr) < 0 ||
		ns_rr_type(rr) != type || ns_rr_class(rr) != ns_c_in ||
		strcmp(ns_rr_name(rr), asked) != 0 || gate_name_clean(asked, name) < 0)
		return -EINVAL;
	answer.rcode = data[3] & 0x0f;
	answer.truncated = data[2] & 0x02;
	follow_aliases(&message, name, &answer.ttl);
	for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
		if (ns_parserr(&message, ns_s_an, i, &rr) < 0)
			return -EINVAL;
		if (ns_rr_type(rr) == type && ns_rr_class(rr) == ns_c_in &&
			gate_name_clean(ns_rr_name(rr), owner) == 0 && strcmp(owner, name) == 0)
			take_address(&rr, type, &answer);
	}
	*ret = answer;
	return 0;
}
