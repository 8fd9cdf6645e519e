/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/observe/otlp.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/checked.h"
#include "cmd/observe/otlp_json.h"
#include "cmd/observe/words.h"

/* Processes at one time; the pids limit is no larger. What is beyond has no span. */
#define PROCESSES_MAX 4200u

struct process {
	int pid; /* 0: free */
	int parent;
	uint64_t span, start;
	char name[16];
};

struct otlp {
	FILE *out; /* borrowed */
	uint64_t trace[2], next_span, sandbox_span;
	uint64_t started; /* CLOCK_REALTIME, ns */
	uint64_t last;	  /* ns since then: of the last record */
	char id[32], name[64], command[256], platform[16];
	bool begun, whole, ended;
	int status; /* of the program */
	bool has_status;
	struct process processes[PROCESSES_MAX];
};

struct otlp *otlp_new(FILE *out, const uint64_t random[3], const char *id, const char *name)
{
	struct otlp *otlp = calloc(1, sizeof(*otlp));

	if (!otlp)
		return NULL;
	otlp->out = out;
	otlp->trace[0] = random[0] | 1; /* an id of zeroes is none */
	otlp->trace[1] = random[1];
	otlp->sandbox_span = (random[2] & (UINT64_MAX >> 1)) | 1;
	otlp->next_span = otlp->sandbox_span + 1;
	(void)snprintf(otlp->id, sizeof(otlp->id), "%s", id);
	(void)snprintf(otlp->name, sizeof(otlp->name), "%s", name);
	return otlp;
}

/* ---- a span ---------------------------------------------------------------------------------- */

/* Up to the span's attributes, which are open. */
static yajl_gen begin(const struct otlp *otlp, uint64_t span, uint64_t parent, const char *name,
	uint64_t from, uint64_t to)
{
	yajl_gen gen = yajl_gen_alloc(NULL);

	if (!gen)
		return NULL;
	yajl_gen_map_open(gen);
	words_name(gen, "resourceSpans");
	yajl_gen_array_open(gen);
	yajl_gen_map_open(gen);
	words_name(gen, "resource");
	yajl_gen_map_open(gen);
	words_name(gen, "attributes");
	yajl_gen_array_open(gen);
	otlp_text(gen, "service.name", "sentry");
	otlp_text(gen, "service.version", SENTRY_VERSION);
	otlp_text(gen, "service.instance.id", otlp->id);
	if (otlp->name[0])
		otlp_text(gen, "sentry.sandbox.name", otlp->name);
	yajl_gen_array_close(gen);
	yajl_gen_map_close(gen);
	words_name(gen, "scopeSpans");
	yajl_gen_array_open(gen);
	yajl_gen_map_open(gen);
	words_name(gen, "scope");
	yajl_gen_map_open(gen);
	words_string(gen, "name", "sentry");
	yajl_gen_map_close(gen);
	words_name(gen, "spans");
	yajl_gen_array_open(gen);
	yajl_gen_map_open(gen);
	otlp_trace_id(gen, otlp->trace[0], otlp->trace[1]);
	otlp_id(gen, "spanId", span);
	if (parent)
		otlp_id(gen, "parentSpanId", parent);
	words_string(gen, "name", name);
	words_number(gen, "kind", 1);
	otlp_time(gen, "startTimeUnixNano", otlp->started + from);
	otlp_time(gen, "endTimeUnixNano", otlp->started + to);
	words_name(gen, "attributes");
	yajl_gen_array_open(gen);
	return gen;
}

/* @failed: why, or NULL. */
static void end(struct otlp *otlp, yajl_gen gen, const char *failed)
{
	const unsigned char *bytes;
	size_t size;

	yajl_gen_array_close(gen);
	if (failed) {
		words_name(gen, "status");
		yajl_gen_map_open(gen);
		words_number(gen, "code", 2);
		words_string(gen, "message", failed);
		yajl_gen_map_close(gen);
	}
	yajl_gen_map_close(gen);
	for (int i = 0; i < 3; i++) {
		yajl_gen_array_close(gen);
		yajl_gen_map_close(gen);
	}
	if (yajl_gen_get_buf(gen, &bytes, &size) == yajl_gen_status_ok) {
		(void)fwrite(bytes, 1, size, otlp->out);
		(void)fputc('\n', otlp->out);
	}
	yajl_gen_free(gen);
}

/* How a process ended, as attributes; NULL: well. */
static const char *put_status(yajl_gen gen, int status, char why[48])
{
	if (WIFSIGNALED(status)) {
		otlp_number(gen, "sentry.signal", WTERMSIG(status));
		(void)snprintf(why, 48, "signal %d", WTERMSIG(status));
		return why;
	}
	otlp_number(gen, "process.exit.code", WEXITSTATUS(status));
	(void)snprintf(why, 48, "exit code %d", WEXITSTATUS(status));
	return WEXITSTATUS(status) ? why : NULL;
}

/* ---- processes ------------------------------------------------------------------------------- */

