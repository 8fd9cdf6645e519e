/* SPDX-License-Identifier: Apache-2.0 */
/* What the gateway reads: DNS, the beginning of TLS, the Sentry's messages; and its pins. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "gateway/dns.h"
#include "gateway/pins.h"
#include "gateway/tls.h"
#include "gateway/wire.h"

/* ---- DNS ---- */

static size_t query(const char *name, uint16_t type, uint8_t *out, char *asked)
{
	static const uint8_t bits[32] = {0x55};

	return gate_dns_write_query(name, type, 0x1234, bits, asked, out, 512);
}

Test(gateway_dns, a_query_and_its_answer)
{
	uint8_t message[512], reply[512];
	char asked[GATE_DOMAIN_MAX];
	size_t size = query("www.example.org", GATE_DNS_A, message, asked);
	const uint8_t v4[4] = {11, 22, 33, 44};
	struct gate_dns_answer answer = {.ttl = 77, .count = 2}, again;
	struct gate_dns_query read;

	cr_assert_eq(size, 12 + 17 + 4);
	cr_expect_str_eq(asked, "WwW.ExAmple.org");
	cr_assert_eq(gate_dns_read_query(message, size, &read), 0);
	cr_expect_str_eq(read.name, "www.example.org");
	cr_expect_str_eq(read.asked, asked);
	cr_expect(read.id == 0x1234 && read.type == GATE_DNS_A && read.recursion);

	answer.addresses[0] = answer.addresses[1] = gate_from_v4(v4);
	size = gate_dns_write_answer(&read, &answer, reply, sizeof(reply));
	cr_assert_eq(gate_dns_read_answer(reply, size, asked, GATE_DNS_A, 0x1234, &again), 0);
	cr_expect(again.count == 2 && again.ttl == 77 && !again.truncated && again.rcode == 0);
	cr_expect(gate_same(&again.addresses[1], &answer.addresses[0]));
	/* Not ours: the id, the case of the name, the type. */
	cr_expect_eq(gate_dns_read_answer(reply, size, asked, GATE_DNS_A, 0x1235, &again), -EINVAL);
	cr_expect_eq(
		gate_dns_read_answer(reply, size, "www.example.org", GATE_DNS_A, 0x1234, &again),
		-EINVAL);
	cr_expect_eq(
		gate_dns_read_answer(reply, size, asked, GATE_DNS_AAAA, 0x1234, &again), -EINVAL);
	cr_expect_eq(gate_dns_read_answer(message, 33, asked, GATE_DNS_A, 0x1234, &again), -EINVAL);
	for (size_t cut = 0; cut < size; cut++)
		cr_expect_eq(gate_dns_read_answer(reply, cut, asked, GATE_DNS_A, 0x1234, &again),
			-EINVAL, "%zu", cut);
}

Test(gateway_dns, what_does_not_fit_is_said)
{
	struct gate_dns_answer answer = {.count = GATE_DNS_ADDRESSES}, again;
	struct gate_dns_query read = {
		.id = 1, .type = GATE_DNS_AAAA, .asked = "a.b", .name = "a.b"};
	uint8_t reply[512];
	size_t size = gate_dns_write_answer(&read, &answer, reply, sizeof(reply));

	cr_expect_leq(size, 512);
	cr_assert_eq(gate_dns_read_answer(reply, size, "a.b", GATE_DNS_AAAA, 1, &again), 0);
	cr_expect(again.truncated && again.count > 10 && again.count < GATE_DNS_ADDRESSES);
}

Test(gateway_dns, follows_aliases_only_from_the_name)
{
	/* a.b -> c.b, and addresses of c.b, a.b (after it became an alias) and x.y */
	static const uint8_t reply[] = "\0\1\x81\x80\0\1\0\4\0\0\0\0"
				       "\1a\1b\0\0\1\0\1"
				       "\xc0\x0c\0\5\0\1\0\0\0\5\0\4\1c\xc0\x0e"
				       "\1c\xc0\x0e\0\1\0\1\0\0\0\x09\0\4\x0b\x16\x21\x2c"
				       "\xc0\x0c\0\1\0\1\0\0\0\x09\0\4\x0b\x16\x21\x2d"
				       "\1x\1y\0\0\1\0\1\0\0\0\x09\0\4\x0b\x16\x21\x2e";
	struct gate_dns_answer answer;

	cr_assert_eq(
		gate_dns_read_answer(reply, sizeof(reply) - 1, "a.b", GATE_DNS_A, 1, &answer), 0);
	cr_assert_eq(answer.count, 1);
	cr_expect_eq(answer.addresses[0].bytes[15], 0x2c);
	cr_expect_eq(answer.ttl, 5);
}

