/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/fcntl.h"
#include "cmd/observe/coverage_private.h"
#include "cmd/observe/words.h"

/* A call that read the string @path at @address. */
static const union record *call_record(
	uint64_t nr, uint64_t address, const char *path, uint64_t flags, int64_t result)
{
	static union record record;
	struct record_read *read = (struct record_read *)(&record.call + 1);
	size_t size = strlen(path) + 1, padded = (size + 7) & ~(size_t)7;

	memset(&record, 0, sizeof(record.call) + sizeof(*read) + padded);
	record.call = (struct record_call){.head = {.kind = RECORD_CALL, .pid = 2, .tid = 2},
		.nr = nr,
		.args = {(uint64_t)-100, address, flags},
		.result = result,
		.latency = 3000,
		.entry_size = (uint32_t)(sizeof(*read) + padded)};
	*read = (struct record_read){
		.address = address, .asked = STRACE_PATH_MAX + 1, .got = (int32_t)size};
	memcpy(read + 1, path, size);
	record.head.size = (uint32_t)(sizeof(record.call) + sizeof(*read) + padded);
	return &record;
}

static char *written(const struct coverage *coverage)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert_eq(coverage_write(coverage, out), 0);
	fclose(out);
	return text;
}

static int read_text(const char *text, struct coverage **ret, char **ret_why)
{
	FILE *in = *text ? fmemopen((void *)text, strlen(text), "r") : fopen("/dev/null", "r");
	int r = coverage_read(in, ret, ret_why);

	fclose(in);
	return r;
}

Test(coverage, counts)
{
	struct coverage *coverage = coverage_new();
	const struct coverage_item *item;

	coverage_add(coverage, call_record(LX_NR_openat, 0x1000, "/proc/12/maps", LX_O_CLOEXEC, 3));
	coverage_add(coverage, call_record(LX_NR_openat, 0x1000, "/etc/x", LX_O_CREAT, -ENOENT));
	item = coverage_find(coverage, "openat");
	cr_assert(item && item->count == 2);
	cr_assert_str_eq(item->support, "full");
	cr_assert(item->error_count == 1 && item->errors[0].number == ENOENT &&
		  item->errors[0].count == 1);
	cr_assert_eq(item->latencies[12], 2);
	cr_assert_not_null(coverage_find(coverage, "openat flags O_CLOEXEC"));
	cr_assert_not_null(coverage_find(coverage, "openat flags O_CREAT"));
	cr_assert_not_null(coverage_find(coverage, "openat flags O_RDONLY"));
	cr_assert_not_null(coverage_find(coverage, "file /proc/N/maps"));
	cr_assert_null(coverage_find(coverage, "file /etc/x"));
	coverage_free(coverage);
}

Test(coverage, written_read_and_added)
{
	struct coverage *one = coverage_new(), *two = NULL;
	char *why, *text, *again;

	coverage_add(one, call_record(LX_NR_openat, 0x1000, "/dev/n\"u\nll", 0, -ENOENT));
	text = written(one);
	cr_assert_null(strchr(strstr(text, "/dev/n"), '\r'));
	cr_assert_eq(read_text(text, &two, &why), 0);
	again = written(two);
	cr_assert_str_eq(text, again);
	cr_assert_eq(coverage_merge(two, one), 0);
	cr_assert_eq(coverage_find(two, "openat")->count, 2);
	cr_assert_eq(coverage_find(two, "openat")->errors[0].count, 2);
	free(text);
	free(again);
	coverage_free(one);
	coverage_free(two);
}

Test(coverage, foreign_files)
{
	static const char *const texts[] = {"x", "{", "[]", "{}",
		"{\"sentry_coverage\": 2, \"items\": {}}", "{\"sentry_coverage\": 1}",
		"{\"sentry_coverage\": 1, \"items\": {\"a\": 1}}"};
	struct coverage *coverage;
	char *why;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		why = NULL;
		cr_assert_lt(read_text(texts[i], &coverage, &why), 0, "%s", texts[i]);
		cr_assert_not_null(why);
		free(why);
	}
	cr_assert_eq(read_text("", &coverage, &why), 0);
	cr_assert_eq(coverage->item_count, 0);
	coverage_free(coverage);
}

