/* SPDX-License-Identifier: Apache-2.0 */
/* What `sentry needs` found: for people, as JSON, and as Loupe's tools read it. */
#include <errno.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "abi/syscall_nr.h"
#include "cmd/observe/needs.h"
#include "cmd/observe/words.h"

static const char *const ways[] = {"refused", "stubbed", "faked"};
static const char *const answers[] = {"-", "works", "fails"};
static const char *const kinds[] = {"call", "value", "file"};

const char *need_verdict(const struct need *need)
{
	bool stub = need->answers[WAY_STUBBED] == ANSWER_WORKS;
	bool fake = need->answers[WAY_FAKED] == ANSWER_WORKS;

	if (stub && fake)
		return "stub or fake";
	if (stub || fake)
		return stub ? "stub" : "fake";
	return need->answers[WAY_REFUSED] == ANSWER_WORKS ? "refuse" : "required";
}

static void print_table(FILE *out, const struct need *needs, size_t count)
{
	fprintf(out, "%-40s %9s  %-7s %-7s %-7s  %-12s %s\n", "what", "count", "refused", "stubbed",
		"faked", "verdict", "evidence");
	for (size_t i = 0; i < count; i++) {
		const char *why = "";

		for (int way = WAY_COUNT - 1; way >= 0; way--)
			if (needs[i].answers[way] == ANSWER_FAILS)
				why = needs[i].evidence[way];
		fprintf(out, "%-40s %9llu  %-7s %-7s %-7s  %-12s %s\n", needs[i].name,
			needs[i].count, answers[needs[i].answers[WAY_REFUSED]],
			answers[needs[i].answers[WAY_STUBBED]],
			answers[needs[i].answers[WAY_FAKED]], need_verdict(&needs[i]), why);
	}
}

static void put_need(yajl_gen gen, const struct need *need)
{
	yajl_gen_map_open(gen);
	words_string(gen, "what", need->name);
	words_string(gen, "kind", kinds[need->kind]);
	words_number(gen, "count", (long long)need->count);
	words_string(gen, "verdict", need_verdict(need));
	for (int way = 0; way < WAY_COUNT; way++) {
		words_name(gen, ways[way]);
		yajl_gen_map_open(gen);
		words_string(gen, "answer", answers[need->answers[way]]);
		if (need->evidence[way][0])
			words_string(gen, "evidence", need->evidence[way]);
		yajl_gen_map_close(gen);
	}
	yajl_gen_map_close(gen);
}

static int print_json(FILE *out, const struct need *needs, size_t count, const char *command)
{
	yajl_gen gen = yajl_gen_alloc(NULL);

	if (!gen)
		return -ENOMEM;
	yajl_gen_config(gen, yajl_gen_beautify, 1);
	yajl_gen_map_open(gen);
	words_string(gen, "command", command);
	words_name(gen, "needs");
	yajl_gen_array_open(gen);
	for (size_t i = 0; i < count; i++)
		put_need(gen, &needs[i]);
	yajl_gen_array_close(gen);
	yajl_gen_map_close(gen);
	return words_finish(gen, out);
}

/* dyn.csv: a line for each number. */
static void print_csv(FILE *out, const struct need *needs, size_t count)
{
	fprintf(out, "# syscall, used, works faked, works stubbed, works both\n");
	for (int nr = 0; nr < LX_NR_COUNT; nr++) {
		const struct need *need = NULL;
		bool fake, stub;

		for (size_t i = 0; i < count; i++)
			if (needs[i].kind == NEED_CALL && needs[i].nr == nr)
				need = &needs[i];
		fake = need && need->answers[WAY_FAKED] == ANSWER_WORKS;
		stub = need && need->answers[WAY_STUBBED] == ANSWER_WORKS;
		fprintf(out, "%d,%c,%c,%c,%c\n", nr, need ? 'Y' : 'N', fake ? 'Y' : 'N',
			stub ? 'Y' : 'N', fake && stub ? 'Y' : 'N');
	}
}

int needs_print(
	FILE *out, const char *format, const struct need *needs, size_t count, const char *command)
{
	int r = 0;

	if (strcmp(format, "json") == 0)
		r = print_json(out, needs, count, command);
	else if (strcmp(format, "csv") == 0)
		print_csv(out, needs, count);
	else
		print_table(out, needs, count);
	return r < 0 ? r : ferror(out) ? -EIO : 0;
}
