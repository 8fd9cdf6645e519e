/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/commit_apply.h"
#include "sentry/commit.h"
#include "vfs/guard.h"

/* Streams as a hostile kernel process might write them, applied to a directory beside one that must
 * stay as it is. */

static char base[64];
static int spool, directory;
static uint64_t records, applied, failed, refused;
static struct guard *rules; /* NULL: none */

static void put(const void *data, size_t size)
{
	cr_assert_eq(write(spool, data, size), (ssize_t)size);
}

static void put_record(uint32_t kind, uint32_t mode, const char *name, const char *content)
{
	struct commit_record record = {.kind = kind,
		.mode = mode,
		.size = content ? strlen(content) : 0,
		.mtime_sec = 1000000000,
		.name_size = (uint32_t)strlen(name)};

	put(&record, sizeof(record));
	put(name, record.name_size);
	if (content)
		put(content, record.size);
	records++;
}

static void put_end(void)
{
	struct commit_record end = {.kind = COMMIT_END, .size = records};

	put(&end, sizeof(end));
}

static void set_up(void)
{
	uint64_t magic = COMMIT_MAGIC;
	char path[128];

	strcpy(base, "/tmp/sentry-unit-XXXXXX");
	cr_assert(mkdtemp(base));
	cr_assert_eq(chdir(base), 0);
	cr_assert_eq(mkdir("in", 0755), 0);
	cr_assert_eq(mkdir("outside", 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/in", base);
	directory = open(path, O_PATH | O_DIRECTORY);
	spool = memfd_create("test", 0);
	records = applied = failed = 0;
	put(&magic, sizeof(magic));
}

static void tear_down(void)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", base);
	cr_assert_eq(system(command), 0);
}

static int apply_all(void)
{
	struct commit_guard guard = {rules, base};
	struct commit_counts counts = {0};
	int status = commit_apply(spool, directory, &guard, &counts);

	applied = counts.applied;
	failed = counts.failed;
	refused = counts.refused;
	return status;
}

static int apply(void)
{
	put_end();
	return apply_all();
}

static const char *text_of(const char *path)
{
	static char text[256];
	FILE *file = fopen(path, "r");
	size_t size;

	if (!file)
		return "(missing)";
	size = fread(text, 1, sizeof(text) - 1, file);
	text[size] = '\0';
	(void)fclose(file);
	return text;
}

TestSuite(commit, .init = set_up, .fini = tear_down);

Test(commit, applies_changes)
{
	struct stat stat;

	put_record(COMMIT_DIRECTORY, 0755, "d", NULL);
	put_record(COMMIT_FILE, 04754, "d/f", "text");
	put_record(COMMIT_SYMLINK, 0777, "d/l", "f");
	put_record(COMMIT_LINK, 0, "d/g", "d/f");
	put_record(COMMIT_FILE, 0644, "x", "x");
	put_record(COMMIT_DELETE, 0, "x", NULL);
	put_record(COMMIT_DELETE, 0, "never", NULL);
	cr_expect_eq(apply(), 0);
	cr_expect_eq(failed, 0);
	cr_expect_eq(applied, 7);
	cr_expect_str_eq(text_of("in/d/l"), "text");
	cr_expect_str_eq(text_of("in/d/g"), "text");
	cr_expect_eq(lstat("in/d/f", &stat), 0);
	cr_expect_eq(stat.st_mode & 07777, 0754, "set-id bits are dropped");
	cr_expect_eq(stat.st_mtime, 1000000000);
	cr_expect_neq(lstat("in/x", &stat), 0);
}

Test(commit, deletes_trees_without_following)
{
	struct stat stat;

	cr_assert_eq(system("mkdir -p in/t/a/b && touch in/t/a/b/f outside/kept && "
			    "ln -s ../../outside in/t/a/link"),
		0);
	put_record(COMMIT_DELETE, 0, "t", NULL);
	cr_expect_eq(apply(), 0);
	cr_expect_eq(failed, 0);
	cr_expect_neq(lstat("in/t", &stat), 0);
	cr_expect_eq(lstat("outside/kept", &stat), 0);
}

/* A link made by the stream is not a way out for later records. */
Test(commit, own_links_lead_nowhere)
{
	struct stat stat;

	put_record(COMMIT_SYMLINK, 0777, "way", "../outside");
	put_record(COMMIT_FILE, 0644, "way/planted", "x");
	put_record(COMMIT_DIRECTORY, 0755, "way/planted-dir", NULL);
	put_record(COMMIT_ATTRIBUTES, 0777, "way", NULL);
	put_record(COMMIT_FILE, 0644, "way", "replaced");
	cr_expect_eq(apply(), 0);
	cr_expect_eq(failed, 3);
	cr_expect_neq(lstat("outside/planted", &stat), 0);
	cr_expect_neq(lstat("outside/planted-dir", &stat), 0);
	cr_expect_eq(lstat("outside", &stat), 0);
	cr_expect_eq(stat.st_mode & 07777, 0755);
	cr_expect_str_eq(text_of("in/way"), "replaced");
}

/* One unsound record and nothing at all is applied. */
static void expect_refused(void)
{
	struct stat stat;

	cr_expect_eq(apply(), -EBADMSG);
	cr_expect_neq(lstat("in/first", &stat), 0);
	cr_expect_neq(lstat("outside/evil", &stat), 0);
}

#define REFUSES(test_, name_)                                                                      \
	Test(commit, test_)                                                                        \
	{                                                                                          \
		put_record(COMMIT_FILE, 0644, "first", "x");                                       \
		put_record(COMMIT_FILE, 0644, (name_), "x");                                       \
		expect_refused();                                                                  \
	}
REFUSES(refuses_dotdot, "../outside/evil")
REFUSES(refuses_inner_dotdot, "a/../../outside/evil")
REFUSES(refuses_absolute, "/tmp/evil")
REFUSES(refuses_empty_component, "a//evil")
REFUSES(refuses_dot, "./evil")
REFUSES(refuses_empty_name, "")
REFUSES(refuses_trailing_slash, "evil/")

Test(commit, refuses_unknown_kind)
{
	put_record(COMMIT_FILE, 0644, "first", "x");
	put_record(99, 0644, "evil", NULL);
	expect_refused();
}

Test(commit, refuses_wrong_count)
{
	put_record(COMMIT_FILE, 0644, "first", "x");
	records++;
	expect_refused();
}

Test(commit, refuses_truncation)
{
	put_record(COMMIT_FILE, 0644, "first", "x");
	cr_expect_eq(apply_all(), -EBADMSG);
	cr_expect_str_eq(text_of("in/first"), "(missing)");
}

Test(commit, refuses_sizes_beyond_the_end)
{
	struct commit_record record = {
		.kind = COMMIT_FILE, .size = UINT64_MAX - 2, .name_size = 4, .mode = 0644};

	put_record(COMMIT_FILE, 0644, "first", "x");
	put(&record, sizeof(record));
	put("evil", 4);
	records++;
	expect_refused();
}

Test(commit, refuses_links_out)
{
	put_record(COMMIT_FILE, 0644, "first", "x");
	put_record(COMMIT_LINK, 0644, "evil", "../outside");
	expect_refused();
}

/* Protected and hidden names, whatever the stream does to come near them. */
Test(commit, leaves_guarded_names_alone)
{
	struct guard_lists lists = {
		guard_default_hidden, guard_default_protected, guard_default_allowed};

	cr_assert_eq(guard_new(&lists, &rules), 0);
	cr_assert_eq(system("cd in && mkdir -p .git/hooks d/e .azure gone && echo secret >.env && "
			    "echo secret >d/e/k.pem && echo cfg >.git/config && ln -s x .envrc && "
			    "echo f >gone/f"),
		0);
	put_record(COMMIT_FILE, 0755, ".git/hooks/pre-commit", "x");
	put_record(COMMIT_FILE, 0755, ".git/HOOKS", "x");
	put_record(COMMIT_FILE, 0644, ".git/config", "x");
	put_record(COMMIT_ATTRIBUTES, 0777, ".git/config", NULL);
	put_record(COMMIT_DELETE, 0, ".git", NULL);
	put_record(COMMIT_FILE, 0644, ".git", "gitdir: d");
	put_record(COMMIT_SYMLINK, 0777, ".git", "d");
	put_record(COMMIT_FILE, 0644, ".env", "x");
	put_record(COMMIT_DELETE, 0, ".env", NULL);
	put_record(COMMIT_DELETE, 0, "d", NULL);
	put_record(COMMIT_FILE, 0644, "d", "x");
	put_record(COMMIT_LINK, 0, "alias", ".git/config");
	put_record(COMMIT_FILE, 0644, ".azure/token", "x");
	put_record(COMMIT_FILE, 0644, "d/.vscode", "x");
	put_record(COMMIT_DIRECTORY, 0755, ".claude", NULL);
	/* and these are kept */
	put_record(COMMIT_FILE, 0644, "d/.env", "made by the guest");
	put_record(COMMIT_FILE, 0644, ".git/index", "x");
	put_record(COMMIT_DELETE, 0, "gone", NULL);
	put_record(COMMIT_DIRECTORY, 0755, ".git", NULL);
	cr_expect_eq(apply(), 0);
	cr_expect_eq(applied, 4, "%d", (int)applied);
	cr_expect_eq(failed, 0, "%d", (int)failed);
	cr_expect_eq(refused, 15, "%d", (int)refused);
	cr_expect_str_eq(text_of("in/.env"), "secret\n");
	cr_expect_str_eq(text_of("in/d/e/k.pem"), "secret\n");
	cr_expect_str_eq(text_of("in/.git/config"), "cfg\n");
	cr_expect_str_eq(text_of("in/d/.env"), "made by the guest");
	cr_expect_str_eq(text_of("in/.git/hooks/pre-commit"), "(missing)");
	cr_expect_str_eq(text_of("in/alias"), "(missing)");
	cr_expect_str_eq(text_of("in/gone/f"), "(missing)");
	guard_free(rules);
	rules = NULL;
}
