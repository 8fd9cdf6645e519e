/* SPDX-License-Identifier: Apache-2.0 */
/* What others read: seccomp profiles, Chrome's trace events, OpenTelemetry. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "cmd/observe/otlp_json.h"
#include "cmd/observe/report.h"
#include "cmd/observe/words.h"

static yajl_gen begin(bool beautiful)
{
	yajl_gen gen = yajl_gen_alloc(NULL);

	if (gen && beautiful)
		yajl_gen_config(gen, yajl_gen_beautify, 1);
	return gen;
}

/* ---- least privilege ------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Nobody asks for these by name: a handled signal ends in the first, which may be answered in the
 * guest and seen by nobody, and a stopped sleep goes on by the second. */
static const char *const implied[] = {"rt_sigreturn", "restart_syscall"};

static bool is_implied(const char *name)
{
	for (size_t i = 0; i < array_size(implied); i++)
		if (strcmp(name, implied[i]) == 0)
			return true;
	return false;
}

int report_seccomp(const struct report *report, unsigned runs, FILE *out)
{
	const char **names = calloc(report->calls.count + array_size(implied), sizeof(*names));
	yajl_gen gen = names ? begin(true) : NULL;
	unsigned count = 0;
	char comment[160];

	if (!gen) {
		free(names);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < report->calls.count; i++)
		if (strncmp(report->calls.all[i]->name, "syscall_", 8) != 0 &&
			!is_implied(report->calls.all[i]->name))
			names[count++] = report->calls.all[i]->name;
	for (size_t i = 0; i < array_size(implied); i++)
		names[count++] = implied[i];
	qsort(names, count, sizeof(*names), by_name);
	(void)snprintf(comment, sizeof(comment),
		"what %u run%s called: a lower bound, other inputs may need more", runs,
		runs == 1 ? "" : "s");
	yajl_gen_map_open(gen);
	words_string(gen, "defaultAction", "SCMP_ACT_ERRNO");
	words_number(gen, "defaultErrnoRet", EPERM);
	words_name(gen, "architectures");
	yajl_gen_array_open(gen);
	words_name(gen, "SCMP_ARCH_X86_64");
	yajl_gen_array_close(gen);
	words_name(gen, "syscalls");
	yajl_gen_array_open(gen);
	yajl_gen_map_open(gen);
	words_name(gen, "names");
	yajl_gen_array_open(gen);
	for (unsigned i = 0; i < count; i++)
		words_name(gen, names[i]);
	yajl_gen_array_close(gen);
	words_string(gen, "action", "SCMP_ACT_ALLOW");
	words_string(gen, "comment", comment);
	yajl_gen_map_close(gen);
	yajl_gen_array_close(gen);
	yajl_gen_map_close(gen);
	free(names);
	return words_finish(gen, out);
}

/* ---- stacks ---------------------------------------------------------------------------------- */

static void put_frame(FILE *out, const struct event_frame *frame)
{
	if (frame->python)
		fprintf(out, "%s (%s:%d)", frame->symbol, frame->module, frame->line);
	else if (*frame->symbol)
		fprintf(out, "%s+%s (%s)", frame->symbol, frame->symbol_offset, frame->module);
	else
		fprintf(out, "%s (%s)", *frame->module ? frame->offset : frame->address,
			*frame->module ? frame->module : "?");
}

