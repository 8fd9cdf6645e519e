/* SPDX-License-Identifier: Apache-2.0 */
/* sentry coverage merge|show|diff */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "cmd/commands.h"
#include "cmd/observe/coverage_diff.h"
#include "cmd/observe/coverage_private.h"

static const char usage[] =
	"usage: sentry coverage show [--format table|json|csv] [--all] FILE\n"
	"       sentry coverage merge -o FILE FILE...\n"
	"       sentry coverage diff OLD NEW [--fail-on new-enosys,new-syscall,lost-support]\n"
	"                                    [--junit FILE] [--sarif FILE]\n";

static int wrong_usage(void)
{
	fputs(usage, stderr);
	return 125;
}

static struct coverage *load(const char *file)
{
	FILE *in = fopen(file, "re");
	struct coverage *coverage = NULL;
	char *why = NULL;
	int r;

	if (!in) {
		fprintf(stderr, "sentry coverage: '%s': %s\n", file, strerror(errno));
		return NULL;
	}
	r = coverage_read(in, &coverage, &why);
	(void)fclose(in);
	if (r < 0)
		fprintf(stderr, "sentry coverage: '%s': %s\n", file, why ? why : strerror(-r));
	free(why);
	return r < 0 ? NULL : coverage;
}

/* ---- show ------------------------------------------------------------------------------------ */

static bool is_call(const struct coverage_item *item)
{
	return !strchr(item->name, ' ');
}

/* The upper end of the bin with the @share-th of the calls, in words. */
static void put_latency(const struct coverage_item *item, double share, char *ret, size_t size)
{
	uint64_t total = 0, passed = 0;
	unsigned bin = 0;
	double ns;

	for (unsigned i = 0; i < COVERAGE_LATENCIES; i++)
		total += item->latencies[i];
	if (total == 0) {
		(void)snprintf(ret, size, "-");
		return;
	}
	for (; bin < COVERAGE_LATENCIES - 1; bin++) {
		passed += item->latencies[bin];
		if ((double)passed >= share * (double)total)
			break;
	}
	ns = (double)(1ull << bin);
	if (ns < 1e3)
		(void)snprintf(ret, size, "%.0f ns", ns);
	else if (ns < 1e6)
		(void)snprintf(ret, size, "%.1f us", ns / 1e3);
	else if (ns < 1e9)
		(void)snprintf(ret, size, "%.1f ms", ns / 1e6);
	else
		(void)snprintf(ret, size, "%.1f s", ns / 1e9);
}

static void put_errors(const struct coverage_item *item, const char *separator)
{
	for (unsigned i = 0; i < item->error_count; i++) {
		const char *name =
			item->errors[i].number ? strerrorname_np(item->errors[i].number) : "other";

		printf("%s%s:%" PRIu64, i ? separator : "", name ? name : "?",
			item->errors[i].count);
	}
}

static void show_table(struct coverage_item *const *items, bool all)
{
	printf("%-40s %-8s %10s %10s %9s %9s  %s\n", "call", "support", "count", "in guest",
		"median", "p99", "errors");
	for (size_t i = 0; items[i]; i++) {
		char median[24], p99[24];

		if (!all && !is_call(items[i]))
			continue;
		put_latency(items[i], 0.5, median, sizeof(median));
		put_latency(items[i], 0.99, p99, sizeof(p99));
		printf("%-40s %-8s %10" PRIu64 " %10" PRIu64 " %9s %9s  ", items[i]->name,
			items[i]->support, items[i]->count, items[i]->in_guest, median, p99);
		put_errors(items[i], " ");
		putchar('\n');
	}
}

static void show_csv(struct coverage_item *const *items)
{
	printf("name,support,count,in_guest,errors,seen\n");
	for (size_t i = 0; items[i]; i++) {
		printf("\"%s\",%s,%" PRIu64 ",%" PRIu64 ",", items[i]->name, items[i]->support,
			items[i]->count, items[i]->in_guest);
		put_errors(items[i], " ");
		printf(",\"");
		for (const char *at = items[i]->seen; *at; at++)
			printf(*at == '"' ? "\"\"" : "%c", *at);
		printf("\"\n");
	}
}

