/* SPDX-License-Identifier: Apache-2.0 */
/* Priority-inheritance futexes, raw and as mutexes. */
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>

#include "memory.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

static int *word;

static long pi(int op, void *timeout)
{
	return SYS(SYS_futex, word, op, 0, timeout, NULL, 0);
}

static void need(void)
{
	word = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (pi(FUTEX_UNLOCK_PI, NULL) < 0 && errno == ENOSYS)
		SKIP("no priority inheritance");
}

static int tid(void)
{
	return (int)SYS(SYS_gettid);
}

static void note_word(const char *what)
{
	int value = __atomic_load_n(word, __ATOMIC_SEQ_CST);

	NOTE("%s: own %d waiters %d died %d none %d", what, (value & FUTEX_TID_MASK) == tid(),
		(value & (int)FUTEX_WAITERS) != 0, (value & FUTEX_OWNER_DIED) != 0,
		(value & FUTEX_TID_MASK) == 0);
}

CASE(alone)
{
	need();
	CALL(pi(FUTEX_LOCK_PI, NULL));
	note_word("locked");
	CALL(pi(FUTEX_LOCK_PI, NULL));
	CALL(pi(FUTEX_TRYLOCK_PI, NULL));
	CALL(pi(FUTEX_UNLOCK_PI, NULL));
	NOTE("word %d", *word);
	CALL(pi(FUTEX_UNLOCK_PI, NULL));
	CALL(pi(FUTEX_TRYLOCK_PI, NULL));
	note_word("tried");
	CALL(pi(FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, NULL));
	*word = tid();
	CALL(pi(FUTEX_UNLOCK_PI, NULL));
	NOTE("word %d", *word);
}

