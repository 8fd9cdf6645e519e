/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page: a template (report.html, which the build makes a string of) with the numbers as JSON
 * in it. Nothing that a guest named can leave the JSON: "<" is written as an escape, and the page
 * puts it into text nodes only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "base/checked.h"
#include "cmd/observe/report.h"
#include "cmd/observe/words.h"

extern const char report_template[];

#define MARK "@DATA@"

static void put_double(yajl_gen gen, const char *name, double value)
{
	char text[40];
	int size = snprintf(text, sizeof(text), "%.9g", value);

	if (name)
		words_name(gen, name);
	yajl_gen_number(gen, text, (size_t)size);
}

static void put_tally(yajl_gen gen, const struct tally *tally)
{
	unsigned bins = REPORT_BINS;

	yajl_gen_map_open(gen);
	words_string(gen, "name", tally->name);
	words_number(gen, "count", (long long)tally->count);
	words_number(gen, "failed", (long long)tally->failed);
	words_number(gen, "guest", (long long)tally->in_guest);
	words_number(gen, "host", (long long)tally->host);
	words_number(gen, "refused", (long long)tally->refused);
	words_number(gen, "injected", (long long)tally->injected);
	words_number(gen, "uses", tally->uses);
	words_string(gen, "support", tally->support);
	words_number(gen, "sent", (long long)tally->sent);
	words_number(gen, "received", (long long)tally->received);
	put_double(gen, "total", tally->total);
	put_double(gen, "longest", tally->longest);
	while (bins > 0 && !tally->bins[bins - 1])
		bins--;
	words_name(gen, "bins");
	yajl_gen_array_open(gen);
	for (unsigned i = 0; i < bins; i++)
		yajl_gen_integer(gen, (long long)tally->bins[i]);
	yajl_gen_array_close(gen);
	words_name(gen, "errors");
	yajl_gen_map_open(gen);
	for (unsigned i = 0; i < tally->error_count; i++)
		words_number(gen, tally->errors[i].name, (long long)tally->errors[i].count);
	yajl_gen_map_close(gen);
	yajl_gen_map_close(gen);
}

static void put_table(yajl_gen gen, const char *name, const struct tally_table *table)
{
	words_name(gen, name);
	yajl_gen_array_open(gen);
	for (unsigned i = 0; i < table->count; i++)
		put_tally(gen, table->all[i]);
	yajl_gen_array_close(gen);
}

static void put_tasks(yajl_gen gen, const struct report *report)
{
	words_name(gen, "tasks");
	yajl_gen_array_open(gen);
	for (unsigned i = 0; i < report->task_count; i++) {
		const struct report_task *task = &report->tasks[i];

		yajl_gen_map_open(gen);
		words_number(gen, "tid", task->tid);
		words_number(gen, "pid", task->pid);
		words_number(gen, "parent", task->parent);
		words_string(gen, "name", task->name);
		words_number(gen, "status", task->status);
		words_number(gen, "calls", (long long)task->calls);
		put_double(gen, "begin", task->begin);
		put_double(gen, "end", task->end);
		yajl_gen_map_close(gen);
	}
	yajl_gen_array_close(gen);
}

/* [task, call, begin, latency, failed], many: names would be most of the page. */
static void put_timeline(yajl_gen gen, const struct report *report)
{
	words_name(gen, "timeline");
	yajl_gen_array_open(gen);
	for (unsigned i = 0; i < report->mark_count; i++) {
		const struct report_mark *mark = &report->timeline[i];

		yajl_gen_array_open(gen);
		yajl_gen_integer(gen, mark->task);
		yajl_gen_integer(gen, mark->call);
		put_double(gen, NULL, (double)mark->begin);
		put_double(gen, NULL, (double)mark->latency);
		yajl_gen_integer(gen, mark->failed);
		yajl_gen_array_close(gen);
	}
	yajl_gen_array_close(gen);
}

static void put_denials(yajl_gen gen, const struct report *report)
{
	words_name(gen, "denials");
	yajl_gen_array_open(gen);
	for (unsigned i = 0; i < report->denial_count; i++) {
		const struct report_denial *denial = &report->denials[i];

		yajl_gen_map_open(gen);
		put_double(gen, "time", denial->time);
		words_number(gen, "tid", denial->tid);
		words_string(gen, "call", denial->call);
		words_string(gen, "verdict", denial->verdict);
		words_string(gen, "text", denial->text);
		yajl_gen_map_close(gen);
	}
	yajl_gen_array_close(gen);
}

static void put_report(yajl_gen gen, const struct report *report)
{
	yajl_gen_map_open(gen);
	words_string(gen, "command", report->command);
	words_string(gen, "platform", report->platform);
	put_double(gen, "started", report->started);
	put_double(gen, "duration", report->duration);
	words_number(gen, "calls_made", (long long)report->call_count);
	words_name(gen, "whole");
	yajl_gen_bool(gen, report->whole);
	words_number(gen, "dropped", (long long)report->dropped);
	put_table(gen, "calls", &report->calls);
	put_table(gen, "files", &report->files);
	put_table(gen, "addresses", &report->addresses);
	put_table(gen, "origins", &report->origins);
	put_table(gen, "flows", &report->flows);
	words_number(gen, "memory", (long long)report->usage.memory);
	put_double(gen, "cpu", report->usage.cpu);
	put_tasks(gen, report);
	put_timeline(gen, report);
	put_denials(gen, report);
	yajl_gen_map_close(gen);
}

int report_html(const struct report *report, const struct report *other, FILE *out)
{
	const char *mark = strstr(report_template, MARK);
	yajl_gen gen = yajl_gen_alloc(NULL);
	const unsigned char *text;
	size_t size;

	if (!gen)
		return -ENOMEM;
	yajl_gen_map_open(gen);
	words_name(gen, "run");
	put_report(gen, report);
	words_name(gen, "other");
	if (other)
		put_report(gen, other);
	else
		yajl_gen_null(gen);
	yajl_gen_map_close(gen);
	if (!mark || yajl_gen_get_buf(gen, &text, &size) != yajl_gen_status_ok) {
		yajl_gen_free(gen);
		return -ENOMEM;
	}
	(void)fwrite(report_template, 1, (size_t)(mark - report_template), out);
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '<')
			(void)fputs("\\u003c", out);
		else
			(void)putc(text[i], out);
	}
	(void)fputs(mark + strlen(MARK), out);
	yajl_gen_free(gen);
	return ferror(out) ? -EIO : 0;
}
