/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/status.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/audit_log.h"
#include "cmd/json.h"

const char *status_reason(const struct kernel_result *result)
{
	if (result->timed_out)
		return "timeout";
	if (result->cpu_time_hit)
		return "cpu-time";
	if (result->output_hit)
		return "output-limit";
	if (result->memory_hit)
		return "memory";
	if (result->exit_code == 125 && result->wait_status < 0)
		return "sentry-failed";
	if (result->wait_status < 0)
		return "not-started";
	return WIFSIGNALED(result->wait_status) ? "signal" : "exit";
}

static void write_members(
	struct json *json, const struct kernel_result *result, const struct audit_log *audit)
{
	json_integer(json, "exit_code", result->exit_code);
	json_string(json, "reason", status_reason(result));
	if (result->wait_status >= 0 && WIFSIGNALED(result->wait_status))
		json_integer(json, "signal", WTERMSIG(result->wait_status));
	if (result->wait_status >= 0 && WIFEXITED(result->wait_status))
		json_integer(json, "program_exit_code", WEXITSTATUS(result->wait_status));
	json_number(json, "wall_seconds", (double)result->wall_ns / 1e9);
	json_number(json, "user_seconds", (double)result->user_ns / 1e9);
	json_number(json, "system_seconds", (double)result->system_ns / 1e9);
	json_integer(json, "max_resident_bytes", (long long)result->max_resident_size);
	json_string(
		json, "memory_limit_by", result->memory_by_group ? "control-group" : "sampling");
	if (result->memory_peak)
		json_integer(json, "memory_peak_bytes", (long long)result->memory_peak);
	json_integer(json, "output_bytes", (long long)result->output_size);
	json_integer(json, "changed_files", (long long)result->changed_files);
	if (result->refused_changes)
		json_integer(json, "refused_changes", (long long)result->refused_changes);
	if (audit) {
		json_integer(json, "audit_lines", (long long)audit->lines);
		json_string(json, "audit_hash", audit->hash);
	}
	if (result->message[0])
		json_string(json, "message", result->message);
}

int status_write(int fd, const struct kernel_result *result, const struct audit_log *audit)
{
	struct json json = {.out = fdopen(fd, "w")};
	bool broken;

	if (!json.out) {
		close(fd);
		return -ENOMEM;
	}
	json_open(&json, NULL, '{');
	write_members(&json, result, audit);
	json_close(&json, '}');
	broken = ferror(json.out);
	errno = 0;
	if (fclose(json.out) != 0 || broken)
		return errno ? -errno : -EIO;
	return 0;
}
