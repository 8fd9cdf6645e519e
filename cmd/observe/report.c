/* SPDX-License-Identifier: Apache-2.0 */
/* Adding up a trace. */
#include "cmd/observe/report.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"

#define SLOTS 8192u

/* ---- tallies --------------------------------------------------------------------------------- */

static bool table_init(struct tally_table *table)
{
	table->slots = calloc(SLOTS, sizeof(struct tally *));
	table->all = calloc(REPORT_TALLIES_MAX, sizeof(struct tally *));
	return table->slots && table->all;
}

static void table_fini(struct tally_table *table)
{
	for (unsigned i = 0; i < table->count; i++) {
		free(table->all[i]->name);
		free(table->all[i]);
	}
	free(table->slots);
	free(table->all);
}

static unsigned slot_of(const char *name)
{
	uint64_t hash = 14695981039346656037u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 1099511628211u;
	return (unsigned)(hash ^ hash >> 32) % SLOTS;
}

struct tally *tally_of(struct tally_table *table, const char *name)
{
	unsigned slot = slot_of(name);
	struct tally *tally = table->slots[slot];

	while (tally && strcmp(tally->name, name) != 0)
		tally = tally->next;
	if (tally || table->count == REPORT_TALLIES_MAX)
		return tally;
	tally = calloc(1, sizeof(*tally));
	if (!tally)
		return NULL;
	tally->name = strdup(name);
	if (!tally->name) {
		free(tally);
		return NULL;
	}
	tally->support = "";
	tally->index = table->count;
	tally->next = table->slots[slot];
	table->slots[slot] = tally;
	table->all[table->count++] = tally;
	return tally;
}

static void tally_error(struct tally *tally, const char *name)
{
	unsigned i = 0;

	while (i < tally->error_count && strcmp(tally->errors[i].name, name) != 0)
		i++;
	if (i == REPORT_ERRORS_MAX)
		return;
	if (i == tally->error_count) {
		(void)snprintf(tally->errors[i].name, sizeof(tally->errors[i].name), "%s", name);
		tally->error_count++;
	}
	tally->errors[i].count++;
}

static void tally_add(struct tally *tally, const struct event *event)
{
	double ns = event->latency * 1e9;
	unsigned bin = 0;

	tally->count++;
	tally->host += strcmp(event->answered, "host") == 0;
	tally->injected += strcmp(event->verdict, "injected") == 0;
	tally->refused += strcmp(event->verdict, "refused") == 0 ||
			  strcmp(event->verdict, "unsupported") == 0;
	if (*event->error) {
		tally->failed++;
		tally_error(tally, event->error);
	}
	if (!event->returned)
		return;
	tally->total += event->latency;
	tally->longest = max_of(tally->longest, event->latency);
	while (bin < REPORT_BINS - 1 && ns >= 1) {
		ns /= 2;
		bin++;
	}
	tally->bins[bin]++;
}

/* ---- tasks ----------------------------------------------------------------------------------- */

static struct report_task *task_of(struct report *report, const struct event *event)
{
	for (unsigned i = report->task_count; i > 0; i--)
		if (report->tasks[i - 1].tid == event->tid && report->tasks[i - 1].end < 0)
			return &report->tasks[i - 1];
	if (report->task_count == REPORT_TASKS_MAX || event->tid == 0)
		return NULL;
	report->tasks[report->task_count] = (struct report_task){
		.tid = event->tid, .pid = event->pid, .begin = event->time, .end = -1};
	return &report->tasks[report->task_count++];
}

/* ---- files and addresses --------------------------------------------------------------------- */

static bool has_suffix(const char *text, const char *suffix)
{
	size_t length = strlen(text), wanted = strlen(suffix);

	return length >= wanted && strcmp(text + length - wanted, suffix) == 0;
}

static bool is_path(const char *argument)
{
	return has_suffix(argument, "path") || strcmp(argument, "pathname") == 0 ||
	       strcmp(argument, "filename") == 0;
}

