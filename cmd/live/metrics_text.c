/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/): each
 * metric once with HELP and TYPE, all its samples behind them; in label values backslash, quote and
 * newline are escaped.
 */
#include <inttypes.h>
#include <stddef.h>

#include "base/checked.h"
#include "cmd/live/metrics.h"
#include "cmd/live/words.h"

#define COMMAND_WIDTH 200u

static void put_value(FILE *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			fprintf(out, "\\%c", *value);
		else if (*value == '\n')
			fputs("\\n", out);
		else
			fputc(*value, out);
	}
}

static void head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP sentry_%s %s\n# TYPE sentry_%s %s\n", name, help, name, type);
}

static void label(FILE *out, const char *name, const char *value)
{
	fprintf(out, ",%s=\"", name);
	put_value(out, value);
	fputc('"', out);
}

/* Up to its labels, which are open. */
static void sample(FILE *out, const char *name, const struct state_entry *entry)
{
	fprintf(out, "sentry_%s{sandbox=\"%s\"", name, entry->id);
	if (entry->name[0])
		label(out, "name", entry->name);
}

static void put_info(const struct state_list *list, FILE *out)
{
	head(out, "sandboxes", "gauge", "Sandboxes of this user that run.");
	fprintf(out, "sentry_sandboxes %u\n", list->count);
	head(out, "sandbox_info", "gauge", "What runs in a sandbox; always 1.");
	for (unsigned i = 0; i < list->count; i++) {
		const struct state_entry *entry = list->entries[i];
		char command[COMMAND_WIDTH + 1];

		words_command(entry, COMMAND_WIDTH, command, sizeof(command));
		sample(out, "sandbox_info", entry);
		label(out, "command", command);
		label(out, "network", entry->network);
		label(out, "platform", words_platform(&entry->page));
		fputs("} 1\n", out);
	}
}

static bool get_start(const struct state_entry *entry, double *ret)
{
	*ret = (double)entry->started_ms / 1e3;
	return true;
}

static bool get_cpu(const struct state_entry *entry, double *ret)
{
	*ret = (double)entry->cpu_ns / 1e9;
	return entry->has_usage;
}

static bool get_memory(const struct state_entry *entry, double *ret)
{
	*ret = (double)(entry->page.memory + entry->page.memory_files);
	return entry->has_page && entry->page.sampled_ns;
}

static bool get_peak(const struct state_entry *entry, double *ret)
{
	*ret = (double)entry->page.memory_peak;
	return entry->has_page && entry->page.sampled_ns;
}

static bool get_limit(const struct state_entry *entry, double *ret)
{
	*ret = (double)entry->memory_limit;
	return entry->memory_limit;
}

static bool get_tasks(const struct state_entry *entry, double *ret)
{
	*ret = (double)entry->page.tasks;
	return entry->has_page && entry->page.sampled_ns;
}

static bool get_output(const struct state_entry *entry, double *ret)
{
	*ret = (double)entry->page.output;
	return entry->has_page && entry->page.sampled_ns;
}

/* Metrics with one sample for each sandbox. */
static const struct {
	const char *name, *type, *help;
	/* False: not known of this one. */
	bool (*get)(const struct state_entry *entry, double *ret);
} singles[] = {
	{"sandbox_start_time_seconds", "gauge", "When it began, since the epoch.", get_start},
	{"sandbox_cpu_seconds_total", "counter", "CPU time of all its processes.", get_cpu},
	{"sandbox_memory_bytes", "gauge", "Private pages, page tables and files in memory.",
		get_memory},
	{"sandbox_memory_peak_bytes", "gauge", "The most of it, as sampled.", get_peak},
	{"sandbox_memory_limit_bytes", "gauge", "What --memory allows.", get_limit},
	{"sandbox_tasks", "gauge", "Tasks that live.", get_tasks},
	{"sandbox_output_bytes_total", "counter", "Bytes on standard output and error.",
		get_output},
};

