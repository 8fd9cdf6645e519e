/* SPDX-License-Identifier: Apache-2.0 */
/* sentry ps */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/json.h"
#include "cmd/live/state.h"
#include "cmd/live/words.h"

#define COMMAND_WIDTH 32u

static const char usage[] =
	"usage: sentry ps [--format table|json] [--no-trunc] [-q]\n"
	"\n"
	"The sandboxes of this user that run: -q only their ids, --no-trunc whole commands.\n";

struct request {
	bool json, quiet, whole;
};

/* -1: help was asked for. */
static int parse(int argc, char **argv, struct request *ret)
{
	static const struct option options[] = {{"format", required_argument, NULL, 'f'},
		{"no-trunc", no_argument, NULL, 'n'}, {"quiet", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int option;

	*ret = (struct request){0};
	opterr = 0;
	while ((option = getopt_long(argc, argv, "qh", options, NULL)) >= 0) {
		switch (option) {
		case 'f':
			ret->json = strcmp(optarg, "json") == 0;
			if (!ret->json && strcmp(optarg, "table") != 0)
				return -EINVAL;
			break;
		case 'n':
			ret->whole = true;
			break;
		case 'q':
			ret->quiet = true;
			break;
		case 'h':
			return -1;
		default:
			return -EINVAL;
		}
	}
	return optind < argc ? -EINVAL : 0;
}

static double seconds_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void print_row(const struct state_entry *entry, const struct request *request)
{
	char command[16384], up[32], memory[16] = "-", calls[16] = "-", cpu[32] = "-";
	const struct live_page *page = &entry->page;

	words_command(entry, request->whole ? 0 : COMMAND_WIDTH, command, sizeof(command));
	words_duration(seconds_now() - (double)entry->started_ms / 1e3, up, sizeof(up));
	if (entry->has_usage)
		(void)snprintf(cpu, sizeof(cpu), "%.1fs", (double)entry->cpu_ns / 1e9);
	if (entry->has_page && page->sampled_ns)
		words_size(page->memory + page->memory_files, memory, sizeof(memory));
	if (entry->has_page)
		words_count((double)words_calls(page), calls, sizeof(calls));
	printf("%s  %-*s  %8s  %7d", entry->id, (int)COMMAND_WIDTH, command, up, entry->launcher);
	if (entry->has_page && page->sampled_ns)
		printf("  %5llu", (unsigned long long)page->tasks);
	else
		printf("  %5s", "-");
	printf("  %8s  %6s  %6s", cpu, memory, calls);
	if (entry->has_page)
		printf("  %6llu", (unsigned long long)words_denied(page));
	else
		printf("  %6s", "-");
	printf("  %s\n", entry->name);
}

static void print_object(struct json *json, const struct state_entry *entry)
{
	const struct live_page *page = &entry->page;

	json_open(json, NULL, '{');
	json_string(json, "id", entry->id);
	json_string(json, "name", entry->name);
	json_integer(json, "pid", entry->launcher);
	json_integer(json, "kernel_pid", entry->kernel);
	json_integer(json, "started_ms", entry->started_ms);
	json_open(json, "command", '[');
	for (unsigned i = 0; i < entry->word_count; i++)
		json_string(json, NULL, entry->words[i]);
	json_close(json, ']');
	json_string(json, "directory", entry->directory);
	json_string(json, "network", entry->network);
	json_string(json, "log", entry->log);
	json_string(json, "audit", entry->audit);
	json_integer(json, "memory_limit", (long long)entry->memory_limit);
	json_integer(json, "pids_limit", (long long)entry->pids_limit);
	json_integer(json, "cpus", (long long)entry->cpus);
	json_integer(json, "timeout_ms", entry->timeout_ms);
	if (entry->has_usage) {
		json_number(json, "cpu_seconds", (double)entry->cpu_ns / 1e9);
		json_integer(json, "processes", entry->processes);
	}
	if (entry->has_page) {
		json_string(json, "platform", words_platform(page));
		json_integer(json, "calls", (long long)words_calls(page));
		json_integer(json, "errors", (long long)page->errors);
		json_integer(json, "denied", (long long)words_denied(page));
	}
	if (entry->has_page && page->sampled_ns) {
		json_integer(json, "tasks", (long long)page->tasks);
		json_integer(json, "memory", (long long)(page->memory + page->memory_files));
		json_integer(json, "memory_peak", (long long)page->memory_peak);
		json_integer(json, "output_bytes", (long long)page->output);
	}
	json_close(json, '}');
}

static void print_all(const struct state_list *list, const struct request *request)
{
	struct json json = {.out = stdout};

	if (request->json && !request->quiet) {
		json_open(&json, NULL, '[');
		for (unsigned i = 0; i < list->count; i++)
			print_object(&json, list->entries[i]);
		json_close(&json, ']');
		return;
	}
	if (!request->quiet)
		printf("%-*s  %-*s  %8s  %7s  %5s  %8s  %6s  %6s  %6s  %s\n", STATE_ID_SIZE, "ID",
			(int)COMMAND_WIDTH, "COMMAND", "UP", "PID", "TASKS", "CPU", "MEMORY",
			"CALLS", "DENIED", "NAME");
	for (unsigned i = 0; i < list->count; i++) {
		if (request->quiet)
			printf("%s\n", list->entries[i]->id);
		else
			print_row(list->entries[i], request);
	}
}

int command_ps(int argc, char **argv)
{
	struct request request;
	struct state_list list;
	int r = parse(argc, argv, &request);

	if (r != 0) {
		fputs(usage, r == -1 ? stdout : stderr);
		return r == -1 ? 0 : 125;
	}
	if (state_read(&list) < 0)
		return 125;
	if (!list.directory[0] && list.count == 0)
		log_warning("neither $XDG_RUNTIME_DIR nor /run/user/UID is there: sandboxes run, "
			    "but none can be listed");
	print_all(&list, &request);
	state_list_free(&list);
	return 0;
}
