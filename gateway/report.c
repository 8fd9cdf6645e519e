/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is told of flows and refusals: to the user each refusal once and so many at most, to the
 * audit stream all. Names come from guests; both sinks escape what is no plain text.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "base/log.h"
#include "gateway/gateway_private.h"

#define TOLD_MAX   32u /* lines on stderr */
#define REMEMBERED 1024u

static uint64_t remembered[REMEMBERED]; /* hashes of what was told; 0: free */
static unsigned told;

/* Whether the user is to hear of this one. */
static bool is_news(const char *text)
{
	uint64_t hash = hash_bytes(text, strlen(text)) | 1;
	size_t at = hash % REMEMBERED;

	if (told > TOLD_MAX)
		return false;
	while (remembered[at]) {
		if (remembered[at] == hash)
			return false;
		at = (at + 1) % REMEMBERED;
	}
	remembered[at] = hash;
	if (++told <= TOLD_MAX)
		return true;
	log_warning("network access denied by policy: more of it is not shown (--audit has it)");
	return false;
}

void gate_question_init(struct gate_question *question, uint8_t protocol,
	const struct gate_name *to, const char *const *names, size_t name_count)
{
	*question = (struct gate_question){.protocol = protocol,
		.to = *to,
		.names = names,
		.name_count = name_count,
		.special = gate_address_special(&to->address)};
}

static const char *protocol_name(uint8_t protocol)
{
	return protocol == GATE_UDP ? "udp" : "tcp";
}

static void rule_name(const struct gate_rule *rule, char *text, size_t size)
{
	if (!rule)
		(void)snprintf(text, size, "%s", "no rule allows it");
	else if (rule->id[0])
		(void)snprintf(text, size, "%s", rule->id);
	else
		gate_rule_write(rule, text, size);
}

static void told_denied(const char *what, const char *name, const char *why, const char *allow)
{
	char line[1024];

	(void)snprintf(line, sizeof(line),
		"network access denied by policy: %s%s%s%s%s%s%s; allow it with %s", what,
		*name ? " (" : "", name, *name ? ")" : "", *why ? " [" : "", why, *why ? "]" : "",
		allow);
	if (is_news(line))
		log_warning("%s", line);
}

void gate_report_denied(const struct gate_question *question, const struct gate_rule *rule)
{
	const char *protocol = protocol_name(question->protocol);
	const char *name = question->name_count ? question->names[0] : "";
	char to[GATE_NAME_TEXT], address[GATE_ADDRESS_TEXT], allow[512], what[128], by[512];
	bool v4 = gate_is_v4(&question->to.address);

	gate_name_write(&question->to, to);
	gate_address_write(&question->to.address, address);
	if (*name && !question->special)
		(void)snprintf(allow, sizeof(allow), "--allow-egress '%s:%s:%u'", protocol, name,
			question->to.port);
	else
		(void)snprintf(allow, sizeof(allow),
			v4 ? "--allow-egress '%s:%s/32:%u%s'" : "--allow-egress '%s:[%s]:%u%s'",
			protocol, address, question->to.port,
			question->special && !gate_address_special(&question->to.address)
				? ":private"
				: "");
	(void)snprintf(what, sizeof(what), "%s %s", protocol, to);
	rule_name(rule, by, sizeof(by));
	told_denied(what, name, question->special ? question->special : rule ? by : "", allow);
	audit_event("denied", "what", "network", "protocol", protocol, "to", to, "domain", name,
		"kind", question->special ? question->special : "public", "rule", by, "allow",
		allow, NULL);
}

