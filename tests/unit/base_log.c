/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static char text[65536];
static int fds[2];

static void start(void)
{
	cr_assert_eq(pipe(fds), 0);
	memset(text, 0, sizeof(text));
}

static void collect(void)
{
	cr_assert_gt(read(fds[0], text, sizeof(text) - 1), 0);
}

Test(log, escapes_control_characters, .init = start)
{
	log_set_fd(fds[1]);
	log_message(LOG_DEBUG, "not shown");
	log_error("name %s", "a\033[31m\nb\xc3");
	collect();
	cr_assert_str_eq(text, "sentry: name a\\x1b[31m\\x0ab\\xc3\n");
}

Test(audit, is_json, .init = start)
{
	audit_set_fd(fds[1]);
	audit_event("denied", "path", "/a\"b\\c\n\xff", "rule", "x", NULL);
	collect();
	cr_assert_not_null(strstr(text,
		",\"event\":\"denied\",\"path\":\"/a\\\"b\\\\c\\u000a\\u00ff\",\"rule\":\"x\"}\n"));
}

Test(audit, caps_its_lines, .init = start)
{
	static char big[5000];

	memset(big, 1, sizeof(big) - 1);
	audit_set_fd(fds[1]);
	audit_event("denied", "a", big, "b", big, "c", big, "d", "x", NULL);
	collect();
	cr_assert_lt(strlen(text), 17000);
	cr_assert(!strcmp(text + strlen(text) - 2, "}\n"));
}
