/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy of what runs needed (docs/policy.md): the parts of volumes that were used, the places
 * in the network that were talked to, and limits with a margin. What it says is a lower bound, and
 * the margins are there since no run is like the other.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "base/checked.h"
#include "cmd/observe/report.h"
#include "cmd/observe/words.h"
#include "gateway/address.h"

#define VOLUMES_MAX 64u
#define PATH_ROOM   4096u

/* Times what was seen. */
#define TIME_MARGIN   10
#define TASK_MARGIN   2
#define MEMORY_MARGIN 2
#define FILE_MARGIN   4
#define OUTPUT_MARGIN 10

/* ---- files ----------------------------------------------------------------------------------- */

struct place {
	char source[PATH_ROOM], target[PATH_ROOM];
	bool writable;
};

struct places {
	struct place all[VOLUMES_MAX];
	unsigned count;
	bool full;
};

/* Places that every sandbox has. */
static bool is_given(const char *path)
{
	static const char *const places[] = {"/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/",
		"/etc/", "/proc/", "/sys/", "/dev/", "/tmp/", "/run/", "/var/tmp/"};

	if (path[0] != '/')
		return true;
	for (size_t i = 0; i < array_size(places); i++)
		if (strncmp(path, places[i], strlen(places[i])) == 0)
			return true;
	return strrchr(path, '/') == path;
}

/* @path without "." and ".." and double slashes, by its names alone. */
static bool plain_path(const char *path, char *ret, size_t size)
{
	size_t used = 0;

	while (*path) {
		size_t length;

		path += strspn(path, "/");
		length = strcspn(path, "/");
		if (length == 2 && memcmp(path, "..", 2) == 0) {
			while (used > 0 && ret[used - 1] != '/')
				used--;
			used -= used > 0;
		} else if (length > 0 && !(length == 1 && *path == '.')) {
			if (used + length + 2 > size)
				return false;
			ret[used++] = '/';
			memcpy(ret + used, path, length);
			used += length;
		}
		path += length;
	}
	ret[used] = '\0';
	return true;
}

static bool is_below(const char *path, const char *directory)
{
	size_t size = strlen(directory);

	while (size > 0 && directory[size - 1] == '/')
		size--;
	return strncmp(path, directory, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

/* The volume that @path is in, or NULL. */
static const struct report_volume *volume_of(const struct report *report, const char *path)
{
	const struct report_volume *found = NULL;

	for (unsigned i = 0; i < report->volume_count; i++) {
		const struct report_volume *volume = &report->volumes[i];

		if (is_below(path, volume->target) &&
			(!found || strlen(volume->target) > strlen(found->target)))
			found = volume;
	}
	return found;
}

static void add_place(struct places *places, const char *source, const char *target, bool writable)
{
	unsigned at = 0;

	/* What a policy file cannot say. */
	if (strpbrk(source, ":\\") || strpbrk(target, ":\\"))
		return;
	while (at < places->count && strcmp(places->all[at].target, target) != 0)
		at++;
	if (at == VOLUMES_MAX) {
		places->full = true;
		return;
	}
	if (at == places->count) {
		(void)snprintf(places->all[at].source, PATH_ROOM, "%s", source);
		(void)snprintf(places->all[at].target, PATH_ROOM, "%s", target);
		places->all[at].writable = false;
		places->count++;
	}
	places->all[at].writable |= writable;
}

/* The directory of a file that was used in a volume; the volume itself when it is that. */
static void add_part(
	struct places *places, const struct report_volume *volume, const char *path, unsigned uses)
{
	const bool writable = volume->writable && (uses & TALLY_WRITE);
	size_t root = strlen(volume->target);
	char source[PATH_ROOM], target[PATH_ROOM];
	const char *slash = strrchr(path, '/');
	size_t size = slash ? (size_t)(slash - path) : 0;

	while (root > 0 && volume->target[root - 1] == '/')
		root--;
	size = max_of(size, root);
	if (size >= sizeof(target) || strlen(volume->source) + size >= sizeof(source))
		return;
	(void)snprintf(target, sizeof(target), "%.*s", (int)size, path);
	(void)snprintf(
		source, sizeof(source), "%s%.*s", volume->source, (int)(size - root), path + root);
	add_place(places, source, target, writable);
}

/* Traces of older versions do not say what was shown where: it was what it was called. */
static void add_guess(struct places *places, const char *path, unsigned uses)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_ROOM];

	if (is_given(path) || !slash || (size_t)(slash - path) >= sizeof(directory))
		return;
	(void)snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
	add_place(places, directory, directory, uses & TALLY_WRITE);
}

