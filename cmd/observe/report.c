/* SPDX-License-Identifier: Apache-2.0 */
/* Adding up a trace. */
#include "cmd/observe/report.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "gateway/address.h"

#define SLOTS	      8192u
#define PATH_SIZE_MAX 4096u

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

/* ---- sockets and descriptors ----------------------------------------------------------------- */

static struct report_socket *socket_slot(struct report *report, int pid, int64_t fd)
{
	return &report->sockets[((uint32_t)pid * 31 + (uint32_t)fd) % REPORT_SOCKETS];
}

static const char *argument_of(const struct event *event, const char *name)
{
	for (unsigned i = 0; i < event->arg_count; i++)
		if (strcmp(event->args[i].name, name) == 0)
			return event->args[i].text;
	return "";
}

/* Of connect(2) it is known when socket(2) was seen; who names an address for a message has no
 * connection. */
static bool is_for_datagrams(struct report *report, const struct event *event)
{
	int fd = atoi(event->arg_count > 0 ? event->args[0].text : "");
	const struct report_socket *slot = socket_slot(report, event->pid, fd);

	return strncmp(event->call, "send", 4) == 0 ||
	       (slot->pid == event->pid && slot->fd == fd && slot->datagrams);
}

static void take_descriptor(struct report *report, const struct event *event)
{
	static const char *const makers[] = {"open", "openat", "openat2", "creat", "socket",
		"accept", "accept4", "dup", "dup2", "dup3", "epoll_create", "epoll_create1",
		"eventfd", "eventfd2", "signalfd", "signalfd4", "timerfd_create", "inotify_init",
		"inotify_init1", "memfd_create", "pidfd_open", "fcntl"};

	if (event->result < 0 || event->result > 1 << 20)
		return;
	if (strcmp(event->call, "socket") == 0)
		*socket_slot(report, event->pid, event->result) =
			(struct report_socket){.pid = event->pid,
				.fd = (int)event->result,
				.datagrams = strstr(argument_of(event, "type"), "SOCK_DGRAM")};
	if (strcmp(event->call, "fcntl") == 0 &&
		strncmp(argument_of(event, "cmd"), "F_DUPFD", 7) != 0)
		return;
	for (size_t i = 0; i < array_size(makers); i++)
		if (strcmp(makers[i], event->call) == 0)
			report->highest_fd = max_of(report->highest_fd, (unsigned)event->result);
}

/* ---- files and addresses of a call ------------------------------------------------------------
 */

/* The absolute path of the argument @i, which is @text; NULL: it cannot be told. */
static char *absolute(
	const struct event *event, unsigned i, const struct report_task *task, const char *text)
{
	char *path = NULL;

	if (text[0] == '/')
		return strdup(text);
	if (i > 0 && has_suffix(event->args[i - 1].name, "dirfd") &&
		strcmp(event->args[i - 1].text, "AT_FDCWD") != 0)
		return NULL;
	if (!task || !task->directory || strlen(task->directory) + strlen(text) > PATH_SIZE_MAX ||
		asprintf(&path, "%s/%s", task->directory, text) < 0)
		return NULL;
	return path;
}

static void take_path(struct report *report, const struct event *event, unsigned i,
	const struct report_task *task, const char *text)
{
	_cleanup_free_ char *path = NULL;
	struct tally *tally;

	if (*event->error || !event->returned)
		return;
	path = absolute(event, i, task, text);
	tally = path ? tally_of(&report->paths, path) : NULL;
	if (tally)
		tally->uses |= uses_of(event);
	else
		report->vague_uses |= uses_of(event);
}

static void take_directory(struct report *report, const struct event *event)
{
	struct report_task *task = task_of(report, event);
	char text[1024], *path;

	if (!task || *event->error || !event->returned)
		return;
	if (strcmp(event->call, "fchdir") == 0 || strcmp(event->call, "chroot") == 0) {
		free(task->directory);
		task->directory = NULL;
	}
	if (strcmp(event->call, "chdir") != 0 || event->arg_count < 1)
		return;
	path = unquote(event->args[0].text, text, sizeof(text)) ? absolute(event, 0, task, text)
								: NULL;
	free(task->directory);
	task->directory = path;
}

