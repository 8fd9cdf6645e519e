/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_HELPER_H
#define SENTRY_CMD_HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the launcher's helper processes have in common: the observer, the sender of spans, and
 * whoever talks to somebody who may be slow.
 */

/*
 * From now on this process makes only the host calls @calls (numbers), and mmap(2) of what is not
 * executable; with @inet socket(2) of the Internet's families, too. Another one kills it. -errno.
 */
int helper_confine(const int *calls, size_t count, bool inet);

/* CLOCK_MONOTONIC, ms. */
int64_t helper_now_ms(void);
/* Whether one of poll(2)'s @events of @fd came before @until. */
bool helper_wait(int fd, short events, int64_t until);

#endif
