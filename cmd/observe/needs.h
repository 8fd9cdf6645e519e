/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_OBSERVE_NEEDS_H
#define SENTRY_CMD_OBSERVE_NEEDS_H

#include <stdbool.h>
#include <stdio.h>

/*
 * What a program really needs: it is run with one thing refused (EPERM; of a value EINVAL, of a
 * pseudo-file ENOENT), stubbed (ENOSYS) or faked (0 without doing anything), and the test says
 * whether that hurt. The idea, and the words, are of Loupe (ASPLOS'24).
 */
enum need_kind { NEED_CALL, NEED_VALUE, NEED_FILE };
enum need_way { WAY_REFUSED, WAY_STUBBED, WAY_FAKED, WAY_COUNT };
enum need_answer { ANSWER_UNTRIED, ANSWER_WORKS, ANSWER_FAILS };

struct need {
	enum need_kind kind;
	char name[128]; /* as coverage has it: "openat", "openat flags O_CLOEXEC", "file /proc/N" */
	int nr;		/* of a call */
	unsigned long long count;
	enum need_answer answers[WAY_COUNT];
	char evidence[WAY_COUNT][160]; /* of a failure: what was different */
};

/* "required", "stub", "fake", "stub or fake", "refuse": what is enough. */
const char *need_verdict(const struct need *need);

int needs_print(
	FILE *out, const char *format, const struct need *needs, size_t count, const char *command);

#endif
