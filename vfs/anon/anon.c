/* SPDX-License-Identifier: Apache-2.0 */
#include "vfs/anon/anon_private.h"
#include "vfs/anon.h"

void anon_init(void)
{
	pipe_init();
	inotify_init_hook();
}