static int show(int argc, char **argv)
{
	static const struct option options[] = {{"format", required_argument, NULL, 'f'},
		{"all", no_argument, NULL, 'a'}, {NULL, 0, NULL, 0}};
	const char *format = "table";
	_cleanup_free_ struct coverage_item **items = NULL;
	struct coverage *coverage;
	bool all = false;
	int option, r = 0;

	while ((option = getopt_long(argc, argv, "f:a", options, NULL)) >= 0) {
		if (option == 'f')
			format = optarg;
		else if (option == 'a')
			all = true;
		else
			return wrong_usage();
	}
	if (optind != argc - 1)
		return wrong_usage();
	if (strcmp(format, "table") != 0 && strcmp(format, "json") != 0 &&
		strcmp(format, "csv") != 0) {
		fprintf(stderr, "sentry coverage: --format: '%s' is not table, json or csv\n",
			format);
		return wrong_usage();
	}
	coverage = load(argv[optind]);
	items = coverage ? coverage_sorted(coverage) : NULL;
	if (!items) {
		coverage_free(coverage);
		return 125;
	}
	if (*format == 'j')
		r = coverage_write(coverage, stdout);
	else if (*format == 'c')
		show_csv(items);
	else
		show_table(items, all);
	coverage_free(coverage);
	return r < 0 ? 125 : 0;
}

/* ---- merge ----------------------------------------------------------------------------------- */

static int merge_into(struct coverage *all, const char *file)
{
	struct coverage *one = load(file);
	int r;

	if (!one)
		return -EINVAL;
	r = coverage_merge(all, one);
	if (r < 0)
		fprintf(stderr, "sentry coverage: '%s': too many items\n", file);
	coverage_free(one);
	return r;
}

static int merge(int argc, char **argv)
{
	static const struct option options[] = {
		{"output", required_argument, NULL, 'o'}, {NULL, 0, NULL, 0}};
	struct coverage *all;
	const char *output = NULL;
	int option, r = 0;
	FILE *out;

	while ((option = getopt_long(argc, argv, "o:", options, NULL)) >= 0) {
		if (option != 'o')
			return wrong_usage();
		output = optarg;
	}
	if (!output || optind == argc)
		return wrong_usage();
	all = coverage_new();
	for (int i = optind; i < argc && r == 0; i++)
		r = all ? merge_into(all, argv[i]) : -ENOMEM;
	if (r == 0) {
		out = strcmp(output, "-") == 0 ? stdout : fopen(output, "we");
		r = out ? coverage_write(all, out) : -errno;
		if (out && out != stdout && fclose(out) != 0 && r == 0)
			r = -errno;
		if (r < 0)
			fprintf(stderr, "sentry coverage: '%s': %s\n", output, strerror(-r));
	}
	coverage_free(all);
	return r < 0 ? 125 : 0;
}

/* ---- diff ------------------------------------------------------------------------------------ */

static int diff(int argc, char **argv)
{
	static const struct option options[] = {{"fail-on", required_argument, NULL, 'f'},
		{"junit", required_argument, NULL, 'j'}, {"sarif", required_argument, NULL, 's'},
		{NULL, 0, NULL, 0}};
	struct coverage_diff_config config = {0};
	struct coverage *old, *new;
	int option, r;

	while ((option = getopt_long(argc, argv, "f:j:s:", options, NULL)) >= 0) {
		if (option == 'f' && !coverage_diff_kinds(optarg, &config.fail_on)) {
			fprintf(stderr,
				"sentry coverage: --fail-on: '%s' is not a list of new-enosys, "
				"new-syscall, new-value, lost-support\n",
				optarg);
			return wrong_usage();
		}
		if (option == 'j')
			config.junit = optarg;
		else if (option == 's')
			config.sarif = optarg;
		else if (option != 'f')
			return wrong_usage();
	}
	if (optind != argc - 2)
		return wrong_usage();
	config.new_file = argv[optind + 1];
	old = load(argv[optind]);
	new = old ? load(argv[optind + 1]) : NULL;
	r = new ? coverage_diff(old, new, &config) : -EINVAL;
	coverage_free(old);
	coverage_free(new);
	return r < 0 ? 125 : r;
}

int command_coverage(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "show") == 0)
		return show(argc - 1, argv + 1);
	if (argc >= 2 && strcmp(argv[1], "merge") == 0)
		return merge(argc - 1, argv + 1);
	if (argc >= 2 && strcmp(argv[1], "diff") == 0)
		return diff(argc - 1, argv + 1);
	return wrong_usage();
}