/* What stands between the quotes; a text that was cut off is none. */
static bool unquote(const char *text, char *ret, size_t size)
{
	size_t length = strlen(text);

	if (length < 2 || text[0] != '"' || text[length - 1] != '"' || length - 2 >= size)
		return false;
	memcpy(ret, text + 1, length - 2);
	ret[length - 2] = '\0';
	return true;
}

static unsigned uses_of(const struct event *event)
{
	unsigned uses = 0;

	if (strcmp(event->call, "execve") == 0 || strcmp(event->call, "execveat") == 0)
		return TALLY_EXECUTE;
	for (unsigned i = 0; i < event->arg_count; i++) {
		if (strcmp(event->args[i].name, "flags") != 0)
			continue;
		if (strstr(event->args[i].text, "O_WRONLY") ||
			strstr(event->args[i].text, "O_RDWR") ||
			strstr(event->args[i].text, "O_CREAT") ||
			strstr(event->args[i].text, "O_TRUNC"))
			uses |= TALLY_WRITE;
	}
	if (strncmp(event->call, "open", 4) == 0)
		return uses ? uses : TALLY_READ;
	if (strstr(event->call, "stat") || strstr(event->call, "access") ||
		strstr(event->call, "readlink") || strstr(event->call, "getxattr") ||
		strstr(event->call, "listxattr") || strcmp(event->call, "chdir") == 0)
		return TALLY_READ;
	return TALLY_WRITE;
}

static void take_places(struct report *report, const struct event *event)
{
	char text[1024];

	for (unsigned i = 0; i < event->arg_count; i++) {
		const char *argument = event->args[i].text;
		struct tally *tally = NULL;

		if (is_path(event->args[i].name) && unquote(argument, text, sizeof(text)) &&
			*text) {
			tally = tally_of(&report->files, text);
			if (tally && !*event->error)
				tally->uses |= uses_of(event);
		} else if (strncmp(argument, "{sa_family=", 11) == 0) {
			tally = tally_of(&report->addresses, argument);
			if (tally)
				tally->uses |= strcmp(event->call, "bind") == 0 ? TALLY_BIND
										: TALLY_CONNECT;
		}
		if (tally)
			tally_add(tally, event);
	}
}

/* ---- events ---------------------------------------------------------------------------------- */

static const char *static_support(const char *support)
{
	static const char *const names[] = {"full", "partial", "none"};

	for (size_t i = 0; i < array_size(names); i++)
		if (strcmp(names[i], support) == 0)
			return names[i];
	return "";
}

/* What a frame is called: the function, or the place in its file. */
static void put_frame_name(FILE *out, const struct event_frame *frame)
{
	const char *slash = strrchr(frame->module, '/');
	const char *file = slash ? slash + 1 : frame->module;

	if (frame->python)
		fprintf(out, "%s (%s:%d)", frame->symbol, file, frame->line);
	else if (*frame->symbol)
		fputs(frame->symbol, out);
	else
		fprintf(out, "%s+%s", *file ? file : "?",
			*frame->offset ? frame->offset : frame->address);
}

/* "python3;main;read;read": outermost first, the call last. ';' within a name is another sign. */
static char *origin_of(const struct event *event, const struct report_task *task)
{
	char *name = NULL;
	size_t size;
	FILE *out = open_memstream(&name, &size);

	if (!out)
		return NULL;
	fprintf(out, "%s", task ? task->name : "?");
	for (unsigned i = event->frame_count; i > 0; i--) {
		long before = ftell(out);

		(void)putc(';', out);
		put_frame_name(out, &event->frames[i - 1]);
		if (fflush(out) != 0)
			break;
		for (char *at = name + before + 1; *at; at++)
			if (*at == ';')
				*at = ',';
	}
	fprintf(out, ";%s", event->call);
	if (fclose(out) == 0)
		return name;
	free(name);
	return NULL;
}

static void take_origin(
	struct report *report, const struct event *event, const struct report_task *task)
{
	_cleanup_free_ char *name = origin_of(event, task);
	struct tally *tally = name ? tally_of(&report->origins, name) : NULL;

	if (tally)
		tally_add(tally, event);
	else
		report->dropped++;
}

