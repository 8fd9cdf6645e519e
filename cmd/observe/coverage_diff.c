/* SPDX-License-Identifier: Apache-2.0 */
/* What one coverage has that another had not, for people, JUnit and SARIF 2.1.0. */
#include "cmd/observe/coverage_diff.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "cmd/observe/coverage_private.h"
#include "cmd/observe/words.h"

static const struct {
	unsigned bit;
	const char *name, *text;
} kinds[] = {
	{FINDING_NEW_SYSCALL, "new-syscall", "a call that was not made before"},
	{FINDING_NEW_VALUE, "new-value",
		"a flag, request, option or pseudo-file that was not used before"},
	{FINDING_NEW_ENOSYS, "new-enosys", "something that is not there and was not asked for"},
	{FINDING_LOST_SUPPORT, "lost-support", "supported less than before"},
};

bool coverage_diff_kinds(const char *text, unsigned *ret)
{
	unsigned bits = 0;

	for (const char *at = text;; at++) {
		size_t size = strcspn(at, ",");
		bool found = false;

		for (size_t i = 0; i < array_size(kinds); i++) {
			if (strlen(kinds[i].name) == size && memcmp(kinds[i].name, at, size) == 0) {
				bits |= kinds[i].bit;
				found = true;
			}
		}
		if (!found)
			return false;
		at += size;
		if (!*at)
			break;
	}
	*ret = bits;
	return true;
}

static uint64_t error_count(const struct coverage_item *item, int number)
{
	for (unsigned i = 0; item && i < item->error_count; i++)
		if (item->errors[i].number == number)
			return item->errors[i].count;
	return 0;
}

static int rank(const char *support)
{
	static const char *const order[] = {"none", "unknown", "partial", "full"};

	for (size_t i = 0; i < array_size(order); i++)
		if (strcmp(support, order[i]) == 0)
			return (int)i;
	return -1;
}

/* Bits of enum coverage_finding. */
static unsigned findings_of(const struct coverage_item *old, const struct coverage_item *new)
{
	bool is_value = strchr(new->name, ' ');
	unsigned found = 0;

	if (!old)
		found |= is_value ? FINDING_NEW_VALUE : FINDING_NEW_SYSCALL;
	if (error_count(new, ENOSYS) && !error_count(old, ENOSYS))
		found |= FINDING_NEW_ENOSYS;
	if (old && rank(new->support) >= 0 && rank(new->support) < rank(old->support))
		found |= FINDING_LOST_SUPPORT;
	return found;
}

static void describe(const struct coverage_item *old, const struct coverage_item *new,
	unsigned kind, char *ret, size_t size)
{
	switch (kind) {
	case FINDING_NEW_ENOSYS:
		(void)snprintf(ret, size, "%s was answered ENOSYS %" PRIu64 " times; first: %s",
			new->name, error_count(new, ENOSYS), new->seen);
		break;
	case FINDING_LOST_SUPPORT:
		(void)snprintf(ret, size, "the support of %s was %s and is %s", new->name,
			old->support, new->support);
		break;
	default:
		(void)snprintf(ret, size, "%s was used %" PRIu64 " times, support %s; first: %s",
			new->name, new->count, *new->support ? new->support : "-", new->seen);
		break;
	}
}

/* ---- outputs --------------------------------------------------------------------------------- */

struct outputs {
	const struct coverage_diff_config *config;
	FILE *junit;
	yajl_gen sarif;
	unsigned found, failed;
};

static void put_xml(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*text, out);
			break;
		}
	}
}

/* A path as a reference (RFC 3986): what has a meaning there, or none, is written as its number. */
static void put_uri(yajl_gen gen, const char *path)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
	char text[3 * PATH_MAX + 1];
	size_t used = 0;

	for (; *path && used + 4 < sizeof(text); path++) {
		if (strchr(plain, *path))
			text[used++] = *path;
		else
			used += (size_t)snprintf(
				text + used, sizeof(text) - used, "%%%02X", (unsigned char)*path);
	}
	text[used] = '\0';
	words_string(gen, "uri", text);
}

static void sarif_result(const struct outputs *to, size_t kind, const char *text, bool fails)
{
	yajl_gen gen = to->sarif;

	yajl_gen_map_open(gen);
	words_string(gen, "ruleId", kinds[kind].name);
	words_string(gen, "level", fails ? "error" : "note");
	words_name(gen, "message");
	yajl_gen_map_open(gen);
	words_string(gen, "text", text);
	yajl_gen_map_close(gen);
	words_name(gen, "locations");
	yajl_gen_array_open(gen);
	yajl_gen_map_open(gen);
	words_name(gen, "physicalLocation");
	yajl_gen_map_open(gen);
	words_name(gen, "artifactLocation");
	yajl_gen_map_open(gen);
	put_uri(gen, to->config->new_file);
	yajl_gen_map_close(gen);
	yajl_gen_map_close(gen);
	yajl_gen_map_close(gen);
	yajl_gen_array_close(gen);
	yajl_gen_map_close(gen);
}

