/* SPDX-License-Identifier: Apache-2.0 */
#include "base/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"

static uint8_t pool[1024];
static size_t pool_left; /* the unused bytes are the last ones */

static void fill(uint8_t *buffer, size_t size)
{
	while (size > 0) {
		ssize_t got = getrandom(buffer, size, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			panic("getrandom: %s", strerror(errno));
		buffer += got;
		size -= (size_t)got;
	}
}

void random_bytes(void *buffer, size_t size)
{
	uint8_t *unused;

	if (size > sizeof(pool) / 4) {
		fill(buffer, size);
		return;
	}
	if (size > pool_left) {
		fill(pool, sizeof(pool));
		pool_left = sizeof(pool);
	}
	unused = pool + sizeof(pool) - pool_left;
	memcpy(buffer, unused, size);
	explicit_bzero(unused, size);
	pool_left -= size;
}

uint64_t random_u64(void)
{
	uint64_t value;

	random_bytes(&value, sizeof(value));
	return value;
}

uint64_t random_below(uint64_t bound)
{
	uint64_t reject, value;

	sentry_assert(bound > 0);
	/* Values below 2^64 mod bound would make small results more likely. */
	reject = -bound % bound;
	do {
		value = random_u64();
	} while (value < reject);
	return value % bound;
}
