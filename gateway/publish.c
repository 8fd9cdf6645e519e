/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/publish.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Digits up to @end, 1 to 65535. */
static int read_number(const char *text, const char *end, uint16_t *ret)
{
	unsigned value = 0;

	if (text == end)
		return -EINVAL;
	for (; text < end; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(*text - '0');
		if (value > 65535)
			return -EINVAL;
	}
	if (!value)
		return -EINVAL;
	*ret = (uint16_t)value;
	return 0;
}

/* NUMBER or FIRST-LAST up to @end. */
static int read_range(const char *text, const char *end, uint16_t *ret_first, unsigned *ret_count)
{
	const char *dash = memchr(text, '-', (size_t)(end - text));
	uint16_t first, last;

	if (read_number(text, dash ? dash : end, &first) < 0)
		return -EINVAL;
	last = first;
	if (dash && (read_number(dash + 1, end, &last) < 0 || last < first))
		return -EINVAL;
	*ret_first = first;
	*ret_count = (unsigned)(last - first) + 1;
	return 0;
}

static int read_address(const char *text, const char *end, struct gate_address *ret)
{
	char copy[GATE_ADDRESS_TEXT];
	bool brackets = end - text >= 2 && *text == '[' && end[-1] == ']';
	size_t size;

	text += brackets;
	end -= brackets;
	size = (size_t)(end - text);
	if (size >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, size);
	copy[size] = '\0';
	/* IPv6 is in brackets, and nothing else. */
	return !strchr(copy, ':') == !brackets ? gate_address_parse(copy, ret) : -EINVAL;
}

int gate_publish_parse(
	const char *text, struct gate_publish *ret, unsigned *ret_count, char *why, size_t why_size)
{
	struct gate_publish publish = {.any = true, .protocol = GATE_TCP};
	const char *slash = strchr(text, '/'), *end = slash ? slash : text + strlen(text);
	const char *guest, *host;
	unsigned guest_count, host_count;

	/* Without a null pointer in sight, which sanitizers make the compiler think of. */
	(void)snprintf(why, why_size,
		"'%s' is not [IP:]HOST:GUEST[/tcp|/udp] with ports or ranges of them",
		text ? text : "");
	if (slash && strcasecmp(slash, "/udp") == 0)
		publish.protocol = GATE_UDP;
	else if (slash && strcasecmp(slash, "/tcp") != 0)
		return -EINVAL;
	guest = memrchr(text, ':', (size_t)(end - text));
	if (!guest || read_range(guest + 1, end, &publish.guest, &guest_count) < 0)
		return -EINVAL;
	host = memrchr(text, ':', (size_t)(guest - text));
	if (host) {
		publish.any = false;
		if (read_address(text, host, &publish.address) < 0)
			return -EINVAL;
	}
	if (read_range(host ? host + 1 : text, guest, &publish.host, &host_count) < 0)
		return -EINVAL;
	if (host_count != guest_count) {
		(void)snprintf(why, why_size, "'%s': %u ports of the host and %u of the guest",
			text, host_count, guest_count);
		return -EINVAL;
	}
	*ret = publish;
	*ret_count = host_count;
	return 0;
}

int gate_server_parse(const char *text, struct gate_name *ret)
{
	const char *end = text + strlen(text), *colon = strrchr(text, ':');
	struct gate_name name = {.port = 53};
	bool brackets = *text == '[';

	/* An IPv6 address without brackets has no port. */
	if (!brackets && colon && strchr(text, ':') != colon) {
		if (gate_address_parse(text, &name.address) < 0)
			return -EINVAL;
		*ret = name;
		return 0;
	}
	if (brackets && colon < strchr(text, ']'))
		colon = NULL;
	if (colon && read_number(colon + 1, end, &name.port) < 0)
		return -EINVAL;
	if (read_address(text, colon ? colon : end, &name.address) < 0)
		return -EINVAL;
	*ret = name;
	return 0;
}
