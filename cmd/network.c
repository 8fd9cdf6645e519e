/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/network.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "gateway/gateway.h"

/* ---- addresses ------------------------------------------------------------------------------- */

static bool parse_address(const char *text, struct network_address *ret)
{
	struct network_address address = {0};

	if (inet_pton(AF_INET, text, address.bytes) == 1) {
		address.version = 4;
		address.prefix = 32;
	} else if (inet_pton(AF_INET6, text, address.bytes) == 1) {
		address.version = 6;
		address.prefix = 128;
	} else {
		return false;
	}
	*ret = address;
	return true;
}

static bool parse_length(const char *text, unsigned max, uint8_t *ret)
{
	unsigned value = 0;

	for (const char *at = text; *at; at++) {
		if (!isdigit((unsigned char)*at) || at - text >= 3)
			return false;
		value = value * 10 + (unsigned)(*at - '0');
	}
	if (!*text || value > max)
		return false;
	*ret = (uint8_t)value;
	return true;
}

/* ADDRESS/LENGTH; the length is asked for because there is no guess that would not be wrong on most
 * networks. */
static const char *parse_interface_address(
	const char *text, uint8_t version, struct network_address *ret)
{
	const char *slash = strchr(text, '/');
	struct network_address address;
	char plain[INET6_ADDRSTRLEN];

	if (!slash)
		return version == 4 ? "has no prefix length, as in 192.0.2.2/24"
				    : "has no prefix length, as in 2001:db8::2/64";
	if ((size_t)(slash - text) >= sizeof(plain))
		return "is not an address";
	memcpy(plain, text, (size_t)(slash - text));
	plain[slash - text] = '\0';
	if (!parse_address(plain, &address))
		return "is not an address";
	if (address.version != version)
		return version == 4 ? "is not an IPv4 address" : "is not an IPv6 address";
	if (!parse_length(slash + 1, address.prefix, &address.prefix) || address.prefix == 0)
		return "has no good prefix length";
	if (version == 4 ? address.bytes[0] == 0 || address.bytes[0] == 127 ||
				   address.bytes[0] >= 224
			 : address.bytes[0] == 0xff ||
				   (address.bytes[0] == 0 && address.bytes[1] == 0))
		return "is not the address of an interface";
	*ret = address;
	return NULL;
}

static bool same_network(const struct network_address *a, const struct network_address *network)
{
	unsigned whole = network->prefix / 8, rest = network->prefix % 8;

	if (memcmp(a->bytes, network->bytes, whole) != 0)
		return false;
	return rest == 0 || (a->bytes[whole] ^ network->bytes[whole]) >> (8 - rest) == 0;
}

/* ---- options --------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	enum network_kind kind;
	bool link;
} kinds[] = {{"none", NETWORK_NONE}, {"gateway", NETWORK_GATEWAY}, {"tap:", NETWORK_TAP, true},
	{"packet:", NETWORK_PACKET, true}};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

const char *network_parse(const char *text, enum network_kind *kind, struct network_link *link)
{
	for (size_t i = 0; i < KIND_COUNT; i++) {
		size_t size = strlen(kinds[i].word);
		const char *name = text + size;

		if (strncmp(text, kinds[i].word, size) != 0 || (!kinds[i].link && *name))
			continue;
		/* dev_valid_name() */
		if (kinds[i].link &&
			(!*name || strlen(name) >= IFNAMSIZ || strcmp(name, ".") == 0 ||
				strcmp(name, "..") == 0 || strpbrk(name, "/: \t\n\v\f\r%")))
			return "does not name an interface";
		*kind = link->kind = kinds[i].kind;
		strcpy(link->interface, kinds[i].link ? name : "");
		return NULL;
	}
	return "is neither none, gateway, tap:IF nor packet:IF";
}

const char *network_parse_ip(const char *text, struct network_link *link)
{
	return parse_interface_address(text, 4, &link->ip4);
}

