/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>

#include "cmd/observe/select.h"

static bool has(const uint64_t *set, unsigned nr)
{
	return set[nr / 64] >> nr % 64 & 1;
}

Test(select, lists)
{
	uint64_t set[OBSERVE_WORDS];
	const char *bad;

	cr_assert_eq(select_parse("openat", set, &bad), 0);
	cr_assert(has(set, LX_NR_openat) && !has(set, LX_NR_open));
	cr_assert_eq(select_parse("file,!openat", set, &bad), 0);
	cr_assert(!has(set, LX_NR_openat) && has(set, LX_NR_open) && has(set, LX_NR_execve));
	cr_assert(!has(set, LX_NR_read) && !has(set, LX_NR_memfd_create));
	cr_assert_eq(select_parse("%desc", set, &bad), 0);
	cr_assert(has(set, LX_NR_read) && has(set, LX_NR_openat) && !has(set, LX_NR_getpid));
	cr_assert_eq(select_parse("!futex", set, &bad), 0);
	cr_assert(has(set, LX_NR_read) && !has(set, LX_NR_futex));
	cr_assert_eq(select_parse("net,signal", set, &bad), 0);
	cr_assert(has(set, LX_NR_socket) && has(set, LX_NR_rt_sigaction) && !has(set, LX_NR_read));
}

Test(select, what_is_no_list)
{
	static const char *const lists[] = {"", ",", "read,", ",read", "nocall", "read,,write",
		"%read", "!!read", "read ", "out.json"};
	uint64_t set[OBSERVE_WORDS] = {7};
	const char *bad = NULL;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		cr_assert_eq(select_parse(lists[i], set, &bad), -EINVAL, "'%s'", lists[i]);
		cr_assert(!select_is_list(lists[i]));
	}
	cr_assert_eq(set[0], 7);
	cr_assert_eq(select_parse("read,wrong,write", set, &bad), -EINVAL);
	cr_assert_str_eq(bad, "wrong,write");
}

static struct inject_rule rule_of(const char *text)
{
	struct inject_rule rule;
	const char *bad, *why;

	cr_assert_eq(inject_parse(text, &rule, &bad, &why), 0, "'%s': %s at '%s'", text, why, bad);
	return rule;
}

Test(inject, rules)
{
	struct inject_rule rule = rule_of("openat:error=ENOSPC:when=3+2");

	cr_assert(has(rule.calls, LX_NR_openat) && rule.has_result);
	cr_assert_eq(rule.result, -ENOSPC);
	cr_assert(rule.first == 3 && rule.step == 2 && rule.last == UINT32_MAX);
	rule = rule_of("file:retval=0x10");
	cr_assert(
		rule.result == 16 && rule.first == 1 && rule.step == 1 && rule.last == UINT32_MAX);
	rule = rule_of("read:signal=SIGUSR1:delay_enter=5ms:delay_exit=7:when=2..6+2");
	cr_assert(!rule.has_result && rule.signo == SIGUSR1);
	cr_assert(rule.delay_enter_ns == 5000000 && rule.delay_exit_ns == 7000);
	cr_assert(rule.first == 2 && rule.last == 6 && rule.step == 2);
	rule = rule_of("read:error=5:when=4");
	cr_assert(rule.result == -EIO && rule.first == 4 && rule.last == 4);
	cr_assert_eq(rule_of("read:error=EIO:when=4+").last, UINT32_MAX);
	rule = rule_of("openat:flags=O_CLOEXEC:error=EINVAL");
	cr_assert(rule.arg == 3 && rule.mask == 02000000 && rule.value == 02000000);
	rule = rule_of("ioctl:request=TCGETS:error=EIO");
	cr_assert(rule.arg == 2 && rule.value == 0x5401 && !rule.pattern[0]);
	rule = rule_of("openat:pathname=/proc/*/maps:error=ENOENT");
	cr_assert_eq(rule.arg, 2);
	cr_assert_str_eq(rule.pattern, "/proc/*/maps");
	cr_assert_eq(rule_of("close:fd=7:error=EIO").value, 7);
}

Test(inject, wrong_rules)
{
	static const struct {
		const char *text;
		size_t at;
	} rules[] = {{"nocall:error=EIO", 0}, {"read", 4}, {"read:", 5}, {"read:error=ENOTHING", 5},
		{"read:error=", 5}, {"read:error=0", 5}, {"read:error=4096", 5},
		{"read:retval=-1", 5}, {"read:retval=x", 5}, {"read:error=EIO:retval=1", 15},
		{"read:error=EIO:when=0", 15}, {"read:error=EIO:when=2..1", 15},
		{"read:error=EIO:when=1+0", 15}, {"read:error=EIO:when=1x", 15},
		{"read:signal=0", 5}, {"read:signal=SIGNO", 5}, {"read:delay_enter=1h", 5},
		{"read:when=1", 11}, {"read:other=1", 5}, {"read:error=99999999999", 5},
		{"file:flags=1:error=EIO", 5}, {"openat:flags=O_NOTHING:error=EIO", 7},
		{"openat:pathname=:error=EIO", 7}, {"openat:flags=1:flags=2:error=EIO", 15},
		{"read:=1:error=EIO", 5}};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct inject_rule rule;
		const char *bad = NULL, *why = NULL;

		cr_assert_eq(inject_parse(rules[i].text, &rule, &bad, &why), -EINVAL, "'%s'",
			rules[i].text);
		cr_assert_not_null(why);
		cr_assert_eq((size_t)(bad - rules[i].text), rules[i].at, "'%s': %zu", rules[i].text,
			(size_t)(bad - rules[i].text));
	}
}