static void put_singles(const struct state_list *list, FILE *out)
{
	for (size_t m = 0; m < array_size(singles); m++) {
		head(out, singles[m].name, singles[m].type, singles[m].help);
		for (unsigned i = 0; i < list->count; i++) {
			double value;

			if (!singles[m].get(list->entries[i], &value))
				continue;
			sample(out, singles[m].name, list->entries[i]);
			fprintf(out, "} %.17g\n", value);
		}
	}
}

static void put_events(const struct state_list *list, FILE *out)
{
	static const char *const kinds[] = {[LIVE_DENIED] = "denied",
		[LIVE_UNKNOWN] = "unknown-syscall",
		[LIVE_LIMIT] = "limit",
		[LIVE_VIOLATION] = "containment-violation"};

	head(out, "sandbox_events_total", "counter", "What was refused, by kind of event.");
	for (unsigned i = 0; i < list->count; i++) {
		for (unsigned kind = 0; list->entries[i]->has_page && kind < LIVE_EVENTS; kind++) {
			sample(out, "sandbox_events_total", list->entries[i]);
			label(out, "kind", kinds[kind]);
			fprintf(out, "} %" PRIu64 "\n", list->entries[i]->page.events[kind]);
		}
	}
}

static void put_calls(const struct state_list *list, FILE *out, const char *name, size_t offset)
{
	for (unsigned i = 0; i < list->count; i++) {
		const struct state_entry *entry = list->entries[i];

		for (unsigned nr = 0; entry->has_page && nr < LIVE_NUMBERS; nr++) {
			const uint64_t count =
				*(const uint64_t *)((const char *)&entry->page.call[nr] + offset);

			if (!count)
				continue;
			sample(out, name, entry);
			label(out, "call", words_call(nr));
			fprintf(out, "} %" PRIu64 "\n", count);
		}
	}
}

/* The buckets are cumulative; calls that were not timed are in none. */
static void put_latency(const struct state_list *list, FILE *out)
{
	static const char name[] = "sandbox_syscall_seconds";

	head(out, name, "histogram",
		"How long calls took, waiting included; one of 64 that the kernel answers is "
		"timed.");
	for (unsigned i = 0; i < list->count; i++) {
		const struct state_entry *entry = list->entries[i];
		uint64_t count = 0;

		if (!entry->has_page)
			continue;
		for (unsigned n = 0; n < LIVE_BUCKETS; n++) {
			char limit[32];

			count += entry->page.buckets[n];
			(void)snprintf(limit, sizeof(limit), "%.9g",
				(double)(UINT64_C(1) << (n + LIVE_BUCKET_SHIFT)) / 1e9);
			sample(out, "sandbox_syscall_seconds_bucket", entry);
			label(out, "le", n + 1 < LIVE_BUCKETS ? limit : "+Inf");
			fprintf(out, "} %" PRIu64 "\n", count);
		}
		sample(out, "sandbox_syscall_seconds_sum", entry);
		fprintf(out, "} %.9f\n", (double)entry->page.timed_ns / 1e9);
		sample(out, "sandbox_syscall_seconds_count", entry);
		fprintf(out, "} %" PRIu64 "\n", count);
	}
}

void metrics_write(const struct state_list *list, FILE *out)
{
	put_info(list, out);
	put_singles(list, out);
	put_events(list, out);
	head(out, "sandbox_syscalls_total", "counter", "Calls that the kernel answered.");
	put_calls(list, out, "sandbox_syscalls_total", offsetof(struct live_call, count));
	head(out, "sandbox_syscall_errors_total", "counter",
		"Calls that it answered with an error.");
	put_calls(list, out, "sandbox_syscall_errors_total", offsetof(struct live_call, errors));
	head(out, "sandbox_guest_syscalls_total", "counter",
		"Calls that were answered within the guest, as guests claim.");
	put_calls(list, out, "sandbox_guest_syscalls_total", offsetof(struct live_call, answered));
	put_latency(list, out);
}
