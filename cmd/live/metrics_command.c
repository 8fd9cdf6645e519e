/* SPDX-License-Identifier: Apache-2.0 */
/* sentry metrics */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/live/metrics.h"

static const char usage[] =
	"usage: sentry metrics                        print them once\n"
	"       sentry metrics --output FILE.prom     ... to a file, for a textfile collector\n"
	"       sentry metrics --listen ADDRESS       answer GET /metrics until ended by a signal\n"
	"\n"
	"ADDRESS is unix:PATH, 127.0.0.1:PORT, [::1]:PORT or localhost:PORT. The format is "
	"Prometheus'\n"
	"text format, of the sandboxes of this user that run.\n";

static int write_stream(FILE *out)
{
	struct state_list list;
	int r = state_read(&list);

	if (r < 0)
		return r;
	metrics_write(&list, out);
	state_list_free(&list);
	return ferror(out) ? -EIO : 0;
}

/* Whoever reads the file meanwhile sees the old one or the new one. */
static int write_file(const char *file)
{
	_cleanup_free_ char *temporary = NULL;
	FILE *out;
	int fd, r;

	if (asprintf(&temporary, "%s.XXXXXX", file) < 0) {
		temporary = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	out = fdopen(fd, "w");
	if (!out) {
		close(fd);
		r = -ENOMEM;
	} else {
		r = write_stream(out);
		if (fchmod(fd, 0644) < 0 || fflush(out) != 0)
			r = r < 0 ? r : -errno;
		if (fclose(out) != 0 && r == 0)
			r = -errno;
	}
	if (r == 0 && rename(temporary, file) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(temporary);
	return r;
}

int command_metrics(int argc, char **argv)
{
	static const struct option options[] = {{"listen", required_argument, NULL, 'l'},
		{"output", required_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	const char *address = NULL, *file = NULL;
	int option, r;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "o:h", options, NULL)) >= 0) {
		if (option == 'l') {
			address = optarg;
		} else if (option == 'o') {
			file = optarg;
		} else {
			fputs(usage, option == 'h' ? stdout : stderr);
			return option == 'h' ? 0 : 125;
		}
	}
	if (optind < argc || (address && file)) {
		fputs(usage, stderr);
		return 125;
	}
	if (address)
		return metrics_serve(address);
	if (!file)
		return write_stream(stdout) < 0 ? 125 : 0;
	r = write_file(file);
	if (r < 0)
		log_error("metrics: cannot write %s: %s", file, strerror(-r));
	return r < 0 ? 125 : 0;
}
