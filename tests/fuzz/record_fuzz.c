/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes what reads traces and coverage, which anybody may have written: the first byte says what
 * the rest is: records (put into words and counted), a coverage file, a selection, an injection,
 * JSON lines.
 * Words must be lines of printable ASCII.
 */
#include <stdlib.h>
#include <string.h>

#include "cmd/observe/coverage.h"
#include "cmd/observe/report.h"
#include "cmd/observe/select.h"
#include "cmd/observe/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lines(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((text[i] < ' ' || text[i] > '~') && text[i] != '\n')
			abort();
}

static void records(const uint8_t *data, size_t size)
{
	static struct words json, text;
	struct coverage *coverage = coverage_new();
	char *lines = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&lines, &length);
	uint64_t *aligned = malloc(size + 8);

	if (!coverage || !out || !aligned)
		abort();
	memcpy(aligned, data, size);
	words_init(&json, out, WORDS_JSON);
	words_init(&text, out, WORDS_TEXT);
	for (size_t at = 0; at < size;) {
		const union record *record;
		int64_t used = record_parse((const uint8_t *)aligned + at, size - at, &record);

		if (used <= 0)
			break;
		words_put(&json, record);
		words_put(&text, record);
		coverage_add(coverage, record);
		at += (size_t)used;
	}
	fclose(out);
	check_lines(lines, length);
	free(lines);
	free(aligned);
	coverage_free(coverage);
}

static void coverage_file(const uint8_t *data, size_t size)
{
	struct coverage *coverage = NULL;
	char *why = NULL;
	FILE *in = size ? fmemopen((void *)data, size, "r") : NULL;

	if (!in)
		return;
	if (coverage_read(in, &coverage, &why) == 0) {
		FILE *out = fopen("/dev/null", "w");

		if (!out || coverage_write(coverage, out) < 0)
			abort();
		fclose(out);
	} else if (!why) {
		abort();
	}
	fclose(in);
	free(why);
	coverage_free(coverage);
}

static void json_lines(const uint8_t *data, size_t size)
{
	struct report *report = report_new();
	FILE *in = size ? fmemopen((void *)data, size, "r") : NULL;
	const char *why = NULL;

	if (in && report && events_read_lines(in, report_take, report, &why) < 0 && !why)
		abort();
	if (in)
		fclose(in);
	report_free(report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t set[OBSERVE_WORDS];
	struct inject_rule rule;
	const char *bad, *why;
	char *text;

	if (size < 1)
		return 0;
	text = strndup((const char *)data + 1, size - 1);
	if (!text)
		return 0;
	switch (data[0] % 5) {
	case 0:
		records(data + 1, size - 1);
		break;
	case 1:
		coverage_file(data + 1, size - 1);
		break;
	case 4:
		json_lines(data + 1, size - 1);
		break;
	case 2:
		(void)select_parse(text, set, &bad);
		break;
	case 3:
		(void)inject_parse(text, &rule, &bad, &why);
		break;
	}
	free(text);
	return 0;
}
