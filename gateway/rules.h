/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_GATEWAY_RULES_H
#define SENTRY_GATEWAY_RULES_H

#include "gateway/address.h"

/*
 * What may leave the sandbox (docs/gateway.md). Rules are asked in order, the first that matches
 * decides, and what none matches is denied.
 *
 * A rule names a destination by a range of addresses, or by a domain: then it holds for the
 * addresses that our own resolver gave out for a name of that domain, and for no others.
 */
#define GATE_TCP 6u
#define GATE_UDP 17u

#define GATE_RULES_MAX	1024u
#define GATE_PORTS_MAX	16u
#define GATE_ID_MAX	64u
#define GATE_DOMAIN_MAX 254u /* RFC 1035 section 2.3.4, as text */

enum gate_rule_kind {
	GATE_NO_PLACE, /* none given yet */
	GATE_PREFIX,
	GATE_DOMAIN,
	GATE_ANYWHERE, /* every address that is not special, and every name */
};

struct gate_rule {
	char id[GATE_ID_MAX];
	bool deny, allow_private, has_action, has_private;
	uint8_t protocol; /* GATE_TCP, GATE_UDP */
	enum gate_rule_kind kind;
	bool wildcard;		      /* "*.domain": names below it, not itself */
	char domain[GATE_DOMAIN_MAX]; /* lower case, no dot at the end */
	struct gate_address base;     /* bits below the prefix are 0 */
	unsigned prefix;	      /* of the mapped form */
	struct gate_ports {
		uint16_t first, last;
	} ports[GATE_PORTS_MAX];
	unsigned port_count;
};

struct gate_rules {
	struct gate_rule *items;
	size_t count;
};

/*
 * One value of a rule by its key in policy files: id, action (allow, deny), proto (tcp, udp),
 * domain, cidr, ports ("443", "80,8000-8010", "*"). -EINVAL with what is wrong in @why, and where
 * in
 * @value it is (from 0) in *@ret_at.
 */
int gate_rule_set(struct gate_rule *rule, const char *key, const char *value, char *why,
	size_t why_size, size_t *ret_at);
/* What must hold between them, when all are set. -EINVAL. */
int gate_rule_check(const struct gate_rule *rule, char *why, size_t why_size);
/* PROTO:HOST:PORTS[:private], as the command line has it. A range of private addresses is meant as
 * it stands there. */
int gate_rule_parse(const char *text, struct gate_rule *ret, char *why, size_t why_size);
/* The same the other way round: what `sentry policy show` and messages say. */
void gate_rule_write(const struct gate_rule *rule, char *text, size_t size);
void gate_ports_write(const struct gate_rule *rule, char *text, size_t size);
/* The place alone, as the keys cidr and domain have it. */
void gate_place_write(const struct gate_rule *rule, char *text, size_t size);

/* -ENOMEM, -E2BIG. */
int gate_rules_add(struct gate_rules *rules, const struct gate_rule *rule);
void gate_rules_free(struct gate_rules *rules);

/* Lower case, no dot at the end. -EINVAL for what is no host name. */
int gate_name_clean(const char *name, char ret[GATE_DOMAIN_MAX]);
/* @name is clean. */
bool gate_rule_covers_name(const struct gate_rule *rule, const char *name);

/* What is asked of the rules, and what they answer. */
struct gate_question {
	uint8_t protocol;
	struct gate_name to;
	const char *const *names; /* clean; those that were answered with this address */
	size_t name_count;
	const char *special; /* gate_address_special() of it, or more that is known */
};

struct gate_answer {
	bool allowed;
	const struct gate_rule *rule; /* that decided; NULL: none did */
	const char *name;	      /* of @names, by which the rule holds; NULL: by the address */
};

void gate_rules_ask(const struct gate_rules *rules, const struct gate_question *question,
	struct gate_answer *ret);
/*
 * Whether a TLS client that names @server may go on there: some rule that allows @question by one
 * of its names covers @server, too.
 */
bool gate_rules_server(
	const struct gate_rules *rules, const struct gate_question *question, const char *server);
/* Whether @name may be asked for at all: some rule allows something there. *@ret_private: answers
 * in private ranges are for it, too. */
bool gate_rules_resolve(const struct gate_rules *rules, const char *name, bool *ret_private,
	const struct gate_rule **ret_rule);

/* Ports on which clients begin with TLS; what does not is refused there under a domain's rule. */
bool gate_port_is_tls(uint16_t port);

#endif
