/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_POLICY_H
#define SENTRY_CMD_POLICY_H

#include <stddef.h>
#include <stdio.h>

#include "cmd/options.h"

/*
 * Policy files (docs/policy.md, docs/policy.schema.json): JSON with comments that says what options
 * of `sentry run` say.
 */
#define POLICY_SIZE_MAX (1u << 20)

/*
 * Applies the @size bytes of @text to @options. -EINVAL with one line in @message, which begins
 * with @name:line:column; -ENOMEM. Options may be half set then.
 */
int policy_parse(const char *name, const char *text, size_t size, struct run_options *options,
	char *message, size_t message_size);
/* The same for a file; the message also says what is wrong with the file itself. */
int policy_read(const char *file, struct run_options *options, char *message, size_t message_size);
/* Writes @options as a policy file that says the same. Errors are the stream's. */
void policy_write(const struct run_options *options, FILE *out);

#endif
