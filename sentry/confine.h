/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_CONFINE_H
#define SENTRY_SENTRY_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

#include "sentry/view.h"

/*
 * What the Sentry takes from itself before the first guest instruction, in the order of the design
 * (start-up order). Each step returns 0 or -errno with *ret_why naming what failed; a protection
 * that fails stops the run.
 */

/* Descriptors: everything but @keep (unsorted, -1 entries ignored) and 2 is closed; 0 and 1 become
 * /dev/null. Limits for the Sentry itself. */
int confine_descriptors(const int *keep, size_t count, const char **ret_why);
/* no_new_privs; every capability gone, the bounding and ambient sets too, for good. */
int confine_privileges(const char **ret_why);
/*
 * Landlock: nothing of the host's files but the view's roots (reading; writing only where the view
 * may write). Signals and abstract sockets beyond the sandbox are refused where the host's Landlock
 * knows these scopes.
 */
int confine_files(struct view *view, const char **ret_why);
/* Whether the view, not mounted yet, has a root that may be written. */
bool confine_any_writable(struct view *view);
/*
 * seccomp: this process, all its threads, asks nothing of the host any more but what host_calls.h
 * lists for @when (enum host_call_when); anything else kills it. Every helper thread runs already.
 */
int confine_calls(unsigned when, const char **ret_why);
/* Writes the program that confine_calls() would install to @fd, as struct sock_filter; for tests.
 */
int confine_calls_export(unsigned when, int fd);

#endif