/* One frame in words, or (@frame NULL) all of @event, a line each, innermost first; to be freed. */
static char *frames_in_words(const struct event *event, const struct event_frame *frame)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	if (frame)
		put_frame(out, frame);
	for (unsigned i = 0; !frame && i < event->frame_count; i++) {
		if (i > 0)
			(void)putc('\n', out);
		put_frame(out, &event->frames[i]);
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

/*
 * Chrome's "stackFrames": each different frame under the same callers once, by a number that events
 * name ("sf"). So many at most; what is beyond has its stack in words alone.
 */
#define FRAMES_MAX   65536u
#define FRAMES_SLOTS 16384u

struct frames {
	struct frame {
		char *name;
		unsigned parent; /* number; 0: none */
		unsigned next;	 /* with the same hash; 0: none */
	} all[FRAMES_MAX];
	unsigned slots[FRAMES_SLOTS];
	unsigned count; /* numbers begin with 1 */
};

/* The number of the frame @name below @parent; 0: no room. @name is taken over. */
static unsigned frame_number(struct frames *frames, unsigned parent, char *name)
{
	unsigned *slot = &frames->slots[(hash_bytes(name, strlen(name)) + parent) % FRAMES_SLOTS];

	for (unsigned at = *slot; at; at = frames->all[at].next) {
		if (frames->all[at].parent == parent && strcmp(frames->all[at].name, name) == 0) {
			free(name);
			return at;
		}
	}
	if (frames->count + 1 >= FRAMES_MAX) {
		free(name);
		return 0;
	}
	frames->all[++frames->count] =
		(struct frame){.name = name, .parent = parent, .next = *slot};
	*slot = frames->count;
	return frames->count;
}

static unsigned stack_number(struct frames *frames, const struct event *event)
{
	unsigned at = 0;

	for (unsigned i = event->frame_count; i > 0; i--) {
		char *name = frames_in_words(event, &event->frames[i - 1]);

		at = name ? frame_number(frames, at, name) : 0;
		if (!at)
			return 0;
	}
	return at;
}

static void put_stack_frames(struct frames *frames, FILE *out)
{
	char number[16];

	for (unsigned i = 1; i <= frames->count; i++) {
		yajl_gen gen = yajl_gen_alloc(NULL);

		if (!gen)
			break;
		fprintf(out, "%s\"%u\":", i > 1 ? ",\n" : "", i);
		yajl_gen_map_open(gen);
		words_string(gen, "category", "guest");
		words_string(gen, "name", frames->all[i].name);
		(void)snprintf(number, sizeof(number), "%u", frames->all[i].parent);
		if (frames->all[i].parent)
			words_string(gen, "parent", number);
		yajl_gen_map_close(gen);
		(void)words_finish(gen, out);
	}
}

static void frames_free(struct frames *frames)
{
	for (unsigned i = 1; frames && i <= frames->count; i++)
		free(frames->all[i].name);
	free(frames);
}

/* ---- streams --------------------------------------------------------------------------------- */

struct stream {
	FILE *out;
	struct frames *frames; /* of Chrome's trace events */
	struct report *tasks;  /* adds up tasks alone */
	uint64_t number;       /* of objects so far */
	double started;
	char command[256];
};

static void put_separator(struct stream *stream)
{
	if (stream->number++ > 0)
		(void)fputs(",\n", stream->out);
}

static void put_object(struct stream *stream, yajl_gen gen)
{
	put_separator(stream);
	(void)words_finish(gen, stream->out);
}

static void put_us(yajl_gen gen, const char *name, double seconds)
{
	char text[40];
	int size = snprintf(text, sizeof(text), "%.3f", seconds * 1e6);

	words_name(gen, name);
	yajl_gen_number(gen, text, (size_t)size);
}

/* Names of processes and threads are metadata events. */
static void chrome_name(struct stream *stream, const struct event *event, const char *kind)
{
	yajl_gen gen = begin(false);

	if (!gen)
		return;
	yajl_gen_map_open(gen);
	words_string(gen, "name", kind);
	words_string(gen, "ph", "M");
	words_number(gen, "pid", event->pid);
	words_number(gen, "tid", event->tid);
	words_name(gen, "args");
	yajl_gen_map_open(gen);
	words_string(gen, "name", event->name);
	yajl_gen_map_close(gen);
	yajl_gen_map_close(gen);
	put_object(stream, gen);
}

static void chrome_span(struct stream *stream, const struct event *event, const char *phase,
	const char *name, const char *category)
{
	yajl_gen gen = begin(false);
	unsigned stack = event->frame_count ? stack_number(stream->frames, event) : 0;

	if (!gen)
		return;
	yajl_gen_map_open(gen);
	words_string(gen, "name", name);
	words_string(gen, "cat", category);
	words_string(gen, "ph", phase);
	put_us(gen, "ts", event->time);
	if (*phase == 'X')
		put_us(gen, "dur", event->latency);
	else
		words_string(gen, "s", "t");
	words_number(gen, "pid", event->pid);
	words_number(gen, "tid", event->tid);
	words_name(gen, "args");
	yajl_gen_map_open(gen);
	for (unsigned i = 0; i < event->arg_count; i++)
		words_string(gen, event->args[i].name, event->args[i].text);
	if (*phase == 'X') {
		words_string(gen, "returned", event->told);
		words_string(gen, "answered", event->answered);
		words_string(gen, "verdict", event->verdict);
	}
	if (event->frame_count > 0) {
		/* Not all viewers know of numbers of frames; words are shown by each. */
		_cleanup_free_ char *text = frames_in_words(event, NULL);

		words_string(gen, "stack", text ?: "");
		if (*event->site)
			words_string(gen, "site", event->site);
	}
	yajl_gen_map_close(gen);
	if (stack)
		words_number(gen, "sf", stack);
	yajl_gen_map_close(gen);
	put_object(stream, gen);
}

static void chrome_take(void *data, const struct event *event)
{
	struct stream *stream = data;

	switch (event->type) {
	case EVENT_TASK:
		chrome_name(
			stream, event, event->pid == event->tid ? "process_name" : "thread_name");
		break;
	case EVENT_CALL:
		chrome_span(stream, event, "X", event->call, "syscall");
		break;
	case EVENT_SIGNAL:
		chrome_span(stream, event, "i", event->name, "signal");
		break;
	case EVENT_EXIT:
		chrome_span(stream, event, "i", "exit", "task");
		break;
	default:
		break;
	}
}

int report_perfetto(const char *file, FILE *out, const char **ret_why)
{
	struct stream stream = {.out = out, .frames = calloc(1, sizeof(struct frames))};
	int r;

	if (!stream.frames)
		return -ENOMEM;
	(void)fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", out);
	r = events_read(file, chrome_take, &stream, ret_why);
	(void)fputs("\n],\n\"stackFrames\":{", out);
	put_stack_frames(stream.frames, out);
	(void)fputs("}}\n", out);
	frames_free(stream.frames);
	return r;
}

/* ---- OpenTelemetry: opentelemetry.proto.trace.v1 in JSON --------------------------------------
 */

#define SPAN_SANDBOX 1ull
#define SPAN_TASKS   (1ull << 32) /* plus the task's place */
#define SPAN_CALLS   (1ull << 40)

static uint64_t otlp_at(const struct stream *stream, double at)
{
	return (uint64_t)((stream->started + at) * 1e9);
}

/* Up to its attributes, which are open. */
static yajl_gen otlp_begin(const struct stream *stream, uint64_t id, uint64_t parent,
	const char *name, double from, double to)
{
	yajl_gen gen = begin(false);

	if (!gen)
		return NULL;
	yajl_gen_map_open(gen);
	otlp_trace_id(gen, (uint64_t)(stream->started * 1e6), UINT64_C(0x73656e747279));
	otlp_id(gen, "spanId", id);
	if (parent)
		otlp_id(gen, "parentSpanId", parent);
	words_string(gen, "name", name);
	words_number(gen, "kind", 1);
	otlp_time(gen, "startTimeUnixNano", otlp_at(stream, from));
	otlp_time(gen, "endTimeUnixNano", otlp_at(stream, to));
	words_name(gen, "attributes");
	yajl_gen_array_open(gen);
	return gen;
}

static void otlp_end(struct stream *stream, yajl_gen gen, bool failed)
{
	yajl_gen_array_close(gen);
	if (failed) {
		words_name(gen, "status");
		yajl_gen_map_open(gen);
		words_number(gen, "code", 2);
		yajl_gen_map_close(gen);
	}
	yajl_gen_map_close(gen);
	put_object(stream, gen);
}

static uint64_t task_span(const struct report *report, int tid)
{
	for (unsigned i = report->task_count; i > 0; i--)
		if (report->tasks[i - 1].tid == tid)
			return SPAN_TASKS + i;
	return SPAN_SANDBOX;
}

static void otlp_call(struct stream *stream, const struct event *event)
{
	yajl_gen gen = otlp_begin(stream, SPAN_CALLS + stream->number,
		task_span(stream->tasks, event->tid), event->call, event->time,
		event->time + event->latency);

	if (!gen)
		return;
	for (unsigned i = 0; i < event->arg_count; i++)
		otlp_text(gen, event->args[i].name, event->args[i].text);
	otlp_text(gen, "returned", event->told);
	otlp_text(gen, "verdict", event->verdict);
	if (*event->text)
		otlp_text(gen, "event", event->text);
	if (event->frame_count > 0) {
		_cleanup_free_ char *text = frames_in_words(event, NULL);

		otlp_text(gen, "code.stacktrace", text ?: "");
	}
	otlp_end(stream, gen, *event->error);
}

static void otlp_take(void *data, const struct event *event)
{
	struct stream *stream = data;

	if (event->type == EVENT_BEGIN) {
		stream->started = event->started;
		(void)snprintf(stream->command, sizeof(stream->command), "%s", event->name);
	}
	report_take(stream->tasks, event);
	if (event->type == EVENT_CALL)
		otlp_call(stream, event);
}

static void otlp_tasks(struct stream *stream)
{
	const struct report *report = stream->tasks;

	for (unsigned i = 0; i < report->task_count; i++) {
		const struct report_task *task = &report->tasks[i];
		uint64_t parent = SPAN_SANDBOX;
		char number[16];
		yajl_gen gen;

		for (unsigned p = 0; p < i; p++)
			if (report->tasks[p].tid ==
				(task->tid == task->pid ? task->parent : task->pid))
				parent = SPAN_TASKS + p + 1;
		gen = otlp_begin(stream, SPAN_TASKS + i + 1, parent,
			*task->name ? task->name : "task", task->begin,
			task->end < 0 ? report->duration : task->end);
		if (!gen)
			continue;
		(void)snprintf(number, sizeof(number), "%d", task->tid);
		otlp_text(gen, "thread.id", number);
		(void)snprintf(number, sizeof(number), "%d", task->pid);
		otlp_text(gen, "process.pid", number);
		otlp_end(stream, gen, task->end >= 0 && task->status != 0);
	}
}

int report_otlp(const char *file, FILE *out, const char **ret_why)
{
	struct stream stream = {.out = out, .tasks = report_new()};
	yajl_gen gen;
	int r;

	if (!stream.tasks)
		return -ENOMEM;
	(void)fputs("{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\","
		    "\"value\":{\"stringValue\":\"sentry\"}}]},\"scopeSpans\":[{\"scope\":"
		    "{\"name\":\"sentry\",\"version\":\"" SENTRY_VERSION "\"},\"spans\":[\n",
		out);
	r = events_read(file, otlp_take, &stream, ret_why);
	otlp_tasks(&stream);
	gen = otlp_begin(&stream, SPAN_SANDBOX, 0, "sandbox", 0, stream.tasks->duration);
	if (gen) {
		otlp_text(gen, "process.command_line", stream.command);
		otlp_end(&stream, gen, false);
	}
	(void)fputs("\n]}]}]}\n", out);
	report_free(stream.tasks);
	return r;
}
