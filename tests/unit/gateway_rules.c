/* SPDX-License-Identifier: Apache-2.0 */
/* Rules for what may leave: how they are read, and what they answer. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "gateway/publish.h"
#include "gateway/rules.h"

static struct gate_address address(const char *text)
{
	struct gate_address a;

	cr_assert_eq(gate_address_parse(text, &a), 0, "%s", text);
	return a;
}

Test(gateway_rules, special_addresses)
{
	static const struct {
		const char *text, *what;
	} cases[] = {
		{"127.0.0.1", "loopback"},
		{"127.255.0.9", "loopback"},
		{"0.0.0.0", "this network"},
		{"0.1.2.3", "this network"},
		{"10.0.0.1", "private"},
		{"172.16.0.1", "private"},
		{"172.31.255.255", "private"},
		{"172.32.0.0", NULL},
		{"172.15.255.255", NULL},
		{"192.168.1.1", "private"},
		{"192.169.0.1", NULL},
		{"100.64.0.1", "private"},
		{"100.127.255.255", "private"},
		{"100.128.0.0", NULL},
		{"169.254.169.254", "metadata"},
		{"169.254.170.2", "metadata"},
		{"169.254.1.1", "link-local"},
		{"224.0.0.1", "multicast"},
		{"239.255.255.250", "multicast"},
		{"240.0.0.1", "reserved"},
		{"255.255.255.255", "broadcast"},
		{"198.18.0.1", "private"},
		{"192.0.0.8", "reserved"},
		{"8.8.8.8", NULL},
		{"1.1.1.1", NULL},
		{"::", "IPv4-compatible"},
		{"::1", "loopback"},
		{"::127.0.0.1", "IPv4-compatible"},
		{"::ffff:127.0.0.1", "loopback"},
		{"::ffff:8.8.8.8", NULL},
		{"::ffff:0:127.0.0.1", "IPv4-translated"},
		{"64:ff9b::7f00:1", "NAT64"},
		{"64:ff9b::808:808", "NAT64"},
		{"64:ff9b:1::1", "NAT64"},
		{"2002:7f00:1::1", "6to4"},
		{"2002:808:808::1", "6to4"},
		{"2001::7f00:1", "Teredo"},
		{"2001:db8::1", "reserved"},
		{"fe80::1", "link-local"},
		{"febf::1", "link-local"},
		{"fec0::1", "private"},
		{"fc00::1", "private"},
		{"fd00:ec2::254", "metadata"},
		{"fd12::1", "private"},
		{"ff02::1", "multicast"},
		{"100::1", "reserved"},
		{"4000::1", "reserved"},
		{"2606:4700::1111", NULL},
		{"2a00:1450:4001::200e", NULL},
		{"2a00:1450:4001:0:0:5efe:7f00:1", "ISATAP"},
		{"2a00:1450:4001:0:200:5efe:7f00:1", "ISATAP"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct gate_address a = address(cases[i].text);
		const char *what = gate_address_special(&a);

		cr_expect(cases[i].what ? what && strcmp(what, cases[i].what) == 0 : !what,
			"%s: %s", cases[i].text, what ? what : "(public)");
	}
}

Test(gateway_rules, forms_of_addresses)
{
	static const char *const wrong[] = {"0x7f.1", "0177.0.0.1", "2130706433", "127.1", "1.2.3",
		"1.2.3.4.", "1.2.3.4 ", "::1%lo", "[::1]", "", "localhost", "1.2.3.256"};
	struct gate_address a;

	for (size_t i = 0; i < array_size(wrong); i++)
		cr_expect_eq(gate_address_parse(wrong[i], &a), -EINVAL, "%s", wrong[i]);
}

Test(gateway_rules, reads_and_writes)
{
	static const struct {
		const char *text, *again; /* NULL: the same */
	} cases[] = {
		{"tcp:pypi.org:443", NULL},
		{"tcp:PyPI.org.:443", "tcp:pypi.org:443"},
		{"udp:*.example.org:1-100", NULL},
		{"tcp:*:80,443,8000-8010", NULL},
		{"tcp:10.1.2.3/32:5432", NULL},
		{"tcp:10.1.2.3:5432", "tcp:10.1.2.3/32:5432"},
		{"tcp:0.0.0.0/0:*", NULL},
		{"tcp:0.0.0.0/0:*:private", NULL},
		{"tcp:[2001:4860::1]:53", "tcp:[2001:4860::1/128]:53"},
		{"tcp:[2001:4860::]/32:53", "tcp:[2001:4860::/32]:53"},
		{"tcp:[::/0]:53", NULL},
		{"tcp:[fd00::]/8:*", "tcp:[fd00::/8]:*"},
		{"tcp:db.internal:5432:private", NULL},
		{"tcp:a_b-c.d0:1", NULL},
		{"tcp:[::ffff:10.0.0.1]:1", "tcp:10.0.0.1/32:1"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		const char *wanted = cases[i].again ? cases[i].again : cases[i].text;
		struct gate_rule rule;
		char why[256] = "", text[400];

		cr_assert_eq(gate_rule_parse(cases[i].text, &rule, why, sizeof(why)), 0, "%s: %s",
			cases[i].text, why);
		gate_rule_write(&rule, text, sizeof(text));
		cr_expect_str_eq(text, wanted);
	}
}

