/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of running sandboxes, the readers' side. The directory is private, so what lies in it
 * was written by this user; it is still checked like anything else that is read: size, form, and
 * the types of members.
 */
#include "cmd/live/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/live/state_private.h"

#define FILE_MAX_SIZE (512u << 10)
#define ENTRIES_MAX   4096u
/* A file that was not finished after so long never will be. */
#define UNFINISHED_SECONDS 60

/* ---- proc(5) --------------------------------------------------------------------------------- */

struct process_stat {
	pid_t session;
	uint64_t ticks; /* of CPU, of children that were waited for too */
	uint64_t start_time;
};

static int read_stat(pid_t pid, struct process_stat *ret)
{
	_cleanup_close_ int fd = -1;
	unsigned long long times[4], start;
	char path[32], text[1024];
	const char *fields;
	int session;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -ESRCH;
	text[n] = '\0';
	/* The name, which may hold anything, ends at the last parenthesis. */
	fields = strrchr(text, ')');
	if (!fields || sscanf(fields + 1,
			       " %*c %*d %*d %d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu "
			       "%*d %*d %*d %*d %llu",
			       &session, &times[0], &times[1], &times[2], &times[3], &start) != 6)
		return -ESRCH;
	ret->session = session;
	ret->ticks = times[0] + times[1] + times[2] + times[3];
	ret->start_time = start;
	return 0;
}

int state_start_time(pid_t pid, uint64_t *ret)
{
	struct process_stat stat;
	int r = read_stat(pid, &stat);

	if (r == 0)
		*ret = stat.start_time;
	return r;
}

static struct state_entry *entry_of_session(const struct state_list *list, pid_t session)
{
	for (unsigned i = 0; i < list->count; i++)
		if (list->entries[i]->kernel == session)
			return list->entries[i];
	return NULL;
}

/* The kernel process leads a session, which all processes of its sandbox are in and nobody leaves.
 */
static void add_usage(struct state_list *list)
{
	const uint64_t tick = 1000000000u / (uint64_t)sysconf(_SC_CLK_TCK);
	DIR *proc = list->count > 0 ? opendir("/proc") : NULL;
	const struct dirent *found;

	while (proc && (found = readdir(proc)) != NULL) {
		const pid_t pid = (pid_t)strtol(found->d_name, NULL, 10);
		struct process_stat stat;
		struct state_entry *entry;

		if (pid <= 0 || read_stat(pid, &stat) < 0)
			continue;
		entry = entry_of_session(list, stat.session);
		if (!entry)
			continue;
		entry->has_usage = true;
		entry->cpu_ns += stat.ticks * tick;
		entry->processes++;
	}
	if (proc)
		(void)closedir(proc);
}

/* ---- one file -------------------------------------------------------------------------------- */

static yajl_val member(yajl_val object, const char *name)
{
	const char *path[] = {name, NULL};

	return yajl_tree_get(object, path, yajl_t_any);
}

static bool take_text(yajl_val object, const char *name, char **ret)
{
	yajl_val value = member(object, name);

	*ret = value && YAJL_IS_STRING(value) ? strdup(value->u.string) : NULL;
	return *ret;
}

static bool take_number(yajl_val object, const char *name, int64_t least, int64_t *ret)
{
	yajl_val value = member(object, name);

	if (!value || !YAJL_IS_INTEGER(value) || YAJL_GET_INTEGER(value) < least)
		return false;
	*ret = YAJL_GET_INTEGER(value);
	return true;
}

static bool take_command(yajl_val object, struct state_entry *entry)
{
	yajl_val words = member(object, "command");

	if (!words || !YAJL_IS_ARRAY(words) || words->u.array.len > STATE_WORDS_MAX)
		return false;
	for (size_t i = 0; i < words->u.array.len; i++) {
		const yajl_val word = words->u.array.values[i];

		if (!YAJL_IS_STRING(word))
			return false;
		entry->words[entry->word_count] = strdup(word->u.string);
		if (!entry->words[entry->word_count])
			return false;
		entry->word_count++;
	}
	return true;
}

