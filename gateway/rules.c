/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/rules.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"

__attribute__((format(printf, 3, 4))) static int fail(
	char *why, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, size, format, args);
	va_end(args);
	return -EINVAL;
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_name_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

int gate_name_clean(const char *name, char ret[GATE_DOMAIN_MAX])
{
	size_t size = strlen(name), label = 0;

	if (size > 0 && name[size - 1] == '.')
		size--;
	if (size == 0 || size >= GATE_DOMAIN_MAX)
		return -EINVAL;
	for (size_t i = 0; i < size; i++) {
		char c = name[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c == '.' ? label == 0 : !is_name_letter(c) || label == 63)
			return -EINVAL;
		label = c == '.' ? 0 : label + 1;
		ret[i] = c;
	}
	if (label == 0)
		return -EINVAL;
	ret[size] = '\0';
	return 0;
}

bool gate_rule_covers_name(const struct gate_rule *rule, const char *name)
{
	size_t size = strlen(name), own = strlen(rule->domain);

	if (rule->kind == GATE_ANYWHERE)
		return true;
	if (rule->kind != GATE_DOMAIN)
		return false;
	if (!rule->wildcard)
		return strcmp(name, rule->domain) == 0;
	return size > own + 1 && name[size - own - 1] == '.' &&
	       strcmp(name + size - own, rule->domain) == 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int set_domain(
	struct gate_rule *rule, const char *value, char *why, size_t size, size_t *ret_at)
{
	const char *name = value;
	struct gate_address address;

	rule->wildcard = strncmp(value, "*.", 2) == 0;
	if (rule->wildcard)
		name += 2;
	*ret_at = (size_t)(name - value);
	if (strcmp(value, "*") == 0) {
		rule->kind = GATE_ANYWHERE;
		return 0;
	}
	if (strchr(name, '*'))
		return fail(
			why, size, "a '*' stands for whole names at the begin, as *.example.org");
	for (size_t i = 0; name[i]; i++)
		if ((unsigned char)name[i] >= 0x80)
			return fail(why, size,
				"a name with other than ASCII letters is written "
				"as xn--...");
	if (gate_name_clean(name, rule->domain) < 0)
		return fail(why, size, "'%s' is not a host name", name);
	if (gate_address_parse(rule->domain, &address) == 0 ||
		strspn(rule->domain, "0123456789.") == strlen(rule->domain))
		return fail(why, size, "'%s' is an address, not a domain", name);
	rule->kind = GATE_DOMAIN;
	return 0;
}

static void clear_below(struct gate_address *base, unsigned prefix)
{
	for (unsigned bit = prefix; bit < 128; bit++)
		base->bytes[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
}

static int set_cidr(
	struct gate_rule *rule, const char *value, char *why, size_t size, size_t *ret_at)
{
	char text[GATE_ADDRESS_TEXT];
	const char *slash = strchr(value, '/');
	size_t length = slash ? (size_t)(slash - value) : strlen(value);
	struct gate_address whole;
	unsigned long bits;
	char *end;
	bool v4;

	*ret_at = 0;
	if (length >= sizeof(text))
		return fail(why, size, "'%s' is not an address", value);
	memcpy(text, value, length);
	text[length] = '\0';
	if (gate_address_parse(text, &rule->base) < 0)
		return fail(why, size, "'%s' is not an address", text);
	v4 = gate_is_v4(&rule->base) && !strchr(text, ':');
	bits = v4 ? 32 : 128;
	if (slash) {
		*ret_at = length + 1;
		if (slash[1] < '0' || slash[1] > '9')
			return fail(why, size, "'%s' is not the length of a prefix", slash + 1);
		bits = strtoul(slash + 1, &end, 10);
		if (*end || bits > (v4 ? 32u : 128u))
			return fail(why, size, "a prefix has 0 to %u bits, not '%s'",
				v4 ? 32u : 128u, slash + 1);
	}
	rule->prefix = (unsigned)bits + (v4 ? 96 : 0);
	whole = rule->base;
	clear_below(&whole, rule->prefix);
	if (!gate_same(&whole, &rule->base)) {
		*ret_at = 0;
		return fail(why, size, "'%s' has bits behind its prefix", value);
	}
	/* ::/0 would hold every IPv4 address, too, in the form that we keep them in. */
	rule->kind = GATE_PREFIX;
	return 0;
}

static int read_port(const char **at, uint16_t *ret)
{
	unsigned long value = 0;
	const char *p = *at;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++) {
		value = value * 10 + (unsigned long)(*p - '0');
		if (value > 65535)
			return -EINVAL;
	}
	if (value == 0)
		return -EINVAL;
	*at = p;
	*ret = (uint16_t)value;
	return 0;
}

static int set_ports(
	struct gate_rule *rule, const char *value, char *why, size_t size, size_t *ret_at)
{
	const char *at = value;

	rule->port_count = 0;
	*ret_at = 0;
	if (strcmp(value, "*") == 0) {
		rule->ports[rule->port_count++] = (struct gate_ports){1, 65535};
		return 0;
	}
	for (;;) {
		struct gate_ports range;

		*ret_at = (size_t)(at - value);
		if (read_port(&at, &range.first) < 0)
			return fail(why, size,
				"'%s' is not a port (1 to 65535), a range A-B or '*'",
				value + *ret_at);
		range.last = range.first;
		if (*at == '-') {
			at++;
			if (read_port(&at, &range.last) < 0)
				return fail(
					why, size, "'%s' is not the end of a range of ports", at);
			if (range.last < range.first)
				return fail(why, size, "the range %u-%u is empty", range.first,
					range.last);
		}
		if (rule->port_count == GATE_PORTS_MAX)
			return fail(why, size, "more than %u ports and ranges", GATE_PORTS_MAX);
		rule->ports[rule->port_count++] = range;
		if (!*at)
			return 0;
		*ret_at = (size_t)(at - value);
		if (*at++ != ',')
			return fail(why, size, "'%s' behind a port", at - 1);
	}
}

static int set_id(struct gate_rule *rule, const char *value, char *why, size_t size)
{
	size_t length = strlen(value);

	if (length == 0 || length >= sizeof(rule->id))
		return fail(why, size, "an id has 1 to %zu characters", sizeof(rule->id) - 1);
	for (size_t i = 0; i < length; i++)
		if (value[i] <= 0x20 || value[i] > 0x7e)
			return fail(
				why, size, "an id has printable ASCII characters and no blanks");
	memcpy(rule->id, value, length + 1);
	return 0;
}

int gate_rule_set(struct gate_rule *rule, const char *key, const char *value, char *why,
	size_t why_size, size_t *ret_at)
{
	*ret_at = 0;
	if (strcmp(key, "id") == 0)
		return set_id(rule, value, why, why_size);
	if (strcmp(key, "ports") == 0)
		return set_ports(rule, value, why, why_size, ret_at);
	if (strcmp(key, "proto") == 0) {
		rule->protocol = strcmp(value, "tcp") == 0   ? GATE_TCP
				 : strcmp(value, "udp") == 0 ? GATE_UDP
							     : 0;
		return rule->protocol ? 0
				      : fail(why, why_size, "'%s' is neither tcp nor udp", value);
	}
	if (strcmp(key, "action") == 0) {
		rule->deny = strcmp(value, "deny") == 0;
		rule->has_action = true;
		if (rule->deny || strcmp(value, "allow") == 0)
			return 0;
		return fail(why, why_size, "'%s' is neither allow nor deny", value);
	}
	if (rule->kind != GATE_NO_PLACE)
		return fail(why, why_size, "a rule has a domain or a cidr, not both");
	if (strcmp(key, "domain") == 0)
		return set_domain(rule, value, why, why_size, ret_at);
	return set_cidr(rule, value, why, why_size, ret_at);
}

int gate_rule_check(const struct gate_rule *rule, char *why, size_t why_size)
{
	const char *special;

	if (!rule->protocol)
		return fail(why, why_size, "the rule has no proto");
	if (rule->kind == GATE_NO_PLACE)
		return fail(why, why_size, "the rule has neither a domain nor a cidr");
	if (!rule->port_count)
		return fail(why, why_size, "the rule has no ports");
	if (rule->deny && rule->allow_private)
		return fail(why, why_size, "allow_private has no place in a rule that denies");
	if (rule->kind == GATE_ANYWHERE && rule->allow_private)
		return fail(why, why_size, "private addresses need a cidr that names them");
	special = rule->kind == GATE_PREFIX ? gate_prefix_special(&rule->base, rule->prefix) : NULL;
	if (special && !rule->deny && !rule->allow_private)
		return fail(why, why_size,
			"these addresses are special (%s); allow_private permits "
			"them",
			special);
	return 0;
}

/* Copies up to the colon that ends a field; brackets hide colons. NULL: no such field. */
static const char *next_field(const char *at, char *field, size_t size)
{
	const char *end;
	size_t length;

	if (!at)
		return NULL;
	end = *at == '[' ? strchr(at, ']') : at;
	if (!end)
		return NULL;
	end = strchr(end, ':');
	length = end ? (size_t)(end - at) : strlen(at);
	if (length >= size)
		return NULL;
	memcpy(field, at, length);
	field[length] = '\0';
	return end ? end + 1 : at + length;
}

/* [ADDRESS], [ADDRESS]/BITS, [ADDRESS/BITS]: without the brackets. */
static int strip_brackets(char *host)
{
	char *end = strchr(host, ']');

	if (!end || strchr(end + 1, ']') || (end[1] && end[1] != '/'))
		return -EINVAL;
	memmove(end, end + 1, strlen(end + 1) + 1);
	memmove(host, host + 1, strlen(host + 1) + 1);
	return strchr(host, ':') ? 0 : -EINVAL;
}

static bool looks_like_address(const char *host)
{
	size_t name = strcspn(host, "/");

	return strspn(host, "0123456789.") == name;
}

struct text_error {
	char *why;
	size_t size;
	const char *text;
};

static int fail_at(const struct text_error *error, size_t at, const char *what)
{
	return fail(error->why, error->size, "'%s', character %zu: %s", error->text, at + 1, what);
}

int gate_rule_parse(const char *text, struct gate_rule *ret, char *why, size_t why_size)
{
	const struct text_error error = {why, why_size, text};
	struct gate_rule rule = {0};
	char field[GATE_DOMAIN_MAX + 64], what[256];
	const char *at = text, *next;
	bool brackets;
	size_t where;

	next = next_field(at, field, sizeof(field));
	if (!next || next == text || *(next - 1) != ':')
		return fail_at(&error, 0, "a rule is PROTO:HOST:PORTS, as tcp:example.org:443");
	if (gate_rule_set(&rule, "proto", field, what, sizeof(what), &where) < 0)
		return fail_at(&error, 0, what);
	at = next;
	next = next_field(at, field, sizeof(field));
	if (!next || !field[0] || *(next - 1) != ':')
		return fail_at(&error, (size_t)(at - text),
			"a host and ports are missing, as in tcp:example.org:443 (IPv6 addresses "
			"stand in brackets)");
	brackets = field[0] == '[';
	if (brackets && strip_brackets(field) < 0)
		return fail_at(&error, (size_t)(at - text), "brackets are for an IPv6 address");
	if (gate_rule_set(&rule, brackets || looks_like_address(field) ? "cidr" : "domain", field,
		    what, sizeof(what), &where) < 0)
		return fail_at(&error, (size_t)(at - text) + where + brackets, what);
	at = next;
	next = next_field(at, field, sizeof(field));
	if (!next || gate_rule_set(&rule, "ports", field, what, sizeof(what), &where) < 0)
		return fail_at(&error, (size_t)(at - text) + (next ? where : 0),
			next ? what : "the ports are too long");
	if (*next) {
		if (strcmp(next, "private") != 0)
			return fail_at(&error, (size_t)(next - text),
				"behind the ports stands 'private' or nothing");
		rule.allow_private = true;
	} else if (*(next - 1) == ':') {
		return fail_at(&error, (size_t)(next - text) - 1, "a colon too many");
	}
	/* Who writes a private range down means it. */
	if (rule.kind == GATE_PREFIX && gate_prefix_special(&rule.base, rule.prefix))
		rule.allow_private = true;
	if (gate_rule_check(&rule, what, sizeof(what)) < 0)
		return fail_at(&error, 0, what);
	*ret = rule;
	return 0;
}

/* ---- writing --------------------------------------------------------------------------------- */

void gate_ports_write(const struct gate_rule *rule, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	if (rule->port_count == 1 && rule->ports[0].first == 1 && rule->ports[0].last == 65535) {
		(void)snprintf(text, size, "*");
		return;
	}
	for (unsigned i = 0; i < rule->port_count && used < size; i++) {
		const struct gate_ports *range = &rule->ports[i];

		used += (size_t)snprintf(
			text + used, size - used, "%s%u", i ? "," : "", range->first);
		if (range->last != range->first && used < size)
			used += (size_t)snprintf(text + used, size - used, "-%u", range->last);
	}
}

void gate_place_write(const struct gate_rule *rule, char *text, size_t size)
{
	char address[GATE_ADDRESS_TEXT];
	bool v4 = rule->prefix >= 96 && gate_is_v4(&rule->base);

	if (rule->kind == GATE_ANYWHERE) {
		(void)snprintf(text, size, "*");
	} else if (rule->kind == GATE_DOMAIN) {
		(void)snprintf(text, size, "%s%s", rule->wildcard ? "*." : "", rule->domain);
	} else {
		gate_address_write(&rule->base, address);
		(void)snprintf(text, size, "%s/%u", address, rule->prefix - (v4 ? 96 : 0));
	}
}

void gate_rule_write(const struct gate_rule *rule, char *text, size_t size)
{
	char place[GATE_DOMAIN_MAX + 64], ports[GATE_PORTS_MAX * 12];
	bool brackets =
		rule->kind == GATE_PREFIX && !(rule->prefix >= 96 && gate_is_v4(&rule->base));

	gate_place_write(rule, place, sizeof(place));
	gate_ports_write(rule, ports, sizeof(ports));
	(void)snprintf(text, size, brackets ? "%s:[%s]:%s%s" : "%s:%s:%s%s",
		rule->protocol == GATE_UDP ? "udp" : "tcp", place, ports,
		rule->allow_private && !(rule->kind == GATE_PREFIX &&
					       gate_prefix_special(&rule->base, rule->prefix))
			? ":private"
			: "");
}

/* ---- lists ----------------------------------------------------------------------------------- */

int gate_rules_add(struct gate_rules *rules, const struct gate_rule *rule)
{
	struct gate_rule *items;

	if (rules->count >= GATE_RULES_MAX)
		return -E2BIG;
	items = reallocarray(rules->items, rules->count + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	rules->items = items;
	items[rules->count++] = *rule;
	return 0;
}

void gate_rules_free(struct gate_rules *rules)
{
	free(rules->items);
	*rules = (struct gate_rules){0};
}

/* ---- asking ---------------------------------------------------------------------------------- */

static bool covers_port(const struct gate_rule *rule, uint8_t protocol, uint16_t port)
{
	if (rule->protocol != protocol)
		return false;
	for (unsigned i = 0; i < rule->port_count; i++)
		if (port >= rule->ports[i].first && port <= rule->ports[i].last)
			return true;
	return false;
}

/* Of special addresses a domain's rule may open the private ones, and no others: names are given
 * by whoever owns the domain. */
static bool may_be_special(const struct gate_rule *rule, const char *special)
{
	if (!special || rule->deny)
		return true;
	if (!rule->allow_private)
		return false;
	return rule->kind == GATE_PREFIX ||
	       (rule->kind == GATE_DOMAIN && strcmp(special, "private") == 0);
}

static bool matches(
	const struct gate_rule *rule, const struct gate_question *question, const char **ret_name)
{
	*ret_name = NULL;
	if (!covers_port(rule, question->protocol, question->to.port) ||
		!may_be_special(rule, question->special))
		return false;
	switch (rule->kind) {
	case GATE_ANYWHERE:
		return true;
	case GATE_PREFIX:
		/* A short IPv6 prefix holds no IPv4 addresses, whatever form we keep them in. */
		return (rule->prefix >= 96 || !gate_is_v4(&question->to.address)) &&
		       gate_in_prefix(&question->to.address, &rule->base, rule->prefix);
	case GATE_DOMAIN:
		for (size_t i = 0; i < question->name_count; i++) {
			if (gate_rule_covers_name(rule, question->names[i])) {
				*ret_name = question->names[i];
				return true;
			}
		}
		return false;
	default:
		return false;
	}
}

void gate_rules_ask(const struct gate_rules *rules, const struct gate_question *question,
	struct gate_answer *ret)
{
	*ret = (struct gate_answer){0};
	for (size_t i = 0; i < rules->count; i++) {
		const char *name;

		if (!matches(&rules->items[i], question, &name))
			continue;
		*ret = (struct gate_answer){!rules->items[i].deny, &rules->items[i], name};
		return;
	}
}

bool gate_rules_server(
	const struct gate_rules *rules, const struct gate_question *question, const char *server)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct gate_rule *rule = &rules->items[i];
		const char *name;

		if (!matches(rule, question, &name))
			continue;
		if (rule->kind != GATE_DOMAIN)
			return !rule->deny;
		if (gate_rule_covers_name(rule, server))
			return !rule->deny;
	}
	return false;
}

bool gate_rules_resolve(const struct gate_rules *rules, const char *name, bool *ret_private,
	const struct gate_rule **ret_rule)
{
	bool found = false, closed[2] = {false, false};

	*ret_private = false;
	*ret_rule = NULL;
	for (size_t i = 0; i < rules->count; i++) {
		const struct gate_rule *rule = &rules->items[i];
		bool *shut = &closed[rule->protocol == GATE_UDP];

		if (*shut || !gate_rule_covers_name(rule, name))
			continue;
		if (rule->deny) {
			*shut |= rule->port_count == 1 && rule->ports[0].first == 1 &&
				 rule->ports[0].last == 65535;
			if (!*ret_rule)
				*ret_rule = rule;
			continue;
		}
		if (!found)
			*ret_rule = rule;
		found = true;
		*ret_private |= rule->allow_private;
	}
	return found;
}

bool gate_port_is_tls(uint16_t port)
{
	static const uint16_t ports[] = {443, 465, 563, 636, 853, 989, 990, 992, 993, 994, 995,
		5061, 5671, 6514, 8443, 8883};

	for (size_t i = 0; i < array_size(ports); i++)
		if (ports[i] == port)
			return true;
	return false;
}
