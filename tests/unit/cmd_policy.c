/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/policy.h"
#include "vfs/guard.h"

static struct run_options options;
static char message[512];

static int parse(const char *text)
{
	run_options_free(&options);
	run_options_init(&options);
	message[0] = '\0';
	return policy_parse("p", text, strlen(text), &options, message, sizeof(message));
}

static char *written(const struct run_options *from)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	policy_write(from, out);
	fclose(out);
	return text;
}

Test(policy, takes_every_key)
{
	cr_assert_eq(
		parse("{\"files\":{\"volumes\":[\"a:/b\"],\"tmpfs\":[\"/t\"],\"hidden\":[\"h\"],"
		      "\"protected\":[\"p\",\"q/r\"],\"allowed\":[\"x\"]},\"limits\":{\"memory\":"
		      "\"32m\",\"cpus\":2,\"pids-limit\":3,\"nofile\":\"17\",\"timeout\":\"2m\","
		      "\"cpu-time\":0.5,\"output-limit\":\"1k\"},\"env\":{\"A\":\"b=c\"},"
		      "\"user\":7,\"network\":\"none\"}"),
		0, "%s", message);
	cr_expect_str_eq(options.volumes.items[0], "a:/b");
	cr_expect_str_eq(options.tmpfs.items[0], "/t");
	cr_expect(options.has_hidden && options.hidden.count == 1);
	cr_expect(options.has_protected && options.protected.count == 2);
	cr_expect(options.has_allowed && options.allowed.count == 1);
	cr_expect_eq(options.memory_limit, 32u << 20);
	cr_expect_eq(options.cpus, 2);
	cr_expect_eq(options.pids_limit, 3);
	cr_expect_eq(options.nofile_limit, 17);
	cr_expect_eq(options.timeout_ns, 120000000000ull);
	cr_expect_eq(options.cpu_time_ns, 500000000ull);
	cr_expect_eq(options.output_limit, 1024);
	cr_expect_str_eq(options.env.items[0], "A=b=c");
	cr_expect(options.has_user && options.uid == 7 && options.gid == 7);
}

Test(policy, says_where_it_is_wrong)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"{\n\t\"limit\": {}}", "p:2:2: unknown key 'limit': did you mean 'limits'?"},
		{"{\"limits\":{\"cpu_time\":1}}",
			"p:1:12: unknown key 'cpu_time' in 'limits': did you mean 'cpu-time'?"},
		{"{\"files\":{},\"files\":{}}", "p:1:13: 'files' is there twice"},
		{"{\"limits\":{\"files\":{}}}",
			"p:1:12: unknown key 'files' in 'limits': did you mean 'nofile'?"},
		{"{\"limits.memory\":\"1g\"}",
			"p:1:2: unknown key 'limits.memory'; docs/policy.md lists them"},
		{"{\"\":1}", "p:1:2: unknown key ''; docs/policy.md lists them"},
		{"{\"profile\":7}", "p:1:12: 'profile' must be a string"},
		{"{\"network\":\n\n  \"host\"}",
			"p:3:3: --network: 'host' is neither none, gateway, tap:IF nor packet:IF"},
		{"{\"egress\":[1]}", "p:1:12: 'egress' must be an array of rules"},
		{"{\"egress\":{}}", "p:1:11: 'egress' must be an array of rules"},
		{"{\"egress\":[{\"port\":1}]}", "p:1:13: unknown key 'port' in a rule: there are "
						"id, action, proto, domain, "
						"cidr, ports, allow_private"},
		{"{\"egress\":[{\"proto\":\"icmp\"}]}", "p:1:22: 'icmp' is neither tcp nor udp"},
		{"{\"egress\":[{\"proto\":7}]}", "p:1:21: 'proto' of a rule must be a string"},
		{"{\"egress\":[{\"ports\":{}}]}", "p:1:21: 'ports' of a rule must be a number, a "
						  "string, or an array of these"},
		{"{\"egress\":[{\"ports\":[]}]}", "p:1:22: 'ports' is empty"},
		{"{\"egress\":[{\"ports\":\"80,x\"}]}",
			"p:1:25: 'x' is not a port (1 to 65535), a range A-B or '*'"},
		{"{\"egress\":[{\"domain\":\"a\",\"cidr\":\"1.2.3.4\"}]}",
			"p:1:34: a rule has a domain or a cidr, not both"},
		{"{\"egress\":[{\"action\":\"allow\",\"proto\":\"tcp\",\"cidr\":\"10.0.0.0/8\","
		 "\"ports\":1}]}",
			"p:1:73: these addresses are special (private); allow_private permits "
			"them"},
		{"{\"egress\":[{\"action\":\"allow\",\"proto\":\"tcp\",\"ports\":1}]}",
			"p:1:53: the rule has neither a domain nor a cidr"},
		{"{\"publish\":[\"80\"]}",
			"p:1:13: --publish: '80' is not [IP:]HOST:GUEST[/tcp|/udp] with ports or "
			"ranges of them"},
		{"7", "p:1:1: the policy must be an object"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_eq(parse(cases[i].text), -EINVAL, "%s", cases[i].text);
		cr_expect_str_eq(message, cases[i].message);
	}
}

Test(policy, nearer_levels_win)
{
	char why[128];

	cr_assert_eq(parse("{\"limits\":{\"timeout\":7},\"profile\":\"agent\"}"), 0);
	cr_expect_eq(options.timeout_ns, 7000000000ull);
	cr_expect_eq(options.memory_limit, 512u << 20);
	cr_assert_eq(
		run_option_set(&options, "profile", "agent", OPTION_FLAG, why, sizeof(why)), 0);
	cr_expect_eq(options.timeout_ns, 30000000000ull);
	cr_assert_eq(run_option_set(&options, "timeout", "1", OPTION_FLAG, why, sizeof(why)), 0);
	cr_assert_eq(
		run_option_set(&options, "profile", "agent", OPTION_FLAG, why, sizeof(why)), 0);
	cr_expect_eq(options.timeout_ns, 1000000000ull);
}

Test(policy, what_it_writes_it_reads)
{
	static const char *const texts[] = {"{}", "{\"profile\":\"agent\"}",
		"{\"env\":{\"A\":\"\\u0001\\\"\\\\\\u00e9\\ud83d\\ude00\",\"B\":\"\"}}",
		"{\"limits\":{\"timeout\":\"1ms\",\"cpu-time\":9999999.001,\"memory\":17000000}}",
		"{\"files\":{\"hidden\":[\"@default\",\"a/\"],\"protected\":[]}}"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *first, *second;

		cr_assert_eq(parse(texts[i]), 0, "%s: %s", texts[i], message);
		first = written(&options);
		cr_assert_eq(parse(first), 0, "%s: %s", first, message);
		second = written(&options);
		cr_expect_str_eq(first, second);
		free(first);
		free(second);
	}
}
