/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading and writing policy files.
 *
 * libyajl reads the JSON and tells of each token. We keep the path to where we are as text
 * ("limits.memory") and look it up in one table, whose rows name the command-line option that takes
 * the value: what is a good value is decided there, for both. Nothing is ignored: a key that is not
 * in the table, a key that comes twice, a value of the wrong type end the reading.
 */
#include "cmd/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yajl/yajl_parse.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "cmd/json.h"
#include "vfs/guard.h"

enum node_kind {
	NODE_OBJECT,
	NODE_STRINGS, /* an array of strings */
	NODE_MAP,     /* an object with any keys, whose values are strings or null */
	NODE_STRING,
	NODE_VALUE, /* a string or a number */
	NODE_RULES, /* an array of objects, each a rule (gateway/rules.h) */
	NODE_IGNORED,
};

static const struct node {
	const char *path;
	enum node_kind kind;
	const char *option; /* that takes the value, or each of them */
} nodes[] = {
	{"", NODE_OBJECT},
	{"$schema", NODE_IGNORED},
	{"profile", NODE_STRING, "profile"},
	{"files", NODE_OBJECT},
	{"files.volumes", NODE_STRINGS, "volume"},
	{"files.tmpfs", NODE_STRINGS, "tmpfs"},
	{"files.hidden", NODE_STRINGS, "hidden"},
	{"files.protected", NODE_STRINGS, "protected"},
	{"files.allowed", NODE_STRINGS, "allowed"},
	{"limits", NODE_OBJECT},
	{"limits.memory", NODE_VALUE, "memory"},
	{"limits.cpus", NODE_VALUE, "cpus"},
	{"limits.pids-limit", NODE_VALUE, "pids-limit"},
	{"limits.nofile", NODE_VALUE, "nofile"},
	{"limits.timeout", NODE_VALUE, "timeout"},
	{"limits.cpu-time", NODE_VALUE, "cpu-time"},
	{"limits.output-limit", NODE_VALUE, "output-limit"},
	{"env", NODE_MAP, "env"},
	{"user", NODE_VALUE, "user"},
	{"network", NODE_STRING, "network"},
	{"egress", NODE_RULES},
	{"publish", NODE_STRINGS, "publish"},
	{"dns", NODE_STRINGS, "dns"},
};
#define NODE_COUNT (sizeof(nodes) / sizeof(nodes[0]))

#define DEPTH_MAX  4
#define PATH_MAX_  512
#define ITEMS_MAX  4096
#define KEY_MAX	   256 /* longer ones are in no table */
#define VALUE_MAX_ 8192

static const char *const rule_keys[] = {
	"id", "action", "proto", "domain", "cidr", "ports", "allow_private"};
#define RULE_PORTS	5u
#define RULE_PRIVATE	6u
#define RULE_PORTS_SIZE 256

struct reader {
	yajl_handle handle;
	const char *name, *text;
	size_t size;
	struct run_options *options;
	char *message;
	size_t message_size;
	int status;

	char path[PATH_MAX_];
	size_t lengths[DEPTH_MAX]; /* of the path of each open object and array */
	unsigned depth;
	const struct node *node; /* of the last key, or of the open array */
	bool in_array, in_map;
	char map_key[KEY_MAX];
	bool seen[NODE_COUNT];
	size_t items;
	struct string_list map_keys;

	/* In a rule: where we are, and what there was. */
	bool in_rule, in_ports;
	unsigned rule_key, rule_keys; /* index into rule_keys[], and a bit for each seen */
	struct gate_rule rule;
	char ports[RULE_PORTS_SIZE];
};

/* ---- messages -------------------------------------------------------------------------------- */

/* @before bytes before what the parser has consumed. */
static void locate(
	const struct reader *reader, size_t before, unsigned *ret_line, unsigned *ret_column)
{
	size_t end = yajl_get_bytes_consumed(reader->handle), line_start = 0;
	unsigned line = 1;

	if (end > reader->size)
		end = reader->size;
	end -= before < end ? before : end;
	for (size_t i = 0; i < end; i++) {
		if (reader->text[i] == '\n') {
			line++;
			line_start = i + 1;
		}
	}
	*ret_line = line;
	*ret_column = (unsigned)(end - line_start) + 1;
}