static void find_places(const struct report *report, struct places *ret)
{
	char path[PATH_ROOM];

	for (unsigned i = 0; i < report->paths.count; i++) {
		const struct tally *file = report->paths.all[i];
		const struct report_volume *volume;

		if (!plain_path(file->name, path, sizeof(path)))
			continue;
		volume = volume_of(report, path);
		if (volume && !volume->copy)
			add_part(ret, volume, path, file->uses);
		else if (report->volume_count == 0)
			add_guess(ret, path, file->uses);
	}
	/* Who used names relative to a descriptor may have used any of them. */
	for (unsigned i = 0; (report->vague_uses || ret->full) && i < report->volume_count; i++) {
		const struct report_volume *volume = &report->volumes[i];

		if (!volume->copy)
			add_place(ret, volume->source, volume->target,
				volume->writable &&
					(report->vague_uses & TALLY_WRITE || ret->full));
	}
}

/* A part of a place that is there, as writable, says nothing. */
static bool is_covered(const struct places *places, unsigned at)
{
	const struct place *part = &places->all[at];

	for (unsigned i = 0; i < places->count; i++) {
		const struct place *whole = &places->all[i];
		size_t size = strlen(whole->target);

		if (i != at && is_below(part->target, whole->target) &&
			(whole->writable || !part->writable) &&
			strlen(whole->source) + strlen(part->target) - size ==
				strlen(part->source) &&
			is_below(part->source, whole->source))
			return true;
	}
	return false;
}

static int put_files(yajl_gen gen, const struct report *report)
{
	struct places *places = calloc(1, sizeof(*places));
	char volume[2 * PATH_ROOM + 8];

	if (!places)
		return -ENOMEM;
	find_places(report, places);
	words_name(gen, "files");
	yajl_gen_map_open(gen);
	words_name(gen, "volumes");
	yajl_gen_array_open(gen);
	for (unsigned i = 0; i < places->count; i++) {
		const struct place *place = &places->all[i];

		if (is_covered(places, i))
			continue;
		(void)snprintf(volume, sizeof(volume), "%s:%s:%s", place->source, place->target,
			place->writable ? "rw" : "ro");
		words_name(gen, volume);
	}
	yajl_gen_array_close(gen);
	if (report->allowed_count > 0) {
		words_name(gen, "allowed");
		yajl_gen_array_open(gen);
		words_name(gen, "@default");
		for (unsigned i = 0; i < report->allowed_count; i++)
			words_name(gen, report->allowed[i]);
		yajl_gen_array_close(gen);
	}
	yajl_gen_map_close(gen);
	free(places);
	return 0;
}

/* ---- the network ----------------------------------------------------------------------------- */

/* "{sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("1.2.3.4")}" */
static bool read_address(const char *text, char *ret_address, size_t size, unsigned *ret_port)
{
	const char *port = strstr(text, "port=htons("), *at = strstr(text, "addr(\"");
	const char *v6 = strstr(text, "inet_pton(AF_INET6, \""), *end;
	unsigned char bytes[16];

	if (v6)
		at = v6 + strlen("inet_pton(AF_INET6, \"");
	else if (at)
		at += strlen("addr(\"");
	end = at ? strchr(at, '"') : NULL;
	if (!port || !end || (size_t)(end - at) >= size)
		return false;
	memcpy(ret_address, at, (size_t)(end - at));
	ret_address[end - at] = '\0';
	*ret_port = (unsigned)strtoul(port + strlen("port=htons("), NULL, 10);
	return *ret_port > 0 && *ret_port < 65536 &&
	       inet_pton(v6 ? AF_INET6 : AF_INET, ret_address, bytes) == 1;
}

/* @host: a name, or an address. */
static void put_rule(
	yajl_gen gen, const char *protocol, const char *host, unsigned port, bool special)
{
	struct gate_address address;
	bool numeric = gate_address_parse(host, &address) == 0;
	char cidr[80];

	yajl_gen_map_open(gen);
	words_string(gen, "action", "allow");
	words_string(gen, "proto", protocol);
	if (numeric) {
		(void)snprintf(
			cidr, sizeof(cidr), "%.60s/%d", host, gate_is_v4(&address) ? 32 : 128);
		special |= gate_address_special(&address) != NULL;
	}
	words_string(gen, numeric ? "cidr" : "domain", numeric ? cidr : host);
	words_number(gen, "ports", port);
	if (special) {
		words_name(gen, "allow_private");
		yajl_gen_bool(gen, 1);
	}
	yajl_gen_map_close(gen);
}

/* What the gateway let pass: by name, where the program asked for one. */
static unsigned put_flows(yajl_gen gen, const struct report *report)
{
	unsigned count = 0;

	for (unsigned i = 0; i < report->flows.count; i++) {
		const struct tally *flow = report->flows.all[i];
		char protocol[8], host[256];
		unsigned port;

		if ((flow->uses & TALLY_INWARD) ||
			sscanf(flow->name, "%7s %255s %u", protocol, host, &port) != 3)
			continue;
		put_rule(gen, protocol, host, port, flow->uses & TALLY_SPECIAL);
		count++;
	}
	return count;
}

static bool has_flow_to(const struct report *report, const char *name)
{
	for (unsigned i = 0; i < report->flows.count; i++) {
		const char *host = strchr(report->flows.all[i]->name, ' ');
		size_t size = strlen(name);

		if (host && strncmp(host + 1, name, size) == 0 && host[1 + size] == ' ')
			return true;
	}
	return false;
}

