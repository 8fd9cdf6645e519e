/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "version")) {
		printf("sentry %s\n", SENTRY_VERSION);
		return 0;
	}
	log_error("usage: sentry version");
	return 125;
}
