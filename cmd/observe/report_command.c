/* SPDX-License-Identifier: Apache-2.0 */
/* sentry report */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "cmd/commands.h"
#include "cmd/observe/report.h"
#include "cmd/observe/trace_file.h"

static const char usage[] =
	"usage: sentry report [--format html] [--compare OTHER] [-o OUT] FILE\n"
	"       sentry report --format perfetto|otlp [-o OUT] FILE\n"
	"       sentry report --format seccomp|policy [-o OUT] FILE...\n"
	"\n"
	"FILE is what 'sentry run --trace FILE' wrote, JSON lines or binary. One without its\n"
	"end, of a run that was killed, is used as far as it goes.\n";

enum format { FORMAT_HTML, FORMAT_PERFETTO, FORMAT_OTLP, FORMAT_SECCOMP, FORMAT_POLICY };

static const char *const formats[] = {[FORMAT_HTML] = "html",
	[FORMAT_PERFETTO] = "perfetto",
	[FORMAT_OTLP] = "otlp",
	[FORMAT_SECCOMP] = "seccomp",
	[FORMAT_POLICY] = "policy"};

struct request {
	enum format format;
	const char *output, *other;
	char **files;
	int file_count;
};

static int wrong_usage(void)
{
	fputs(usage, stderr);
	return 125;
}

static int parse(int argc, char **argv, struct request *ret)
{
	static const struct option options[] = {{"format", required_argument, NULL, 'f'},
		{"compare", required_argument, NULL, 'c'}, {"output", required_argument, NULL, 'o'},
		{NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "f:c:o:", options, NULL)) >= 0) {
		bool found = option != 'f';

		if (option == 'o')
			ret->output = optarg;
		else if (option == 'c')
			ret->other = optarg;
		else if (option != 'f')
			return -EINVAL;
		for (size_t i = 0; option == 'f' && i < array_size(formats); i++) {
			if (strcmp(optarg, formats[i]) == 0) {
				ret->format = (enum format)i;
				found = true;
			}
		}
		if (!found) {
			fprintf(stderr,
				"sentry report: --format: '%s' is not html, perfetto, "
				"otlp, seccomp or policy\n",
				optarg);
			return -EINVAL;
		}
	}
	ret->files = argv + optind;
	ret->file_count = argc - optind;
	if (ret->file_count < 1 || (ret->file_count > 1 && ret->format < FORMAT_SECCOMP) ||
		(ret->other && ret->format != FORMAT_HTML))
		return -EINVAL;
	return 0;
}

/* What was cut off is told, and used as far as it goes. */
static int judge(int r, const char *file, const char *why)
{
	if (r == TRACE_CUT_OFF)
		fprintf(stderr, "sentry report: '%s': %s; this is what came before\n", file, why);
	else if (r < 0)
		fprintf(stderr, "sentry report: '%s': %s\n", file, why ? why : strerror(-r));
	return r < 0 ? r : 0;
}

static int read_into(struct report *report, const char *file)
{
	const char *why;
	int r = events_read(file, report_take, report, &why);

	return judge(r, file, why);
}

static int write_sums(const struct request *request, const struct report *report,
	const struct report *other, FILE *out)
{
	switch (request->format) {
	case FORMAT_SECCOMP:
		return report_seccomp(report, (unsigned)request->file_count, out);
	case FORMAT_POLICY:
		return report_policy(report, (unsigned)request->file_count, out);
	default:
		return report_html(report, other, out);
	}
}

static int sums(const struct request *request, FILE *out)
{
	struct report *report = report_new(), *other = request->other ? report_new() : NULL;
	int r = report && (other || !request->other) ? 0 : -ENOMEM;

	for (int i = 0; i < request->file_count && r == 0; i++)
		r = read_into(report, request->files[i]);
	if (r == 0 && other)
		r = read_into(other, request->other);
	if (r == 0)
		r = write_sums(request, report, other, out);
	report_free(report);
	report_free(other);
	return r;
}

static int stream(const struct request *request, FILE *out)
{
	const char *why = NULL;
	int r = request->format == FORMAT_PERFETTO ? report_perfetto(request->files[0], out, &why)
						   : report_otlp(request->files[0], out, &why);

	return judge(r, request->files[0], why);
}

int command_report(int argc, char **argv)
{
	struct request request = {0};
	FILE *out = stdout;
	int r;

	if (parse(argc, argv, &request) < 0)
		return wrong_usage();
	if (request.output && strcmp(request.output, "-") != 0) {
		out = fopen(request.output, "we");
		if (!out) {
			fprintf(stderr, "sentry report: '%s': %s\n", request.output,
				strerror(errno));
			return 125;
		}
	}
	r = request.format == FORMAT_PERFETTO || request.format == FORMAT_OTLP
		    ? stream(&request, out)
		    : sums(&request, out);
	if (out != stdout && fclose(out) != 0 && r == 0) {
		fprintf(stderr, "sentry report: '%s': %s\n", request.output, strerror(errno));
		return 125;
	}
	return r == 0 ? 0 : r == -EBADMSG ? 1 : 125;
}