/* Ends the reading: the callbacks' answer. */
__attribute__((format(printf, 3, 4))) static int fail_at(
	struct reader *reader, size_t before, const char *format, ...)
{
	unsigned line, column;
	va_list args;
	int used;

	reader->status = -EINVAL;
	locate(reader, before, &line, &column);
	used = snprintf(
		reader->message, reader->message_size, "%s:%u:%u: ", reader->name, line, column);
	if (used < 0 || (size_t)used >= reader->message_size)
		return 0;
	va_start(args, format);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is right above */
	(void)vsnprintf(reader->message + used, reader->message_size - (size_t)used, format, args);
	va_end(args);
	for (char *at = reader->message; *at; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?'; /* it is one line, and no terminal's orders */
	return 0;
}

/* How many letters must be changed, added or left out (Levenshtein). Short strings only. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[KEY_MAX + 1];
	size_t size = strlen(b);

	for (size_t j = 0; j <= size; j++)
		row[j] = (unsigned)j;
	for (size_t i = 0; a[i]; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i + 1;
		for (size_t j = 0; j < size; j++) {
			unsigned best = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (diagonal + 1 < best)
				best = diagonal + 1;
			row[j + 1] = best;
		}
	}
	return row[size];
}

/* The key of @node if it is one of the object whose path has @length bytes. */
static const char *child_key(const struct reader *reader, const struct node *node, size_t length)
{
	const char *key = node->path + (length ? length + 1 : 0);

	if (!*node->path || strlen(node->path) <= length ||
		strncmp(node->path, reader->path, length) != 0 ||
		(length && node->path[length] != '.') || strchr(key, '.'))
		return NULL;
	return key;
}

static int unknown_key(struct reader *reader, const char *key, size_t length)
{
	const char *best = NULL;
	unsigned least = 4; /* letters; more is no slip of the hand */

	for (size_t i = 0; i < NODE_COUNT; i++) {
		const char *known = child_key(reader, &nodes[i], length);
		unsigned away = known ? distance(key, known) : least;

		if (away < least && away < strlen(known)) {
			least = away;
			best = known;
		}
	}
	reader->path[length] = '\0';
	return fail_at(reader, strlen(key) + 2, "unknown key '%s'%s%s%s%s%s%s", key,
		length ? " in '" : "", reader->path, length ? "'" : "",
		best ? ": did you mean '" : "; docs/policy.md lists them", best ? best : "",
		best ? "'?" : "");
}

/* ---- values ---------------------------------------------------------------------------------- */

static const char *wanted(enum node_kind kind)
{
	switch (kind) {
	case NODE_OBJECT:
		return "an object";
	case NODE_STRINGS:
		return "an array of strings";
	case NODE_MAP:
		return "an object of strings";
	case NODE_STRING:
		return "a string";
	case NODE_RULES:
		return "an array of rules";
	default:
		return "a string or a number";
	}
}

static int wrong_type(struct reader *reader)
{
	if (reader->in_rule)
		return fail_at(reader, 1, "'%s' of a rule must be %s", rule_keys[reader->rule_key],
			reader->rule_key == RULE_PRIVATE ? "true or false"
			: reader->rule_key == RULE_PORTS
				? "a number, a string, or an array of these"
				: "a string");
	if (reader->node->kind == NODE_RULES)
		return fail_at(reader, 1, "'%s' must be an array of rules", reader->path);
	if (reader->in_map)
		return fail_at(reader, 1, "'%s.%s' must be a string, or null", reader->path,
			reader->map_key);
	return fail_at(reader, 1, "%s%s%s must be %s", reader->path[0] ? "'" : "the policy",
		reader->path, reader->path[0] ? "'" : "",
		reader->in_array ? "an array of strings" : wanted(reader->node->kind));
}

static int apply(struct reader *reader, const char *value, size_t size)
{
	char why[512];
	int status = run_option_set(
		reader->options, reader->node->option, value, OPTION_FILE, why, sizeof(why));

	if (status == -EINVAL)
		return fail_at(reader, size, "%s", why);
	reader->status = status;
	return status == 0;
}

/* env: NAME=VALUE, or NAME alone to pass it on. */
static int apply_map(struct reader *reader, const char *value, size_t size)
{
	char word[KEY_MAX + VALUE_MAX_ + 2];

	if (!reader->map_key[0] || strchr(reader->map_key, '='))
		return fail_at(reader, size, "'%s' is not a variable's name", reader->map_key);
	(void)snprintf(word, sizeof(word), "%s%s%s", reader->map_key, value ? "=" : "",
		value ? value : "");
	return apply(reader, word, size);
}

/* ---- rules: objects in the array "egress" ---- */

static int rule_value(struct reader *reader, const char *text, size_t size, size_t raw)
{
	char why[256], copy[RULE_PORTS_SIZE];
	size_t at = 0, used = strlen(reader->ports);

	if (size >= sizeof(copy) || memchr(text, '\0', size))
		return fail_at(reader, raw, "the value of '%s' is too long, or has a NUL character",
			rule_keys[reader->rule_key]);
	memcpy(copy, text, size);
	copy[size] = '\0';
	if (!json_is_utf8(copy))
		return fail_at(reader, raw, "'%s' is not UTF-8", rule_keys[reader->rule_key]);
	if (gate_rule_set(&reader->rule, rule_keys[reader->rule_key], copy, why, sizeof(why), &at) <
		0)
		return fail_at(reader, raw - (raw > size) - min_of(at, size), "%s", why);
	if (!reader->in_ports)
		return 1;
	/* The elements of an array are one list. */
	if (used + size + 2 > sizeof(reader->ports) || strcmp(copy, "*") == 0)
		return fail_at(reader, raw, "'ports' has too many elements, or a '*' among others");
	if (used)
		reader->ports[used++] = ',';
	memcpy(reader->ports + used, copy, size + 1);
	return 1;
}

static int rule_begin(struct reader *reader)
{
	reader->in_rule = true;
	reader->rule_keys = 0;
	reader->rule = (struct gate_rule){0};
	return 1;
}

static int rule_key(struct reader *reader, const char *key, size_t raw)
{
	for (unsigned i = 0; i < array_size(rule_keys); i++) {
		if (strcmp(key, rule_keys[i]) != 0)
			continue;
		if (reader->rule_keys & 1u << i)
			return fail_at(reader, raw, "'%s' is there twice", key);
		reader->rule_keys |= 1u << i;
		reader->rule_key = i;
		return 1;
	}
	return fail_at(reader, raw,
		"unknown key '%s' in a rule: there are id, action, proto, domain, cidr, ports, "
		"allow_private",
		key);
}

static int rule_end(struct reader *reader)
{
	char why[256] = "";
	int r;

	reader->in_rule = false;
	if (!reader->rule.has_action)
		return fail_at(reader, 1, "the rule has no action");
	if (gate_rule_check(&reader->rule, why, sizeof(why)) < 0)
		return fail_at(reader, 1, "%s", why);
	r = run_option_rule(reader->options, &reader->rule, why, sizeof(why));
	if (r == -EINVAL)
		return fail_at(reader, 1, "%s", why);
	reader->status = r;
	return r == 0;
}

static int ports_end(struct reader *reader)
{
	char why[256];
	size_t at;

	reader->in_ports = false;
	if (gate_rule_set(&reader->rule, "ports", reader->ports, why, sizeof(why), &at) < 0)
		return fail_at(reader, 1, "%s", reader->ports[0] ? why : "'ports' is empty");
	return 1;
}

static int value(struct reader *reader, const char *text, size_t size, bool number)
{
	char copy[VALUE_MAX_ + 1];
	const struct node *node = reader->node;
	size_t raw = number ? size : size + 2;

	if (reader->in_rule) {
		if (reader->rule_key == RULE_PRIVATE || (number && reader->rule_key != RULE_PORTS))
			return wrong_type(reader);
		return rule_value(reader, text, size, raw);
	}
	if (node->kind == NODE_RULES)
		return wrong_type(reader);
	if (!reader->in_array && !reader->in_map && node->kind == NODE_IGNORED)
		return 1;
	if (number ? reader->in_array || reader->in_map || node->kind != NODE_VALUE
		   : !reader->in_array && !reader->in_map && node->kind != NODE_VALUE &&
				node->kind != NODE_STRING)
		return wrong_type(reader);
	if (size > VALUE_MAX_)
		return fail_at(reader, raw, "the value of '%s' is too long", reader->path);
	if (memchr(text, '\0', size))
		return fail_at(reader, raw, "'%s' has a NUL character", reader->path);
	memcpy(copy, text, size);
	copy[size] = '\0';
	if (!json_is_utf8(copy))
		return fail_at(reader, raw, "'%s' is not UTF-8", reader->path);
	if (reader->in_array && ++reader->items > ITEMS_MAX)
		return fail_at(reader, raw, "'%s' has more than %d items", reader->path, ITEMS_MAX);
	return reader->in_map ? apply_map(reader, copy, raw) : apply(reader, copy, raw);
}

/* ---- what the parser tells ------------------------------------------------------------------- */

static int on_string(void *arg, const unsigned char *text, size_t size)
{
	return value(arg, (const char *)text, size, false);
}

static int on_number(void *arg, const char *text, size_t size)
{
	return value(arg, text, size, true);
}

static int on_null(void *arg)
{
	struct reader *reader = arg;

	return reader->in_map && !reader->in_rule ? apply_map(reader, NULL, 4) : wrong_type(reader);
}

static int on_boolean(void *arg, int truth)
{
	struct reader *reader = arg;

	if (!reader->in_rule || reader->rule_key != RULE_PRIVATE)
		return wrong_type(reader);
	reader->rule.allow_private = truth;
	return 1;
}

static int push(struct reader *reader)
{
	if (reader->depth == DEPTH_MAX)
		return wrong_type(reader);
	reader->lengths[reader->depth++] = strlen(reader->path);
	return 1;
}

static int on_map_start(void *arg)
{
	struct reader *reader = arg;

	if (!reader->in_rule && reader->in_array && reader->node->kind == NODE_RULES)
		return push(reader) && rule_begin(reader);
	if (reader->in_rule || reader->in_array || reader->in_map ||
		(reader->node->kind != NODE_OBJECT && reader->node->kind != NODE_MAP))
		return wrong_type(reader);
	reader->in_map = reader->node->kind == NODE_MAP;
	return push(reader);
}

static int on_map_key(void *arg, const unsigned char *text, size_t size)
{
	struct reader *reader = arg;
	size_t length = reader->lengths[reader->depth - 1];
	char key[KEY_MAX];

	if (size >= KEY_MAX || memchr(text, '\0', size))
		return fail_at(reader, size + 2, "a key that is too long, or has a NUL character");
	memcpy(key, text, size);
	key[size] = '\0';
	if (!json_is_utf8(key))
		return fail_at(reader, size + 2, "a key that is not UTF-8");
	if (reader->in_rule)
		return rule_key(reader, key, size + 2);
	if (reader->in_map) {
		for (size_t i = 0; i < reader->map_keys.count; i++)
			if (strcmp(reader->map_keys.items[i], key) == 0)
				return fail_at(reader, size + 2, "'%s' is there twice", key);
		if (reader->map_keys.count == ITEMS_MAX)
			return fail_at(reader, size + 2, "more than %d variables", ITEMS_MAX);
		memcpy(reader->map_key, key, size + 1);
		reader->status = string_list_add(&reader->map_keys, key);
		return reader->status == 0;
	}
	for (size_t i = 0; i < NODE_COUNT; i++) {
		const char *known = child_key(reader, &nodes[i], length);

		if (!known || strcmp(known, key) != 0)
			continue;
		(void)snprintf(reader->path, sizeof(reader->path), "%s", nodes[i].path);
		if (reader->seen[i])
			return fail_at(reader, size + 2, "'%s' is there twice", nodes[i].path);
		reader->seen[i] = true;
		reader->node = &nodes[i];
		return 1;
	}
	return unknown_key(reader, key, length);
}

/* Back to the object that holds what ends. */
static int on_end(void *arg)
{
	struct reader *reader = arg;

	if (reader->in_ports || reader->in_rule) {
		reader->depth--;
		return reader->in_ports ? ports_end(reader) : rule_end(reader);
	}
	reader->in_array = reader->in_map = false;
	reader->path[reader->lengths[--reader->depth]] = '\0';
	return 1;
}

static int on_array_start(void *arg)
{
	struct reader *reader = arg;

	if (reader->in_rule && reader->rule_key == RULE_PORTS && !reader->in_ports) {
		reader->in_ports = true;
		reader->ports[0] = '\0';
		return push(reader);
	}
	if (reader->in_rule || reader->in_array || reader->in_map ||
		(reader->node->kind != NODE_STRINGS && reader->node->kind != NODE_RULES))
		return wrong_type(reader);
	reader->in_array = true;
	reader->items = 0;
	if (reader->node->kind == NODE_RULES)
		return push(reader);
	/* A list that is given replaces the built-in one. */
	run_option_list_begin(reader->options, reader->node->option);
	return push(reader);
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_map_start,
	.yajl_map_key = on_map_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_array_start,
	.yajl_end_array = on_end,
};

/* The first line of what the parser says, without its own words around it. */
static void syntax_error(struct reader *reader)
{
	unsigned char *said = yajl_get_error(
		reader->handle, 0, (const unsigned char *)reader->text, reader->size);
	char *text = (char *)said;

	if (text) {
		text[strcspn(text, "\n")] = '\0';
		if (strncmp(text, "lexical error: ", 15) == 0)
			text += 15;
		else if (strncmp(text, "parse error: ", 13) == 0)
			text += 13;
	}
	fail_at(reader, 0, "not JSON: %s", text ? text : "?");
	if (said)
		yajl_free_error(reader->handle, said);
}

int policy_parse(const char *name, const char *text, size_t size, struct run_options *options,
	char *message, size_t message_size)
{
	struct reader reader = {
		.name = name,
		.text = text,
		.size = size,
		.options = options,
		.message = message,
		.message_size = message_size,
		.node = &nodes[0],
	};
	yajl_status status;

	reader.handle = yajl_alloc(&callbacks, NULL, &reader);
	if (!reader.handle)
		return -ENOMEM;
	(void)yajl_config(reader.handle, yajl_allow_comments, 1);
	status = yajl_parse(reader.handle, (const unsigned char *)text, size);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(reader.handle);
	if (status != yajl_status_ok && reader.status == 0)
		syntax_error(&reader);
	yajl_free(reader.handle);
	string_list_free(&reader.map_keys);
	return reader.status;
}

int policy_read(const char *file, struct run_options *options, char *message, size_t message_size)
{
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	_cleanup_free_ char *text = malloc(POLICY_SIZE_MAX + 1);
	size_t size = 0;
	ssize_t got = 0;

	if (!text)
		return -ENOMEM;
	while (fd >= 0 && size <= POLICY_SIZE_MAX &&
		(got = read(fd, text + size, POLICY_SIZE_MAX + 1 - size)) > 0)
		size += (size_t)got;
	if (fd < 0 || got < 0) {
		(void)snprintf(message, message_size, "%s: %s", file, strerror(errno));
		return -EINVAL;
	}
	if (size > POLICY_SIZE_MAX) {
		(void)snprintf(message, message_size, "%s: is longer than %u bytes", file,
			POLICY_SIZE_MAX);
		return -EINVAL;
	}
	return policy_parse(file, text, size, options, message, message_size);
}

/* ---- writing --------------------------------------------------------------------------------- */

/* @defaults: what stands before the list unless it was @given as a whole. */
static void write_list(struct json *json, const char *name, const struct string_list *list,
	bool given, const char *const *defaults)
{
	json_open(json, name, '[');
	for (size_t i = 0; !given && defaults && defaults[i]; i++)
		json_string(json, NULL, defaults[i]);
	for (size_t i = 0; i < list->count; i++)
		json_string(json, NULL, list->items[i]);
	json_close(json, ']');
}

static void write_time(struct json *json, const char *name, uint64_t ns)
{
	char text[32];

	if (ns && ns % 1000000000 == 0) {
		json_integer(json, name, (long long)(ns / 1000000000));
	} else if (ns) {
		(void)snprintf(text, sizeof(text), "%llums", (unsigned long long)ns / 1000000);
		json_string(json, name, text);
	}
}

static void write_limits(struct json *json, const struct run_options *options)
{
	json_open(json, "limits", '{');
	json_integer(json, "memory", (long long)options->memory_limit);
	if (options->cpus)
		json_integer(json, "cpus", (long long)options->cpus);
	json_integer(json, "pids-limit", (long long)options->pids_limit);
	json_integer(json, "nofile", (long long)options->nofile_limit);
	write_time(json, "timeout", options->timeout_ns);
	write_time(json, "cpu-time", options->cpu_time_ns);
	if (options->output_limit)
		json_integer(json, "output-limit", (long long)options->output_limit);
	json_close(json, '}');
}

static void write_env(struct json *json, const struct string_list *env)
{
	json_open(json, "env", '{');
	for (size_t i = 0; i < env->count; i++) {
		const char *word = env->items[i];
		_cleanup_free_ char *name = strndup(word, strcspn(word, "="));
		bool later = false;

		/* The last one counts, and a name may stand here once. */
		for (size_t j = i + 1; j < env->count && name; j++)
			later |= strncmp(env->items[j], word, strlen(name) + 1) == 0;
		if (name && !later)
			json_string(json, name, strchr(word, '=') + 1);
	}
	json_close(json, '}');
}

static void write_egress(struct json *json, const struct gate_rules *rules)
{
	char text[GATE_DOMAIN_MAX + 64];

	json_open(json, "egress", '[');
	for (size_t i = 0; i < rules->count; i++) {
		const struct gate_rule *rule = &rules->items[i];

		json_open(json, NULL, '{');
		if (rule->id[0])
			json_string(json, "id", rule->id);
		json_string(json, "action", rule->deny ? "deny" : "allow");
		json_string(json, "proto", rule->protocol == GATE_UDP ? "udp" : "tcp");
		gate_place_write(rule, text, sizeof(text));
		json_string(json, rule->kind == GATE_PREFIX ? "cidr" : "domain", text);
		gate_ports_write(rule, text, sizeof(text));
		json_string(json, "ports", text);
		if (rule->allow_private)
			json_bool(json, "allow_private", true);
		json_close(json, '}');
	}
	json_close(json, ']');
}

void policy_write(const struct run_options *options, FILE *out)
{
	struct json json = {.out = out};
	char user[32], network[NETWORK_WORD_SIZE];

	json_open(&json, NULL, '{');
	json_open(&json, "files", '{');
	write_list(&json, "volumes", &options->volumes, true, NULL);
	write_list(&json, "tmpfs", &options->tmpfs, true, NULL);
	write_list(&json, "hidden", &options->hidden, options->has_hidden, guard_default_hidden);
	write_list(&json, "protected", &options->protected, options->has_protected,
		guard_default_protected);
	write_list(
		&json, "allowed", &options->allowed, options->has_allowed, guard_default_allowed);
	json_close(&json, '}');
	write_limits(&json, options);
	write_env(&json, &options->env);
	if (options->has_user) {
		(void)snprintf(user, sizeof(user), "%u:%u", options->uid, options->gid);
		json_string(&json, "user", user);
	}
	network_word(options->network, &options->link, network);
	json_string(&json, "network", network);
	write_egress(&json, &options->egress);
	write_list(&json, "publish", &options->publish_texts, true, NULL);
	write_list(&json, "dns", &options->dns, true, NULL);
	json_close(&json, '}');
}
