/* SPDX-License-Identifier: Apache-2.0 */
/* Traces that end anywhere, or have a byte that is another one: read to where they are good, and
 * what is wrong is said. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/syscall_nr.h"
#include "cmd/observe/events.h"
#include "cmd/observe/trace_file.h"
#include "cmd/observe/words.h"

#define TRACE_MAX 8192

struct trace {
	union {
		unsigned char bytes[TRACE_MAX];
		uint64_t align;
	};
	size_t size;
};

static void add(struct trace *trace, struct record_head *head, uint32_t kind, size_t size)
{
	head->kind = kind;
	head->size = (uint32_t)size;
	cr_assert(size % 8 == 0 && trace->size + size <= TRACE_MAX);
	memcpy(trace->bytes + trace->size, head, size);
	trace->size += size;
}

static void add_open(struct trace *trace, const char *name)
{
	struct {
		struct record_call call;
		struct record_read read;
		char bytes[16];
	} made = {.call = {.head = {.pid = 2, .tid = 2, .time = 5},
			  .nr = LX_NR_open,
			  .args = {0x1000},
			  .result = -ENOENT,
			  .entry_size = sizeof(made.read) + sizeof(made.bytes)},
		.read = {.address = 0x1000, .asked = 129, .got = 16}};

	strncpy(made.bytes, name, sizeof(made.bytes) - 1);
	add(trace, &made.call.head, RECORD_CALL, sizeof(made));
}

/* A small one with a record of each kind. */
static void make_trace(struct trace *trace)
{
	struct record_begin begin = {
		.magic = RECORD_MAGIC, .version = RECORD_VERSION, .command = "x", .platform = "p"};
	struct record_task task = {.head = {.pid = 2, .tid = 2}, .parent = 1, .name = "x"};
	struct record_signal sent = {.head = {.pid = 2, .tid = 2}, .signo = 10};
	struct record_exit gone = {.head = {.pid = 2, .tid = 2}, .whole_process = 1};
	struct record_count count = {.nr = LX_NR_getpid, .count = 3};
	struct {
		struct record_volume volume;
		char names[16];
	} shown = {.volume = {.target = 5}, .names = "/a\n/\0/data"};
	struct {
		struct record_head head;
		char text[80];
	} flow = {.text = "{\"event\":\"flow\",\"type\":\"end\",\"to\":\"\\u001b[0m\",\"sent\":"
			  "\"12\"}"};
	struct record_usage usage = {.memory = 1 << 20, .tasks = 2};
	struct record_head end = {.time = 9};

	trace->size = 0;
	add(trace, &begin.head, RECORD_BEGIN, sizeof(begin));
	add(trace, &task.head, RECORD_TASK, sizeof(task));
	add_open(trace, "/a\n\"\x1b[2J</s");
	add(trace, &sent.head, RECORD_SIGNAL, sizeof(sent));
	add_open(trace, "b");
	add(trace, &gone.head, RECORD_EXIT, sizeof(gone));
	add(trace, &count.head, RECORD_COUNT, sizeof(count));
	add(trace, &shown.volume.head, RECORD_VOLUME, sizeof(shown));
	add(trace, &flow.head, RECORD_NETWORK, sizeof(flow));
	add(trace, &usage.head, RECORD_USAGE, sizeof(usage));
	add(trace, &end, RECORD_END, sizeof(end));
}

/* The same as lines. */
static void make_lines(const struct trace *trace, char **ret_text, size_t *ret_size)
{
	struct words *words = malloc(sizeof(*words));
	FILE *out = open_memstream(ret_text, ret_size);
	const union record *record;
	int64_t size;

	cr_assert(words && out);
	words_init(words, out, WORDS_JSON);
	for (size_t at = 0; at < trace->size; at += (size_t)size) {
		size = record_parse(trace->bytes + at, trace->size - at, &record);
		cr_assert_gt(size, 0);
		words_put(words, record);
	}
	cr_assert_eq(fclose(out), 0);
	free(words);
}

static void count_event(void *data, const struct event *event)
{
	++*(unsigned *)data;
}

/* Reads @size bytes as a trace; the number of its events. */
static int read_back(const void *bytes, size_t size, unsigned *ret_events)
{
	char name[] = "/tmp/traces-XXXXXX";
	int fd = mkstemp(name), r;
	const char *why;

	cr_assert(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
	close(fd);
	*ret_events = 0;
	r = events_read(name, count_event, ret_events, &why);
	unlink(name);
	cr_assert(r == 0 || r == TRACE_CUT_OFF || r == -EBADMSG, "%d", r);
	cr_assert(r == 0 || (why && *why && !strchr(why, '\n')));
	return r;
}

static void cut_everywhere(const char *bytes, size_t size, size_t first, unsigned events)
{
	unsigned got, before = 0;

	cr_assert_eq(read_back(bytes, size, &got), 0);
	cr_assert_eq(got, events);
	for (size_t cut = 0; cut < size; cut++) {
		int r = read_back(bytes, cut, &got);

		cr_assert_eq(r, cut < first ? -EBADMSG : TRACE_CUT_OFF, "%zu: %d", cut, r);
		cr_assert(got >= before && got < events, "%zu: %u", cut, got);
		before = got;
	}
}

/* More than is read at once. */
Test(traces, large)
{
	struct record_begin begin = {
		.magic = RECORD_MAGIC, .version = RECORD_VERSION, .command = "x", .platform = "p"};
	struct record_head end = {.time = 9};
	struct trace trace = {0};
	const size_t size = 3u << 20;
	char *all = calloc(1, size);
	size_t used;
	unsigned got;

	cr_assert_not_null(all);
	add(&trace, &begin.head, RECORD_BEGIN, sizeof(begin));
	memcpy(all, trace.bytes, trace.size);
	used = trace.size;
	trace.size = 0;
	add_open(&trace, "name");
	for (; used + 2 * trace.size < size; used += trace.size)
		memcpy(all + used, trace.bytes, trace.size);
	trace.size = 0;
	add(&trace, &end, RECORD_END, sizeof(end));
	memcpy(all + used, trace.bytes, trace.size);
	cr_assert_eq(read_back(all, used + trace.size, &got), 0);
	cr_assert_gt(got, 10000);
	cr_assert_eq(read_back(all, used + trace.size - 1, &got), TRACE_CUT_OFF);
	free(all);
}

Test(traces, cut_anywhere)
{
	struct trace trace;
	char *text;
	size_t size;

	make_trace(&trace);
	make_lines(&trace, &text, &size);
	cut_everywhere((const char *)trace.bytes, trace.size, sizeof(struct record_begin), 11);
	cut_everywhere(text, size, (size_t)(strchr(text, '\n') - text) + 1, 11);
	free(text);
}

Test(traces, any_byte_damaged)
{
	static const unsigned char values[] = {0, 0xff, '"', '\n'};
	struct trace trace;
	char *text;
	size_t size;
	unsigned got;

	make_trace(&trace);
	make_lines(&trace, &text, &size);
	for (size_t at = 0; at < size || at < trace.size; at++) {
		for (size_t i = 0; i < sizeof(values); i++) {
			unsigned char old = trace.bytes[at % trace.size];
			char byte = text[at % size];

			trace.bytes[at % trace.size] = values[i];
			text[at % size] = (char)values[i];
			if (at < trace.size)
				(void)read_back(trace.bytes, trace.size, &got);
			if (at < size)
				(void)read_back(text, size, &got);
			trace.bytes[at % trace.size] = old;
			text[at % size] = byte;
		}
	}
	free(text);
}
