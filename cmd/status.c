/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/status.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

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

static void add_usage(cJSON *root, const struct kernel_result *result)
{
	cJSON_AddNumberToObject(root, "wall_seconds", (double)result->wall_ns / 1e9);
	cJSON_AddNumberToObject(root, "user_seconds", (double)result->user_ns / 1e9);
	cJSON_AddNumberToObject(root, "system_seconds", (double)result->system_ns / 1e9);
	cJSON_AddNumberToObject(root, "changed_files", (double)result->changed_files);
}

int status_write(int fd, const struct kernel_result *result)
{
	_cleanup_close_ int owned = fd;
	_cleanup_free_ char *text = NULL;
	cJSON *root = cJSON_CreateObject();
	size_t size;

	if (!root)
		return -ENOMEM;
	cJSON_AddNumberToObject(root, "exit_code", result->exit_code);
	cJSON_AddStringToObject(root, "reason", reason_of(result));
	if (result->wait_status >= 0 && WIFSIGNALED(result->wait_status))
		cJSON_AddNumberToObject(root, "signal", WTERMSIG(result->wait_status));
	if (result->wait_status >= 0 && WIFEXITED(result->wait_status))
		cJSON_AddNumberToObject(
			root, "program_exit_code", WEXITSTATUS(result->wait_status));
	add_usage(root, result);
	if (result->message[0])
		cJSON_AddStringToObject(root, "message", result->message);
	text = cJSON_Print(root);
	cJSON_Delete(root);
	if (!text)
		return -ENOMEM;
	size = strlen(text);
	text[size] = '\n'; /* in the NUL's place */
	if (write(owned, text, size + 1) != (ssize_t)size + 1)
		return errno ? -errno : -EIO;
	return 0;
}
