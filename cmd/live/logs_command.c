/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sentry logs: what `run --log` kept, on stdout and stderr as it came. What goes to a terminal is
 * escaped, since a guest wrote it; a file or pipe gets it as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

#include "base/cleanup.h"
#include "base/line.h"
#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/live/log_file.h"
#include "cmd/live/state.h"

#define LINE_MAX_SIZE (8 * LOG_LINE_SIZE)
#define FOLLOW_NS     100000000

static const char usage[] =
	"usage: sentry logs [-f] [--tail N] [-t] [--audit] [--raw] NAME|ID|FILE\n"
	"\n"
	"What a sandbox that runs with --log printed, or what FILE holds of one that ended.\n"
	"  -f, --follow      go on until it ends\n"
	"  -n, --tail N      the last N lines only\n"
	"  -t, --timestamps  when each came\n"
	"      --audit       its audit file's lines (of --audit) instead\n"
	"      --raw         to a terminal, too, as it is: the program may change what you see\n";

struct request {
	bool follow, times, audit, raw;
	unsigned long tail;
	bool has_tail;
	const char *word;
};

struct reader {
	const struct request *request;
	const struct state_entry *entry; /* NULL: a file of one that may have ended */
	const char *path;
	FILE *in;
	ino_t inode;
	bool at_start[2]; /* of a line, on stdout and stderr */
	unsigned long line;
};

