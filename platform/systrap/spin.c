/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/systrap/systrap.h"

void systrap_spin_init(void)
{
	systrap.tsc_per_us = 2600;
}

void systrap_spin_event(struct systrap_thread *thread, bool cold)
{
	(void)thread;
	(void)cold;
}

void systrap_spin_resume(struct systrap_thread *thread)
{
	(void)thread;
}

void systrap_spin_leave(struct systrap_thread *thread)
{
	(void)thread;
}

void systrap_spin_attach(void)
{
}

void systrap_spin_detach(void)
{
}