Test(gateway_rules, says_where_it_is_wrong)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", "'', character 1: a rule is PROTO:HOST:PORTS, as tcp:example.org:443"},
		{"tcp", "'tcp', character 1: a rule is PROTO:HOST:PORTS, as tcp:example.org:443"},
		{"icmp:a:1", "'icmp:a:1', character 1: 'icmp' is neither tcp nor udp"},
		{"tcp:a", "'tcp:a', character 5: a host and ports are missing, as in "
			  "tcp:example.org:443 (IPv6 addresses stand in brackets)"},
		{"tcp::1", "'tcp::1', character 5: a host and ports are missing, as in "
			   "tcp:example.org:443 (IPv6 addresses stand in brackets)"},
		{"tcp:a:",
			"'tcp:a:', character 7: '' is not a port (1 to 65535), a range A-B or '*'"},
		{"tcp:a:0",
			"'tcp:a:0', character 7: '0' is not a port (1 to 65535), a range A-B or "
			"'*'"},
		{"tcp:a:80,",
			"'tcp:a:80,', character 10: '' is not a port (1 to 65535), a range A-B "
			"or '*'"},
		{"tcp:a:80-70", "'tcp:a:80-70', character 7: the range 80-70 is empty"},
		{"tcp:a:80x", "'tcp:a:80x', character 9: 'x' behind a port"},
		{"tcp:a:80:", "'tcp:a:80:', character 9: a colon too many"},
		{"tcp:a:80:public",
			"'tcp:a:80:public', character 10: behind the ports stands 'private' or "
			"nothing"},
		{"tcp:exa mple:1", "'tcp:exa mple:1', character 5: 'exa mple' is not a host name"},
		{"tcp:*.*.org:1",
			"'tcp:*.*.org:1', character 7: a '*' stands for whole names at the "
			"begin, as *.example.org"},
		{"tcp:1.2.3:1", "'tcp:1.2.3:1', character 5: '1.2.3' is not an address"},
		{"tcp:10.1.2.3/24:1",
			"'tcp:10.1.2.3/24:1', character 5: '10.1.2.3/24' has bits behind "
			"its prefix"},
		{"tcp:10.0.0.0/33:1",
			"'tcp:10.0.0.0/33:1', character 14: a prefix has 0 to 32 bits, not '33'"},
		{"tcp:[::1:1", "'tcp:[::1:1', character 5: a host and ports are missing, as in "
			       "tcp:example.org:443 (IPv6 addresses stand in brackets)"},
		{"tcp:[a.b]:1", "'tcp:[a.b]:1', character 5: brackets are for an IPv6 address"},
		{"tcp:m\303\274ller.de:1",
			"'tcp:m\303\274ller.de:1', character 5: a name with other "
			"than ASCII letters is written as xn--..."},
		{"tcp:*:1:private", "'tcp:*:1:private', character 1: private addresses need a cidr "
				    "that names them"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct gate_rule rule;
		char why[512] = "";

		cr_expect_eq(gate_rule_parse(cases[i].text, &rule, why, sizeof(why)), -EINVAL, "%s",
			cases[i].text);
		cr_expect_str_eq(why, cases[i].why);
	}
}

static struct gate_rules rules;

