/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_RANDOM_H
#define SENTRY_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Cryptographically secure random bytes from the host's getrandom(2). Small requests are served
 * from a buffer whose bytes are wiped as they are handed out. Cannot fail: a host without entropy
 * ends the sandbox. Kernel thread only.
 */
void random_bytes(void *buffer, size_t size);
uint64_t random_u64(void);

/* Uniform in [0, @bound); @bound > 0. */
uint64_t random_below(uint64_t bound);

#endif
