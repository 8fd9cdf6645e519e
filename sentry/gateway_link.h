/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_GATEWAY_LINK_H
#define SENTRY_SENTRY_GATEWAY_LINK_H

/*
 * --network gateway, the Sentry's side: an interface of the first network namespace whose flows go
 * on over the gateway's sockets (gateway/wire.h). @fd is our end of the pair with it, non-blocking,
 * and stays the caller's; -1: nothing to do.
 */
int gateway_link_start(int fd);

#endif
