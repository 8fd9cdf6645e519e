/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/observe/words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_tree.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/syscall_table.h"

const char *const words_verdicts[] = {[VERDICT_ALLOWED] = "allowed",
	[VERDICT_REFUSED] = "refused",
	[VERDICT_UNSUPPORTED] = "unsupported",
	[VERDICT_INJECTED] = "injected"};

static const char *const supports[] = {
	[SYSCALL_NONE] = "none", [SYSCALL_PARTIAL] = "partial", [SYSCALL_FULL] = "full"};

void words_init(struct words *words, FILE *out, enum words_format format)
{
	*words = (struct words){.out = out, .format = format};
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void put_text(yajl_gen gen, const char *text, size_t size)
{
	yajl_gen_string(gen, (const unsigned char *)text, size);
}

void words_string(yajl_gen gen, const char *name, const char *value)
{
	put_text(gen, name, strlen(name));
	put_text(gen, value, strlen(value));
}

void words_number(yajl_gen gen, const char *name, long long value)
{
	put_text(gen, name, strlen(name));
	yajl_gen_integer(gen, value);
}

void words_name(yajl_gen gen, const char *name)
{
	put_text(gen, name, strlen(name));
}

int words_finish(yajl_gen gen, FILE *out)
{
	const unsigned char *text;
	size_t size;
	bool good = yajl_gen_get_buf(gen, &text, &size) == yajl_gen_status_ok &&
		    fwrite(text, 1, size, out) == size;

	yajl_gen_free(gen);
	return good ? 0 : -EIO;
}

/* Seconds, exact to the nanosecond. */
static void put_seconds(yajl_gen gen, const char *name, uint64_t ns)
{
	char text[32];
	int size = snprintf(
		text, sizeof(text), "%" PRIu64 ".%09" PRIu64, ns / 1000000000u, ns % 1000000000u);

	put_text(gen, name, strlen(name));
	yajl_gen_number(gen, text, (size_t)size);
}

/* Bytes that a guest chose, made harmless: backslash, quotes and all that does not print. */
static void put_guest_text(yajl_gen gen, const char *name, const char *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	_cleanup_free_ char *text = malloc(4 * size + 1);
	size_t used = 0;

	for (size_t i = 0; text && i < size && bytes[i]; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		if (byte >= 0x20 && byte < 0x7f) {
			text[used++] = bytes[i];
		} else {
			text[used++] = '\\';
			text[used++] = 'x';
			text[used++] = digits[byte >> 4];
			text[used++] = digits[byte & 15];
		}
	}
	put_text(gen, name, strlen(name));
	put_text(gen, text ?: "", used);
}

/* ---- events that belong to a call ------------------------------------------------------------ */

static void keep_event(struct words *words, const union record *record)
{
	struct words_event *event = &words->events[(uint32_t)record->head.tid % WORDS_EVENTS];
	size_t size;
	const char *text = record_event_text(record, &size);

	if (size >= sizeof(event->text))
		return;
	event->tid = record->head.tid;
	event->time = record->head.time;
	memcpy(event->text, text, size);
	event->text[size] = '\0';
}

/* That of @call; what came before it was about another one, which is not in the trace. */
static const char *take_event(struct words *words, const struct record_call *call)
{
	struct words_event *event = &words->events[(uint32_t)call->head.tid % WORDS_EVENTS];

	if (call->head.tid == 0 || event->tid != call->head.tid || event->time < call->head.time)
		return NULL;
	event->tid = 0;
	return event->text;
}

enum words_verdict words_verdict(const struct record_call *call, const char *event)
{
	bool known = call->nr < LX_NR_COUNT && syscall_info[call->nr].name;

	if (call->flags & RECORD_INJECTED)
		return VERDICT_INJECTED;
	if (event && strstr(event, "\"event\":\"unknown-"))
		return VERDICT_UNSUPPORTED;
	if (call->result == -ENOSYS && (!known || syscall_info[call->nr].support == SYSCALL_NONE))
		return VERDICT_UNSUPPORTED;
	if (event && call->result < 0)
		return VERDICT_REFUSED;
	return VERDICT_ALLOWED;
}

/* ---- records --------------------------------------------------------------------------------- */

static const char *where_answered(const struct record_call *call)
{
	if (call->flags & RECORD_INJECTED)
		return "injected";
	return call->flags & RECORD_HOST ? "host" : "sentry";
}

static void put_arguments(yajl_gen gen, const struct strace_words *told)
{
	char name[16];

	put_text(gen, "args", 4);
	yajl_gen_map_open(gen);
	for (unsigned i = 0; i < told->count; i++) {
		(void)snprintf(name, sizeof(name), "arg%u", i);
		words_string(
			gen, *told->args[i].name ? told->args[i].name : name, told->args[i].text);
	}
	yajl_gen_map_close(gen);
}

static void put_result(yajl_gen gen, const struct record_call *call, const char *told)
{
	const char *error = call->result < 0 ? strerrorname_np((int)-call->result) : NULL;

	if (call->flags & RECORD_NO_RETURN) {
		put_text(gen, "result", 6);
		yajl_gen_null(gen);
		return;
	}
	words_number(gen, "result", call->result);
	words_string(gen, "returned", told);
	if (error)
		words_string(gen, "error", error);
}

/* ---- stacks ---------------------------------------------------------------------------------- */

static void keep_stack(struct words *words, const union record *record)
{
	if (record->head.size <= sizeof(words->stack_bytes))
		memcpy(words->stack_bytes, record, record->head.size);
}

static void put_name(
	yajl_gen gen, const char *member, const struct record_stack *stack, uint32_t offset)
{
	const struct record_frame *frames = (const struct record_frame *)(stack + 1);
	const char *name = (const char *)(frames + stack->frame_count) + offset;

	if (offset != UINT32_MAX)
		put_guest_text(gen, member, name, strlen(name));
}

static void put_hex(yajl_gen gen, const char *member, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%#" PRIx64, value);
	words_string(gen, member, text);
}

static void put_frame(
	yajl_gen gen, const struct record_stack *stack, const struct record_frame *frame)
{
	bool python = frame->kind == RECORD_FRAME_PYTHON;

	yajl_gen_map_open(gen);
	if (python) {
		put_name(gen, "file", stack, frame->module);
		if (frame->line)
			words_number(gen, "line", frame->line);
		put_name(gen, "function", stack, frame->symbol);
	} else {
		put_hex(gen, "address", frame->address);
		put_name(gen, "module", stack, frame->module);
		if (frame->module != UINT32_MAX)
			put_hex(gen, "offset", frame->offset);
		put_name(gen, "symbol", stack, frame->symbol);
		if (frame->symbol != UINT32_MAX)
			put_hex(gen, "symbol_offset", frame->symbol_offset);
	}
	yajl_gen_map_close(gen);
}

/* That of the call of the task @tid, if it has come. */
static void put_stack(struct words *words, yajl_gen gen, int tid)
{
	const struct record_stack *stack = &words->stack;
	const struct record_frame *frames = (const struct record_frame *)(stack + 1);

	if (stack->head.size == 0 || stack->head.tid != tid)
		return;
	put_name(gen, "site", stack, stack->site);
	put_text(gen, "stack", 5);
	yajl_gen_array_open(gen);
	for (uint32_t i = 0; i < stack->frame_count; i++)
		put_frame(gen, stack, &frames[i]);
	yajl_gen_array_close(gen);
	words->stack.head.size = 0;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void put_call(struct words *words, yajl_gen gen, const union record *record)
{
	const struct record_call *call = &record->call;
	const char *event = take_event(words, call);
	bool known = call->nr < LX_NR_COUNT && syscall_info[call->nr].name;
	struct strace_words told;
	char ip[24];

	record_explain(record, &words->call, &told);
	words_string(gen, "call", told.name);
	words_number(gen, "nr", (long long)call->nr);
	put_arguments(gen, &told);
	put_result(gen, call, told.result);
	put_seconds(gen, "latency", call->latency);
	words_string(gen, "answered", where_answered(call));
	words_string(gen, "verdict", words_verdicts[words_verdict(call, event)]);
	words_string(gen, "support", supports[known ? syscall_info[call->nr].support : 0]);
	(void)snprintf(ip, sizeof(ip), "%#" PRIx64, call->ip);
	words_string(gen, "ip", ip);
	if (told.truncated) {
		put_text(gen, "truncated", 9);
		yajl_gen_bool(gen, 1);
	}
	if (event) {
		put_guest_text(gen, "event", event, strlen(event));
	}
	put_stack(words, gen, call->head.tid);
}

static void put_begin(yajl_gen gen, const struct record_begin *begin)
{
	words_number(gen, "version", begin->version);
	put_seconds(gen, "started", begin->started);
	put_guest_text(gen, "command", begin->command, sizeof(begin->command));
	put_guest_text(gen, "platform", begin->platform, sizeof(begin->platform));
}

static void put_count(yajl_gen gen, const struct record_count *count)
{
	bool known = count->nr < LX_NR_COUNT && syscall_info[count->nr].name;

	words_string(gen, "call", known ? syscall_info[count->nr].name : "?");
	words_number(gen, "nr", (long long)count->nr);
	words_number(gen, "count", (long long)count->count);
	words_string(gen, "support", supports[known ? syscall_info[count->nr].support : 0]);
}

/* A member of an event of the gateway's: text, but for what is counted. */
static void put_network_member(yajl_gen gen, const char *name, const char *value)
{
	static const char *const numbers[] = {"sent", "received", "seconds", "addresses"};
	static const char *const ours[] = {"type", "time", "pid", "tid"};
	size_t size = strlen(value);

	if (!*name || strspn(name, "abcdefghijklmnopqrstuvwxyz_") < strlen(name))
		return;
	for (size_t i = 0; i < array_size(ours); i++)
		if (strcmp(name, ours[i]) == 0)
			name = i == 0 ? "record" : "";
	if (!*name)
		return;
	for (size_t i = 0; i < array_size(numbers); i++) {
		if (strcmp(name, numbers[i]) == 0 && size > 0 && size < 20 &&
			strspn(value, "0123456789") > 0 && strspn(value, "0123456789.") == size &&
			value[size - 1] != '.') {
			put_text(gen, name, strlen(name));
			yajl_gen_number(gen, value, size);
			return;
		}
	}
	put_guest_text(gen, name, value, size);
}

static void put_network(yajl_gen gen, const union record *record)
{
	_cleanup_free_ char *text = NULL;
	char message[64];
	yajl_val root;
	size_t size;
	const char *from = record_event_text(record, &size);

	text = strndup(from, size);
	root = text ? yajl_tree_parse(text, message, sizeof(message)) : NULL;
	for (size_t i = 0; root && YAJL_IS_OBJECT(root) && i < root->u.object.len; i++)
		if (YAJL_IS_STRING(root->u.object.values[i]))
			put_network_member(gen, root->u.object.keys[i],
				YAJL_GET_STRING(root->u.object.values[i]));
	if (root)
		yajl_tree_free(root);
}

static void put_volume(yajl_gen gen, const union record *record)
{
	const char *source = record_volume_source(record), *target = record_volume_target(record);

	put_guest_text(gen, "source", source, strlen(source));
	put_guest_text(gen, "target", target, strlen(target));
	words_string(gen, "mode",
		record->volume.mode == RECORD_VOLUME_READ      ? "read"
		: record->volume.mode == RECORD_VOLUME_WRITE   ? "write"
		: record->volume.mode == RECORD_VOLUME_START   ? "start"
		: record->volume.mode == RECORD_VOLUME_ALLOWED ? "allowed"
							       : "copy");
}

static void put_usage(yajl_gen gen, const struct record_usage *usage)
{
	words_number(gen, "memory", (long long)usage->memory);
	words_number(gen, "tasks", (long long)usage->tasks);
	put_seconds(gen, "cpu", usage->cpu_ns);
	words_number(gen, "output", (long long)usage->output_size);
}

static void put_record(struct words *words, yajl_gen gen, const union record *record)
{
	const char *text;
	char signal[16];
	size_t size;

	switch (record->head.kind) {
	case RECORD_BEGIN:
		put_begin(gen, &record->begin);
		break;
	case RECORD_CALL:
		put_call(words, gen, record);
		break;
	case RECORD_TASK:
		words_number(gen, "parent", record->task.parent);
		put_guest_text(gen, "name", record->task.name, sizeof(record->task.name));
		break;
	case RECORD_EXIT:
		words_number(gen, "status", record->exit.status);
		put_text(gen, "process", 7);
		yajl_gen_bool(gen, record->exit.whole_process != 0);
		break;
	case RECORD_SIGNAL:
		(void)snprintf(signal, sizeof(signal), "%s%s",
			sigabbrev_np(record->signal.signo) ? "SIG" : "RT",
			sigabbrev_np(record->signal.signo) ?: "");
		words_string(gen, "signal", signal);
		words_number(gen, "signo", record->signal.signo);
		break;
	case RECORD_EVENT:
		text = record_event_text(record, &size);
		keep_event(words, record);
		put_guest_text(gen, "event", text, size);
		break;
	case RECORD_COUNT:
		put_count(gen, &record->count);
		break;
	case RECORD_NETWORK:
		put_network(gen, record);
		break;
	case RECORD_VOLUME:
		put_volume(gen, record);
		break;
	case RECORD_USAGE:
		put_usage(gen, &record->usage);
		break;
	}
}

static const char *const kinds[] = {[RECORD_BEGIN] = "begin",
	[RECORD_CALL] = "call",
	[RECORD_TASK] = "task",
	[RECORD_EXIT] = "exit",
	[RECORD_SIGNAL] = "signal",
	[RECORD_EVENT] = "audit",
	[RECORD_COUNT] = "answered-in-guest",
	[RECORD_END] = "end",
	[RECORD_NETWORK] = "network",
	[RECORD_VOLUME] = "volume",
	[RECORD_USAGE] = "usage"};

static void put_json(struct words *words, const union record *record)
{
	yajl_gen gen = yajl_gen_alloc(NULL);

	if (!gen)
		return;
	yajl_gen_map_open(gen);
	words_string(gen, "type", kinds[record->head.kind]);
	put_seconds(gen, "time", record->head.time);
	if (record->head.tid) {
		words_number(gen, "pid", record->head.pid);
		words_number(gen, "tid", record->head.tid);
	}
	put_record(words, gen, record);
	yajl_gen_map_close(gen);
	if (words_finish(gen, words->out) == 0)
		(void)putc('\n', words->out);
}

/* ---- text ------------------------------------------------------------------------------------ */

static void put_call_line(struct words *words, const union record *record)
{
	struct strace_words told;

	record_explain(record, &words->call, &told);
	fprintf(words->out, "[%d] %s(", record->head.tid, told.name);
	for (unsigned i = 0; i < told.count; i++)
		fprintf(words->out, "%s%s", i ? ", " : "", told.args[i].text);
	fprintf(words->out, "%s) = %s%s <%.6f>\n", told.truncated ? "..." : "", told.result,
		record->call.flags & RECORD_INJECTED ? " (INJECTED)" : "",
		(double)record->call.latency / 1e9);
}

/* A name that a guest chose. */
static void put_name_text(FILE *out, const struct record_stack *stack, uint32_t offset)
{
	const struct record_frame *frames = (const struct record_frame *)(stack + 1);
	const char *name = (const char *)(frames + stack->frame_count) + offset;

	for (name = offset == UINT32_MAX ? "" : name; *name; name++)
		fprintf(out, (unsigned char)*name >= 0x20 && *name < 0x7f ? "%c" : "\\x%02x",
			(unsigned char)*name);
}

/* As strace -k has it: " > /lib/libc.so.6(write+0x10) [0xf8350]". */
static void put_stack_lines(struct words *words, int tid)
{
	const struct record_stack *stack = &words->stack;
	const struct record_frame *frame = (const struct record_frame *)(stack + 1);
	FILE *out = words->out;

	if (stack->head.size == 0 || stack->head.tid != tid)
		return;
	for (uint32_t i = 0; i < stack->frame_count; i++, frame++) {
		bool python = frame->kind == RECORD_FRAME_PYTHON;

		fputs(" > ", out);
		put_name_text(out, stack, frame->module);
		if (python)
			fprintf(out, ":%" PRIu32, frame->line);
		(void)putc('(', out);
		put_name_text(out, stack, frame->symbol);
		if (!python && frame->symbol != UINT32_MAX)
			fprintf(out, "+%#" PRIx64, frame->symbol_offset);
		(void)putc(')', out);
		if (!python)
			fprintf(out, " [%#" PRIx64 "]",
				frame->module == UINT32_MAX ? frame->address : frame->offset);
		(void)putc('\n', out);
	}
	words->stack.head.size = 0;
}

static void put_line(struct words *words, const union record *record)
{
	int status = record->exit.status;

	switch (record->head.kind) {
	case RECORD_CALL:
		put_call_line(words, record);
		put_stack_lines(words, record->head.tid);
		break;
	case RECORD_SIGNAL:
		fprintf(words->out, "[%d] --- SIG%s ---\n", record->head.tid,
			sigabbrev_np(record->signal.signo) ?: "RT");
		break;
	case RECORD_EXIT:
		if (status & 0x7f)
			fprintf(words->out, "[%d] +++ killed by SIG%s +++\n", record->head.tid,
				sigabbrev_np(status & 0x7f) ?: "RT");
		else
			fprintf(words->out, "[%d] +++ exited with %d +++\n", record->head.tid,
				status >> 8 & 0xff);
		break;
	}
}

void words_put(struct words *words, const union record *record)
{
	if (record->head.kind == RECORD_STACK)
		keep_stack(words, record);
	else if (words->format == WORDS_JSON)
		put_json(words, record);
	else
		put_line(words, record);
}
