/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Helper threads.
 *
 * A job lies on the stack of the fiber that waits for it, and moves from the queue to the done list
 * under one lock. The loop looks at the done list as a source, and is rung through an eventfd only
 * when it said that it sleeps (the fence protocol of base/loop.c). Threads run with every signal
 * blocked, start when no idle one is left, and end only in workers_fini().
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fiber.h"
#include "base/log.h"
#include "base/loop.h"

#define WORKERS_MAX	  16u
#define WORKER_STACK_SIZE (256 * 1024ul)

struct job {
	struct list_head link;
	worker_fn *fn;
	void *arg;
	int64_t result;
	struct fiber *fiber;
	bool done; /* kernel thread only */
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct list_head queue, done; /* both under lock */
	unsigned idle;		      /* under lock: threads that wait for work */
	unsigned begun;		      /* under lock: threads that libc has finished setting up */
	pthread_cond_t begin;
	bool seated;	 /* threads begin on their maker's CPU and then may go to ... */
	cpu_set_t cpus;	 /* ... these */
	unsigned queued; /* under lock */
	bool ending;	 /* under lock */
	_Atomic unsigned done_count;
	_Atomic bool kernel_sleeps;
	pthread_t threads[WORKERS_MAX];
	unsigned thread_count, thread_max;
	struct loop_fd doorbell;
	struct loop_source source;
} workers = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.work = PTHREAD_COND_INITIALIZER,
	.begin = PTHREAD_COND_INITIALIZER,
	.doorbell.fd = -1,
};

static void ring(void)
{
	uint64_t one = 1;

	/* Only EAGAIN is possible, at 2^64-2 unread rings: it is readable then anyway. */
	if (write(workers.doorbell.fd, &one, sizeof(one)) < 0)
		return;
}

static void *worker_main(void *unused)
{
	(void)unused;
	if (workers.seated)
		(void)sched_setaffinity(0, sizeof(workers.cpus), &workers.cpus);
	pthread_mutex_lock(&workers.lock);
	workers.begun++;
	pthread_cond_signal(&workers.begin);
	for (;;) {
		struct job *job;

		while (list_empty(&workers.queue) && !workers.ending) {
			workers.idle++;
			pthread_cond_wait(&workers.work, &workers.lock);
			workers.idle--;
		}
		if (list_empty(&workers.queue))
			break;
		job = list_first(&workers.queue, struct job, link);
		list_remove(&job->link);
		workers.queued--;
		pthread_mutex_unlock(&workers.lock);

		job->result = job->fn(job->arg);

		pthread_mutex_lock(&workers.lock);
		list_add_tail(&job->link, &workers.done);
		atomic_fetch_add(&workers.done_count, 1); /* sequentially consistent: the fence */
		if (atomic_load(&workers.kernel_sleeps))
			ring();
	}
	pthread_mutex_unlock(&workers.lock);
	return NULL;
}

static unsigned workers_poll(struct loop_source *source)
{
	struct list_head done;
	unsigned count = 0;

	(void)source;
	if (atomic_load_explicit(&workers.done_count, memory_order_relaxed) == 0)
		return 0;
	list_init(&done);
	pthread_mutex_lock(&workers.lock);
	if (!list_empty(&workers.done)) {
		list_add(&done, &workers.done);
		list_remove(&workers.done);
	}
	atomic_store(&workers.done_count, 0);
	pthread_mutex_unlock(&workers.lock);
	while (!list_empty(&done)) {
		struct job *job = list_first(&done, struct job, link);

		list_remove(&job->link);
		job->done = true;
		fiber_wake(job->fiber);
		count++;
	}
	return count;
}

static bool workers_prepare_sleep(struct loop_source *source)
{
	(void)source;
	atomic_store(&workers.kernel_sleeps, true);
	return atomic_load(&workers.done_count) == 0;
}

static void workers_finish_sleep(struct loop_source *source)
{
	(void)source;
	atomic_store(&workers.kernel_sleeps, false);
}

static void doorbell_ready(struct loop_fd *fd, uint32_t events)
{
	uint64_t rings;

	(void)events;
	/* The done list is looked at by workers_poll() in the turn that follows. */
	if (read(fd->fd, &rings, sizeof(rings)) < 0 && errno != EAGAIN && errno != EINTR)
		panic("worker doorbell: %s", strerror(errno));
}

