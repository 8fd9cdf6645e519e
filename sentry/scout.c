/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/scout.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "sentry/procfs/procfs.h"

/*
 * Two things at the start of the kernel process take long and concern nobody until later: some
 * fifty small files of the host's /sys and /proc (0.3 ms), and a network namespace (0.45 ms in the
 * host's kernel). While the first thread opens the trees of the view and makes mounts of them, a
 * second one, on a processor that would be idle, sees to both. It is gone before anything is given
 * up: privileges, Landlock's rules and seccomp's filters are a thread's own.
 *
 * Namespaces are, too: the thread makes a network namespace and is in it, and the first one enters
 * it by a descriptor.
 */

#define STACK_SIZE (256u << 10)

static struct scout {
	const struct namespaces *own;
	pthread_t thread;
	bool has_thread;
	sem_t host_done;
	int host_result;
	int network; /* a descriptor of the namespace, owned; or -errno */
} scout;

static void *scout_main(void *arg)
{
	scout.host_result = procfs_capture_host();
	(void)sem_post(&scout.host_done);
	scout.network = namespaces_new_network(scout.own);
	return arg;
}

static bool one_processor(void)
{
	cpu_set_t usable;

	return sched_getaffinity(0, sizeof(usable), &usable) == 0 && CPU_COUNT(&usable) == 1;
}

void scout_start(const struct namespaces *own)
{
	pthread_attr_t attributes;

	scout = (struct scout){.own = own};
	if (one_processor() || sem_init(&scout.host_done, 0, 0) < 0 ||
		pthread_attr_init(&attributes) != 0)
		return;
	(void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
	scout.has_thread = pthread_create(&scout.thread, &attributes, scout_main, NULL) == 0;
	(void)pthread_attr_destroy(&attributes);
}

int scout_host(void)
{
	if (!scout.has_thread)
		return procfs_capture_host();
	while (sem_wait(&scout.host_done) < 0)
		;
	return scout.host_result;
}

int scout_finish(void)
{
	_cleanup_close_ int network = -1;

	if (!scout.has_thread) {
		network = namespaces_new_network(scout.own);
		return network < 0 ? network : 0; /* we are in it */
	}
	(void)pthread_join(scout.thread, NULL);
	network = scout.network;
	if (network < 0)
		return network;
	return setns(network, CLONE_NEWNET) < 0 ? -errno : 0;
}
