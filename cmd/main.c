/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/commands.h"

static const char usage_text[] =
	"usage: sentry COMMAND ...\n"
	"\n"
	"  run [OPTIONS] -- COMMAND [ARG...]       run a program in a sandbox\n"
	"  ps [--format table|json] [-q]           the sandboxes that run\n"
	"  top [OPTIONS]                           ... as a view that is kept current\n"
	"  logs [-f] [--tail N] [-t] NAME|FILE     what one printed\n"
	"  metrics [--listen ADDRESS|--output FILE]\n"
	"                                          ... in numbers, for Prometheus\n"
	"  syscalls [--format table|json|csv]      the system calls and how well each is "
	"supported\n"
	"  surface [--format table|json] [--platform NAME]\n"
	"                                          what the host kernel can be asked, and by whom\n"
	"  policy show [OPTIONS]                   what holds with these options, as a policy "
	"file\n"
	"  policy check FILE                       is that a policy file?\n"
	"  audit verify FILE [--expect HASH]       is an audit file whole and unchanged?\n"
	"  trace cat [--format text|json] FILE     a binary trace in words\n"
	"  coverage show|merge|diff ...            what of the system calls was used, and what is "
	"new\n"
	"  report [--format FORMAT] FILE           a trace as a page, for viewers, as a profile or "
	"policy\n"
	"  needs [OPTIONS] -- COMMAND [ARG...]     which calls it really needs\n"
	"  doctor                                  what this host offers and what it lacks\n"
	"  version\n"
	"\n"
	"'sentry run --help' lists the options.\n";

static int command_version(int argc, char **argv)
{
	printf("sentry %s\n", SENTRY_VERSION);
	return 0;
}

static int command_help(int argc, char **argv)
{
	fputs(usage_text, stdout);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"run", command_run},
	{"ps", command_ps},
	{"logs", command_logs},
	{"top", command_top},
	{"metrics", command_metrics},
	{"syscalls", command_syscalls},
	{"surface", command_surface},
	{"policy", command_policy},
	{"audit", command_audit},
	{"trace", command_trace},
	{"coverage", command_coverage},
	{"report", command_report},
	{"needs", command_needs},
	{"doctor", command_doctor},
	{"version", command_version},
	{"--version", command_version},
	{"help", command_help},
	{"--help", command_help},
	{"-h", command_help},
};

/* A closed standard descriptor would be reused by the first file that we open, and then be the
 * guest's. */
static void fill_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* What a command printed and could not be written is a failure. */
static int checked_output(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "sentry: cannot write to standard output: %s\n", strerror(errno));
	return status ? status : 125;
}

int main(int argc, char **argv)
{
	fill_standard_descriptors();
	if (argc < 2) {
		fputs(usage_text, stderr);
		return 125;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return checked_output(commands[i].run(argc - 1, argv + 1));
	}
	fprintf(stderr, "sentry: '%s' is not a command; see 'sentry help'\n", argv[1]);
	return 125;
}