static void put_finding(struct outputs *to, const struct coverage_item *old,
	const struct coverage_item *new, size_t kind)
{
	bool fails = to->config->fail_on & kinds[kind].bit;
	char text[1024];

	describe(old, new, kinds[kind].bit, text, sizeof(text));
	printf("%s %s: %s\n", fails ? "FAIL" : "note", kinds[kind].name, text);
	to->found++;
	to->failed += fails;
	if (to->sarif)
		sarif_result(to, kind, text, fails);
	if (to->junit && fails) {
		fprintf(to->junit, "    <failure type=\"%s\" message=\"", kinds[kind].name);
		put_xml(to->junit, text);
		fprintf(to->junit, "\"/>\n");
	}
}

static void compare(struct outputs *to, const struct coverage *old, const struct coverage_item *new)
{
	const struct coverage_item *before = coverage_find(old, new->name);
	unsigned found = findings_of(before, new);

	if (to->junit) {
		fprintf(to->junit, "  <testcase classname=\"coverage\" name=\"");
		put_xml(to->junit, new->name);
		fprintf(to->junit, "\">\n");
	}
	for (size_t i = 0; i < array_size(kinds); i++)
		if (found & kinds[i].bit)
			put_finding(to, before, new, i);
	if (to->junit)
		fprintf(to->junit, "  </testcase>\n");
}

/* How many items fail, which JUnit wants to know first. */
static unsigned count_failures(struct coverage_item *const *items, const struct coverage *old,
	unsigned fail_on, size_t *ret_items)
{
	unsigned failures = 0;
	size_t i = 0;

	for (; items[i]; i++)
		failures +=
			(findings_of(coverage_find(old, items[i]->name), items[i]) & fail_on) != 0;
	*ret_items = i;
	return failures;
}

static void sarif_begin(yajl_gen gen)
{
	yajl_gen_config(gen, yajl_gen_beautify, 1);
	yajl_gen_map_open(gen);
	words_string(gen, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
	words_string(gen, "version", "2.1.0");
	words_name(gen, "runs");
	yajl_gen_array_open(gen);
	yajl_gen_map_open(gen);
	words_name(gen, "tool");
	yajl_gen_map_open(gen);
	words_name(gen, "driver");
	yajl_gen_map_open(gen);
	words_string(gen, "name", "sentry coverage");
	words_string(gen, "version", SENTRY_VERSION);
	words_name(gen, "rules");
	yajl_gen_array_open(gen);
	for (size_t i = 0; i < array_size(kinds); i++) {
		yajl_gen_map_open(gen);
		words_string(gen, "id", kinds[i].name);
		words_name(gen, "shortDescription");
		yajl_gen_map_open(gen);
		words_string(gen, "text", kinds[i].text);
		yajl_gen_map_close(gen);
		yajl_gen_map_close(gen);
	}
	yajl_gen_array_close(gen);
	yajl_gen_map_close(gen);
	yajl_gen_map_close(gen);
	words_name(gen, "results");
	yajl_gen_array_open(gen);
}

static int sarif_end(yajl_gen gen, const char *file)
{
	const unsigned char *text;
	size_t size;
	FILE *out;
	int r = 0;

	yajl_gen_array_close(gen);
	yajl_gen_map_close(gen);
	yajl_gen_array_close(gen);
	yajl_gen_map_close(gen);
	out = fopen(file, "we");
	if (!out)
		return -errno;
	if (yajl_gen_get_buf(gen, &text, &size) != yajl_gen_status_ok ||
		fwrite(text, 1, size, out) != size)
		r = -EIO;
	if (fclose(out) != 0 && r == 0)
		r = -errno;
	return r;
}

static int failed_output(const char *file, int error)
{
	fprintf(stderr, "sentry coverage: '%s': %s\n", file, strerror(-error));
	return error;
}

int coverage_diff(const struct coverage *old, const struct coverage *new,
	const struct coverage_diff_config *config)
{
	_cleanup_free_ struct coverage_item **items = coverage_sorted(new);
	struct outputs to = {.config = config};
	size_t item_count = 0;
	unsigned failures;
	int r = 0;

	if (!items)
		return -ENOMEM;
	failures = count_failures(items, old, config->fail_on, &item_count);
	if (config->junit) {
		to.junit = fopen(config->junit, "we");
		if (!to.junit)
			return failed_output(config->junit, -errno);
		fprintf(to.junit,
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
			"<testsuite name=\"sentry coverage\" tests=\"%zu\" failures=\"%u\" "
			"errors=\"0\" skipped=\"0\" time=\"0\">\n",
			item_count, failures);
	}
	if (config->sarif) {
		to.sarif = yajl_gen_alloc(NULL);
		if (to.sarif)
			sarif_begin(to.sarif);
	}
	for (size_t i = 0; items[i]; i++)
		compare(&to, old, items[i]);
	if (to.junit) {
		fprintf(to.junit, "</testsuite>\n");
		if (fclose(to.junit) != 0)
			r = failed_output(config->junit, -errno);
	}
	if (to.sarif) {
		int error = sarif_end(to.sarif, config->sarif);

		yajl_gen_free(to.sarif);
		if (error < 0)
			r = failed_output(config->sarif, error);
	}
	if (to.found == 0)
		printf("nothing is new\n");
	return r < 0 ? r : to.failed > 0;
}
