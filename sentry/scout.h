/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SCOUT_H
#define SENTRY_SENTRY_SCOUT_H

#include "sentry/namespaces.h"

/* Begins what scout.c describes; @own is borrowed until scout_finish(). Never fails: what it cannot
 * have another thread do the functions below do themselves. */
void scout_start(const struct namespaces *own);
/* Waits until the host is looked at (procfs_capture_host()), whose result it returns. Before paths
 * of the host stop to lead there. */
int scout_host(void);
/* Waits for the thread's end and enters the network namespace that it made. Before privileges are
 * given up. 0, or -errno: the host grants none. */
int scout_finish(void);

#endif