void gate_report_server(const struct gate_flow *flow, const char *server)
{
	char to[GATE_NAME_TEXT], allow[512], what[512];

	gate_name_write(&flow->to, to);
	if (server)
		(void)snprintf(what, sizeof(what), "tcp %s, TLS for another name, %s,", to, server);
	else
		(void)snprintf(what, sizeof(what), "tcp %s without a TLS server name", to);
	if (server)
		(void)snprintf(
			allow, sizeof(allow), "--allow-egress 'tcp:%s:%u'", server, flow->to.port);
	else
		(void)snprintf(allow, sizeof(allow),
			gate_is_v4(&flow->to.address) ? "--allow-egress 'tcp:%.*s/32:%u'"
						      : "--allow-egress 'tcp:%.*s:%u'",
			(int)(strrchr(to, ':') - to), to, flow->to.port);
	told_denied(what, flow->domain ? flow->domain : "", "", allow);
	audit_event("denied", "what", "network", "protocol", "tcp", "to", to, "domain",
		flow->domain ? flow->domain : "", "server", server ? server : "", "rule",
		"a domain's rule holds for its own TLS server names", "allow", allow, NULL);
}

static void type_name(uint16_t type, char *text, size_t size)
{
	if (type == GATE_DNS_A)
		(void)snprintf(text, size, "A");
	else if (type == GATE_DNS_AAAA)
		(void)snprintf(text, size, "AAAA");
	else
		(void)snprintf(text, size, "TYPE%u", type);
}

void gate_report_name(const char *name, uint16_t type, const struct gate_rule *rule)
{
	char allow[512], what[512], by[512], kind[16];

	type_name(type, kind, sizeof(kind));
	(void)snprintf(allow, sizeof(allow), "--allow-egress 'tcp:%s:443'", name);
	(void)snprintf(what, sizeof(what), "name %s", name);
	rule_name(rule, by, sizeof(by));
	told_denied(what, "", rule ? by : "", allow);
	audit_event("denied", "what", "name", "name", name, "type", kind, "rule", by, "allow",
		allow, NULL);
}

void gate_report_private(const char *name, const struct gate_address *address)
{
	char text[GATE_ADDRESS_TEXT], allow[512], what[512];
	const char *special = gate_address_special(address);

	gate_address_write(address, text);
	/* A name's rule opens private addresses and no others that are special. */
	if (special && strcmp(special, "private") == 0)
		(void)snprintf(allow, sizeof(allow), "--allow-egress 'tcp:%s:443:private'", name);
	else
		(void)snprintf(allow, sizeof(allow),
			gate_is_v4(address)
				? "a rule for the address, --allow-egress 'tcp:%s/32:443%s'"
				: "a rule for the address, --allow-egress 'tcp:[%s]:443%s'",
			text, special ? "" : ":private");
	(void)snprintf(what, sizeof(what), "name %s was answered with %s", name, text);
	told_denied(what, "", special ? special : "this host's own", allow);
	audit_event("denied", "what", "answer", "name", name, "to", text, "kind",
		special ? special : "this host's own", "rule",
		"answers that are not public are dropped", "allow", allow, NULL);
}

void gate_report_answer(const char *name, uint16_t type, unsigned count)
{
	char kind[16], answers[16];

	type_name(type, kind, sizeof(kind));
	(void)snprintf(answers, sizeof(answers), "%u", count);
	audit_event("name", "name", name, "type", kind, "addresses", answers, NULL);
}

void gate_report_flow(const struct gate_flow *flow, const char *end)
{
	char from[GATE_NAME_TEXT], to[GATE_NAME_TEXT], up[24], down[24], seconds[32], rule[512];
	int64_t lasted = gate_now() - flow->started;

	if (!audit_wanted())
		return;
	gate_name_write(&flow->from, from);
	gate_name_write(&flow->to, to);
	(void)snprintf(up, sizeof(up), "%" PRIu64, flow->up.bytes);
	(void)snprintf(down, sizeof(down), "%" PRIu64, flow->down.bytes);
	(void)snprintf(seconds, sizeof(seconds), "%" PRId64 ".%03" PRId64, lasted / 1000000000,
		lasted / 1000000 % 1000);
	if (flow->inward)
		(void)snprintf(rule, sizeof(rule), "--publish");
	else
		rule_name(flow->rule, rule, sizeof(rule));
	audit_event("flow", "protocol", protocol_name(flow->protocol), "direction",
		flow->inward ? "in" : "out", "from", from, "to", to, "domain",
		flow->domain ? flow->domain : "", "names", flow->names ? flow->names : "", "rule",
		rule, "sent", up, "received", down, "seconds", seconds, "end", end, NULL);
}
