/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/live/words.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "sentry/syscall_table.h"

/* Longest text of a command. */
#define COMMAND_MAX 8192u

void words_size(uint64_t bytes, char *ret, size_t size)
{
	static const char units[] = "KMGTP";
	double value = (double)bytes / 1024;
	unsigned unit = 0;

	while (value >= 1000 && unit + 1 < sizeof(units) - 1) {
		value /= 1024;
		unit++;
	}
	(void)snprintf(
		ret, size, value < 9.95 && unit > 0 ? "%.1f%c" : "%.0f%c", value, units[unit]);
}

void words_count(double count, char *ret, size_t size)
{
	static const char units[] = "kMGTP";
	unsigned unit = 0;

	if (count < 9999.5) {
		(void)snprintf(ret, size, "%.0f", count);
		return;
	}
	count /= 1000;
	while (count >= 999.5 && unit + 1 < sizeof(units) - 1) {
		count /= 1000;
		unit++;
	}
	(void)snprintf(ret, size, count < 99.95 ? "%.1f%c" : "%.0f%c", count, units[unit]);
}

void words_duration(double seconds, char *ret, size_t size)
{
	const unsigned long long whole =
		seconds > 0 ? (unsigned long long)min_of(seconds, 1e15) : 0;

	if (whole < 60)
		(void)snprintf(ret, size, "%llus", whole);
	else if (whole < 3600)
		(void)snprintf(ret, size, "%llum %llus", whole / 60, whole % 60);
	else if (whole < 86400)
		(void)snprintf(ret, size, "%lluh %llum", whole / 3600, whole / 60 % 60);
	else
		(void)snprintf(ret, size, "%llud %lluh", whole / 86400, whole / 3600 % 24);
}

struct text {
	char *bytes;
	size_t used, capacity;
};

static void add(struct text *text, const char *bytes)
{
	const size_t size = strlen(bytes);

	if (text->capacity - text->used <= size)
		return;
	memcpy(text->bytes + text->used, bytes, size + 1);
	text->used += size;
}

/* A word is quoted when a shell would split it or take it for something else. */
static void add_word(struct text *text, const char *word)
{
	bool quoted = !*word || strpbrk(word, " \t\n\"'$`\\|&;<>()*?[]#~!{}");

	if (quoted)
		add(text, "'");
	for (; *word; word++) {
		const unsigned char byte = (unsigned char)*word;
		char one[8] = {*word, '\0'};

		if (byte < 0x20 || byte >= 0x7f)
			(void)snprintf(one, sizeof(one), "\\x%02x", byte);
		else if (byte == '\'')
			(void)snprintf(one, sizeof(one), "'\\''");
		add(text, one);
	}
	if (quoted)
		add(text, "'");
}

void words_command(const struct state_entry *entry, size_t width, char *ret, size_t size)
{
	char bytes[COMMAND_MAX] = "";
	struct text text = {.bytes = bytes, .capacity = sizeof(bytes)};
	size_t limit = width && width < size ? width : size - 1;

	for (unsigned i = 0; i < entry->word_count; i++) {
		if (i > 0)
			add(&text, " ");
		add_word(&text, entry->words[i]);
	}
	if (entry->more_words)
		add(&text, " ...");
	if (text.used > limit && limit > 3)
		(void)snprintf(ret, size, "%.*s...", (int)(limit - 3), bytes);
	else
		(void)snprintf(ret, size, "%.*s", (int)limit, bytes);
}

uint64_t words_calls(const struct live_page *page)
{
	uint64_t calls = page->calls;

	for (unsigned nr = 0; nr < LIVE_NUMBERS; nr++)
		calls += page->call[nr].answered;
	return calls;
}

uint64_t words_denied(const struct live_page *page)
{
	return page->events[LIVE_DENIED] + page->events[LIVE_VIOLATION];
}

const char *words_call(uint64_t nr)
{
	return nr < LX_NR_COUNT && syscall_info[nr].name ? syscall_info[nr].name : "other";
}

const char *words_platform(const struct live_page *page)
{
	static const char *const names[] = {"systrap", "ptrace"};

	for (size_t i = 0; i < array_size(names); i++)
		if (strcmp(page->platform, names[i]) == 0)
			return names[i];
	return "unknown";
}
