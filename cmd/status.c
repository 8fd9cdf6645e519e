/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/status.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/json.h"

static const char *reason_of(const struct kernel_result *result)
{
	if (result->timed_out)
		return "timeout";
	if (result->cpu_time_hit)
		return "cpu-time";
	if (result->memory_hit)
		return "memory";
	if (result->exit_code == 125 && result->wait_status < 0)
		return "sentry-failed";
	if (result->wait_status < 0)
		return "not-started";
	return WIFSIGNALED(result->wait_status) ? "signal" : "exit";
}

static void write_members(struct json *json, const struct kernel_result *result)
{
	json_integer(json, "exit_code", result->exit_code);
	json_string(json, "reason", reason_of(result));
	if (result->wait_status >= 0 && WIFSIGNALED(result->wait_status))
		json_integer(json, "signal", WTERMSIG(result->wait_status));
	if (result->wait_status >= 0 && WIFEXITED(result->wait_status))
		json_integer(json, "program_exit_code", WEXITSTATUS(result->wait_status));
	json_number(json, "wall_seconds", (double)result->wall_ns / 1e9);
	json_number(json, "user_seconds", (double)result->user_ns / 1e9);
	json_number(json, "system_seconds", (double)result->system_ns / 1e9);
	json_integer(json, "changed_files", (long long)result->changed_files);
	if (result->refused_changes)
		json_integer(json, "refused_changes", (long long)result->refused_changes);
	if (result->message[0])
		json_string(json, "message", result->message);
}

int status_write(int fd, const struct kernel_result *result)
{
	struct json json = {.out = fdopen(fd, "w")};
	bool broken;

	if (!json.out) {
		close(fd);
		return -ENOMEM;
	}
	json_open(&json, NULL, '{');
	write_members(&json, result);
	json_close(&json, '}');
	broken = ferror(json.out);
	errno = 0;
	if (fclose(json.out) != 0 || broken)
		return errno ? -errno : -EIO;
	return 0;
}