static void take_denial(struct report *report, const struct event *event)
{
	struct report_denial *denial;

	if (report->denial_count == REPORT_DENIALS_MAX) {
		report->dropped++;
		return;
	}
	denial = &report->denials[report->denial_count];
	denial->time = event->time;
	denial->tid = event->tid;
	denial->call = strdup(event->call);
	denial->verdict = strdup(event->verdict);
	denial->text = strdup(event->text);
	if (denial->call && denial->verdict && denial->text) {
		report->denial_count++;
		return;
	}
	free(denial->call);
	free(denial->verdict);
	free(denial->text);
}

static void take_mark(struct report *report, const struct event *event,
	const struct report_task *task, const struct tally *call)
{
	if (!task)
		return;
	if (report->mark_count == REPORT_TIMELINE_MAX) {
		report->dropped++;
		return;
	}
	report->timeline[report->mark_count++] = (struct report_mark){
		.task = (unsigned)(task - report->tasks),
		.call = call->index,
		.begin = (float)event->time,
		.latency = (float)event->latency,
		.failed = *event->error,
	};
}

static void take_call(struct report *report, const struct event *event)
{
	struct tally *call = tally_of(&report->calls, event->call);
	struct report_task *task = task_of(report, event);

	report->call_count++;
	if (task)
		task->calls++;
	if (!call) {
		report->dropped++;
		return;
	}
	call->nr = event->nr;
	call->support = static_support(event->support);
	tally_add(call, event);
	take_origin(report, event, task);
	take_mark(report, event, task, call);
	take_places(report, event);
	if (strcmp(event->verdict, "refused") == 0 || strcmp(event->verdict, "unsupported") == 0)
		take_denial(report, event);
}

static void take_task(struct report *report, const struct event *event)
{
	struct report_task *task = task_of(report, event);

	if (!task)
		return;
	task->parent = event->parent;
	(void)snprintf(task->name, sizeof(task->name), "%s", event->name);
}

void report_take(void *data, const struct event *event)
{
	struct report *report = data;
	struct report_task *task;
	struct tally *tally;

	report->duration = max_of(report->duration, event->time);
	switch (event->type) {
	case EVENT_BEGIN:
		(void)snprintf(report->command, sizeof(report->command), "%s", event->name);
		(void)snprintf(report->platform, sizeof(report->platform), "%s", event->platform);
		report->started = event->started;
		break;
	case EVENT_CALL:
		take_call(report, event);
		break;
	case EVENT_TASK:
		take_task(report, event);
		break;
	case EVENT_EXIT:
		task = task_of(report, event);
		if (task) {
			task->end = event->time;
			task->status = event->status;
		}
		break;
	case EVENT_COUNT:
		tally = tally_of(&report->calls, event->call);
		if (tally) {
			tally->count += event->count;
			tally->in_guest += event->count;
			tally->nr = event->nr;
			tally->support = static_support(event->support);
		}
		report->call_count += event->count;
		break;
	case EVENT_END:
		report->whole = true;
		break;
	case EVENT_SIGNAL:
	case EVENT_AUDIT:
		break;
	}
}

struct report *report_new(void)
{
	struct report *report = calloc(1, sizeof(*report));

	if (!report)
		return NULL;
	report->tasks = calloc(REPORT_TASKS_MAX, sizeof(*report->tasks));
	report->timeline = calloc(REPORT_TIMELINE_MAX, sizeof(*report->timeline));
	report->denials = calloc(REPORT_DENIALS_MAX, sizeof(*report->denials));
	if (table_init(&report->calls) && table_init(&report->files) &&
		table_init(&report->addresses) && table_init(&report->origins) && report->tasks &&
		report->timeline && report->denials)
		return report;
	report_free(report);
	return NULL;
}

void report_free(struct report *report)
{
	if (!report)
		return;
	table_fini(&report->calls);
	table_fini(&report->files);
	table_fini(&report->addresses);
	table_fini(&report->origins);
	for (unsigned i = 0; i < report->denial_count; i++) {
		free(report->denials[i].call);
		free(report->denials[i].verdict);
		free(report->denials[i].text);
	}
	free(report->denials);
	free(report->timeline);
	free(report->tasks);
	free(report);
}
