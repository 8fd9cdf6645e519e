/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "vfs/guard.h"

static struct guard *guard_of(
	const char *const *hidden, const char *const *protected, const char *const *allowed)
{
	struct guard_lists lists = {hidden, protected, allowed};
	struct guard *guard;

	cr_assert_eq(guard_new(&lists, &guard), 0);
	return guard;
}

static enum guard_verdict judged(const struct guard *guard, const char *path, enum guard_kind kind)
{
	struct guard_place place = guard_place_of_path(path, strlen("/home/u/p/"));

	return guard_judge(guard, &place, kind).verdict;
}

static enum guard_verdict hides(const struct guard *guard, const char *path, enum guard_kind kind)
{
	struct guard_place place = guard_place_of_path(path, strlen("/home/u/p/"));

	return guard_hides(guard, &place, kind).verdict;
}

Test(guard, judges_places)
{
	static const struct {
		const char *path;
		enum guard_kind kind;
		enum guard_verdict verdict;
	} cases[] = {
		{"/home/u/p/a.c", GUARD_FILE, GUARD_FREE},
		{"/home/u/p/.git/hooks", GUARD_DIRECTORY, GUARD_PROTECTED},
		{"/home/u/p/.git/hooks/pre-commit", GUARD_FILE, GUARD_PROTECTED},
		{"/home/u/p/.GIT/Hooks/pre-commit", GUARD_FILE, GUARD_PROTECTED},
		{"/home/u/p/.git./hooks /x", GUARD_FILE, GUARD_PROTECTED},
		{"/home/u/p/.git/hook\xc5\xbf/x", GUARD_FILE, GUARD_PROTECTED},
		{"/home/u/p/.g\xe2\x80\x8cit/config", GUARD_FILE, GUARD_PROTECTED},
		{"/home/u/p/.hus\xe2\x84\xaay", GUARD_DIRECTORY, GUARD_PROTECTED},
		{"/home/u/p/.g\xc3\xa9it/config\xe2\x80", GUARD_FILE, GUARD_FREE},
		{"/home/u/p/sub/dir/.git/config", GUARD_FILE, GUARD_PROTECTED},
		{"/home/u/p/.git/modules/m/config", GUARD_FILE, GUARD_PROTECTED},
		{"/home/u/p/.git/modules/m", GUARD_DIRECTORY, GUARD_WAY},
		{"/home/u/p/.git", GUARD_DIRECTORY, GUARD_WAY},
		{"/home/u/p/.git", GUARD_FILE, GUARD_WAY},
		{"/home/u/p/.git/index", GUARD_FILE, GUARD_FREE},
		{"/home/u/p/.git/config.lock", GUARD_FILE, GUARD_FREE},
		{"/home/u/p/git/hooks", GUARD_FILE, GUARD_FREE},
		{"/home/u/p/hooks", GUARD_FILE, GUARD_FREE},
		{"/home/u/p/.vscode/tasks.json", GUARD_FILE, GUARD_PROTECTED},
		{"/home/u/p/x.code-workspace", GUARD_FILE, GUARD_PROTECTED},
		{"/home/u/p/.env", GUARD_FILE, GUARD_HIDDEN},
		{"/home/u/p/.env", GUARD_DIRECTORY, GUARD_FREE},
		{"/home/u/p/.env/bin/python", GUARD_FILE, GUARD_FREE},
		{"/home/u/p/.env.example", GUARD_FILE, GUARD_FREE},
		{"/home/u/p/.env.local", GUARD_FILE, GUARD_HIDDEN},
		{"/home/u/p/.azure/x", GUARD_FILE, GUARD_HIDDEN},
		{"/home/u/p/.azure", GUARD_FILE, GUARD_FREE},
		{"/home/u/p/credentials", GUARD_DIRECTORY, GUARD_FREE},
		{"/home/u/p/.aws", GUARD_DIRECTORY, GUARD_WAY},
		{"/home/u/p/venv/certifi/cacert.pem", GUARD_FILE, GUARD_FREE},
		{"/home/u/p/k.pem", GUARD_FILE, GUARD_HIDDEN},
	};
	struct guard *guard =
		guard_of(guard_default_hidden, guard_default_protected, guard_default_allowed);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(judged(guard, cases[i].path, cases[i].kind), cases[i].verdict,
			"%s: %d", cases[i].path, judged(guard, cases[i].path, cases[i].kind));
	cr_expect_eq(hides(guard, "/home/u/p/id_rsa", GUARD_FILE), GUARD_HIDDEN);
	cr_expect_eq(hides(guard, "/home/u/p/id_map.c", GUARD_FILE), GUARD_FREE);
	cr_expect_eq(hides(guard, "/home/u/p/.ssh", GUARD_ANY), GUARD_HIDDEN);
	guard_free(guard);
}