CASE(errors)
{
	struct timespec bad = {0, 1000000000}, past = {1, 0};

	need();
	*word = 0x3ffffff0;
	CALL(pi(FUTEX_LOCK_PI, NULL));
	CALL(pi(FUTEX_TRYLOCK_PI, NULL));
	CALL(pi(FUTEX_UNLOCK_PI, NULL));
	NOTE("word %x", (unsigned)*word);
	*word = 0;
	CALL(pi(FUTEX_LOCK_PI, &bad));
	CALL(pi(FUTEX_LOCK_PI, BAD_ADDRESS));
	CALL(pi(FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, &past));
	CALL(SYS(SYS_futex, (char *)word + 1, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	CALL(SYS(SYS_futex, BAD_ADDRESS, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	CALL(SYS(SYS_futex, BAD_ADDRESS, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
}

CASE(word_of_the_dead)
{
	need();
	*word = FUTEX_OWNER_DIED;
	CALL(pi(FUTEX_LOCK_PI, NULL));
	note_word("taken over");
	CALL(pi(FUTEX_UNLOCK_PI, NULL));
	NOTE("word %x", (unsigned)*word);
}

/* A child that holds the futex until it is told. */
static pid_t holder(int *tell)
{
	int ready[2], go[2];
	char c;
	pid_t pid;

	if (pipe(ready) < 0 || pipe(go) < 0)
		exit(1);
	pid = fork();
	if (pid == 0) {
		long r = pi(FUTEX_LOCK_PI, NULL);

		close(go[1]);
		write(ready[1], "x", 1);
		read(go[0], &c, 1);
		if (c == 'u')
			r |= pi(FUTEX_UNLOCK_PI, NULL);
		_exit(r ? 1 : 0);
	}
	close(go[0]);
	read(ready[0], &c, 1);
	*tell = go[1];
	return pid;
}

CASE(between_processes)
{
	int tell;
	pid_t pid;

	need();
	pid = holder(&tell);
	CALL(pi(FUTEX_TRYLOCK_PI, NULL));
	if (fork() == 0) {
		sleep_ms(30);
		write(tell, "u", 1);
		_exit(0);
	}
	CALL(pi(FUTEX_LOCK_PI, NULL));
	note_word("got it");
	note_wait("holder", pid);
	CALL(pi(FUTEX_UNLOCK_PI, NULL));
	NOTE("word %d", *word);
}

CASE(owner_dies)
{
	int tell;
	pid_t pid;

	need();
	pid = holder(&tell);
	if (fork() == 0) {
		sleep_ms(30);
		write(tell, "d", 1);
		_exit(0);
	}
	CALL(pi(FUTEX_LOCK_PI, NULL));
	note_word("inherited");
	note_wait("holder", pid);
	CALL(pi(FUTEX_UNLOCK_PI, NULL));
	NOTE("word %x", (unsigned)*word);
}

CASE(times_out)
{
	struct timespec t;
	long long start = now_ms();
	int tell;
	pid_t pid;

	need();
	pid = holder(&tell);
	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += 30000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	CALL(pi(FUTEX_LOCK_PI, &t));
	TRUTH(now_ms() - start >= 28);
	clock_gettime(CLOCK_MONOTONIC, &t);
	CALL(pi(FUTEX_LOCK_PI2, &t));
	write(tell, "u", 1);
	note_wait("holder", pid);
	CALL(pi(FUTEX_LOCK_PI, NULL));
	note_word("after all");
}

static void on_alarm(int signo)
{
}

CASE(signals_do_not_end_it)
{
	struct sigaction sa = {.sa_handler = on_alarm};
	int tell;
	pid_t pid;

	need();
	pid = holder(&tell);
	sigaction(SIGALRM, &sa, NULL);
	ualarm(15000, 0);
	if (fork() == 0) {
		sleep_ms(60);
		write(tell, "u", 1);
		_exit(0);
	}
	CALL(pi(FUTEX_LOCK_PI, NULL));
	note_wait("holder", pid);
}

static pthread_mutex_t mutex, other;
static int counter;

static int init(pthread_mutex_t *m, int robust, int shared)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
	if (robust)
		pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	if (shared)
		pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	return pthread_mutex_init(m, &attr);
}

static void *counts(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		if (pthread_mutex_lock(&mutex))
			return (void *)1;
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

CASE(mutex_contended)
{
	pthread_t threads[4];
	void *result;
	long failed = 0;

	RC(init(&mutex, 0, 0));
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, counts, NULL);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &result);
		failed += (long)result;
	}
	NOTE("counter %d failed %ld", counter, failed);
	RC(pthread_mutex_trylock(&mutex));
	RC(pthread_mutex_unlock(&mutex));
	RC(pthread_mutex_destroy(&mutex));
}

static void *leaves_it_locked(void *arg)
{
	pthread_mutex_lock(&mutex);
	return NULL;
}

CASE(mutex_robust)
{
	pthread_t thread;

	RC(init(&mutex, 1, 0));
	pthread_create(&thread, NULL, leaves_it_locked, NULL);
	pthread_join(thread, NULL);
	RC(pthread_mutex_lock(&mutex));
	RC(pthread_mutex_consistent(&mutex));
	RC(pthread_mutex_unlock(&mutex));
	RC(pthread_mutex_lock(&mutex));
	RC(pthread_mutex_unlock(&mutex));
}

CASE(mutex_shared_robust)
{
	pthread_mutex_t *m =
		mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ready[2];
	pid_t pid;
	char c;

	if (pipe(ready) < 0)
		exit(1);
	RC(init(m, 1, 1));
	pid = fork();
	if (pid == 0) {
		pthread_mutex_lock(m);
		write(ready[1], "x", 1);
		sleep_ms(40);
		kill(getpid(), SIGKILL);
	}
	read(ready[0], &c, 1);
	RC(pthread_mutex_lock(m));
	RC(pthread_mutex_consistent(m));
	RC(pthread_mutex_unlock(m));
	note_wait("owner", pid);
}

static void *takes_both(void *arg)
{
	long r;

	pthread_mutex_lock(&other);
	*(volatile int *)arg = 1;
	r = pthread_mutex_lock(&mutex);
	if (r == 0)
		pthread_mutex_unlock(&mutex);
	pthread_mutex_unlock(&other);
	return (void *)r;
}

CASE(deadlock_is_found)
{
	pthread_t thread;
	volatile int locked = 0;
	void *result;
	int r;

	RC(init(&mutex, 0, 0));
	RC(init(&other, 0, 0));
	pthread_mutex_lock(&mutex);
	pthread_create(&thread, NULL, takes_both, (void *)&locked);
	while (!locked)
		sleep_ms(1);
	sleep_ms(30);
	word = &other.__data.__lock;
	r = (int)pi(FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, NULL);
	NOTE("%d %s", r, errno_name(errno));
	pthread_mutex_unlock(&mutex);
	pthread_join(thread, &result);
	NOTE("thread %ld", (long)result);
}

/* ---- requeueing ---- */

static int *condition, private_flag;

static long wait_requeue(int value, void *time)
{
	return SYS(
		SYS_futex, condition, FUTEX_WAIT_REQUEUE_PI | private_flag, value, time, word, 0);
}

static long requeue(int count, int value)
{
	return SYS(SYS_futex, condition, FUTEX_CMP_REQUEUE_PI | private_flag, 1, (long)count, word,
		value);
}

static void need_requeue(void)
{
	need();
	condition = word + 1;
	if (requeue(0, 0) < 0 && errno == ENOSYS)
		SKIP("no requeueing");
}

CASE(requeue_errors)
{
	struct timespec past = {1, 0}, bad = {0, 1000000000};
	int *old = word;

	need_requeue();
	old = word;
	CALL(wait_requeue(1, NULL));
	CALL(wait_requeue(0, &past));
	CALL(wait_requeue(0, &bad));
	CALL(requeue(1, 1));
	CALL(requeue(-1, 0));
	CALL(requeue(1, 0));
	CALL(SYS(SYS_futex, condition, FUTEX_CMP_REQUEUE_PI, 2, 1, word, 0));
	word = condition;
	CALL(wait_requeue(0, &past));
	CALL(requeue(1, 0));
	word = (int *)((char *)old + 1);
	CALL(wait_requeue(0, &past));
	CALL(requeue(1, 0));
	word = BAD_ADDRESS;
	CALL(wait_requeue(0, &past));
	CALL(requeue(1, 0));
	word = old;
	NOTE("%d %d", word[0], word[1]);
}

static int woken;

static void *requeued(void *arg)
{
	long r = wait_requeue(0, NULL);
	int owned = (__atomic_load_n(word, __ATOMIC_SEQ_CST) & FUTEX_TID_MASK) == tid();

	__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	if (pi(FUTEX_UNLOCK_PI | private_flag, NULL) < 0)
		owned = -1;
	return (void *)(r * 10 + owned);
}

static void requeue_threads(bool locked)
{
	pthread_t threads[4];
	long moved = 0, r;

	woken = 0;
	*word = locked ? tid() : 0;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, requeued, NULL);
	while (moved < 4) {
		r = requeue(3, 0);
		if (r < 0)
			NOTE("requeue: %s", errno_name(errno));
		if (r < 0)
			exit(1);
		moved += r;
		sleep_ms(1);
	}
	NOTE("moved %ld", moved);
	if (locked) {
		sleep_ms(20);
		NOTE("woken %d", woken);
		CALL(pi(FUTEX_UNLOCK_PI | private_flag, NULL));
	}
	for (int i = 0; i < 4; i++) {
		void *result;

		pthread_join(threads[i], &result);
		NOTE("result %ld", (long)result);
	}
	NOTE("word %d", *word);
}

CASE(requeue_to_a_free_one)
{
	need_requeue();
	requeue_threads(false);
	private_flag = FUTEX_PRIVATE_FLAG;
	requeue_threads(false);
}

CASE(requeue_to_a_held_one)
{
	need_requeue();
	requeue_threads(true);
	private_flag = FUTEX_PRIVATE_FLAG;
	requeue_threads(true);
}

static void after(int ms, struct timespec *time)
{
	clock_gettime(CLOCK_MONOTONIC, time);
	time->tv_nsec += ms * 1000000l;
	time->tv_sec += time->tv_nsec / 1000000000;
	time->tv_nsec %= 1000000000;
}

static void *requeued_in_time(void *arg)
{
	struct timespec time;

	after(300, &time);
	return (void *)(wait_requeue(0, &time) < 0 ? (long)errno : 0l);
}

CASE(requeued_and_late)
{
	struct timespec time;
	pthread_t thread;
	void *result;

	need_requeue();
	after(30, &time);
	CALL(wait_requeue(0, &time));
	*word = tid();
	pthread_create(&thread, NULL, requeued_in_time, NULL);
	while (requeue(1, 0) == 0)
		sleep_ms(1);
	pthread_join(thread, &result);
	NOTE("%s", errno_name((int)(long)result));
	CALL(pi(FUTEX_UNLOCK_PI, NULL));
	NOTE("word %d", *word);
}

/* ---- owners elsewhere -------------------------------------------------------------------------
 */

static void try_of(const char *what, pid_t owner, int flag)
{
	*word = owner;
	NOTE("%s", what);
	CALL(syscall(SYS_futex, word, FUTEX_TRYLOCK_PI | flag, 0, NULL, NULL, 0));
	NOTE("waiters %d", *word == (int)(FUTEX_WAITERS | (unsigned)owner));
}

CASE(owner_of_another_process)
{
	pid_t child = fork(), gone;

	if (child == 0) {
		alarm(10);
		pause();
		_exit(0);
	}
	gone = fork();
	if (gone == 0)
		_exit(0);
	waitid(P_PID, (id_t)gone, NULL, WEXITED | WNOWAIT);
	try_of("private", child, FUTEX_PRIVATE_FLAG);
	try_of("shared", child, 0);
	try_of("private, of a zombie", gone, FUTEX_PRIVATE_FLAG);
	try_of("shared, of a zombie", gone, 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	waitpid(gone, NULL, 0);
	try_of("private, of nobody", child, FUTEX_PRIVATE_FLAG);
}
