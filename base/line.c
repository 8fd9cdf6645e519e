/* SPDX-License-Identifier: Apache-2.0 */
#include "base/line.h"

#include <stdlib.h>

#include "base/checked.h"

#define FIRST_CAPACITY 4096u

ssize_t line_read(FILE *in, char **line, size_t *capacity, size_t most)
{
	size_t used = 0;
	int byte = 0;

	while (used <= most && byte != '\n' && (byte = getc_unlocked(in)) != EOF) {
		if (used + 2 > *capacity) {
			size_t wanted = max_of(*capacity * 2, (size_t)FIRST_CAPACITY);
			char *more = realloc(*line, wanted);

			if (!more)
				return -1;
			*line = more;
			*capacity = wanted;
		}
		(*line)[used++] = (char)byte;
	}
	if (used == 0)
		return -1;
	(*line)[used] = '\0';
	return (ssize_t)used;
}
