/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "sentry/commit.h"
#include "sentry/kernel_private.h"

/* The end of a run: what the program changed in its working directory is counted, or handed to the
 * launcher for --commit. */

static int count_change(const struct overlay_change *change, void *arg)
{
	uint64_t *count = arg;

	(*count)++;
	return 0;
}

void kernel_finish(struct view *view, struct kernel_result *result)
{
	struct super_block *overlay = view_overlay(view);
	int r;

	if (!overlay)
		return;
	r = overlay_for_each_change(overlay, count_change, &result->changed_files);
	if (r < 0) {
		kernel_fail(
			125, "cannot list the changes of the working directory: %s", strerror(-r));
		return;
	}
	if (kernel.config->commit_fd < 0 || !result->changed_files)
		return;
	r = commit_send(overlay, kernel.config->commit_fd);
	if (r < 0)
		kernel_fail(125, "--commit: cannot hand over the changes: %s", strerror(-r));
}