/* Names that were only looked up: they do not exist where no rule has them. */
static unsigned put_names(yajl_gen gen, const struct report *report)
{
	unsigned count = 0;

	for (unsigned i = 0; i < report->names.count; i++) {
		const char *name = report->names.all[i]->name;

		if (!*name || has_flow_to(report, name))
			continue;
		put_rule(gen, "tcp", name, 443, false);
		count++;
	}
	return count;
}

/* Without a gateway: addresses that the program gave. */
static unsigned put_addresses(yajl_gen gen, const struct report *report)
{
	unsigned count = 0;

	for (unsigned i = 0; i < report->addresses.count; i++) {
		const struct tally *tally = report->addresses.all[i];
		struct gate_address address;
		const char *special;
		char text[64];
		unsigned port;

		if (!(tally->uses & TALLY_CONNECT) ||
			!read_address(tally->name, text, sizeof(text), &port) ||
			gate_address_parse(text, &address) < 0)
			continue;
		special = gate_address_special(&address);
		/* The sandbox's own. */
		if ((special && strcmp(special, "loopback") == 0) || strcmp(text, "0.0.0.0") == 0 ||
			strcmp(text, "::") == 0)
			continue;
		put_rule(gen, tally->uses & TALLY_DATAGRAMS ? "udp" : "tcp", text, port, false);
		count++;
	}
	return count;
}

static void put_network(yajl_gen gen, const struct report *report)
{
	yajl_gen rules = yajl_gen_alloc(NULL);
	bool gateway = report->flows.count > 0 || report->names.count > 0;
	unsigned count;

	if (!rules)
		return;
	/* Whether there are any is known afterwards. */
	yajl_gen_array_open(rules);
	count = gateway ? put_flows(rules, report) + put_names(rules, report)
			: put_addresses(rules, report);
	yajl_gen_free(rules);
	words_string(gen, "network", gateway || count > 0 ? "gateway" : "none");
	if (count == 0)
		return;
	words_name(gen, "egress");
	yajl_gen_array_open(gen);
	if (gateway)
		(void)(put_flows(gen, report) + put_names(gen, report));
	else
		(void)put_addresses(gen, report);
	yajl_gen_array_close(gen);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void put_limit(yajl_gen gen, const char *name, double value, double least, const char *unit)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%.0f%s", max_of(value, least), unit);
	words_string(gen, name, text);
}

static void put_limits(yajl_gen gen, const struct report *report)
{
	const double mib = 1048576;
	const uint64_t tasks = report->usage.known ? report->usage.tasks : report->task_count;

	words_name(gen, "limits");
	yajl_gen_map_open(gen);
	put_limit(gen, "timeout", report->longest * TIME_MARGIN + 1, 10, "s");
	words_number(gen, "pids-limit", (long long)max_of(UINT64_C(16), tasks * TASK_MARGIN));
	words_number(gen, "nofile", max_of(256, ((int)report->highest_fd + 1) * FILE_MARGIN));
	if (report->usage.known) {
		put_limit(gen, "memory", (double)report->usage.memory * MEMORY_MARGIN / mib + 1, 64,
			"m");
		put_limit(gen, "cpu-time", report->usage.cpu * TIME_MARGIN + 1, 10, "s");
		put_limit(gen, "output-limit",
			(double)report->usage.output * OUTPUT_MARGIN / mib + 1, 1, "m");
	}
	yajl_gen_map_close(gen);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void put_head(const struct report *report, unsigned runs, FILE *out)
{
	fprintf(out,
		"// What %u run%s needed: a lower bound, other inputs may need more.\n"
		"// Limits are %d times the time, CPU time and output that were seen, %d times the "
		"memory and tasks,\n// %d times the descriptors, and never very small.\n",
		runs, runs == 1 ? "" : "s", TIME_MARGIN, MEMORY_MARGIN, FILE_MARGIN);
	if (!report->usage.known)
		fputs("// The trace does not tell how much memory was used.\n", out);
	if (report->flows.count == 0 && report->names.count == 0)
		fputs("// Addresses are those that the program gave: names are known of runs with "
		      "--network gateway.\n",
			out);
	for (unsigned i = 0; i < report->flows.count; i++)
		if (report->flows.all[i]->uses & TALLY_INWARD)
			fprintf(out,
				"// Somebody came in, which takes a port of the host (-p): %s\n",
				report->flows.all[i]->name);
}

int report_policy(const struct report *report, unsigned runs, FILE *out)
{
	yajl_gen gen = yajl_gen_alloc(NULL);
	int r;

	if (!gen)
		return -ENOMEM;
	yajl_gen_config(gen, yajl_gen_beautify, 1);
	put_head(report, runs, out);
	yajl_gen_map_open(gen);
	r = put_files(gen, report);
	put_limits(gen, report);
	put_network(gen, report);
	yajl_gen_map_close(gen);
	return words_finish(gen, out) < 0 ? -EIO : r;
}
