/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Coverage as JSON:
 *
 *	{"sentry_coverage": 1, "runs": 2, "items": {
 *	  "openat": {"support": "full", "count": 10, "in_guest": 0, "errors": {"ENOENT": 3},
 *	             "latencies": [0, 0, ...], "seen": "..."}, ...}}
 *
 * latencies[n] counts calls of 2^(n-1) to 2^n - 1 nanoseconds. Anybody may have written the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "cmd/observe/coverage_private.h"
#include "cmd/observe/words.h"

#define FORMAT_VERSION 1
#define FILE_SIZE_MAX  (256u << 20)

/* ---- writing --------------------------------------------------------------------------------- */

static void put_item(yajl_gen gen, const struct coverage_item *item)
{
	unsigned bins = COVERAGE_LATENCIES;

	words_name(gen, item->name);
	yajl_gen_map_open(gen);
	words_string(gen, "support", item->support);
	words_number(gen, "count", (long long)item->count);
	if (item->in_guest)
		words_number(gen, "in_guest", (long long)item->in_guest);
	words_name(gen, "errors");
	yajl_gen_map_open(gen);
	for (unsigned i = 0; i < item->error_count; i++) {
		const char *name =
			item->errors[i].number ? strerrorname_np(item->errors[i].number) : "other";
		char number[16];

		(void)snprintf(number, sizeof(number), "%d", item->errors[i].number);
		words_number(gen, name ? name : number, (long long)item->errors[i].count);
	}
	yajl_gen_map_close(gen);
	while (bins > 0 && item->latencies[bins - 1] == 0)
		bins--;
	words_name(gen, "latencies");
	yajl_gen_array_open(gen);
	for (unsigned i = 0; i < bins; i++)
		yajl_gen_integer(gen, (long long)item->latencies[i]);
	yajl_gen_array_close(gen);
	words_string(gen, "seen", item->seen);
	yajl_gen_map_close(gen);
}

int coverage_write(const struct coverage *coverage, FILE *out)
{
	_cleanup_free_ struct coverage_item **items = coverage_sorted(coverage);
	yajl_gen gen = items ? yajl_gen_alloc(NULL) : NULL;

	if (!gen)
		return -ENOMEM;
	yajl_gen_config(gen, yajl_gen_beautify, 1);
	yajl_gen_config(gen, yajl_gen_indent_string, " ");
	yajl_gen_map_open(gen);
	words_number(gen, "sentry_coverage", FORMAT_VERSION);
	words_number(gen, "runs", (long long)coverage->runs);
	words_number(gen, "dropped", (long long)coverage->dropped);
	words_name(gen, "items");
	yajl_gen_map_open(gen);
	for (size_t i = 0; items[i]; i++)
		put_item(gen, items[i]);
	yajl_gen_map_close(gen);
	yajl_gen_map_close(gen);
	return words_finish(gen, out);
}

/* ---- reading --------------------------------------------------------------------------------- */

static yajl_val member(yajl_val object, const char *name, yajl_type type)
{
	const char *path[] = {name, NULL};

	return yajl_tree_get(object, path, type);
}

static uint64_t number_of(yajl_val value)
{
	return value && YAJL_IS_INTEGER(value) && YAJL_GET_INTEGER(value) > 0
		       ? (uint64_t)YAJL_GET_INTEGER(value)
		       : 0;
}

static int error_number(const char *name)
{
	if (strcmp(name, "other") == 0)
		return 0;
	for (int error = 1; error < 4096; error++) {
		const char *known = error < 200 ? strerrorname_np(error) : NULL;

		if (known && strcmp(known, name) == 0)
			return error;
	}
	return atoi(name);
}

static const char *support_named(const char *name)
{
	static const char *const names[] = {"full", "partial", "none", "unknown"};

	for (size_t i = 0; name && i < array_size(names); i++)
		if (strcmp(names[i], name) == 0)
			return names[i];
	return "";
}

static void copy_printable(char *to, size_t size, const char *from)
{
	size_t i = 0;

	for (; from && i + 1 < size && from[i]; i++)
		to[i] = from[i] >= 0x20 && from[i] < 0x7f ? from[i] : '?';
	to[i] = '\0';
}

static int read_item(struct coverage *coverage, const char *name, yajl_val value)
{
	yajl_val errors = member(value, "errors", yajl_t_object);
	yajl_val bins = member(value, "latencies", yajl_t_array);
	yajl_val seen = member(value, "seen", yajl_t_string);
	yajl_val support = member(value, "support", yajl_t_string);
	struct coverage_item *item;
	char plain[COVERAGE_NAME_MAX];

	if (!YAJL_IS_OBJECT(value))
		return -EINVAL;
	copy_printable(plain, sizeof(plain), name);
	/* Older files have made-up names one by one. */
	if (strncmp(plain, "file ", 5) == 0)
		coverage_plain_path(name + 5, plain + 5, sizeof(plain) - 5);
	item = coverage_item_of(coverage, plain);
	if (!item)
		return -ENOMEM;
	item->support = support_named(support ? YAJL_GET_STRING(support) : NULL);
	item->count += number_of(member(value, "count", yajl_t_number));
	item->in_guest += number_of(member(value, "in_guest", yajl_t_number));
	copy_printable(item->seen, sizeof(item->seen), seen ? YAJL_GET_STRING(seen) : "");
	for (size_t i = 0; errors && i < errors->u.object.len; i++)
		coverage_add_error(item, error_number(errors->u.object.keys[i]),
			number_of(errors->u.object.values[i]));
	for (size_t i = 0; bins && i < bins->u.array.len && i < COVERAGE_LATENCIES; i++)
		item->latencies[i] += number_of(bins->u.array.values[i]);
	return 0;
}

