/* SPDX-License-Identifier: Apache-2.0 */
/* `sentry syscalls`: the system call table as text, JSON or CSV. */
#include <errno.h>
#include <string.h>

#include "sentry/syscall_table.h"

static const char *const class_names[] = {
	[SYSCALL_IN_GUEST] = "in-guest",
	[SYSCALL_FAST] = "fast",
	[SYSCALL_BLOCK] = "block",
};

static const char *const support_names[] = {
	[SYSCALL_NONE] = "none",
	[SYSCALL_PARTIAL] = "partial",
	[SYSCALL_FULL] = "full",
};

static void print_table(FILE *out)
{
	unsigned count[3] = {0}, total = 0;

	fprintf(out, "%6s  %-24s %-8s  %-8s %s\n", "NUMBER", "NAME", "CLASS", "SUPPORT", "NOTE");
	for (unsigned nr = 0; nr < LX_NR_COUNT; nr++) {
		const struct syscall_info *info = &syscall_info[nr];

		if (!info->name)
			continue;
		count[info->support]++;
		total++;
		fprintf(out, "%6u  %-24s %-8s  %s", nr, info->name, class_names[info->klass],
			support_names[info->support]);
		if (info->note)
			fprintf(out, "%*s %s", (int)(8 - strlen(support_names[info->support])), "",
				info->note);
		fputc('\n', out);
	}
	fprintf(out, "%u system calls: %u full, %u partial, %u none\n", total, count[SYSCALL_FULL],
		count[SYSCALL_PARTIAL], count[SYSCALL_NONE]);
}

/* Names and notes are ours: plain ASCII, from the table. */
static void print_json_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void print_json(FILE *out)
{
	const char *separator = "[\n";

	for (unsigned nr = 0; nr < LX_NR_COUNT; nr++) {
		const struct syscall_info *info = &syscall_info[nr];

		if (!info->name)
			continue;
		fprintf(out, "%s{\"number\": %u, \"name\": \"%s\", \"arguments\": [", separator, nr,
			info->name);
		separator = ",\n";
		for (unsigned i = 0; i < info->nargs; i++)
			fprintf(out, "%s\"%s\"", i ? ", " : "", info->args[i].name);
		fprintf(out, "], \"class\": \"%s\", \"support\": \"%s\", \"family\": ",
			class_names[info->klass], support_names[info->support]);
		print_json_string(out, info->family);
		fputs(", \"note\": ", out);
		if (info->note)
			print_json_string(out, info->note);
		else
			fputs("null", out);
		fputc('}', out);
	}
	fputs("\n]\n", out);
}

static void print_csv_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void print_csv(FILE *out)
{
	fputs("number,name,class,support,family,note\n", out);
	for (unsigned nr = 0; nr < LX_NR_COUNT; nr++) {
		const struct syscall_info *info = &syscall_info[nr];

		if (!info->name)
			continue;
		fprintf(out, "%u,%s,%s,%s,", nr, info->name, class_names[info->klass],
			support_names[info->support]);
		print_csv_string(out, info->family);
		fputc(',', out);
		print_csv_string(out, info->note ? info->note : "");
		fputc('\n', out);
	}
}

int syscalls_print(FILE *out, const char *format)
{
	if (!strcmp(format, "table"))
		print_table(out);
	else if (!strcmp(format, "json"))
		print_json(out);
	else if (!strcmp(format, "csv"))
		print_csv(out);
	else
		return -EINVAL;
	return fflush(out) || ferror(out) ? -EIO : 0;
}
