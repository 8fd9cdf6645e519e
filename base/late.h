/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_LATE_H
#define SENTRY_BASE_LATE_H

#include "base/list.h"

/*
 * What a fiber leaves for the moment after it: run once by the main loop, when the running fiber
 * has parked, yielded or ended, and before any other fiber runs. The guest whose call is answered
 * by then does not wait for it, and nobody else can tell that it was not done before. Must not
 * sleep.
 */
struct late_work {
	struct list_head link; /* list_init() before the first use; off any list: nothing waits */
	void (*run)(struct late_work *work); /* off the list by then; may free it */
};

/* Outside of fibers it runs at once. @work waits for its turn once, however often it is added; it
 * is taken back by removing it from its list. */
void late_work_add(struct late_work *work);

#endif