Test(gateway_dns, queries_that_are_none)
{
	static const struct {
		const char *bytes;
		size_t size;
		int answer;
	} cases[] = {
		{"", 0, -EINVAL}, {"\0\1\1\0\0\1\0\0\0\0\0", 11, -EINVAL},
		{"\0\1\x81\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1", 19, -EINVAL},
		{"\0\1\1\0\0\0\0\0\0\0\0\0", 12, GATE_DNS_FORMERR},
		{"\0\1\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1", 18, GATE_DNS_FORMERR},
		{"\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1", 17, GATE_DNS_FORMERR},
		{"\0\1\1\0\0\2\0\0\0\0\0\0\1a\0\0\1\0\1\1b\0\0\1\0\1", 26, GATE_DNS_FORMERR},
		{"\0\1\x21\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1", 19, GATE_DNS_NOTIMP},
		{"\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\3", 19, GATE_DNS_NOTIMP}, /* CHAOS */
		{"\0\1\1\0\0\1\0\0\0\0\0\0\2a.\0\0\1\0\1", 20, GATE_DNS_NXDOMAIN},
		{"\0\1\1\0\0\1\0\0\0\0\0\0\0\0\1\0\1", 17, GATE_DNS_NXDOMAIN}, /* the root */
	};
	struct gate_dns_query read;

	for (size_t i = 0; i < array_size(cases); i++)
		cr_expect_eq(
			gate_dns_read_query((const uint8_t *)cases[i].bytes, cases[i].size, &read),
			cases[i].answer, "%zu", i);
}

/* ---- TLS ---- */

static uint8_t record[4096];

/* A ClientHello with these bytes as its extensions. */
static size_t hello(const char *extensions, size_t size)
{
	size_t body = 34 + 1 + 4 + 2 + 2 + size, at = 0;

	memset(record, 0, sizeof(record));
	record[at++] = 22;
	record[at++] = 3;
	record[at++] = 1;
	record[at++] = (uint8_t)((body + 4) >> 8);
	record[at++] = (uint8_t)(body + 4);
	record[at++] = 1;
	record[at++] = 0;
	record[at++] = (uint8_t)(body >> 8);
	record[at++] = (uint8_t)body;
	at += 34 + 1;
	record[at++] = 0;
	record[at++] = 2;
	at += 2;
	record[at++] = 1;
	at++;
	record[at++] = (uint8_t)(size >> 8);
	record[at++] = (uint8_t)size;
	memcpy(record + at, extensions, size);
	return at + size;
}

Test(gateway_tls, names)
{
	static const struct {
		const char *extensions;
		size_t size;
		enum gate_tls answer;
	} cases[] = {
		{"", 0, GATE_TLS_NAMELESS},
		{"\0\x10\0\0", 4, GATE_TLS_NAMELESS},
		{"\0\0\0\x08\0\x06\0\0\x03\x61.b", 12, GATE_TLS_NAMED},
		{"\0\x10\0\0\0\0\0\x08\0\x06\0\0\x03\x41.b", 16, GATE_TLS_NAMED},
		{"\0\0\0\x08\0\x06\0\0\x03\x61.b\0\0\0\x08\0\x06\0\0\x03\x61.c", 24,
			GATE_TLS_BROKEN},
		{"\0\0\0\x08\0\x06\1\0\x03\x61.b", 12, GATE_TLS_BROKEN},
		{"\0\0\0\x08\0\x05\0\0\x03\x61.b", 12, GATE_TLS_BROKEN},
		{"\0\0\0\x09\0\x06\0\0\x03\x61.b", 12, GATE_TLS_BROKEN},
		{"\0\0\0\x08\0\x06\0\0\x03\x61\0b", 12, GATE_TLS_BROKEN},
		{"\0\0\0\x05\0\x03\0\0\0", 9, GATE_TLS_BROKEN},
		{"\0\0\0\x0d\0\x0b\0\0\x03\x61.b\0\0\x02\x61\x62", 17, GATE_TLS_BROKEN},
		{"\0\0\0\0", 4, GATE_TLS_BROKEN},
	};
	char name[GATE_DOMAIN_MAX];

	for (size_t i = 0; i < array_size(cases); i++) {
		size_t size = hello(cases[i].extensions, cases[i].size);

		cr_expect_eq(gate_tls_look(record, size, name), cases[i].answer, "%zu", i);
		if (cases[i].answer == GATE_TLS_NAMED)
			cr_expect_str_eq(name, "a.b");
		/* More behind it is the next record's, less is not enough. */
		cr_expect_eq(gate_tls_look(record, size + 9, name), cases[i].answer);
		for (size_t cut = 0; cut < size; cut++)
			cr_expect_eq(gate_tls_look(record, cut, name), GATE_TLS_MORE);
	}
	cr_expect_eq(gate_tls_look((const uint8_t *)"GET /", 5, name), GATE_TLS_NONE);
	cr_expect_eq(gate_tls_look((const uint8_t *)"\x16\x02", 2, name), GATE_TLS_NONE);
	cr_expect_eq(
		gate_tls_look((const uint8_t *)"\x16\x03\1\xff\xff", 5, name), GATE_TLS_BROKEN);
	cr_expect_eq(gate_tls_look((const uint8_t *)"\x16\x03\1\0\0", 5, name), GATE_TLS_BROKEN);
	cr_expect_eq(gate_tls_look((const uint8_t *)"\x16\x03\1\0\4\1\0\0\5", 9, name),
		GATE_TLS_BROKEN, "a hello longer than its record");
}