Test(coverage, options_of_other_levels)
{
	struct coverage *coverage = coverage_new();
	union record record;

	memset(&record, 0, sizeof(record.call));
	record.call = (struct record_call){
		.head = {.kind = RECORD_CALL, .size = sizeof(record.call), .pid = 2, .tid = 2},
		.nr = LX_NR_setsockopt,
		.args = {3, 41, 26}};
	coverage_add(coverage, &record);
	cr_assert_not_null(coverage_find(coverage, "setsockopt level 41 0x1a"));
	coverage_free(coverage);
}

/* There are more errors than there is room for. */
Test(coverage, many_errors)
{
	struct coverage *coverage = coverage_new();
	const struct coverage_item *item;
	uint64_t sum = 0;

	for (int number = 1; number <= 40; number++)
		coverage_add(coverage, call_record(LX_NR_openat, 0x1000, "/x", 0, -number));
	item = coverage_find(coverage, "openat");
	cr_assert_leq(item->error_count, COVERAGE_ERRORS);
	for (unsigned i = 0; i < item->error_count; i++)
		sum += item->errors[i].count;
	cr_assert_eq(sum, 40);
	coverage_free(coverage);
}

Test(record, explained_as_it_was)
{
	static struct strace_call call;
	struct strace_words told;

	record_explain(
		call_record(LX_NR_openat, 0x1000, "/a\nb", LX_O_CLOEXEC, -ENOENT), &call, &told);
	cr_assert_str_eq(told.name, "openat");
	cr_assert_eq(told.count, 3);
	cr_assert_str_eq(told.args[0].text, "AT_FDCWD");
	cr_assert_str_eq(told.args[1].text, "\"/a\\nb\"");
	cr_assert_str_eq(told.args[2].text, "O_RDONLY|O_CLOEXEC");
	cr_assert_str_eq(told.result, "-1 ENOENT (No such file or directory)");
}

Test(record, forms)
{
	static union record record;
	const union record *ret;

	record.head = (struct record_head){.size = sizeof(struct record_head), .kind = RECORD_END};
	cr_assert_eq(record_parse(&record, 8, &ret), 0);
	cr_assert_eq(record_parse(&record, sizeof(record.head), &ret), sizeof(record.head));
	record.head.size = 20;
	cr_assert_eq(record_parse(&record, 64, &ret), -EINVAL);
	record.head = (struct record_head){.size = RECORD_SIZE_MAX + 8, .kind = RECORD_END};
	cr_assert_eq(record_parse(&record, 64, &ret), -EINVAL);
	record.head = (struct record_head){.size = 64, .kind = 99};
	cr_assert_eq(record_parse(&record, 64, &ret), -EINVAL);
	record.call = (struct record_call){
		.head = {.size = sizeof(record.call), .kind = RECORD_CALL}, .entry_size = 8};
	cr_assert_eq(record_parse(&record, sizeof(record), &ret), -EINVAL);
}

Test(coverage, names_that_were_made_up)
{
	static const char *const paths[][2] = {{"/dev/shm/sem.mp-1t5c2cw9", "/dev/shm/*"},
		{"/dev/shm", "/dev/shm"}, {"/dev/shm/", "/dev/shm/"},
		{"/proc/12/root/usr/bin/x", "/proc/N/root/*"},
		{"/proc/self/cwd/a", "/proc/self/cwd/*"}, {"/proc/self/fd/12", "/proc/self/fd/N"},
		{"/proc/1/fd/2/x/y", "/proc/N/fd/N/*"}, {"/proc/7/maps", "/proc/N/maps"},
		{"/dev/root/a", "/dev/root/a"}, {"/sys/a b\033", "/sys/a?b?"}};
	static const char old[] =
		"{\"sentry_coverage\":1,\"items\":{\"file /dev/shm/a\":{\"count\":2},"
		"\"file /dev/shm/b\":{\"count\":3}}}";
	FILE *in = fmemopen((void *)old, sizeof(old) - 1, "r");
	struct coverage *coverage;
	char text[40], *why;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		coverage_plain_path(paths[i][0], text, sizeof(text));
		cr_assert_str_eq(text, paths[i][1]);
	}
	/* Older files have them one by one. */
	cr_assert(in && coverage_read(in, &coverage, &why) == 0);
	fclose(in);
	cr_assert_eq(coverage->item_count, 1);
	cr_assert_eq(coverage_find(coverage, "file /dev/shm/*")->count, 5);
	coverage_free(coverage);
}
