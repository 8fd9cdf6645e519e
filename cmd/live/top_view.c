/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `sentry top` shows: the difference of two looks. Lines are made whole and then cut to the
 * width, so that a terminal of any size shows the beginning of each.
 */
#include "cmd/live/top_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/checked.h"
#include "cmd/live/words.h"

#define LINE_SIZE	1024u
#define TOP_CALLS_SHOWN 3u

static const char *const sort_names[] = {[TOP_CPU] = "cpu",
	[TOP_MEMORY] = "memory",
	[TOP_CALLS] = "calls",
	[TOP_DENIED] = "denied",
	[TOP_TIME] = "time"};

struct row {
	const struct state_entry *entry;
	double cpu, calls, errors; /* a second; CPU in % of one processor */
	uint64_t denied;
	struct {
		unsigned nr;
		double rate;
	} top[LIVE_NUMBERS];
	unsigned top_count;
};

const char *top_sort_name(enum top_sort sort)
{
	return sort_names[sort];
}

bool top_sort_parse(const char *name, enum top_sort *ret)
{
	for (unsigned i = 0; i < TOP_SORTS; i++) {
		if (strcmp(sort_names[i], name) == 0) {
			*ret = (enum top_sort)i;
			return true;
		}
	}
	return false;
}

/* ---- differences ----------------------------------------------------------------------------- */

/* A guest may have taken back what it claimed. */
static double since(uint64_t now, uint64_t before)
{
	return now > before ? (double)(now - before) : 0;
}

static uint64_t call_count(const struct live_page *page, unsigned nr)
{
	return page->call[nr].count + page->call[nr].answered;
}

static void take_calls(struct row *row, const struct live_page *now, const struct live_page *before,
	double seconds)
{
	for (unsigned nr = 0; nr < LIVE_NUMBERS; nr++) {
		double rate = since(call_count(now, nr), call_count(before, nr)) / seconds;
		unsigned at = row->top_count;

		row->calls += rate;
		if (rate <= 0)
			continue;
		for (; at > 0 && row->top[at - 1].rate < rate; at--)
			row->top[at] = row->top[at - 1];
		row->top[at].nr = nr;
		row->top[at].rate = rate;
		row->top_count++;
	}
	row->errors = since(now->errors, before->errors) / seconds;
}

static const struct state_entry *earlier(const struct top_look *before, const char *id)
{
	for (unsigned i = 0; before && i < before->list.count; i++)
		if (strcmp(before->list.entries[i]->id, id) == 0)
			return before->list.entries[i];
	return NULL;
}

