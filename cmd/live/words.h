/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_LIVE_WORDS_H
#define SENTRY_CMD_LIVE_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "cmd/live/state.h"

/* Numbers and names as people read them. All texts are printable ASCII, cut to their buffers. */

/* "950K", "1.2G" (of 1024). */
void words_size(uint64_t bytes, char *ret, size_t size);
/* "1234", "56.7k", "1.2M" (of 1000). */
void words_count(double count, char *ret, size_t size);
/* "12s", "3m 4s", "2h 10m", "5d 3h". */
void words_duration(double seconds, char *ret, size_t size);
/* The command, its words quoted as a shell would need it; what is not printable is escaped. At most
 * @width characters, the last of them "..." when it is longer; 0: all that fit. */
void words_command(const struct state_entry *entry, size_t width, char *ret, size_t size);
/* Calls that were made, those answered in the guest too. */
uint64_t words_calls(const struct live_page *page);
/* The name of call @nr; of numbers without one "other". */
const char *words_call(uint64_t nr);
/* The name of the platform; what is none, since the page is the sandbox's, is "unknown". */
const char *words_platform(const struct live_page *page);
/* What rules refused. */
uint64_t words_denied(const struct live_page *page);

#endif