/* What the launcher of a foreign version, or something else, wrote is no entry. */
static bool take_members(
	yajl_val root, struct state_entry *entry, uint64_t *ret_start, int64_t *ret_page_fd)
{
	int64_t version, launcher, kernel, start, memory, pids, cpus;
	_cleanup_free_ char *id = NULL;

	if (!take_number(root, "version", STATE_VERSION, &version) || version != STATE_VERSION ||
		!take_number(root, "pid", 1, &launcher) || launcher > INT32_MAX ||
		!take_number(root, "kernel_pid", 1, &kernel) || kernel > INT32_MAX ||
		!take_number(root, "start_time", 0, &start) ||
		!take_number(root, "memory_limit", 0, &memory) ||
		!take_number(root, "pids_limit", 0, &pids) ||
		!take_number(root, "cpus", 0, &cpus) ||
		!take_number(root, "counters_fd", 0, ret_page_fd) ||
		!take_number(root, "started_ms", 0, &entry->started_ms) ||
		!take_number(root, "timeout_ms", 0, &entry->timeout_ms))
		return false;
	if (!take_text(root, "id", &id) || strcmp(id, entry->id) != 0 ||
		!take_text(root, "name", &entry->name) ||
		!take_text(root, "directory", &entry->directory) ||
		!take_text(root, "network", &entry->network) ||
		!take_text(root, "log", &entry->log) || !take_text(root, "audit", &entry->audit) ||
		!take_command(root, entry))
		return false;
	entry->launcher = (pid_t)launcher;
	entry->kernel = (pid_t)kernel;
	entry->memory_limit = (uint64_t)memory;
	entry->pids_limit = (uint64_t)pids;
	entry->cpus = (uint64_t)cpus;
	entry->more_words = YAJL_IS_TRUE(member(root, "more_words"));
	entry->launcher_start = *ret_start = (uint64_t)start;
	return true;
}

static void read_page(struct state_entry *entry, int64_t fd_number)
{
	_cleanup_close_ int fd = -1;
	char path[64];

	(void)snprintf(
		path, sizeof(path), "/proc/%d/fd/%lld", entry->launcher, (long long)fd_number);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || pread(fd, &entry->page, sizeof(entry->page), 0) != sizeof(entry->page))
		return;
	entry->page.platform[sizeof(entry->page.platform) - 1] = '\0';
	entry->has_page =
		entry->page.magic == LIVE_MAGIC && entry->page.size == sizeof(entry->page);
}

static void entry_free(struct state_entry *entry)
{
	for (unsigned i = 0; i < entry->word_count; i++)
		free(entry->words[i]);
	free(entry->name);
	free(entry->directory);
	free(entry->network);
	free(entry->log);
	free(entry->audit);
	free(entry);
}

static char *read_text(int directory, const char *name)
{
	_cleanup_close_ int fd =
		openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	struct stat stat;
	ssize_t n;

	if (fd < 0 || fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode) || stat.st_uid != geteuid() ||
		stat.st_size > FILE_MAX_SIZE)
		return NULL;
	text = malloc((size_t)stat.st_size + 1);
	n = text ? read(fd, text, (size_t)stat.st_size) : -1;
	if (n != stat.st_size || memchr(text, '\0', (size_t)n))
		return NULL;
	text[n] = '\0';
	return TAKE(text);
}