static double real_time(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double age(const struct state_entry *entry)
{
	return max_of(real_time() - (double)entry->started_ms / 1e3, 0.001);
}

static void take_row(struct row *row, const struct top_look *before, const struct top_look *now,
	const struct state_entry *entry)
{
	static const struct live_page nothing;
	const struct state_entry *old = earlier(before, entry->id);
	double seconds = old ? max_of(now->when - before->when, 0.001) : age(entry);

	*row = (struct row){.entry = entry, .denied = words_denied(&entry->page)};
	row->cpu = since(entry->cpu_ns, old ? old->cpu_ns : 0) / 1e7 / seconds;
	if (entry->has_page)
		take_calls(
			row, &entry->page, old && old->has_page ? &old->page : &nothing, seconds);
}

/* ---- lines ----------------------------------------------------------------------------------- */

static double sort_key(const struct row *row, enum top_sort sort)
{
	switch (sort) {
	case TOP_MEMORY:
		return (double)(row->entry->page.memory + row->entry->page.memory_files);
	case TOP_CALLS:
		return row->calls;
	case TOP_DENIED:
		return (double)row->denied;
	case TOP_TIME:
		return -(double)row->entry->started_ms;
	default:
		return row->cpu;
	}
}

/* Few rows, and in the order of their start, which stays among equals. */
static void sort_rows(struct row **rows, unsigned count, enum top_sort sort)
{
	for (unsigned i = 1; i < count; i++) {
		struct row *row = rows[i];
		unsigned at = i;

		for (; at > 0 && sort_key(rows[at - 1], sort) < sort_key(row, sort); at--)
			rows[at] = rows[at - 1];
		rows[at] = row;
	}
}

struct paper {
	struct top_view *view;
	FILE *out;
	unsigned used; /* lines */
};

static bool full(const struct paper *paper)
{
	return paper->view->rows && paper->used >= paper->view->rows;
}

/* @mark: an attribute of the terminal, or NULL. The last line has no newline, which would scroll.
 */
static void put_line(struct paper *paper, const char *mark, const char *text)
{
	if (full(paper))
		return;
	if (paper->used > 0)
		fputs(paper->view->rows ? "\r\n" : "\n", paper->out);
	if (mark && paper->view->marks)
		fprintf(paper->out, "\x1b[%sm", mark);
	fprintf(paper->out, "%.*s", (int)paper->view->columns, text);
	if (mark && paper->view->marks)
		fputs("\x1b[0m", paper->out);
	if (paper->view->rows)
		fputs("\x1b[K", paper->out);
	paper->used++;
}

static void put_summary(struct paper *paper, struct row **rows, unsigned count)
{
	char line[LINE_SIZE], calls[16], memory[16], clock[16];
	double cpu = 0, all = 0;
	uint64_t bytes = 0, denied = 0;
	time_t now = time(NULL);
	struct tm local;

	for (unsigned i = 0; i < count; i++) {
		cpu += rows[i]->cpu;
		all += rows[i]->calls;
		bytes += rows[i]->entry->page.memory + rows[i]->entry->page.memory_files;
		denied += rows[i]->denied;
	}
	words_count(all, calls, sizeof(calls));
	words_size(bytes, memory, sizeof(memory));
	(void)strftime(clock, sizeof(clock), "%H:%M:%S", localtime_r(&now, &local));
	(void)snprintf(line, sizeof(line),
		"sentry %s by %s  %u sandbox%s  CPU %.1f%%  memory %s  calls %s/s  denied %" PRIu64,
		clock, sort_names[paper->view->sort], count, count == 1 ? "" : "es", cpu, memory,
		calls, denied);
	put_line(paper, "1", line);
}

static void put_row(struct paper *paper, const struct row *row, bool chosen)
{
	const struct live_page *page = &row->entry->page;
	char line[LINE_SIZE], command[512], up[32], memory[16] = "-", calls[16] = "-";
	char tasks[24] = "-", cpu[16] = "-", top[256] = "";
	size_t used = 0;

	words_duration(age(row->entry), up, sizeof(up));
	if (row->entry->has_usage)
		(void)snprintf(cpu, sizeof(cpu), "%.1f", row->cpu);
	if (row->entry->has_page)
		words_count(row->calls, calls, sizeof(calls));
	if (row->entry->has_page && page->sampled_ns) {
		words_size(page->memory + page->memory_files, memory, sizeof(memory));
		(void)snprintf(tasks, sizeof(tasks), "%" PRIu64, page->tasks);
	}
	for (unsigned i = 0; i < min_of(row->top_count, TOP_CALLS_SHOWN); i++)
		used += (size_t)snprintf(top + used, sizeof(top) - used, "%s%s", i ? "," : "",
			words_call(row->top[i].nr));
	words_command(row->entry, 200, command, sizeof(command));
	(void)snprintf(line, sizeof(line),
		"%s %-10.10s %8s %5s %6s %6s %7s %6" PRIu64 "  %-24.24s %s", row->entry->id,
		row->entry->name[0] ? row->entry->name : "-", up, tasks, cpu, memory, calls,
		row->denied, top, command);
	put_line(paper, chosen ? "7" : row->denied && paper->view->colour ? "31" : NULL, line);
}

static void put_calls(struct paper *paper, const struct row *row)
{
	char line[LINE_SIZE], rate[16], total[16], errors[16], guest[16];

	put_line(paper, NULL, "");
	(void)snprintf(line, sizeof(line), "%-18s %8s %8s %8s %8s   of %s", "CALL", "/S", "TOTAL",
		"ERRORS", "IN GUEST", row->entry->name[0] ? row->entry->name : row->entry->id);
	put_line(paper, "1", line);
	for (unsigned i = 0; i < row->top_count && !full(paper); i++) {
		const struct live_call *call = &row->entry->page.call[row->top[i].nr];

		words_count(row->top[i].rate, rate, sizeof(rate));
		words_count((double)(call->count + call->answered), total, sizeof(total));
		words_count((double)call->errors, errors, sizeof(errors));
		words_count((double)call->answered, guest, sizeof(guest));
		(void)snprintf(line, sizeof(line), "%-18s %8s %8s %8s %8s",
			words_call(row->top[i].nr), rate, total, errors, guest);
		put_line(paper, NULL, line);
	}
}

void top_print(
	struct top_view *view, const struct top_look *before, const struct top_look *now, FILE *out)
{
	const unsigned count = now->list.count;
	struct paper paper = {.view = view, .out = out};
	struct row *rows = calloc(count + 1, sizeof(*rows));
	struct row **order = calloc(count + 1, sizeof(struct row *));
	unsigned shown = 0;

	for (; rows && order && shown < count; shown++) {
		take_row(&rows[shown], before, now, now->list.entries[shown]);
		order[shown] = &rows[shown];
	}
	if (view->chosen >= (int)shown)
		view->chosen = (int)shown - 1;
	if (order)
		sort_rows(order, shown, view->sort);
	put_summary(&paper, order, shown);
	put_line(&paper, view->colour ? "7" : "1",
		"ID           NAME             UP TASKS   CPU% MEMORY CALLS/S DENIED  TOP CALLS    "
		"  "
		"          COMMAND");
	for (unsigned i = 0; i < shown; i++)
		put_row(&paper, order[i], (int)i == view->chosen);
	if (view->chosen >= 0)
		put_calls(&paper, order[view->chosen]);
	if (!view->rows)
		fputc('\n', out);
	free(order);
	free(rows);
}