/* ---- messages ---- */

Test(gateway_wire, each_side_has_its_own)
{
	const struct gate_message open = {
		.kind = GATE_OPEN, .id = 2, .protocol = GATE_TCP, .to_port = 80};
	struct gate_message message, ret;

	cr_expect_eq(gate_message_check(&open, sizeof(open), 0, GATE_BY_SENTRY, &ret), 0);
	cr_expect_eq(gate_message_check(&open, sizeof(open), 0, GATE_BY_GATEWAY, &ret), -EPROTO);
	cr_expect_eq(gate_message_check(&open, sizeof(open), 1, GATE_BY_SENTRY, &ret), -EPROTO);
	cr_expect_eq(gate_message_check(&open, sizeof(open) - 1, 0, GATE_BY_SENTRY, &ret), -EPROTO);
	cr_expect_eq(gate_message_check(&open, sizeof(open) + 1, 0, GATE_BY_SENTRY, &ret), -EPROTO);
#define WRONG(field, value)                                                                        \
	message = open;                                                                            \
	message.field = value;                                                                     \
	cr_expect_eq(                                                                              \
		gate_message_check(&message, sizeof(message), 0, GATE_BY_SENTRY, &ret), -EPROTO)
	WRONG(kind, 0);
	WRONG(kind, GATE_KIND_COUNT);
	WRONG(kind, UINT32_MAX);
	WRONG(id, 3);
	WRONG(protocol, 1);
	WRONG(to_port, 0);
	WRONG(error, 1);
	WRONG(reserved[0], 1);
	WRONG(reserved2[3], 1);
	message = (struct gate_message){.kind = GATE_OPENED, .id = 2};
	cr_expect_eq(gate_message_check(&message, sizeof(message), 1, GATE_BY_GATEWAY, &ret), 0);
	cr_expect_eq(
		gate_message_check(&message, sizeof(message), 0, GATE_BY_GATEWAY, &ret), -EPROTO);
	cr_expect_eq(
		gate_message_check(&message, sizeof(message), 2, GATE_BY_GATEWAY, &ret), -EPROTO);
	message = (struct gate_message){.kind = GATE_REFUSED, .id = 2, .error = ECONNREFUSED};
	cr_expect_eq(gate_message_check(&message, sizeof(message), 0, GATE_BY_GATEWAY, &ret), 0);
	message.error = 0;
	cr_expect_eq(
		gate_message_check(&message, sizeof(message), 0, GATE_BY_GATEWAY, &ret), -EPROTO);
	message.error = -1;
	cr_expect_eq(
		gate_message_check(&message, sizeof(message), 0, GATE_BY_GATEWAY, &ret), -EPROTO);
}

/* ---- pins ---- */

Test(gateway_pins, last_and_are_bounded)
{
	struct gate_pins pins = {0};
	const uint8_t one[4] = {1, 2, 3, 4};
	struct gate_address address = gate_from_v4(one);
	const char *names[4];
	char name[32];

	cr_assert_eq(gate_pins_add(&pins, &address, "a", 1, 0), 0);
	cr_assert_eq(gate_pins_add(&pins, &address, "b", UINT32_MAX, 0), 0);
	cr_assert_eq(gate_pins_add(&pins, &address, "a", 1, 0), 0);
	cr_expect_eq(pins.count, 2);
	cr_expect_eq(gate_pins_find(&pins, &address, GATE_PIN_LEAST_NS - 1, names, 4), 2);
	cr_expect_eq(gate_pins_find(&pins, &address, GATE_PIN_LEAST_NS, names, 4), 1);
	cr_expect_str_eq(names[0], "b");
	cr_expect_eq(gate_pins_find(&pins, &address, GATE_PIN_MOST_NS, names, 4), 0);
	cr_expect_eq(gate_pins_find(&pins, &address, 0, names, 1), 1);
	for (unsigned i = 0; i < 2 * GATE_PINS_MAX; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		cr_assert_eq(gate_pins_add(&pins, &address, name, 600, 0), 0);
	}
	cr_expect_eq(pins.count, GATE_PINS_MAX);
	gate_pins_free(&pins);
}
