/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_JSON_H
#define SENTRY_CMD_JSON_H

#include <stdbool.h>
#include <stdio.h>

/*
 * Writes a JSON text (RFC 8259) to a stream as it goes along. @name is the member's name within an
 * object, NULL within an array and for the root. Errors are the stream's: look at ferror() at the
 * end.
 */
struct json {
	FILE *out;
	unsigned depth;
	bool more; /* something stands before in the innermost object or array */
};

/* RFC 3629: neither overlong forms nor surrogates. */
bool json_is_utf8(const char *text);
void json_open(struct json *json, const char *name, char bracket); /* '{' or '[' */
void json_close(struct json *json, char bracket);		   /* '}' or ']' */
/* Bytes that are not UTF-8 go out as they are. */
void json_string(struct json *json, const char *name, const char *value);
void json_integer(struct json *json, const char *name, long long value);
void json_bool(struct json *json, const char *name, bool value);
void json_number(struct json *json, const char *name, double value);

#endif