const char *network_parse_ip6(const char *text, struct network_link *link)
{
	return parse_interface_address(text, 6, &link->ip6);
}

const char *network_parse_gateway(const char *text, struct network_link *link)
{
	struct network_address address;

	if (!parse_address(text, &address))
		return "is not an address";
	*(address.version == 4 ? &link->gateway4 : &link->gateway6) = address;
	return NULL;
}

const char *network_parse_hardware(const char *text, struct network_link *link)
{
	static const uint8_t none[6];
	uint8_t bytes[6];
	int end = 0;

	if (strspn(text, "0123456789abcdefABCDEF:") != 17 ||
		sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &bytes[0], &bytes[1],
			&bytes[2], &bytes[3], &bytes[4], &bytes[5], &end) != 6 ||
		end != 17)
		return "is not an Ethernet address, as 02:00:00:00:00:01";
	/* is_valid_ether_addr() */
	if (bytes[0] & 1 || memcmp(bytes, none, 6) == 0)
		return "is not the address of one interface";
	memcpy(link->hardware, bytes, 6);
	link->has_hardware = true;
	return NULL;
}

/* A router that is not on the link could never be asked for; an IPv6 one mostly has an address of
 * the link alone. */
static const char *check_gateways(const struct network_link *link)
{
	const struct network_address *router = &link->gateway6;

	if (link->gateway4.version && !link->ip4.version)
		return "--gateway: there is no --ip to reach it from";
	if (link->gateway4.version && !same_network(&link->gateway4, &link->ip4))
		return "--gateway: is not on the network of --ip";
	if (router->version && (router->bytes[0] != 0xfe || (router->bytes[1] & 0xc0) != 0x80) &&
		(!link->ip6.version || !same_network(router, &link->ip6)))
		return "--gateway: is neither fe80:: nor on the network of --ip6";
	return NULL;
}

#define RESOLV_MAX 3 /* resolv.conf(5), MAXNS */

const char *network_check(enum network_kind kind, const struct network_link *link,
	const char *const *dns, size_t dns_count)
{
	struct network_address address;

	if (!network_is_link(kind))
		return link->ip4.version || link->ip6.version || link->gateway4.version ||
				       link->gateway6.version || link->has_hardware
			       ? "--ip, --ip6, --gateway and --mac-address need --network tap:IF "
				 "or "
				 "packet:IF"
			       : NULL;
	for (size_t i = 0; i < dns_count; i++) {
		if (!parse_address(dns[i], &address))
			return "--dns: resolv.conf has no place for a port; it is the gateway that "
			       "can ask another";
	}
	if (dns_count > RESOLV_MAX)
		return "--dns: programs look at the first three";
	return check_gateways(link);
}

void network_word(
	enum network_kind kind, const struct network_link *link, char word[NETWORK_WORD_SIZE])
{
	strcpy(word, "none");
	for (size_t i = 0; i < KIND_COUNT; i++) {
		if (kinds[i].kind == kind)
			(void)snprintf(word, NETWORK_WORD_SIZE, "%s%s", kinds[i].word,
				kinds[i].link ? link->interface : "");
	}
}

void network_resolv_conf(
	enum network_kind kind, const char *const *dns, size_t dns_count, char *buffer, size_t size)
{
	size_t used = 0;

	*buffer = '\0';
	if (kind == NETWORK_GATEWAY)
		(void)snprintf(buffer, size, "nameserver " GATE_OWN_V4 "\n");
	else if (!network_is_link(kind))
		(void)snprintf(buffer, size, "# No name servers: there is no network.\n");
	else if (dns_count == 0)
		(void)snprintf(buffer, size, "# No name servers: --dns names them.\n");
	for (size_t i = 0; network_is_link(kind) && i < dns_count && used < size; i++)
		used += (size_t)snprintf(buffer + used, size - used, "nameserver %s\n", dns[i]);
}
