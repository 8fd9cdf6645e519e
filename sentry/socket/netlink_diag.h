/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SOCKET_NETLINK_DIAG_H
#define SENTRY_SENTRY_SOCKET_NETLINK_DIAG_H

#include "sentry/socket/netlink.h"

/* Private to sentry/socket/netlink_diag*.c: one function a family. */
int diag_unix_request(struct nl_request *request);
int diag_netlink_request(struct nl_request *request);
int diag_packet_request(struct nl_request *request);
/* The number that stands for an open socket; 0: it has no file. */
uint32_t diag_inode(const struct file *file);

#endif
