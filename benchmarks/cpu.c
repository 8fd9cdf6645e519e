/* SPDX-License-Identifier: Apache-2.0 */
/* Computing alone, for half a second or so: a sieve, which also wants its caches to itself. */
#include <stdio.h>
#include <string.h>

enum { LIMIT = 1 << 20, ROUNDS = 240 };

static unsigned char composite[LIMIT];

int main(void)
{
	unsigned found = 0;

	for (int round = 0; round < ROUNDS; round++) {
		memset(composite, 0, sizeof(composite));
		for (unsigned i = 2; i < LIMIT; i++) {
			if (composite[i])
				continue;
			found++;
			for (unsigned long j = (unsigned long)i * i; j < LIMIT; j += i)
				composite[j] = 1;
		}
	}
	printf("%u\n", found);
	return 0;
}
