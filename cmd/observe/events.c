/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading traces for reports. Records become lines first, so that there is one way to understand
 * a trace and not two. A line is untrusted like the rest: its size and depth are bounded, its
 * numbers may be anything.
 */
#include "cmd/observe/events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_tree.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/line.h"
#include "cmd/observe/trace_file.h"
#include "cmd/observe/words.h"

#define LINE_MAX_SIZE (256u << 10)
#define RUN_MAX	      1e9  /* seconds */
#define CLOCK_MAX     1e10 /* since 1970: ns of it fit into 64 bits */

static const char *const types[] = {[EVENT_BEGIN] = "begin",
	[EVENT_CALL] = "call",
	[EVENT_TASK] = "task",
	[EVENT_EXIT] = "exit",
	[EVENT_SIGNAL] = "signal",
	[EVENT_AUDIT] = "audit",
	[EVENT_COUNT] = "answered-in-guest",
	[EVENT_END] = "end",
	[EVENT_NETWORK] = "network",
	[EVENT_VOLUME] = "volume",
	[EVENT_USAGE] = "usage"};

/* ---- members --------------------------------------------------------------------------------- */

static yajl_val member(yajl_val object, const char *name)
{
	const char *path[] = {name, NULL};

	return yajl_tree_get(object, path, yajl_t_any);
}

static const char *text_of(yajl_val object, const char *name)
{
	yajl_val value = member(object, name);

	return value && YAJL_IS_STRING(value) ? YAJL_GET_STRING(value) : "";
}

static double number_of(yajl_val object, const char *name)
{
	yajl_val value = member(object, name);

	return value && YAJL_IS_DOUBLE(value)	 ? YAJL_GET_DOUBLE(value)
	       : value && YAJL_IS_INTEGER(value) ? (double)YAJL_GET_INTEGER(value)
						 : 0;
}

/* Seconds of a sound trace: a foreign one may say anything, which is no time then. */
static double seconds_of(yajl_val object, const char *name, double most)
{
	double value = number_of(object, name);

	return value >= 0 && value <= most ? value : 0;
}

static int64_t integer_of(yajl_val object, const char *name)
{
	yajl_val value = member(object, name);

	return value && YAJL_IS_INTEGER(value) ? YAJL_GET_INTEGER(value) : 0;
}

static int int_of(yajl_val object, const char *name)
{
	int64_t value = integer_of(object, name);

	return value >= INT32_MIN && value <= INT32_MAX ? (int)value : 0;
}

static void take_args(yajl_val root, struct event *event)
{
	yajl_val args = member(root, "args");

	for (size_t i = 0; args && YAJL_IS_OBJECT(args) && i < args->u.object.len &&
			   event->arg_count < EVENT_ARGS_MAX;
		i++) {
		if (!YAJL_IS_STRING(args->u.object.values[i]))
			continue;
		event->args[event->arg_count].name = args->u.object.keys[i];
		event->args[event->arg_count++].text = YAJL_GET_STRING(args->u.object.values[i]);
	}
}

static void take_frame(yajl_val frame, struct event_frame *ret)
{
	ret->python = member(frame, "file");
	ret->module = text_of(frame, ret->python ? "file" : "module");
	ret->symbol = text_of(frame, ret->python ? "function" : "symbol");
	ret->offset = text_of(frame, "offset");
	ret->address = text_of(frame, "address");
	ret->symbol_offset = text_of(frame, "symbol_offset");
	ret->line = int_of(frame, "line");
}

static void take_frames(yajl_val root, struct event *event)
{
	yajl_val frames = member(root, "stack");

	for (size_t i = 0; frames && YAJL_IS_ARRAY(frames) && i < frames->u.array.len &&
			   event->frame_count < EVENT_FRAMES_MAX;
		i++) {
		yajl_val frame = frames->u.array.values[i];

		if (!YAJL_IS_OBJECT(frame))
			continue;
		take_frame(frame, &event->frames[event->frame_count++]);
	}
}

static bool take_type(yajl_val root, struct event *event)
{
	const char *type = text_of(root, "type");

	for (size_t i = 0; i < array_size(types); i++) {
		if (strcmp(types[i], type) == 0) {
			event->type = (enum event_type)i;
			return true;
		}
	}
	return false;
}

static uint64_t count_of(yajl_val object, const char *name)
{
	return (uint64_t)max_of(integer_of(object, name), INT64_C(0));
}

static void take_network(yajl_val root, struct event *event)
{
	event->network.event = text_of(root, "event");
	event->network.protocol = text_of(root, "protocol");
	event->network.direction = text_of(root, "direction");
	event->network.from = text_of(root, "from");
	event->network.to = text_of(root, "to");
	event->network.domain = text_of(root, "domain");
	event->network.names = text_of(root, "names");
	event->network.name = text_of(root, "name");
	event->network.allow = text_of(root, "allow");
	event->network.rule = text_of(root, "rule");
	event->network.end = text_of(root, "end");
	event->network.kind = text_of(root, "kind");
	event->network.sent = count_of(root, "sent");
	event->network.received = count_of(root, "received");
}

