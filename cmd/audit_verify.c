/* SPDX-License-Identifier: Apache-2.0 */
/* `sentry audit verify`: does the chain of hashes in an audit file hold (cmd/audit_log.c)? */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/line.h"
#include "cmd/audit_log.h"
#include "cmd/commands.h"

/* Those of the launcher are shorter. */
#define LINE_MOST (64 << 10)

/* ,"hash":"..."} */
#define TAIL_SIZE (9 + AUDIT_HASH_SIZE + 2)

__attribute__((format(printf, 2, 3))) static void broken(
	struct audit_report *report, const char *format, ...)
{
	va_list args;

	report->broken = true;
	va_start(args, format);
	(void)vsnprintf(report->why, sizeof(report->why), format, args);
	va_end(args);
}

/* One line without its newline. Sound ones are counted in @report. */
static void check_line(struct audit_report *report, const char *line, size_t size)
{
	char head[AUDIT_HASH_SIZE + 64], hash[AUDIT_HASH_SIZE + 1];
	const char *tail = line + size - TAIL_SIZE;
	int head_size;

	if (report->closed) {
		broken(report, "stands behind the closing line");
		return;
	}
	if (size < TAIL_SIZE || strncmp(tail, ",\"hash\":\"", 9) != 0 ||
		strcmp(tail + TAIL_SIZE - 2, "\"}") != 0) {
		broken(report, "does not end with a hash");
		return;
	}
	audit_hash(line, size - TAIL_SIZE, hash);
	if (strncmp(tail + 9, hash, AUDIT_HASH_SIZE) != 0) {
		broken(report, "was changed: its hash is another");
		return;
	}
	head_size = snprintf(head, sizeof(head), "{\"seq\":%llu,\"prev\":\"%s\",",
		(unsigned long long)report->lines + 1, report->hash);
	if (size < (size_t)head_size || strncmp(line, head, (size_t)head_size) != 0) {
		broken(report, "does not follow the line before it");
		return;
	}
	report->lines++;
	memcpy(report->hash, hash, sizeof(hash));
	report->closed = strstr(line, ",\"event\":\"end\",") != NULL;
}

int audit_verify(int fd, struct audit_report *ret)
{
	struct audit_report report = {0};
	_cleanup_free_ char *line = NULL;
	size_t capacity = 0;
	ssize_t size;
	FILE *stream = fdopen(dup(fd), "r");
	int error;

	if (!stream)
		return -errno;
	memset(report.hash, '0', AUDIT_HASH_SIZE);
	errno = 0;
	while (!report.broken && (size = line_read(stream, &line, &capacity, LINE_MOST)) > 0) {
		if (line[size - 1] != '\n') {
			broken(&report, size > LINE_MOST ? "is too long" : "is cut off");
			break;
		}
		line[--size] = '\0';
		if (memchr(line, '\0', (size_t)size))
			broken(&report, "has a NUL byte");
		else
			check_line(&report, line, (size_t)size);
	}
	error = ferror(stream) ? errno : 0;
	(void)fclose(stream);
	if (error)
		return -error;
	*ret = report;
	return 0;
}

static int verify(const char *file, const char *expected)
{
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct audit_report report;
	int r = fd < 0 ? -errno : audit_verify(fd, &report);

	if (r < 0) {
		fprintf(stderr, "sentry audit: '%s': %s\n", file, strerror(-r));
		return 125;
	}
	if (report.broken)
		fprintf(stderr, "%s:%llu: %s\n", file, (unsigned long long)report.lines + 1,
			report.why);
	else if (!report.closed)
		fprintf(stderr,
			"%s:%llu: the closing line is missing: lines were cut off, or the "
			"run did not come to its end\n",
			file, (unsigned long long)report.lines + 1);
	else if (expected && strcasecmp(expected, report.hash) != 0)
		fprintf(stderr, "%s: the last hash is %s, not the expected one\n", file,
			report.hash);
	else {
		printf("%s: %llu lines, whole and unchanged; last hash %s\n", file,
			(unsigned long long)report.lines, report.hash);
		return 0;
	}
	return 1;
}

int command_audit(int argc, char **argv)
{
	const char *expected = NULL;

	if (argc == 5 && strcmp(argv[3], "--expect") == 0)
		expected = argv[4];
	if (argc < 3 || strcmp(argv[1], "verify") != 0 || argv[2][0] == '-' ||
		(argc > 3 && !expected)) {
		fputs("usage: sentry audit verify FILE [--expect HASH]\n", stderr);
		return 125;
	}
	return verify(argv[2], expected);
}
