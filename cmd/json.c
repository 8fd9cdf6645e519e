/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/json.h"

#include <stdint.h>

/* Bytes of the character that @text begins with, or 0: it is no UTF-8 (RFC 3629, section 4). */
static unsigned utf8_size(const unsigned char *text)
{
	static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned size = text[0] < 0x80		 ? 1
			: (text[0] >> 5) == 0x06 ? 2
			: (text[0] >> 4) == 0x0e ? 3
			: (text[0] >> 3) == 0x1e ? 4
						 : 0;
	uint32_t value = size > 1 ? text[0] & (0x7fu >> size) : text[0];

	for (unsigned i = 1; i < size; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (text[i] & 0x3f);
	}
	if (size > 1 &&
		(value < lowest[size] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)))
		return 0;
	return size;
}

bool json_is_utf8(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		unsigned size = utf8_size(at);

		if (!size)
			return false;
		at += size;
	}
	return true;
}

/* What is not UTF-8, a file's name say, is shown by replacement characters: the result is JSON. */
static void quote(FILE *out, const char *string)
{
	const unsigned char *text = (const unsigned char *)string;
	unsigned size;

	fputc('"', out);
	for (; *text; text += size) {
		unsigned char c = *text;

		size = utf8_size(text);
		if (size > 1)
			fwrite(text, size, 1, out);
		else if (size == 0)
			size = 1, fputs("\\ufffd", out);
		else if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", out);
		else if (c == '\t')
			fputs("\\t", out);
		else if (c < 0x20)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void new_line(struct json *json)
{
	if (json->depth == 0)
		return;
	fputc('\n', json->out);
	for (unsigned i = 0; i < json->depth; i++)
		fputc('\t', json->out);
}

static void begin(struct json *json, const char *name)
{
	if (json->more)
		fputc(',', json->out);
	new_line(json);
	json->more = true;
	if (name) {
		quote(json->out, name);
		fputs(": ", json->out);
	}
}

void json_open(struct json *json, const char *name, char bracket)
{
	begin(json, name);
	fputc(bracket, json->out);
	json->depth++;
	json->more = false;
}

void json_close(struct json *json, char bracket)
{
	json->depth--;
	fputc('\n', json->out);
	for (unsigned i = 0; i < json->depth; i++)
		fputc('\t', json->out);
	fputc(bracket, json->out);
	json->more = true;
	if (json->depth == 0)
		fputc('\n', json->out);
}

void json_string(struct json *json, const char *name, const char *value)
{
	begin(json, name);
	quote(json->out, value);
}

void json_bool(struct json *json, const char *name, bool value)
{
	begin(json, name);
	fputs(value ? "true" : "false", json->out);
}

void json_integer(struct json *json, const char *name, long long value)
{
	begin(json, name);
	fprintf(json->out, "%lld", value);
}

void json_number(struct json *json, const char *name, double value)
{
	begin(json, name);
	fprintf(json->out, "%.9g", value);
}
