/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting records. Names are made of tables of ours, but for pseudo-files, whose paths a guest
 * chose: these lose their numbers and are escaped, and their number is bounded.
 */
#include "cmd/observe/coverage.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "abi/socket.h"
#include "base/checked.h"
#include "cmd/observe/coverage_private.h"
#include "sentry/syscall_table.h"

#define TABLE_SIZE   16384u
#define STACK_FRAMES 24u /* shown at most */

struct coverage *coverage_new(void)
{
	struct coverage *coverage = calloc(1, sizeof(*coverage));

	if (!coverage)
		return NULL;
	coverage->table_size = TABLE_SIZE;
	coverage->table = calloc(TABLE_SIZE, sizeof(struct coverage_item *));
	if (coverage->table)
		return coverage;
	free(coverage);
	return NULL;
}

void coverage_free(struct coverage *coverage)
{
	if (!coverage)
		return;
	for (size_t i = 0; i < coverage->table_size; i++) {
		while (coverage->table[i]) {
			struct coverage_item *item = coverage->table[i];

			coverage->table[i] = item->next;
			free(item);
		}
	}
	free(coverage->table);
	free(coverage);
}

static size_t name_hash(const char *name)
{
	size_t hash = 14695981039346656037u;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 1099511628211u;
	return hash;
}

struct coverage_item *coverage_find(const struct coverage *coverage, const char *name)
{
	struct coverage_item *item = coverage->table[name_hash(name) % coverage->table_size];

	while (item && strcmp(item->name, name) != 0)
		item = item->next;
	return item;
}

struct coverage_item *coverage_item_of(struct coverage *coverage, const char *name)
{
	struct coverage_item *item = coverage_find(coverage, name);
	size_t slot = name_hash(name) % coverage->table_size;

	if (item)
		return item;
	if (coverage->item_count >= COVERAGE_ITEMS_MAX || !(item = calloc(1, sizeof(*item)))) {
		coverage->dropped++;
		return NULL;
	}
	(void)snprintf(item->name, sizeof(item->name), "%s", name);
	item->support = "";
	item->next = coverage->table[slot];
	coverage->table[slot] = item;
	coverage->item_count++;
	return item;
}