static void take_places(
	struct report *report, const struct event *event, const struct report_task *task)
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
			take_path(report, event, i, task, text);
		} else if (strncmp(argument, "{sa_family=", 11) == 0) {
			tally = tally_of(&report->addresses, argument);
			if (tally)
				tally->uses |= strcmp(event->call, "bind") == 0 ? TALLY_BIND
					       : is_for_datagrams(report, event)
						       ? TALLY_CONNECT | TALLY_DATAGRAMS
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

/* ';' within a name would begin another. */
static void put_part(FILE *out, const char *name)
{
	for (; *name; name++)
		(void)putc(*name == ';' ? ',' : *name, out);
}

/* "python3;main;read;read": outermost first, the call last. ';' within a name is another sign. */
static char *origin_of(const struct event *event, const struct report_task *task)
{
	char *name = NULL;
	size_t size;
	FILE *out = open_memstream(&name, &size);

	if (!out)
		return NULL;
	put_part(out, task ? task->name : "?");
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
	(void)putc(';', out);
	put_part(out, event->call);
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
	take_places(report, event, task);
	take_descriptor(report, event);
	take_directory(report, event);
	if (strcmp(event->verdict, "refused") == 0 || strcmp(event->verdict, "unsupported") == 0)
		take_denial(report, event);
}

/* Where a new task works: where its parent does; the first one where the sandbox says. */
static char *directory_of(const struct report *report, const struct event *event)
{
	const int from = event->tid == event->pid ? event->parent : event->pid;

	for (unsigned i = report->task_count; i > 0; i--) {
		const struct report_task *task = &report->tasks[i - 1];

		if (task->tid == from && task->tid != event->tid)
			return task->directory ? strdup(task->directory) : NULL;
	}
	return report->start ? strdup(report->start) : NULL;
}

static void take_task(struct report *report, const struct event *event)
{
	struct report_task *task = task_of(report, event);

	if (!task)
		return;
	task->parent = event->parent;
	if (!task->directory)
		task->directory = directory_of(report, event);
	(void)snprintf(task->name, sizeof(task->name), "%s", event->name);
}

static void take_allowed(struct report *report, const char *pattern)
{
	char *copy;

	for (unsigned i = 0; i < report->allowed_count; i++)
		if (strcmp(report->allowed[i], pattern) == 0)
			return;
	copy = report->allowed_count < REPORT_VOLUMES_MAX ? strdup(pattern) : NULL;
	if (copy)
		report->allowed[report->allowed_count++] = copy;
}

static void take_volume(struct report *report, const struct event *event)
{
	struct report_volume *volume = &report->volumes[report->volume_count];

	if (strcmp(event->mode, "start") == 0) {
		free(report->start);
		report->start = strdup(event->target);
		return;
	}
	if (strcmp(event->mode, "allowed") == 0) {
		take_allowed(report, event->target);
		return;
	}
	for (unsigned i = 0; i < report->volume_count; i++)
		if (strcmp(report->volumes[i].target, event->target) == 0)
			return;
	if (report->volume_count == REPORT_VOLUMES_MAX)
		return;
	*volume = (struct report_volume){.source = strdup(event->source),
		.target = strdup(event->target),
		.writable = strcmp(event->mode, "write") == 0,
		.copy = strcmp(event->mode, "copy") == 0};
	if (volume->source && volume->target) {
		report->volume_count++;
	} else {
		free(volume->source);
		free(volume->target);
	}
}

/* "1.2.3.4:53", "[::1]:53": the address alone, and whether it is public. */
static bool take_apart(const char *to, char *ret_host, size_t size, unsigned *ret_port)
{
	const char *colon = strrchr(to, ':');
	const char *host = *to == '[' ? to + 1 : to;
	size_t length = colon && colon > host ? (size_t)(colon - host) : 0;

	if (*to == '[' && length > 0)
		length--; /* the other bracket */
	if (length == 0 || length >= size)
		return false;
	memcpy(ret_host, host, length);
	ret_host[length] = '\0';
	*ret_port = (unsigned)strtoul(colon + 1, NULL, 10);
	return *ret_port > 0 && *ret_port < 65536;
}

static void add_flow(struct report *report, const struct event *event, const char *host,
	unsigned port, bool special)
{
	const bool udp = strcmp(event->network.protocol, "udp") == 0;
	const bool inward = strcmp(event->network.direction, "in") == 0;
	char name[400];
	struct tally *tally;

	(void)snprintf(name, sizeof(name), "%s%s %.253s %u", inward ? "in " : "",
		udp ? "udp" : "tcp", host, port);
	tally = tally_of(&report->flows, name);
	if (!tally)
		return;
	tally->count++;
	tally->sent += event->network.sent;
	tally->received += event->network.received;
	tally->uses |= (udp ? TALLY_DATAGRAMS : 0) | (inward ? TALLY_INWARD : 0) |
		       (special ? TALLY_SPECIAL : 0);
}

/* By the name that it was allowed by; else each that was looked up and led there, since it cannot
 * be told which was meant; else the address. */
static void take_flow(struct report *report, const struct event *event)
{
	char host[64];
	const char *names;
	bool special;
	struct gate_address address;
	unsigned port;

	if (!take_apart(event->network.to, host, sizeof(host), &port) ||
		gate_address_parse(host, &address) < 0)
		return;
	names = *event->network.domain ? event->network.domain : event->network.names;
	special = gate_address_special(&address);
	if (!*names)
		add_flow(report, event, host, port, special);
	while (*names) {
		char name[256];
		size_t size = strcspn(names, ",");

		(void)snprintf(name, sizeof(name), "%.*s", (int)min_of(size, sizeof(name)), names);
		add_flow(report, event, name, port, special);
		names += size + (names[size] == ',');
	}
}

static void take_network(struct report *report, const struct event *event)
{
	struct event denied = *event;
	char *text = NULL;
	struct tally *tally;

	if (strcmp(event->network.event, "flow") == 0) {
		take_flow(report, event);
	} else if (strcmp(event->network.event, "name") == 0) {
		tally = tally_of(&report->names, event->network.name);
		if (tally)
			tally->count++;
	} else if (strcmp(event->network.event, "denied") == 0 &&
		   asprintf(&text, "%s %s %s: %s; allow it with %s", event->network.protocol,
			   *event->network.to ? event->network.to : event->network.name,
			   event->network.domain, event->network.rule, event->network.allow) >= 0) {
		denied.call = "(network)";
		denied.verdict = "refused";
		denied.text = text;
		take_denial(report, &denied);
		free(text);
	}
}

static void take_usage(struct report *report, const struct event *event)
{
	report->usage.known = true;
	report->usage.memory = max_of(report->usage.memory, event->memory);
	report->usage.tasks = max_of(report->usage.tasks, event->tasks);
	report->usage.output = max_of(report->usage.output, event->output);
	report->usage.cpu = max_of(report->usage.cpu, event->cpu);
}

void report_take(void *data, const struct event *event)
{
	struct report *report = data;
	struct report_task *task;
	struct tally *tally;

	report->duration = max_of(report->duration, event->time);
	report->longest = max_of(report->longest, event->time);
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
	case EVENT_NETWORK:
		take_network(report, event);
		break;
	case EVENT_VOLUME:
		take_volume(report, event);
		break;
	case EVENT_USAGE:
		take_usage(report, event);
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
		table_init(&report->addresses) && table_init(&report->origins) &&
		table_init(&report->flows) && table_init(&report->names) &&
		table_init(&report->paths) && report->tasks && report->timeline && report->denials)
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
	table_fini(&report->flows);
	table_fini(&report->names);
	table_fini(&report->paths);
	for (unsigned i = 0; i < report->task_count; i++)
		free(report->tasks[i].directory);
	for (unsigned i = 0; i < report->volume_count; i++) {
		free(report->volumes[i].source);
		free(report->volumes[i].target);
	}
	for (unsigned i = 0; i < report->allowed_count; i++)
		free(report->allowed[i]);
	free(report->start);
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
