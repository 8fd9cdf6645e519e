/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_LINK_H
#define SENTRY_CMD_LINK_H

#include "cmd/network.h"
#include "sentry/link.h"

/*
 * Opens the host's interface that @options name, with the launcher's privileges and in its network
 * namespace. ret->fd is -1 when they name none; else owned by the caller and close-on-exec.
 * -EINVAL after one line for the user.
 */
int link_open(const struct network_link *options, struct link_config *ret);

#endif