static struct process *find(struct otlp *otlp, int pid)
{
	for (unsigned i = 0; i < PROCESSES_MAX; i++)
		if (otlp->processes[i].pid == pid)
			return &otlp->processes[i];
	return NULL;
}

static uint64_t span_of(struct otlp *otlp, int pid)
{
	const struct process *process = pid > 0 ? find(otlp, pid) : NULL;

	return process ? process->span : otlp->sandbox_span;
}

/* A task is told of when it makes its first call, and with each new program. */
static void take_task(struct otlp *otlp, const struct record_task *task)
{
	const int pid = task->head.pid;
	struct process *process = pid > 0 ? find(otlp, pid) : NULL;

	if (pid <= 0 || (process && task->head.tid != pid))
		return;
	if (!process) {
		process = find(otlp, 0);
		if (!process)
			return;
		*process = (struct process){.pid = pid,
			.parent = task->parent,
			.span = otlp->next_span++,
			.start = task->head.time};
	}
	(void)snprintf(process->name, sizeof(process->name), "%.*s", (int)sizeof(task->name) - 1,
		task->name);
}

static void end_process(struct otlp *otlp, struct process *process, const int *status)
{
	char why[48];
	const char *failed = NULL;
	yajl_gen gen = begin(otlp, process->span, span_of(otlp, process->parent),
		*process->name ? process->name : "process", process->start, otlp->last);

	if (gen) {
		otlp_number(gen, "process.pid", process->pid);
		otlp_number(gen, "process.parent_pid", process->parent);
		failed = status ? put_status(gen, *status, why) : NULL;
		end(otlp, gen, failed);
	}
	process->pid = 0;
}

static void take_exit(struct otlp *otlp, const struct record_exit *exited)
{
	struct process *process = exited->head.pid > 0 ? find(otlp, exited->head.pid) : NULL;

	if (!exited->whole_process)
		return;
	/* Pid 1 is the kernel's own: the program is the second. */
	if (exited->head.pid == 2) {
		otlp->status = exited->status;
		otlp->has_status = true;
	}
	if (process)
		end_process(otlp, process, &exited->status);
}

/* ---- what was refused ------------------------------------------------------------------------ */

static void take_event(struct otlp *otlp, const union record *record)
{
	static const char *const kinds[] = {
		"denied", "limit", "unknown-syscall", "containment-violation"};
	size_t size;
	const char *line = record_event_text(record, &size);
	char *copy = strndup(line, size);
	const char *kind = NULL;
	char mark[48];
	yajl_gen gen;

	for (size_t i = 0; copy && !kind && i < array_size(kinds); i++) {
		(void)snprintf(mark, sizeof(mark), "\"event\":\"%s\"", kinds[i]);
		kind = strstr(copy, mark) ? kinds[i] : NULL;
	}
	if (kind) {
		gen = begin(otlp, otlp->next_span++, span_of(otlp, record->head.pid), kind,
			record->head.time, record->head.time);
		if (gen) {
			otlp_number(gen, "process.pid", record->head.pid);
			otlp_text(gen, "sentry.event", copy);
			end(otlp, gen, kind);
		}
	}
	free(copy);
}

/* ---- the stream ------------------------------------------------------------------------------ */

void otlp_put(struct otlp *otlp, const union record *record)
{
	/* Times are the Sentry's, which may say anything. */
	otlp->last = max_of(otlp->last, record->head.time);
	switch (record->head.kind) {
	case RECORD_BEGIN:
		if (otlp->begun)
			break;
		otlp->begun = true;
		otlp->started = record->begin.started;
		(void)snprintf(otlp->command, sizeof(otlp->command), "%.*s",
			(int)sizeof(otlp->command) - 1, record->begin.command);
		(void)snprintf(otlp->platform, sizeof(otlp->platform), "%.*s",
			(int)sizeof(otlp->platform) - 1, record->begin.platform);
		break;
	case RECORD_TASK:
		take_task(otlp, &record->task);
		break;
	case RECORD_EXIT:
		take_exit(otlp, &record->exit);
		break;
	case RECORD_EVENT:
		take_event(otlp, record);
		break;
	case RECORD_END:
		otlp->whole = true;
		break;
	default:
		break;
	}
}

void otlp_end(struct otlp *otlp)
{
	const char *failed = otlp->whole ? NULL : "the kernel process was killed";
	char why[48];
	yajl_gen gen;

	for (unsigned i = 0; i < PROCESSES_MAX; i++)
		if (otlp->processes[i].pid)
			end_process(otlp, &otlp->processes[i], NULL);
	gen = otlp->begun ? begin(otlp, otlp->sandbox_span, 0, "sandbox", 0, otlp->last) : NULL;
	if (!gen)
		return;
	otlp_text(gen, "process.command_line", otlp->command);
	otlp_text(gen, "sentry.platform", otlp->platform);
	if (otlp->has_status) {
		const char *status = put_status(gen, otlp->status, why);

		failed = failed ? failed : status;
	}
	end(otlp, gen, failed);
}
