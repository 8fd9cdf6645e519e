/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/json.h"

static void quote(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
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
