/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_RESOLVE_H
#define SENTRY_CMD_RESOLVE_H

#define GUEST_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * Where the command's program lies outside of what the sandbox shows by default (a virtual
 * environment, /opt), names the tree to add: the directory above its bin/. *ret_prefix is
 * malloc'ed, or NULL when nothing is needed or nothing was found (the sandbox then answers 127
 * itself). *ret_bin is the bin directory to put in front of PATH; malloc'ed or NULL. -EINVAL when
 * the tree would be @home or hold it: those are never shown unasked. -ENOMEM.
 */
int resolve_prefix(
	const char *command, const char *cwd, const char *home, char **ret_prefix, char **ret_bin);

#endif