static int start_thread(void)
{
	sigset_t all, saved;
	pthread_attr_t attributes;
	int err;

	if (workers.thread_count >= workers.thread_max)
		return -EAGAIN;
	err = pthread_attr_init(&attributes);
	if (err)
		return -err;
	(void)pthread_attr_setstacksize(&attributes, WORKER_STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	err = pthread_create(
		&workers.threads[workers.thread_count], &attributes, worker_main, NULL);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	pthread_attr_destroy(&attributes);
	if (err)
		return -err;
	workers.thread_count++;
	return 0;
}

int64_t worker_call(worker_fn *fn, void *arg)
{
	struct job job = {.fn = fn, .arg = arg, .fiber = fiber_current()};
	bool need_thread;

	/* Start-up and shutdown run outside fibers and have nobody to keep waiting. */
	if (!job.fiber)
		return fn(arg);
	fiber_note_host();
	sentry_assert(workers.doorbell.fd >= 0);
	pthread_mutex_lock(&workers.lock);
	need_thread = workers.idle <= workers.queued;
	pthread_mutex_unlock(&workers.lock);
	if (need_thread && start_thread() < 0 && workers.thread_count == 0)
		return -ENOMEM;
	pthread_mutex_lock(&workers.lock);
	list_add_tail(&job.link, &workers.queue);
	workers.queued++;
	pthread_cond_signal(&workers.work);
	pthread_mutex_unlock(&workers.lock);
	while (!job.done)
		fiber_park();
	return job.result;
}

/*
 * New threads begin on the CPU of the one who makes them and waits for them: elsewhere they would
 * wait for their turn behind whatever else the machine does.
 */
static void seat(bool begin)
{
	cpu_set_t here;

	if (begin) {
		CPU_ZERO(&here);
		CPU_SET((unsigned)sched_getcpu(), &here);
		workers.seated = sched_getaffinity(0, sizeof(workers.cpus), &workers.cpus) == 0 &&
				 sched_setaffinity(0, sizeof(here), &here) == 0;
	} else if (workers.seated) {
		(void)sched_setaffinity(0, sizeof(workers.cpus), &workers.cpus);
	}
}

static int start_threads(unsigned count)
{
	while (workers.thread_count < count && workers.thread_count < workers.thread_max) {
		int err = start_thread();

		if (err < 0)
			return err;
	}
	return 0;
}

int workers_start(unsigned count)
{
	int err;

	seat(true);
	err = start_threads(count);
	seat(false);
	return err;
}

void workers_wait_begun(void)
{
	pthread_mutex_lock(&workers.lock);
	while (workers.begun < workers.thread_count)
		pthread_cond_wait(&workers.begin, &workers.lock);
	pthread_mutex_unlock(&workers.lock);
}

int workers_init(unsigned max_threads)
{
	int err;

	list_init(&workers.queue);
	list_init(&workers.done);
	workers.thread_max = max_threads < WORKERS_MAX ? max_threads : WORKERS_MAX;
	workers.ending = false;
	workers.doorbell = (struct loop_fd){
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.events = 1, /* EPOLLIN */
		.ready = doorbell_ready,
	};
	if (workers.doorbell.fd < 0)
		return -errno;
	err = loop_fd_add(&workers.doorbell);
	if (err < 0) {
		close(workers.doorbell.fd);
		workers.doorbell.fd = -1;
		return err;
	}
	workers.source = (struct loop_source){
		.poll = workers_poll,
		.prepare_sleep = workers_prepare_sleep,
		.finish_sleep = workers_finish_sleep,
	};
	loop_source_add(&workers.source);
	return 0;
}

void workers_fini(void)
{
	if (workers.doorbell.fd < 0)
		return;
	pthread_mutex_lock(&workers.lock);
	workers.ending = true;
	pthread_cond_broadcast(&workers.work);
	pthread_mutex_unlock(&workers.lock);
	for (unsigned i = 0; i < workers.thread_count; i++)
		pthread_join(workers.threads[i], NULL);
	workers.thread_count = 0;
	workers.begun = 0;
	loop_source_remove(&workers.source);
	loop_fd_remove(&workers.doorbell);
	close(workers.doorbell.fd);
	workers.doorbell.fd = -1;
}
