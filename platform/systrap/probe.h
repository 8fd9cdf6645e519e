/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SYSTRAP_PROBE_H
#define SENTRY_SYSTRAP_PROBE_H

/* 0, or -errno and the missing feature in words (static). */
int systrap_probe(const char **ret_missing);

#endif
