/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes rules and published ports as the command line has them. Properties: no crash; what was
 * taken reads back to the same; an error is said.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/publish.h"
#include "gateway/rules.h"

#define require(cond)                                                                              \
	do {                                                                                       \
		if (!(cond))                                                                       \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(struct gate_rule *rule)
{
	struct gate_rules rules = {.items = rule, .count = 1};
	const char *names[] = {"a.example.org", rule->kind == GATE_DOMAIN ? rule->domain : "b"};
	struct gate_question question = {.protocol = rule->protocol,
		.to = {rule->base, rule->ports[0].first},
		.names = names,
		.name_count = 2};
	const struct gate_rule *found;
	struct gate_answer answer;
	bool private;

	question.special = gate_address_special(&rule->base);
	gate_rules_ask(&rules, &question, &answer);
	require(rule->kind != GATE_PREFIX || answer.allowed ||
		(question.special && !rule->allow_private) ||
		(rule->prefix < 96 && gate_is_v4(&rule->base)));
	(void)gate_rules_server(&rules, &question, "a.example.org");
	(void)gate_rules_resolve(&rules, names[1], &private, &found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[1024], first[512], second[512], why[2048] = "";
	struct gate_publish publish;
	unsigned count;
	struct gate_rule rule, again;
	struct gate_name server;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	(void)gate_publish_parse(text, &publish, &count, why, sizeof(why));
	(void)gate_server_parse(text, &server);
	why[0] = '\0';
	if (gate_rule_parse(text, &rule, why, sizeof(why)) < 0) {
		require(why[0]);
		return 0;
	}
	gate_rule_write(&rule, first, sizeof(first));
	require(gate_rule_parse(first, &again, why, sizeof(why)) == 0);
	gate_rule_write(&again, second, sizeof(second));
	require(strcmp(first, second) == 0);
	judge(&rule);
	return 0;
}