static int parse(int argc, char **argv, struct request *ret)
{
	static const struct option options[] = {{"follow", no_argument, NULL, 'f'},
		{"tail", required_argument, NULL, 'n'}, {"timestamps", no_argument, NULL, 't'},
		{"audit", no_argument, NULL, 'a'}, {"raw", no_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int option;
	char *end;

	*ret = (struct request){0};
	opterr = 0;
	while ((option = getopt_long(argc, argv, "fn:th", options, NULL)) >= 0) {
		switch (option) {
		case 'f':
			ret->follow = true;
			break;
		case 'n':
			ret->tail = strtoul(optarg, &end, 10);
			ret->has_tail = strcmp(optarg, "all") != 0;
			if (ret->has_tail && (optarg[0] < '0' || optarg[0] > '9' || *end))
				return -EINVAL;
			break;
		case 't':
			ret->times = true;
			break;
		case 'a':
			ret->audit = true;
			break;
		case 'r':
			ret->raw = true;
			break;
		default:
			return option == 'h' ? 1 : -EINVAL;
		}
	}
	if (optind + 1 != argc)
		return -EINVAL;
	ret->word = argv[optind];
	return 0;
}

/* ---- one line -------------------------------------------------------------------------------- */

static void put_text(const struct request *request, FILE *out, const char *text)
{
	const bool plain = request->raw || !isatty(fileno(out));

	for (; *text; text++) {
		const unsigned char byte = (unsigned char)*text;

		/* Bytes from 0x80 on are characters of UTF-8, of which U+0080 to U+009F control,
		 * too: they begin with 0xc2. */
		if (plain || byte == '\n' || byte == '\t' || (byte >= 0x20 && byte < 0x7f) ||
			(byte >= 0x80 && !(byte == 0xc2 && (unsigned char)text[1] < 0xa0)))
			fputc(byte, out);
		else if (byte == '\r' && (text[1] == '\n' || text[1] == '\r'))
			continue;
		else if (byte == 0xc2)
			fprintf(out, "\\x%02x", (unsigned char)*++text);
		else
			fprintf(out, "\\x%02x", byte);
	}
}

static const char *member(yajl_val root, const char *name)
{
	const char *path[] = {name, NULL};
	yajl_val value = yajl_tree_get(root, path, yajl_t_string);

	return value ? value->u.string : NULL;
}

/* False: it is no line of ours. */
static bool put_output(struct reader *reader, const char *line)
{
	char why[64];
	yajl_val root = yajl_tree_parse(line, why, sizeof(why));
	const char *text = root ? member(root, "log") : NULL;
	const char *stream = root ? member(root, "stream") : NULL;
	const char *when = root ? member(root, "time") : NULL;
	const bool good = text && stream && when;

	if (good) {
		const bool error = strcmp(stream, "stderr") == 0;
		FILE *out = error ? stderr : stdout;

		if (reader->request->times && reader->at_start[error]) {
			put_text(reader->request, out, when);
			fputc(' ', out);
		}
		put_text(reader->request, out, text);
		reader->at_start[error] = *text && text[strlen(text) - 1] == '\n';
		fflush(out);
	}
	if (root)
		yajl_tree_free(root);
	return good;
}

/* ---- the file -------------------------------------------------------------------------------- */

static int open_reader(struct reader *reader, const char *path)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat stat;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	if (reader->in)
		(void)fclose(reader->in);
	reader->in = fdopen(fd, "r");
	if (!reader->in) {
		close(fd);
		return -ENOMEM;
	}
	reader->inode = stat.st_ino;
	return 0;
}

/* All whole lines from here on; those before the @skip'th are left out. -EBADMSG. */
static int put_lines(struct reader *reader, unsigned long skip)
{
	_cleanup_free_ char *line = NULL;
	size_t capacity = 0;
	ssize_t size;

	clearerr(reader->in);
	while ((size = line_read(reader->in, &line, &capacity, LINE_MAX_SIZE)) > 0) {
		/* Not finished: next time. */
		if (line[size - 1] != '\n' && size <= LINE_MAX_SIZE) {
			(void)fseeko(reader->in, -(off_t)size, SEEK_CUR);
			return 0;
		}
		reader->line++;
		if (size > LINE_MAX_SIZE || strlen(line) != (size_t)size)
			return -EBADMSG;
		if (reader->line <= skip)
			continue;
		if (reader->request->audit) {
			put_text(reader->request, stdout, line);
			fflush(stdout);
		} else if (!put_output(reader, line)) {
			return -EBADMSG;
		}
	}
	return ferror(reader->in) ? -EIO : 0;
}

static unsigned long count_lines(const char *path)
{
	FILE *in = fopen(path, "re");
	unsigned long count = 0;
	int byte;

	while (in && (byte = getc_unlocked(in)) != EOF)
		count += byte == '\n';
	if (in)
		(void)fclose(in);
	return count;
}

/* The older file, where there is one, comes first. */
static int put_both(struct reader *reader)
{
	_cleanup_free_ char *older = NULL;
	unsigned long older_count, count, wanted = reader->request->tail, skip = 0;
	int r;

	if (asprintf(&older, "%s.1", reader->path) < 0) {
		older = NULL;
		return -ENOMEM;
	}
	older_count = reader->request->audit ? 0 : count_lines(older);
	count = count_lines(reader->path);
	if (reader->request->has_tail && older_count + count > wanted)
		skip = older_count + count - wanted;
	if (older_count > skip && open_reader(reader, older) == 0) {
		r = put_lines(reader, skip);
		if (r < 0)
			return r;
	}
	reader->line = older_count;
	r = open_reader(reader, reader->path);
	return r < 0 ? r : put_lines(reader, skip);
}

static int follow(struct reader *reader)
{
	bool lives = true;
	int r = 0;

	while (r == 0 && lives) {
		const struct timespec delay = {0, FOLLOW_NS};
		struct stat now;

		lives = !reader->entry || state_lives(reader->entry);
		if (lives)
			(void)nanosleep(&delay, NULL);
		r = put_lines(reader, 0);
		/* It was begun anew: the rest of the old one was read above. */
		if (r == 0 && stat(reader->path, &now) == 0 && now.st_ino != reader->inode) {
			r = put_lines(reader, 0);
			r = r < 0 ? r : open_reader(reader, reader->path);
			r = r < 0 ? r : put_lines(reader, 0);
		}
	}
	return r;
}

static int show(struct reader *reader)
{
	struct stat file;
	int r;

	/* Others may have no end, or wait for somebody. */
	if (stat(reader->path, &file) == 0 && !S_ISREG(file.st_mode)) {
		log_error("logs: %s is no regular file", reader->path);
		return 125;
	}
	r = put_both(reader);
	if (r == 0 && reader->request->follow)
		r = follow(reader);
	if (reader->in)
		(void)fclose(reader->in);
	if (r == -EBADMSG)
		log_error("logs: line %lu of %s is not one of a log of sentry", reader->line,
			reader->path);
	else if (r < 0)
		log_error("logs: cannot read %s: %s", reader->path, strerror(-r));
	return r < 0 ? 125 : 0;
}

static int show_running(struct reader *reader, const struct state_list *list)
{
	const struct request *request = reader->request;

	reader->entry = state_find(list, "logs", request->word);
	if (!reader->entry)
		return 125;
	reader->path = request->audit ? reader->entry->audit : reader->entry->log;
	if (!reader->path[0]) {
		log_error("logs: %s was not started with %s", request->word,
			request->audit ? "--audit" : "--log");
		return 125;
	}
	return show(reader);
}

int command_logs(int argc, char **argv)
{
	struct request request;
	struct reader reader = {.request = &request, .at_start = {true, true}};
	struct state_list list;
	int r = parse(argc, argv, &request);

	if (r != 0) {
		fputs(usage, r > 0 ? stdout : stderr);
		return r > 0 ? 0 : 125;
	}
	if (strchr(request.word, '/') || access(request.word, F_OK) == 0) {
		reader.path = request.word;
		return show(&reader);
	}
	if (state_read(&list) < 0)
		return 125;
	r = show_running(&reader, &list);
	state_list_free(&list);
	return r;
}
