/* SPDX-License-Identifier: Apache-2.0 */
#include "case.h"

#include <dirent.h>
#include <ftw.h>

/*
 * The runner inside each case program. Output, for tests/run-guest:
 *
 *	@case NAME
 *	...lines of the case...
 *	@end NAME exited 0
 */

static struct case_entry *cases, **cases_tail = &cases;

void case_register(struct case_entry *entry)
{
	*cases_tail = entry;
	cases_tail = &entry->next;
}

const char *errno_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "E?";
}

/* One write for each line, so that lines of several processes do not mix. */
static void put_line(const char *line, size_t size)
{
	while (size > 0) {
		ssize_t n = write(STDOUT_FILENO, line, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(99);
		line += n;
		size -= (size_t)n;
	}
}

void case_note(const char *format, ...)
{
	char line[4096];
	int saved = errno;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (n < 0)
		n = 0;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	put_line(line, (size_t)n);
	errno = saved;
}

long long case_report(const char *expr, long long value, bool show_value)
{
	if (value == -1)
		case_note("%s = -1 %s", expr, errno ? errno_name(errno) : "(no errno)");
	else if (show_value)
		case_note("%s = %lld", expr, value);
	else
		case_note("%s ok", expr);
	return value;
}

int case_report_rc(const char *expr, int error)
{
	case_note("%s = %s", expr, error ? errno_name(error) : "0");
	return error;
}

void note_status(const char *what, int status)
{
	if (WIFEXITED(status))
		case_note("%s: exited %d", what, WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		case_note("%s: killed by %d", what, WTERMSIG(status));
	else if (WIFSTOPPED(status))
		case_note("%s: stopped by %d", what, WSTOPSIG(status));
	else if (WIFCONTINUED(status))
		case_note("%s: continued", what);
	else
		case_note("%s: status %#x", what, (unsigned)status);
}

void note_wait(const char *what, pid_t pid)
{
	int status;
	pid_t got;

	do {
		got = waitpid(pid, &status, 0);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		case_note("%s: wait failed: %s", what, errno_name(errno));
	else
		note_status(what, status);
}

void sleep_ms(long ms)
{
	struct timespec left = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		case_note("write_file %s: %s", path, errno_name(errno));
	if (fd >= 0)
		close(fd);
}

void note_file(const char *path)
{
	char text[1024], shown[4096];
	size_t at = 0;
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0) {
		case_note("%s: %s", path, errno_name(errno));
		return;
	}
	n = read(fd, text, sizeof(text));
	close(fd);
	if (n < 0) {
		case_note("%s: read: %s", path, errno_name(errno));
		return;
	}
	for (ssize_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= ' ' && c < 127 && c != '\\')
			shown[at++] = (char)c;
		else
			at += (size_t)sprintf(shown + at, "\\x%02x", c);
	}
	case_note("%s: \"%.*s\"", path, (int)at, shown);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type == FTW_DP)
		rmdir(path);
	else
		unlink(path);
	return 0;
}

static void run_case(const struct case_entry *entry)
{
	const char *parent = getenv("CASE_SCRATCH"); /* another file system than /tmp's */
	char scratch[256];
	pid_t pid;
	int status;

	snprintf(scratch, sizeof(scratch), "%s/case-XXXXXX", parent ? parent : "/tmp");

	case_note("@case %s", entry->name);
	if (!mkdtemp(scratch)) {
		case_note("@end %s no scratch directory: %s", entry->name, errno_name(errno));
		return;
	}
	pid = fork();
	if (pid == 0) {
		if (chdir(scratch) < 0)
			_exit(98);
		alarm(20);
		entry->fn();
		exit(0);
	}
	if (pid < 0) {
		case_note("@end %s fork: %s", entry->name, errno_name(errno));
		return;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	chmod(scratch, 0700);
	nftw(scratch, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	if (WIFEXITED(status))
		case_note("@end %s exited %d", entry->name, WEXITSTATUS(status));
	else
		case_note("@end %s killed by %d", entry->name, WTERMSIG(status));
}

/* Usage: PROGRAM [CASE...]; without names all cases; --list names them. */
int main(int argc, char **argv)
{
	umask(022);
	for (struct case_entry *entry = cases; entry; entry = entry->next) {
		bool wanted = argc == 1;

		if (argc == 2 && strcmp(argv[1], "--list") == 0) {
			puts(entry->name);
			continue;
		}
		for (int i = 1; i < argc; i++)
			wanted |= strcmp(argv[i], entry->name) == 0;
		if (wanted)
			run_case(entry);
	}
	return 0;
}
