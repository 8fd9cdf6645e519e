/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_OBSERVE_COVERAGE_PRIVATE_H
#define SENTRY_CMD_OBSERVE_COVERAGE_PRIVATE_H

#include "cmd/observe/coverage.h"

/* coverage.c */
struct coverage_item *coverage_find(const struct coverage *coverage, const char *name);
struct coverage_item *coverage_item_of(struct coverage *coverage, const char *name); /* or NULL */
void coverage_add_error(struct coverage_item *item, int number, uint64_t count);
/* The path of a pseudo-file as it is counted, without numbers and names of one run. */
void coverage_plain_path(const char *path, char *ret, size_t size);
unsigned coverage_latency_bin(uint64_t ns);

#endif