static void use(const char *const *texts)
{
	gate_rules_free(&rules);
	for (; *texts; texts++) {
		struct gate_rule rule;
		char why[256] = "";
		bool deny = **texts == '-';

		cr_assert_eq(gate_rule_parse(*texts + deny, &rule, why, sizeof(why)), 0, "%s", why);
		rule.deny = deny;
		cr_assert_eq(gate_rules_add(&rules, &rule), 0);
	}
}

static bool ask(uint8_t protocol, const char *to, uint16_t port, const char *name)
{
	struct gate_question question = {.protocol = protocol,
		.to = {address(to), port},
		.names = &name,
		.name_count = name ? 1 : 0};
	struct gate_answer answer;

	question.special = gate_address_special(&question.to.address);
	gate_rules_ask(&rules, &question, &answer);
	return answer.allowed;
}

Test(gateway_rules, first_match_wins)
{
	use((const char *const[]){"-tcp:9.9.9.0/24:*", "tcp:9.0.0.0/8:80-90",
		"-tcp:bad.example.org:*", "tcp:*.example.org:443", "udp:1.1.1.1:53",
		"tcp:0.0.0.0/0:22", "tcp:10.1.0.0/16:5432", "tcp:db.corp:5432:private",
		"tcp:[2606:4700::/32]:443", NULL});

	cr_expect(!ask(GATE_TCP, "8.8.8.8", 443, NULL));
	cr_expect(!ask(GATE_TCP, "9.9.9.9", 80, NULL));
	cr_expect(ask(GATE_TCP, "9.9.8.9", 80, NULL));
	cr_expect(ask(GATE_TCP, "9.9.8.9", 90, NULL));
	cr_expect(!ask(GATE_TCP, "9.9.8.9", 91, NULL));
	cr_expect(!ask(GATE_UDP, "9.9.8.9", 80, NULL));
	cr_expect(ask(GATE_UDP, "1.1.1.1", 53, NULL));
	cr_expect(!ask(GATE_TCP, "1.1.1.1", 53, NULL));
	cr_expect(ask(GATE_TCP, "8.8.8.8", 443, "www.example.org"));
	cr_expect(!ask(GATE_TCP, "8.8.8.8", 443, "bad.example.org"));
	cr_expect(!ask(GATE_TCP, "8.8.8.8", 443, "example.org"));
	cr_expect(!ask(GATE_TCP, "8.8.8.8", 443, "wwwexample.org"));
	cr_expect(!ask(GATE_TCP, "8.8.8.8", 443, "www.example.org.evil.net"));
	cr_expect(!ask(GATE_TCP, "8.8.8.8", 80, "www.example.org"));
	cr_expect(!ask(GATE_TCP, "10.0.0.1", 443, "www.example.org"), "private by name");
	cr_expect(!ask(GATE_TCP, "127.0.0.1", 22, NULL), "0.0.0.0/0 holds no loopback");
	cr_expect(!ask(GATE_TCP, "169.254.169.254", 22, NULL));
	cr_expect(ask(GATE_TCP, "8.8.8.8", 22, NULL));
	cr_expect(!ask(GATE_TCP, "2606::1", 22, NULL));
	cr_expect(ask(GATE_TCP, "10.1.2.3", 5432, NULL));
	cr_expect(!ask(GATE_TCP, "10.2.2.3", 5432, NULL));
	cr_expect(ask(GATE_TCP, "10.2.2.3", 5432, "db.corp"));
	cr_expect(!ask(GATE_TCP, "127.0.0.1", 5432, "db.corp"), "a name opens private, no more");
	cr_expect(!ask(GATE_TCP, "169.254.169.254", 5432, "db.corp"));
	cr_expect(ask(GATE_TCP, "2606:4700::1", 443, NULL));
	cr_expect(!ask(GATE_TCP, "64:ff9b::808:808", 22, NULL));
}

