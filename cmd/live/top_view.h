/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_LIVE_TOP_VIEW_H
#define SENTRY_CMD_LIVE_TOP_VIEW_H

#include <stdbool.h>
#include <stdio.h>

#include "cmd/live/state.h"

enum top_sort { TOP_CPU, TOP_MEMORY, TOP_CALLS, TOP_DENIED, TOP_TIME, TOP_SORTS };

/* One look at all sandboxes, and what changed since the one before. */
struct top_look {
	struct state_list list;
	double when; /* seconds, CLOCK_MONOTONIC */
};

struct top_view {
	enum top_sort sort;
	unsigned rows, columns; /* rows 0: as many as there are */
	bool colour, marks;	/* marks: of a terminal, reverse and bold */
	int chosen;		/* whose calls are shown; -1: everybody's, below all rows */
};

const char *top_sort_name(enum top_sort sort);
bool top_sort_parse(const char *name, enum top_sort *ret);

/* Sorts @now and prints it as lines, each of at most @view->columns. @before: NULL: rates are since
 * the start. Keeps view->chosen within what there is. */
void top_print(struct top_view *view, const struct top_look *before, const struct top_look *now,
	FILE *out);

#endif