/* What the run had and used. */
static void take_sums(yajl_val root, struct event *event)
{
	event->source = text_of(root, "source");
	event->target = text_of(root, "target");
	event->mode = text_of(root, "mode");
	event->memory = count_of(root, "memory");
	event->tasks = count_of(root, "tasks");
	event->output = count_of(root, "output");
	event->cpu = seconds_of(root, "cpu", RUN_MAX);
}

static bool take_event(yajl_val root, struct event *event)
{
	yajl_val result = member(root, "result");

	*event = (struct event){0};
	if (!YAJL_IS_OBJECT(root) || !take_type(root, event))
		return false;
	event->time = seconds_of(root, "time", RUN_MAX);
	event->pid = int_of(root, "pid");
	event->tid = int_of(root, "tid");
	event->call = text_of(root, "call");
	event->nr = int_of(root, "nr");
	take_args(root, event);
	event->returned = result && YAJL_IS_INTEGER(result);
	event->result = integer_of(root, "result");
	event->told = text_of(root, "returned");
	event->error = text_of(root, "error");
	event->answered = text_of(root, "answered");
	event->verdict = text_of(root, "verdict");
	event->support = text_of(root, "support");
	event->ip = text_of(root, "ip");
	event->latency = seconds_of(root, "latency", RUN_MAX);
	event->text = text_of(root, "event");
	event->name = text_of(root, event->type == EVENT_BEGIN	  ? "command"
				    : event->type == EVENT_SIGNAL ? "signal"
								  : "name");
	event->started = seconds_of(root, "started", CLOCK_MAX);
	event->platform = text_of(root, "platform");
	event->parent = int_of(root, "parent");
	event->status = int_of(root, "status");
	event->signo = int_of(root, "signo");
	event->whole_process = member(root, "process") && YAJL_IS_TRUE(member(root, "process"));
	event->count = count_of(root, "count");
	if (event->type == EVENT_NETWORK)
		take_network(root, event);
	else if (event->type == EVENT_VOLUME || event->type == EVENT_USAGE)
		take_sums(root, event);
	event->site = text_of(root, "site");
	take_frames(root, event);
	return true;
}

static bool take_line(const char *line, event_fn *take, void *data, bool *ret_ended)
{
	char message[128];
	yajl_val root = yajl_tree_parse(line, message, sizeof(message));
	struct event event;
	bool good = root && take_event(root, &event);

	if (good) {
		*ret_ended = event.type == EVENT_END;
		take(data, &event);
	}
	if (root)
		yajl_tree_free(root);
	return good;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* Lines of JSON; the first one tells whether it is ours. */
int events_read_lines(FILE *in, event_fn *take, void *data, const char **ret_why)
{
	_cleanup_free_ char *line = NULL;
	static char why[64];
	size_t capacity = 0, number = 0, taken = 0;
	bool ended = false;
	ssize_t size;

	while ((size = line_read(in, &line, &capacity, LINE_MAX_SIZE)) > 0) {
		number++;
		if (size > LINE_MAX_SIZE || strlen(line) != (size_t)size ||
			(number == 1 && !strstr(line, "\"type\":\"begin\"")) ||
			(line[size - 1] == '\n' && !take_line(line, take, data, &ended))) {
			(void)snprintf(why, sizeof(why),
				number == 1 ? "it is not a trace of sentry" : "line %zu is damaged",
				number);
			*ret_why = why;
			return -EBADMSG;
		}
		/* A line that was not finished is no line. */
		if (line[size - 1] != '\n')
			break;
		taken++;
	}
	if (ferror(in))
		return -EIO;
	if (ended)
		return 0;
	*ret_why = number == 0	? "it is empty"
		   : taken == 0 ? "it is cut off in its first line"
				: TRACE_NO_END;
	return taken == 0 ? -EBADMSG : TRACE_CUT_OFF;
}

struct converter {
	struct words words;
	event_fn *take;
	void *data;
};

static void convert(void *data, const union record *record)
{
	struct converter *converter = data;
	char *line = NULL;
	size_t size = 0;
	bool ended;

	converter->words.out = open_memstream(&line, &size);
	if (!converter->words.out)
		return;
	words_put(&converter->words, record);
	(void)fclose(converter->words.out);
	if (line)
		(void)take_line(line, converter->take, converter->data, &ended);
	free(line);
}

static int read_binary(const char *file, event_fn *take, void *data, const char **ret_why)
{
	_cleanup_free_ struct converter *converter = malloc(sizeof(*converter));

	if (!converter)
		return -ENOMEM;
	words_init(&converter->words, NULL, WORDS_JSON);
	converter->take = take;
	converter->data = data;
	return trace_file_read(file, convert, converter, ret_why);
}

int events_read(const char *file, event_fn *take, void *data, const char **ret_why)
{
	FILE *in = fopen(file, "re");
	int first, r;

	*ret_why = NULL;
	if (!in) {
		*ret_why = strerror(errno);
		return -errno;
	}
	first = getc(in);
	if (first == '{') {
		(void)ungetc(first, in);
		r = events_read_lines(in, take, data, ret_why);
	} else {
		r = read_binary(file, take, data, ret_why);
	}
	(void)fclose(in);
	if (r < 0 && !*ret_why)
		*ret_why = strerror(-r);
	return r;
}