Test(gateway_rules, names_that_may_be_asked_for)
{
	const struct gate_rule *rule;
	bool private;

	use((const char *const[]){"-tcp:bad.example.org:*", "-udp:bad.example.org:*",
		"tcp:*.example.org:443", "tcp:db.corp:1:private", "tcp:8.8.8.8:53", NULL});
	cr_expect(gate_rules_resolve(&rules, "a.example.org", &private, &rule) && !private);
	cr_expect(gate_rules_resolve(&rules, "a.b.example.org", &private, &rule));
	cr_expect(!gate_rules_resolve(&rules, "bad.example.org", &private, &rule) &&
		  rule == rules.items);
	cr_expect(!gate_rules_resolve(&rules, "example.org", &private, &rule) && !rule);
	cr_expect(gate_rules_resolve(&rules, "db.corp", &private, &rule) && private);
	cr_expect(!gate_rules_resolve(&rules, "x.db.corp", &private, &rule));
}

Test(gateway_rules, servers)
{
	const char *names[] = {"a.example.org"};
	struct gate_question question = {.protocol = GATE_TCP,
		.to = {address("8.8.8.8"), 443},
		.names = names,
		.name_count = 1};

	use((const char *const[]){"tcp:a.example.org:443", NULL});
	cr_expect(gate_rules_server(&rules, &question, "a.example.org"));
	cr_expect(!gate_rules_server(&rules, &question, "b.example.org"));
	use((const char *const[]){"tcp:*.example.org:443", NULL});
	cr_expect(gate_rules_server(&rules, &question, "b.example.org"));
	cr_expect(!gate_rules_server(&rules, &question, "evil.net"));
	question.name_count = 0;
	cr_expect(!gate_rules_server(&rules, &question, "a.example.org"));
	use((const char *const[]){"tcp:8.8.8.8:443", NULL});
	cr_expect(gate_rules_server(&rules, &question, "evil.net"), "by address: any name");
}

Test(gateway_rules, publishing)
{
	static const char *const wrong[] = {"", "80", ":80", "80:", "0:80", "80:65536", "a:80",
		"80:80/sctp", "80:80/", "1.2.3:80:80", "::1:80:80", "[1.2.3.4]:80:80", "[::1]80:80",
		"80:80:", "-1:80", "80-81:80", "80-81:80-82", "81-80:81-80", "80-:80-",
		"80-65536:80-65536", "80-81-82:80-82"};
	struct gate_publish p;
	struct gate_name name;
	unsigned count;
	char why[256];

	cr_assert_eq(gate_publish_parse("8080:80", &p, &count, why, sizeof(why)), 0);
	cr_expect(p.any && p.host == 8080 && p.guest == 80 && p.protocol == GATE_TCP);
	cr_assert_eq(gate_publish_parse("127.0.0.1:53:5353/udp", &p, &count, why, sizeof(why)), 0);
	cr_expect(!p.any && p.host == 53 && p.guest == 5353 && p.protocol == GATE_UDP);
	cr_assert_eq(gate_publish_parse("[::1]:1:2/tcp", &p, &count, why, sizeof(why)), 0);
	cr_expect(!p.any && p.address.bytes[15] == 1 && p.host == 1);
	cr_assert_eq(count, 1);
	cr_assert_eq(
		gate_publish_parse("0.0.0.0:8000-8010:9000-9010/TCP", &p, &count, why, sizeof(why)),
		0);
	cr_expect(!p.any && p.host == 8000 && p.guest == 9000 && p.protocol == GATE_TCP &&
		  count == 11);
	cr_assert_eq(gate_publish_parse("65535-65535:1-1/udp", &p, &count, why, sizeof(why)), 0);
	cr_expect(p.any && p.host == 65535 && p.guest == 1 && p.protocol == GATE_UDP && count == 1);
	for (size_t i = 0; i < array_size(wrong); i++)
		cr_expect_eq(gate_publish_parse(wrong[i], &p, &count, why, sizeof(why)), -EINVAL,
			"%s", wrong[i]);
	cr_expect_eq(gate_server_parse("1.1.1.1", &name), 0);
	cr_expect_eq(name.port, 53);
	cr_expect_eq(gate_server_parse("127.0.0.1:5353", &name), 0);
	cr_expect_eq(name.port, 5353);
	cr_expect_eq(gate_server_parse("2606:4700::1111", &name), 0);
	cr_expect_eq(gate_server_parse("[::1]:99", &name), 0);
	cr_expect_eq(name.port, 99);
	cr_expect_eq(gate_server_parse("dns.google", &name), -EINVAL);
	cr_expect_eq(gate_server_parse("1.1.1.1:0", &name), -EINVAL);
	cr_expect_eq(gate_server_parse("", &name), -EINVAL);
}