Test(guard, above_the_tree_is_named_by_the_user)
{
	static const char *const protected[] = {"p", "u/p/x", NULL};
	struct guard *guard = guard_of(NULL, protected, NULL);

	cr_expect_eq(judged(guard, "/home/u/p/a", GUARD_FILE), GUARD_FREE);
	cr_expect_eq(judged(guard, "/home/u/p/x", GUARD_FILE), GUARD_PROTECTED);
	guard_free(guard);
}

Test(guard, whole_paths)
{
	static const char *const protected[] = {"/home/u/p/a/b/c", "/x", NULL};
	struct guard *guard = guard_of(NULL, protected, NULL);

	cr_expect_eq(judged(guard, "/home/u/p/a/b/c", GUARD_FILE), GUARD_PROTECTED);
	cr_expect_eq(judged(guard, "/home/u/p/a/b/c/d", GUARD_FILE), GUARD_PROTECTED);
	cr_expect_eq(judged(guard, "/home/u/p/a/b", GUARD_DIRECTORY), GUARD_WAY);
	cr_expect_eq(judged(guard, "/home/u/p/a", GUARD_DIRECTORY), GUARD_WAY);
	cr_expect_eq(judged(guard, "/home/u/p/home/u/p/a/b/c", GUARD_FILE), GUARD_FREE);
	cr_expect_eq(judged(guard, "/home/u/p/x", GUARD_FILE), GUARD_FREE);
	guard_free(guard);
}

Test(guard, exceptions)
{
	static const char *const hidden[] = {".env*", NULL}, *const protected[] = {
								     ".git/hooks", NULL};
	static const char *const allowed[] = {
		"/home/u/p/a", ".env.ok", ".git/hooks/post-commit", NULL};
	struct guard *guard = guard_of(hidden, protected, allowed);

	cr_expect_eq(judged(guard, "/home/u/p/a/.env", GUARD_FILE), GUARD_FREE);
	cr_expect_eq(judged(guard, "/home/u/p/a/.git/hooks/x", GUARD_FILE), GUARD_FREE);
	cr_expect_eq(judged(guard, "/home/u/p/b/.env", GUARD_FILE), GUARD_HIDDEN);
	cr_expect_eq(judged(guard, "/home/u/p/b/.env.ok", GUARD_FILE), GUARD_FREE);
	cr_expect_eq(judged(guard, "/home/u/p/.git/hooks/post-commit", GUARD_FILE), GUARD_FREE);
	cr_expect_eq(judged(guard, "/home/u/p/.git/hooks/pre-commit", GUARD_FILE), GUARD_PROTECTED);
	cr_expect_eq(judged(guard, "/home/u/p/.git", GUARD_DIRECTORY), GUARD_WAY);
	guard_free(guard);
}

Test(guard, stars)
{
	static const char *const hidden[] = {"*a*b*c", "?x", "*", NULL};
	struct guard *guard;
	char name[300] = "/home/u/p/";

	memset(name + 10, 'a', 255);
	guard = guard_of((const char *const[]){"*a*a*a*a*a*a*a*a*a*a*b", NULL}, NULL, NULL);
	cr_expect_eq(hides(guard, name, GUARD_FILE), GUARD_FREE); /* and soon */
	guard_free(guard);
	guard = guard_of((const char *const[]){hidden[0], hidden[1], NULL}, NULL, NULL);
	cr_expect_eq(hides(guard, "/home/u/p/aXbYc", GUARD_FILE), GUARD_HIDDEN);
	cr_expect_eq(hides(guard, "/home/u/p/aXbY", GUARD_FILE), GUARD_FREE);
	cr_expect_eq(hides(guard, "/home/u/p/.x", GUARD_FILE), GUARD_HIDDEN);
	cr_expect_eq(hides(guard, "/home/u/p/x", GUARD_FILE), GUARD_FREE);
	guard_free(guard);
	guard = guard_of(hidden, NULL, NULL);
	cr_expect_eq(hides(guard, "/home/u/p/anything", GUARD_FILE), GUARD_HIDDEN);
	guard_free(guard);
}

Test(guard, bad_patterns)
{
	static const char *const bad[] = {"", "/", "//", "a//b", "../a", "a/./b", "a/**/b", "**"};
	struct guard *guard;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *const list[] = {bad[i], NULL};
		struct guard_lists lists = {.hidden = list};

		cr_expect(guard_pattern_error(bad[i]), "%s", bad[i]);
		cr_expect_eq(guard_new(&lists, &guard), -EINVAL, "%s", bad[i]);
	}
	cr_expect_null(guard_pattern_error("/a/b/"));
	cr_expect_null(guard_pattern_error("a*b?"));
}

Test(guard, names_places)
{
	struct guard_place place = guard_place_of_path("/home/u/p", SIZE_MAX);
	char buffer[32], small[6];

	guard_place_name(&place, buffer, sizeof(buffer));
	cr_expect_str_eq(buffer, "/home/u/p");
	guard_place_name(&place, small, sizeof(small));
	cr_expect_str_eq(small, "/u/p");
	cr_expect_eq(guard_place_of_path("/", 0).size, 0);
}
