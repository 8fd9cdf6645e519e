/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_AIO_H
#define SENTRY_SENTRY_AIO_H

/* io_setup(2): the contexts of an address space. */
struct aio_context;

/* With the address space; a fork's copy has none. */
void aio_release(struct aio_context *contexts);

#endif