static int by_name(const void *a, const void *b)
{
	const struct coverage_item *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

struct coverage_item **coverage_sorted(const struct coverage *coverage)
{
	struct coverage_item **items = calloc(coverage->item_count + 1, sizeof(*items));
	size_t count = 0;

	if (!items)
		return NULL;
	for (size_t i = 0; i < coverage->table_size; i++)
		for (struct coverage_item *item = coverage->table[i]; item; item = item->next)
			items[count++] = item;
	qsort(items, count, sizeof(struct coverage_item *), by_name);
	return items;
}

/* ---- counting -------------------------------------------------------------------------------- */

void coverage_add_error(struct coverage_item *item, int number, uint64_t count)
{
	for (unsigned i = 0; i < item->error_count; i++) {
		if (item->errors[i].number == number) {
			item->errors[i].count += count;
			return;
		}
	}
	if (item->error_count >= COVERAGE_ERRORS - 1 && number != 0) {
		coverage_add_error(item, 0, count);
		return;
	}
	item->errors[item->error_count].number = number;
	item->errors[item->error_count++].count = count;
}

unsigned coverage_latency_bin(uint64_t ns)
{
	unsigned bin = ns ? 64u - (unsigned)__builtin_clzll(ns) : 0;

	return min_of(bin, COVERAGE_LATENCIES - 1);
}

static void put_frame(FILE *out, const struct record_stack *stack, const struct record_frame *frame)
{
	const struct record_frame *frames = (const struct record_frame *)(stack + 1);
	const char *names = (const char *)(frames + stack->frame_count);
	const char *module = frame->module == UINT32_MAX ? "?" : names + frame->module;
	const char *symbol = frame->symbol == UINT32_MAX ? NULL : names + frame->symbol;
	const char *slash = strrchr(module, '/');

	module = slash ? slash + 1 : module;
	if (frame->kind == RECORD_FRAME_PYTHON)
		fprintf(out, "%s (%s:%" PRIu32 ")", symbol ? symbol : "?", module, frame->line);
	else if (symbol)
		fprintf(out, "%s", symbol);
	else
		fprintf(out, "%s+%#" PRIx64, module, frame->offset);
}

/* "write < print_all < main < libc.so.6+0x2724a < _start", as much of it as there is room. */
static void stack_in_words(const struct record_stack *stack, char *ret, size_t size)
{
	const struct record_frame *frames = (const struct record_frame *)(stack + 1);
	FILE *out;

	memset(ret, 0, size);
	out = fmemopen(ret, size - 1, "w");
	if (!out)
		return;
	for (uint32_t i = 0; i < stack->frame_count && i < STACK_FRAMES; i++) {
		fputs(i ? " < " : "", out);
		put_frame(out, stack, &frames[i]);
	}
	(void)fclose(out);
	for (char *at = ret; *at; at++)
		if (!isprint((unsigned char)*at))
			*at = '?';
}

/* Who made it, and where in its code. */
static void note_seen(
	const struct coverage *coverage, const struct record_call *call, struct coverage_item *item)
{
	const char *name = coverage->names[(uint32_t)call->head.tid % array_size(coverage->names)];

	char stack[COVERAGE_STACK_MAX] = "";

	if (coverage->stack.head.size > 0 && coverage->stack.head.tid == call->head.tid)
		stack_in_words(&coverage->stack, stack, sizeof(stack));
	if (stack[0])
		(void)snprintf(item->seen, sizeof(item->seen), "%.40s: %s %d: %s",
			coverage->command, name, call->head.tid, stack);
	else
		(void)snprintf(item->seen, sizeof(item->seen), "%.80s: %s %d at %#" PRIx64,
			coverage->command, name, call->head.tid, call->ip);
}

static void count(struct coverage *coverage, const char *name, const char *support,
	const struct record_call *call)
{
	struct coverage_item *item = coverage_item_of(coverage, name);

	if (!item)
		return;
	if (item->count++ == 0)
		note_seen(coverage, call, item);
	item->support = support;
	if (call->flags & RECORD_NO_RETURN)
		return;
	if (call->result < 0 && call->result > -4096)
		coverage_add_error(item, (int)-call->result, 1);
	item->latencies[coverage_latency_bin(call->latency)]++;
}

/* ---- values ---------------------------------------------------------------------------------- */

static const char *value_name(const struct value_set *set, uint64_t value)
{
	for (unsigned i = 0; i < set->value_count; i++)
		if (set->values[i].value == value)
			return set->values[i].name;
	return NULL;
}

/* How calls answer what they have never heard of. */
static bool is_not_known(int64_t result)
{
	return result == -EINVAL || result == -ENOSYS || result == -EOPNOTSUPP ||
	       result == -ENOTTY || result == -ENOPROTOOPT || result == -EAFNOSUPPORT ||
	       result == -EPROTONOSUPPORT || result == -ESOCKTNOSUPPORT;
}

/* Of calls that failed, only those that nobody knows say something about support. */
static void count_value(struct coverage *coverage, const struct syscall_info *info,
	const char *argument, const char *value, uint64_t number, const struct record_call *call)
{
	char name[COVERAGE_NAME_MAX];

	if (value)
		(void)snprintf(name, sizeof(name), "%s %s %s", info->name, argument, value);
	else
		(void)snprintf(name, sizeof(name), "%s %s %#" PRIx64, info->name, argument, number);
	count(coverage, name,
		value			     ? "full"
		: is_not_known(call->result) ? "none"
					     : "unknown",
		call);
}

static void count_set(struct coverage *coverage, const struct syscall_info *info,
	const char *argument, const struct value_set *set, uint64_t value,
	const struct record_call *call)
{
	uint64_t rest = value & ~set->enum_mask;

	/* A zero without a name says that nothing is asked for. */
	if (set->enum_mask && ((value & set->enum_mask) || value_name(set, 0)))
		count_value(coverage, info, argument, value_name(set, value & set->enum_mask),
			value & set->enum_mask, call);
	for (unsigned i = 0; i < set->flag_count; i++) {
		uint64_t flag = set->flags[i].value;

		if (!flag || (rest & flag) != flag)
			continue;
		count_value(coverage, info, argument, set->flags[i].name, flag, call);
		rest &= ~flag;
	}
	if (rest)
		count_value(coverage, info, argument, NULL, rest, call);
}

/* What an option's number means depends on the level before it. */
static bool is_tcp_option(const struct syscall_info *info, unsigned index, const uint64_t args[6])
{
	return index > 0 && strcmp(info->args[index].set->name, "sockopt") == 0 &&
	       (int)args[index - 1] == LX_SOL_TCP;
}

/* Options of other levels have no table: their level and number. */
static void count_other_option(struct coverage *coverage, const struct syscall_info *info,
	int level, uint64_t option, const struct record_call *call)
{
	char argument[32];

	(void)snprintf(argument, sizeof(argument), "level %d", level);
	count_value(coverage, info, argument, NULL, option, call);
}

static void count_values(
	struct coverage *coverage, const struct syscall_info *info, const struct record_call *call)
{
	for (unsigned i = 0; i < info->nargs; i++) {
		const struct syscall_arg *arg = &info->args[i];
		const struct value_set *set = arg->set;
		uint64_t value = call->args[i];

		if (arg->type != ARG_SET32 && arg->type != ARG_SET64)
			continue;
		if (arg->type == ARG_SET32)
			value = (uint32_t)value;
		if (is_tcp_option(info, i, call->args))
			set = &value_set_sockopt_tcp;
		else if (i > 0 && strcmp(set->name, "sockopt") == 0 &&
			 (int)call->args[i - 1] != LX_SOL_SOCKET)
			set = NULL;
		if (set)
			count_set(coverage, info, arg->name, set, value, call);
		else
			count_other_option(coverage, info, (int)call->args[i - 1], value, call);
	}
}

/* ---- pseudo-files ---------------------------------------------------------------------------- */

static bool is_pseudo(const char *path)
{
	return strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0 ||
	       strncmp(path, "/dev/", 5) == 0;
}

/*
 * Where names begin that programs make up: semaphores and shared memory ("/dev/shm/sem.XXXXXX"),
 * and files of anywhere that are reached by way of a process ("/proc/N/root/usr/lib/x.so"). Neither
 * are pseudo-files; all of a place count as one.
 */
static char *made_up_part(char *path)
{
	static const char *const links[] = {"/root/", "/cwd/", "/fd/N/"};

	if (strncmp(path, "/dev/shm/", 9) == 0)
		return path + 9;
	for (size_t i = 0; strncmp(path, "/proc/", 6) == 0 && i < array_size(links); i++) {
		char *at = strstr(path, links[i]);

		if (at)
			return at + strlen(links[i]);
	}
	return NULL;
}

/* A component of nothing but digits is a number of the run: N. What does not print is "?". What
 * was made up is "*". */
void coverage_plain_path(const char *path, char *ret, size_t size)
{
	size_t used = 0;
	char *made_up;

	while (*path && used + 2 < size) {
		size_t digits = strspn(path, "0123456789");

		if (used > 0 && ret[used - 1] == '/' && digits > 0 &&
			(path[digits] == '/' || path[digits] == '\0')) {
			ret[used++] = 'N';
			path += digits;
			continue;
		}
		ret[used++] = isprint((unsigned char)*path) && *path != ' ' ? *path : '?';
		path++;
	}
	ret[used] = '\0';
	made_up = made_up_part(ret);
	if (made_up && *made_up) {
		made_up[0] = '*';
		made_up[1] = '\0';
	}
}

static void count_files(
	struct coverage *coverage, const struct syscall_info *info, const union record *record)
{
	char path[256], name[COVERAGE_NAME_MAX] = "file ";

	for (unsigned i = 0; i < info->nargs; i++) {
		if (info->args[i].type != ARG_STRING ||
			!record_string(record, record->call.args[i], path, sizeof(path)) ||
			!is_pseudo(path))
			continue;
		coverage_plain_path(path, name + 5, sizeof(name) - 5);
		count(coverage, name, "", &record->call);
	}
}

/* ---- records --------------------------------------------------------------------------------- */

static const char *support_of(const struct syscall_info *info)
{
	static const char *const names[] = {
		[SYSCALL_NONE] = "none", [SYSCALL_PARTIAL] = "partial", [SYSCALL_FULL] = "full"};

	return names[info->support];
}

static void add_call(struct coverage *coverage, const union record *record)
{
	const struct record_call *call = &record->call;
	const struct syscall_info *info = call->nr < LX_NR_COUNT ? &syscall_info[call->nr] : NULL;
	char name[32];

	if (!info || !info->name) {
		(void)snprintf(name, sizeof(name), "syscall_%#" PRIx64, call->nr);
		count(coverage, name, "none", call);
		return;
	}
	count(coverage, info->name, support_of(info), call);
	if (call->result == -ENOSYS && info->support == SYSCALL_NONE)
		return;
	count_values(coverage, info, call);
	count_files(coverage, info, record);
}

static void add_count(struct coverage *coverage, const struct record_count *record)
{
	const struct syscall_info *info =
		record->nr < LX_NR_COUNT ? &syscall_info[record->nr] : NULL;
	struct coverage_item *item;

	if (!info || !info->name)
		return;
	item = coverage_item_of(coverage, info->name);
	if (!item)
		return;
	item->support = support_of(info);
	item->count += record->count;
	item->in_guest += record->count;
}

static void keep_stack(struct coverage *coverage, const struct record_stack *stack)
{
	if (stack->head.size <= sizeof(coverage->stack_bytes))
		memcpy(coverage->stack_bytes, stack, stack->head.size);
}

static void keep_printable(char *to, const char *from, size_t size)
{
	size_t i = 0;

	for (; i + 1 < size && from[i]; i++)
		to[i] = isprint((unsigned char)from[i]) ? from[i] : '?';
	to[i] = '\0';
}

void coverage_add(struct coverage *coverage, const union record *record)
{
	switch (record->head.kind) {
	case RECORD_BEGIN:
		coverage->runs++;
		keep_printable(coverage->command, record->begin.command, sizeof(coverage->command));
		break;
	case RECORD_TASK:
		keep_printable(
			coverage->names[(uint32_t)record->head.tid % array_size(coverage->names)],
			record->task.name, sizeof(coverage->names[0]));
		break;
	case RECORD_CALL:
		add_call(coverage, record);
		break;
	case RECORD_COUNT:
		add_count(coverage, &record->count);
		break;
	case RECORD_STACK:
		keep_stack(coverage, &record->stack);
		break;
	}
}

int coverage_merge(struct coverage *to, const struct coverage *from)
{
	for (size_t i = 0; i < from->table_size; i++) {
		for (struct coverage_item *item = from->table[i]; item; item = item->next) {
			struct coverage_item *sum = coverage_item_of(to, item->name);

			if (!sum)
				return -ENOMEM;
			if (sum->count == 0)
				memcpy(sum->seen, item->seen, sizeof(sum->seen));
			sum->support = item->support;
			sum->count += item->count;
			sum->in_guest += item->in_guest;
			for (unsigned e = 0; e < item->error_count; e++)
				coverage_add_error(
					sum, item->errors[e].number, item->errors[e].count);
			for (unsigned bin = 0; bin < COVERAGE_LATENCIES; bin++)
				sum->latencies[bin] += item->latencies[bin];
		}
	}
	to->runs += from->runs;
	to->dropped += from->dropped;
	return 0;
}