/* 1: an entry; 0: its launcher is dead; -EBADMSG: none. */
static int parse_entry(int directory, const char *name, struct state_entry *entry)
{
	_cleanup_free_ char *text = read_text(directory, name);
	int64_t page_fd = -1;
	uint64_t start, now = 0;
	char why[64];
	yajl_val root;
	bool good;

	if (!text)
		return faccessat(directory, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : -EBADMSG;
	root = yajl_tree_parse(text, why, sizeof(why));
	good = root && YAJL_IS_OBJECT(root) && take_members(root, entry, &start, &page_fd);
	if (root)
		yajl_tree_free(root);
	if (!good)
		return -EBADMSG;
	if (state_start_time(entry->launcher, &now) < 0 || now != start)
		return 0;
	read_page(entry, page_fd);
	return 1;
}

/* ---- the directory --------------------------------------------------------------------------- */

static bool is_entry_name(const char *name)
{
	return strspn(name, "0123456789abcdef") == STATE_ID_SIZE &&
	       strcmp(name + STATE_ID_SIZE, ".json") == 0;
}

/* What was begun by a launcher that did not live to finish it. */
static void clean_unfinished(int directory, const char *name)
{
	struct stat stat;

	if (name[0] == '.' && strspn(name + 1, "0123456789abcdef") == STATE_ID_SIZE &&
		strlen(name) == STATE_ID_SIZE + 1 &&
		fstatat(directory, name, &stat, AT_SYMLINK_NOFOLLOW) == 0 &&
		time(NULL) - stat.st_mtime > UNFINISHED_SECONDS)
		(void)unlinkat(directory, name, 0);
}

static int add_entry(struct state_list *list, int directory, const char *name)
{
	struct state_entry **entries, *entry = calloc(1, sizeof(*entry));
	int r;

	if (!entry)
		return -ENOMEM;
	memcpy(entry->id, name, STATE_ID_SIZE);
	r = parse_entry(directory, name, entry);
	if (r < 0)
		log_error("%s/%s is not the state of a sandbox, or damaged; it is ignored",
			list->directory, name);
	else if (r == 0)
		(void)unlinkat(directory, name, 0);
	if (r <= 0) {
		entry_free(entry);
		return 0;
	}
	entries = reallocarray(list->entries, list->count + 1, sizeof(struct state_entry *));
	if (!entries) {
		entry_free(entry);
		return -ENOMEM;
	}
	list->entries = entries;
	list->entries[list->count++] = entry;
	return 0;
}

static int older_first(const void *a, const void *b)
{
	const struct state_entry *one = *(struct state_entry *const *)a;
	const struct state_entry *two = *(struct state_entry *const *)b;

	return one->started_ms < two->started_ms   ? -1
	       : one->started_ms > two->started_ms ? 1
						   : strcmp(one->id, two->id);
}

int state_read(struct state_list *ret)
{
	struct state_list list = {0};
	const struct dirent *found;
	int r = 0, error, fd = state_directory_open(true, list.directory, &error);
	DIR *directory;

	if (fd == -ENOENT) {
		*ret = list;
		return 0;
	}
	if (fd < 0) {
		log_error("the directory of running sandboxes, %s, cannot be used: %s%s",
			list.directory, strerror(-fd),
			fd == -EPERM ? " (it, or the one it is in, is not yours, or open to others)"
				     : "");
		return fd;
	}
	directory = fdopendir(fd);
	if (!directory) {
		close(fd);
		return -ENOMEM;
	}
	while (r == 0 && list.count < ENTRIES_MAX && (found = readdir(directory)) != NULL) {
		if (is_entry_name(found->d_name))
			r = add_entry(&list, fd, found->d_name);
		else
			clean_unfinished(fd, found->d_name);
	}
	(void)closedir(directory);
	if (r < 0) {
		log_error("out of memory");
		state_list_free(&list);
		return r;
	}
	if (list.count > 0)
		qsort(list.entries, list.count, sizeof(struct state_entry *), older_first);
	add_usage(&list);
	*ret = list;
	return 0;
}

void state_list_free(struct state_list *list)
{
	for (unsigned i = 0; i < list->count; i++)
		entry_free(list->entries[i]);
	free(list->entries);
	*list = (struct state_list){0};
}

struct state_entry *state_find(const struct state_list *list, const char *command, const char *word)
{
	struct state_entry *found = NULL;
	unsigned count = 0;

	for (unsigned i = 0; i < list->count; i++) {
		struct state_entry *entry = list->entries[i];

		if (strcmp(entry->id, word) == 0)
			return entry;
		if (strcmp(entry->name, word) == 0 ||
			(word[0] && strncmp(entry->id, word, strlen(word)) == 0)) {
			found = entry;
			count++;
		}
	}
	if (count == 0)
		log_error("%s: no sandbox '%s' runs; see 'sentry ps'", command, word);
	else if (count > 1)
		log_error("%s: '%s' is the name, or the beginning of the id, of %u sandboxes",
			command, word, count);
	return count == 1 ? found : NULL;
}

bool state_lives(const struct state_entry *entry)
{
	struct process_stat stat;

	return read_stat(entry->launcher, &stat) == 0 && stat.start_time == entry->launcher_start;
}
