/* SPDX-License-Identifier: Apache-2.0 */
/* The first line of a script, as load_script() (fs/binfmt_script.c) reads it: execve(2),
 * "Interpreter scripts". */
#include <errno.h>
#include <string.h>

#include "loader/loader.h"

#define LINE_MAX_SIZE 256

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool script_detect(const void *bytes, size_t size)
{
	return size >= 2 && memcmp(bytes, "#!", 2) == 0;
}

static size_t skip_blanks(const char *line, size_t at, size_t end)
{
	while (at < end && is_blank(line[at]))
		at++;
	return at;
}

static size_t word_end(const char *line, size_t at, size_t end)
{
	while (at < end && !is_blank(line[at]) && line[at] != '\0')
		at++;
	return at;
}

/*
 * Where the line ends: at the newline, or, in a file that has none in its first 255 bytes, there,
 * if at least the interpreter's name is complete. 0: it is not.
 */
static size_t line_end(const char *line)
{
	const size_t limit = LINE_MAX_SIZE - 1;
	size_t text = strnlen(line, LINE_MAX_SIZE), at;
	const char *newline = memchr(line, '\n', text);

	if (newline)
		return (size_t)(newline - line);
	at = skip_blanks(line, 2, limit);
	if (at == limit || word_end(line, at, limit) == limit)
		return 0;
	return limit;
}

int script_parse(const void *bytes, size_t size, struct script_line *ret)
{
	char line[LINE_MAX_SIZE] = {0};
	struct script_line script = {0};
	size_t end, name, name_end, argument;

	if (!script_detect(bytes, size))
		return -ENOEXEC;
	memcpy(line, bytes, size < sizeof(line) ? size : sizeof(line));
	end = line_end(line);
	while (end > 2 && is_blank(line[end - 1]))
		end--;
	if (end <= 2)
		return -ENOEXEC;
	name = skip_blanks(line, 2, end);
	name_end = word_end(line, name, end);
	if (name == end)
		return -ENOEXEC;
	/* Blanks up to the end of the file: Linux opens "", which is the working directory. */
	if (name == name_end)
		return -EACCES;
	memcpy(script.interpreter, line + name, name_end - name);
	if (name_end < end && line[name_end] != '\0') {
		argument = skip_blanks(line, name_end, end);
		if (argument < end) { /* empty when blanks end the file: Linux passes that on */
			size_t length = strnlen(line + argument, end - argument);

			memcpy(script.argument, line + argument, length);
			script.has_argument = true;
		}
	}
	*ret = script;
	return 0;
}
