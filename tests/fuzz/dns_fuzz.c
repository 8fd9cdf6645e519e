/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes DNS messages, as queries of guests and as answers of servers. Properties: no crash; a
 * query that was understood is answered by a message that reads back; addresses are of the type
 * asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/dns.h"

#define require(cond)                                                                              \
	do {                                                                                       \
		if (!(cond))                                                                       \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer_it(const struct gate_dns_query *query)
{
	struct gate_dns_answer answer = {.ttl = 5, .count = 3}, again;
	uint8_t reply[600];
	size_t size = gate_dns_write_answer(query, &answer, reply, sizeof(reply));

	require(size >= 12 && size <= sizeof(reply));
	if (query->type == GATE_DNS_AAAA && query->asked[0])
		require(gate_dns_read_answer(
				reply, size, query->asked, query->type, query->id, &again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t bits[32] = {0};
	struct gate_dns_answer answer;
	struct gate_dns_query query;
	uint8_t message[512];
	char asked[GATE_DOMAIN_MAX];
	char name[GATE_DOMAIN_MAX];

	if (gate_dns_read_query(data, size, &query) == 0) {
		require(gate_name_clean(query.asked, name) == 0 && strcmp(name, query.name) == 0);
		require(gate_dns_write_query(query.name, query.type, 1, bits, asked, message,
				sizeof(message)) > 12);
		answer_it(&query);
	}
	for (unsigned type = GATE_DNS_A; type <= GATE_DNS_AAAA;
		type += GATE_DNS_AAAA - GATE_DNS_A) {
		if (size < 2 || gate_dns_read_answer(data, size, "www.example.org", (uint16_t)type,
					(uint16_t)(data[0] << 8 | data[1]), &answer) < 0)
			continue;
		require(answer.count <= GATE_DNS_ADDRESSES);
		for (unsigned i = 0; i < answer.count; i++)
			require(gate_is_v4(&answer.addresses[i]) == (type == GATE_DNS_A));
	}
	return 0;
}