static int read_tree(yajl_val root, struct coverage *coverage, const char **ret_why)
{
	yajl_val items = member(root, "items", yajl_t_object);

	*ret_why = "it is not a coverage file of sentry";
	if (number_of(member(root, "sentry_coverage", yajl_t_number)) != FORMAT_VERSION || !items)
		return -EINVAL;
	coverage->runs = number_of(member(root, "runs", yajl_t_number));
	coverage->dropped = number_of(member(root, "dropped", yajl_t_number));
	for (size_t i = 0; i < items->u.object.len; i++) {
		int r = read_item(coverage, items->u.object.keys[i], items->u.object.values[i]);

		if (r < 0) {
			*ret_why =
				r == -ENOMEM ? "it has too many items" : "an item is not an object";
			return r;
		}
	}
	return 0;
}

/* All of @in, NUL-terminated. -EFBIG */
static int read_all(FILE *in, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t used = 0, capacity = 0;

	for (;;) {
		size_t got;

		if (capacity - used < 65536) {
			char *more = realloc(text, capacity + 1048576 + 1);

			if (!more)
				return -ENOMEM;
			text = more;
			capacity += 1048576;
		}
		got = fread(text + used, 1, capacity - used, in);
		used += got;
		if (used > FILE_SIZE_MAX)
			return -EFBIG;
		if (got == 0)
			break;
	}
	if (ferror(in))
		return -EIO;
	text[used] = '\0';
	*ret = text;
	text = NULL;
	return 0;
}

int coverage_read(FILE *in, struct coverage **ret, char **ret_why)
{
	_cleanup_free_ char *text = NULL;
	char message[256] = "";
	const char *why = "out of memory";
	struct coverage *coverage = coverage_new();
	yajl_val root = NULL;
	int r = coverage ? read_all(in, &text) : -ENOMEM;

	*ret_why = NULL;
	if (r == -EFBIG)
		why = "it is too large";
	else if (r == -EIO)
		why = "it cannot be read";
	if (r == 0 && *text) {
		root = yajl_tree_parse(text, message, sizeof(message));
		why = strchr(text, '{') == text ? "it is no whole JSON text"
						: "it is no coverage file of sentry";
		r = root ? read_tree(root, coverage, &why) : -EINVAL;
	}
	if (root)
		yajl_tree_free(root);
	if (r < 0) {
		coverage_free(coverage);
		*ret_why = strdup(why);
		return r;
	}
	*ret = coverage;
	return 0;
}

/* ---- adding a run ---------------------------------------------------------------------------- */

static int read_file(int fd, const char *name, struct coverage **ret)
{
	FILE *in = fdopen(dup(fd), "r");
	char *why = NULL;
	int r;

	if (!in)
		return -errno;
	rewind(in);
	r = coverage_read(in, ret, &why);
	(void)fclose(in);
	if (r < 0)
		fprintf(stderr, "sentry: %s: %s\n", name, why ? why : strerror(-r));
	free(why);
	return r;
}

/* A whole file takes the place of the old one. */
static int replace(const char *file, const struct coverage *coverage)
{
	char name[PATH_MAX];
	FILE *out;
	int fd, r;

	if ((size_t)snprintf(name, sizeof(name), "%s.XXXXXX", file) >= sizeof(name))
		return -ENAMETOOLONG;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	(void)fchmod(fd, 0644);
	out = fdopen(fd, "w");
	if (!out) {
		close(fd);
		(void)unlink(name);
		return -ENOMEM;
	}
	r = coverage_write(coverage, out);
	if (fclose(out) != 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(name, file) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(name);
	return r;
}

/* The file as it is now, locked: whoever had it before may have put another in its place. */
static int open_locked(const char *file)
{
	for (;;) {
		int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
		struct stat by_fd, by_name;

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX) < 0 || fstat(fd, &by_fd) < 0) {
			int error = -errno;

			close(fd);
			return error;
		}
		if (stat(file, &by_name) == 0 && by_name.st_ino == by_fd.st_ino &&
			by_name.st_dev == by_fd.st_dev)
			return fd;
		close(fd);
	}
}

int coverage_update(const char *file, int fd)
{
	struct coverage *all = NULL, *one = NULL;
	_cleanup_close_ int locked = open_locked(file);
	int r;

	if (locked < 0) {
		fprintf(stderr, "sentry: %s: %s\n", file, strerror(-locked));
		return locked;
	}
	r = read_file(locked, file, &all);
	r = r < 0 ? r : read_file(fd, "this run's coverage", &one);
	r = r < 0 ? r : coverage_merge(all, one);
	if (r == 0) {
		r = replace(file, all);
		if (r < 0)
			fprintf(stderr, "sentry: %s: cannot write: %s\n", file, strerror(-r));
	}
	coverage_free(all);
	coverage_free(one);
	return r;
}
