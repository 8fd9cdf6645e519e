/* SPDX-License-Identifier: Apache-2.0 */
/* Sleeps, interval timers, POSIX timers, futexes. */
#include "case.h"

#include <linux/futex.h>
#include <pthread.h>

static volatile sig_atomic_t count;
static siginfo_t last_info;

static void on_info(int signo, siginfo_t *info, void *context)
{
	last_info = *info;
	count++;
}

static void catch_info(int signo)
{
	struct sigaction sa = {.sa_sigaction = on_info, .sa_flags = SA_SIGINFO};

	sigaction(signo, &sa, NULL);
}

static void wait_count(int n)
{
	long long until = now_ms() + 5000;

	while (count < n && now_ms() < until)
		sleep_ms(1);
}

static void burn_ms(long ms)
{
	struct timespec ts;
	long long start, now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	start = ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	do {
		for (volatile int i = 0; i < 10000; i++)
			;
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
		now = ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	} while (now - start < ms);
}

/* ---- sleeps ---- */

CASE(nanosleep_lasts)
{
	struct timespec ts = {0, 30000000};
	long long start = now_ms();

	CALL(nanosleep(&ts, NULL));
	TRUTH(now_ms() - start >= 29);
}

CASE(nanosleep_errors)
{
	struct timespec bad = {0, 1000000000}, negative = {-1, 0};

	CALL(nanosleep(&bad, NULL));
	CALL(nanosleep(&negative, NULL));
	CALL(SYS(SYS_nanosleep, BAD_ADDRESS, NULL));
}

CASE(clock_nanosleep_absolute)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	RC(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL));
	ts.tv_nsec += 30000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	long long start = now_ms();
	RC(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL));
	TRUTH(now_ms() - start >= 25);
	clock_gettime(CLOCK_REALTIME, &ts);
	RC(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL));
}

CASE(clock_nanosleep_errors)
{
	struct timespec ts = {0, 1}, bad = {0, -1};

	CALL(SYS(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL));
	CALL(SYS(SYS_clock_nanosleep, CLOCK_MONOTONIC_RAW, 0, &ts, NULL));
	CALL(SYS(SYS_clock_nanosleep, CLOCK_MONOTONIC_COARSE, 0, &ts, NULL));
	CALL(SYS(SYS_clock_nanosleep, 99, 0, &ts, NULL));
	CALL(SYS(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &bad, NULL));
	CALL(SYS(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, BAD_ADDRESS, NULL));
	CALL(SYS(SYS_clock_nanosleep, CLOCK_BOOTTIME, 0, &ts, NULL));
	CALL(SYS(SYS_clock_nanosleep, CLOCK_TAI, 0, &ts, NULL));
}

CASE(clock_nanosleep_absolute_interrupted)
{
	struct timespec ts, rem = {7, 7};

	catch_info(SIGALRM);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += 5;
	struct itimerval it = {.it_value = {0, 30000}};
	setitimer(ITIMER_REAL, &it, NULL);
	RC(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, &rem));
	NOTE("rem untouched %d", rem.tv_sec == 7);
}

/* ---- alarm and interval timers ---- */

CASE(alarm_rounding)
{
	CALL(alarm(100));
	CALL(alarm(50));
	CALL(alarm(0));
	CALL(alarm(0));
}

CASE(alarm_kills)
{
	struct itimerval it = {.it_value = {0, 20000}};

	setitimer(ITIMER_REAL, &it, NULL);
	for (;;)
		pause();
}

CASE(itimer_real_siginfo)
{
	struct itimerval it = {.it_value = {0, 20000}};

	catch_info(SIGALRM);
	CALL(setitimer(ITIMER_REAL, &it, NULL));
	wait_count(1);
	NOTE("count %d code %d pid %d", count, last_info.si_code, last_info.si_pid);
	CALL(getitimer(ITIMER_REAL, &it));
	NOTE("%ld %ld", (long)it.it_value.tv_sec, (long)it.it_value.tv_usec);
}

CASE(itimer_real_periodic)
{
	struct itimerval it = {.it_value = {0, 5000}, .it_interval = {0, 5000}}, old;

	catch_info(SIGALRM);
	CALL(setitimer(ITIMER_REAL, &it, NULL));
	wait_count(5);
	TRUTH(count >= 5);
	memset(&it, 0, sizeof(it));
	CALL(setitimer(ITIMER_REAL, &it, &old));
	NOTE("interval %ld", (long)old.it_interval.tv_usec);
	TRUTH(old.it_value.tv_usec <= 5000);
}

CASE(itimer_virtual_and_prof)
{
	struct itimerval it = {.it_value = {0, 20000}};

	catch_info(SIGVTALRM);
	catch_info(SIGPROF);
	CALL(setitimer(ITIMER_VIRTUAL, &it, NULL));
	for (int i = 0; i < 100 && count == 0; i++)
		burn_ms(20);
	NOTE("count %d signo %d", count, last_info.si_signo);
	count = 0;
	CALL(setitimer(ITIMER_PROF, &it, NULL));
	for (int i = 0; i < 100 && count == 0; i++)
		burn_ms(20);
	NOTE("count %d signo %d", count, last_info.si_signo);
}

CASE(itimer_prof_does_not_count_sleep)
{
	struct itimerval it = {.it_value = {0, 20000}};

	catch_info(SIGPROF);
	CALL(setitimer(ITIMER_PROF, &it, NULL));
	sleep_ms(60);
	NOTE("count %d", count);
}

CASE(itimer_errors)
{
	struct itimerval bad = {.it_value = {0, 1000000}}, negative = {.it_value = {-1, 0}}, it;

	CALL(setitimer(ITIMER_REAL, &bad, NULL));
	CALL(setitimer(ITIMER_REAL, &negative, NULL));
	CALL(SYS(SYS_setitimer, 3, &it, NULL));
	CALL(SYS(SYS_getitimer, 3, &it));
	CALL(SYS(SYS_getitimer, 0, BAD_ADDRESS));
	CALL(SYS(SYS_setitimer, 0, BAD_ADDRESS, NULL));
	CALL(SYS(SYS_setitimer, 0, NULL, NULL));
}

CASE(itimer_not_inherited)
{
	struct itimerval it = {.it_value = {10, 0}};

	setitimer(ITIMER_REAL, &it, NULL);
	pid_t pid = fork();
	if (pid == 0) {
		CALL(getitimer(ITIMER_REAL, &it));
		NOTE("%ld", (long)it.it_value.tv_sec);
		_exit(0);
	}
	note_wait("child", pid);
}

/* ---- POSIX timers ---- */

static timer_t make_timer(int notify, int signo, int value)
{
	struct sigevent event = {
		.sigev_notify = notify, .sigev_signo = signo, .sigev_value.sival_int = value};
	timer_t id = 0;

	CALL(timer_create(CLOCK_MONOTONIC, &event, &id));
	return id;
}

static void set_timer(timer_t id, long first_ms, long interval_ms)
{
	struct itimerspec its = {
		.it_value = {first_ms / 1000, first_ms % 1000 * 1000000},
		.it_interval = {interval_ms / 1000, interval_ms % 1000 * 1000000},
	};

	CALL(timer_settime(id, 0, &its, NULL));
}

CASE(timer_once)
{
	catch_info(SIGRTMIN + 3);
	timer_t id = make_timer(SIGEV_SIGNAL, SIGRTMIN + 3, 1234);
	set_timer(id, 20, 0);
	wait_count(1);
	NOTE("count %d code %d value %d overrun %d", count, last_info.si_code,
		last_info.si_value.sival_int, last_info.si_overrun);
	CALL(timer_getoverrun(id));
	struct itimerspec its;
	CALL(timer_gettime(id, &its));
	NOTE("%ld %ld", (long)its.it_value.tv_sec, its.it_value.tv_nsec);
	CALL(timer_delete(id));
	CALL(timer_delete(id));
}

CASE(timer_periodic)
{
	catch_info(SIGUSR1);
	timer_t id = make_timer(SIGEV_SIGNAL, SIGUSR1, 0);
	set_timer(id, 5, 5);
	wait_count(4);
	TRUTH(count >= 4);
	CALL(timer_delete(id));
}

CASE(timer_overrun)
{
	sigset_t set;
	siginfo_t info;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	timer_t id = make_timer(SIGEV_SIGNAL, SIGUSR1, 0);
	set_timer(id, 10, 10);
	sleep_ms(105);
	CALL(sigwaitinfo(&set, &info));
	TRUTH(info.si_overrun >= 7 && info.si_overrun <= 15);
	TRUTH(timer_getoverrun(id) == info.si_overrun);
}

CASE(timer_default_event)
{
	timer_t id;

	catch_info(SIGALRM);
	CALL(timer_create(CLOCK_REALTIME, NULL, &id));
	set_timer(id, 10, 0);
	wait_count(1);
	NOTE("signo %d code %d", last_info.si_signo, last_info.si_code);
}

CASE(timer_none_counts_down)
{
	struct itimerspec its;
	timer_t id = make_timer(SIGEV_NONE, 0, 0);

	set_timer(id, 10000, 0);
	CALL(timer_gettime(id, &its));
	TRUTH(its.it_value.tv_sec == 9);
}

CASE(timer_thread_id)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
	timer_t id;

	catch_info(SIGUSR1);
	event._sigev_un._tid = gettid();
	CALL(timer_create(CLOCK_MONOTONIC, &event, &id));
	set_timer(id, 10, 0);
	wait_count(1);
	NOTE("count %d", count);
	event._sigev_un._tid = 1;
	CALL(timer_create(CLOCK_MONOTONIC, &event, &id));
}

CASE(timer_cpu_clock)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	timer_t id;

	catch_info(SIGUSR1);
	CALL(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &id));
	set_timer(id, 20, 0);
	sleep_ms(50);
	NOTE("after sleep %d", count);
	burn_ms(60);
	NOTE("after work %d", count);
}

CASE(timer_errors)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65};
	struct itimerspec bad = {.it_value = {0, 1000000000}};
	int kid;
	timer_t id;

	CALL(SYS(SYS_timer_create, 99, NULL, &kid));
	CALL(SYS(SYS_timer_create, CLOCK_MONOTONIC_RAW, NULL, &kid));
	CALL(SYS(SYS_timer_create, CLOCK_MONOTONIC, &event, &kid));
	event.sigev_notify = 77;
	CALL(SYS(SYS_timer_create, CLOCK_MONOTONIC, &event, &kid));
	CALL(SYS(SYS_timer_create, CLOCK_MONOTONIC, BAD_ADDRESS, &kid));
	CALL(SYS(SYS_timer_create, CLOCK_MONOTONIC, NULL, BAD_ADDRESS));
	CALL(SYS(SYS_timer_settime, 55, 0, &bad, NULL));
	id = make_timer(SIGEV_NONE, 0, 0);
	CALL(timer_settime(id, 0, &bad, NULL));
	CALL(SYS(SYS_timer_settime, 0, 0, NULL, NULL));
	CALL(SYS(SYS_timer_gettime, 55, &bad));
	CALL(SYS(SYS_timer_getoverrun, 55));
	CALL(SYS(SYS_timer_delete, 55));
}

CASE(timer_old_value)
{
	struct itimerspec its = {.it_value = {100, 0}, .it_interval = {3, 0}}, old;
	timer_t id = make_timer(SIGEV_NONE, 0, 0);

	CALL(timer_settime(id, 0, &its, NULL));
	its.it_value.tv_sec = 0;
	CALL(timer_settime(id, 0, &its, &old));
	NOTE("%ld interval %ld", (long)old.it_value.tv_sec, (long)old.it_interval.tv_sec);
}

CASE(timers_not_inherited)
{
	timer_t id = make_timer(SIGEV_NONE, 0, 0);
	pid_t pid = fork();

	if (pid == 0) {
		CALL(timer_getoverrun(id));
		_exit(0);
	}
	note_wait("child", pid);
}

CASE(cpu_limit)
{
	struct {
		uint64_t cur, max;
	} limit = {1, 2}, now = {0};

	catch_info(SIGXCPU);
	CALL(SYS(SYS_prlimit64, 0, 0, &limit, NULL));
	/* Two seconds of CPU may be a long time; the limit itself ends us when no signal comes. */
	alarm(100);
	while (!count)
		;
	NOTE("count %d code %d", count, last_info.si_code);
	CALL(SYS(SYS_prlimit64, 0, 0, NULL, &now));
	NOTE("soft %d hard %d", (int)now.cur, (int)now.max);
	for (;;)
		;
}

/* ---- futexes ---- */

static uint32_t word;

static long futex(
	uint32_t *addr, int op, uint32_t val, const void *timeout, uint32_t *addr2, uint32_t val3)
{
	return SYS(SYS_futex, addr, op, val, timeout, addr2, val3);
}

CASE(futex_errors)
{
	struct timespec bad = {0, 1000000000}, zero = {0, 0};

	CALL(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0));
	CALL(futex(&word, FUTEX_WAIT, 0, &zero, NULL, 0));
	CALL(futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0));
	CALL(futex(BAD_ADDRESS, FUTEX_WAIT, 0, &zero, NULL, 0));
	CALL(futex((uint32_t *)((char *)&word + 1), FUTEX_WAIT, 0, &zero, NULL, 0));
	CALL(futex(&word, FUTEX_WAIT, 0, BAD_ADDRESS, NULL, 0));
	CALL(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
	CALL(futex(&word, 99, 0, NULL, NULL, 0));
	CALL(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
	CALL(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0));
	CALL(futex((uint32_t *)0x7ffffffff000, FUTEX_WAKE, 1, NULL, NULL, 0));
	CALL(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, BAD_ADDRESS, 0));
	CALL(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)1, &word + 1, 5));
}

CASE(futex_relative_timeout)
{
	struct timespec ts = {0, 30000000};
	long long start = now_ms();

	CALL(futex(&word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, &ts, NULL, 0));
	TRUTH(now_ms() - start >= 29 && now_ms() - start < 2000);
}

CASE(futex_absolute_timeout)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	CALL(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &ts, NULL, ~0u));
	clock_gettime(CLOCK_MONOTONIC, &ts);
	CALL(futex(&word, FUTEX_WAIT_BITSET, 0, &ts, NULL, ~0u));
}

CASE(futex_interrupted)
{
	struct itimerval it = {.it_value = {0, 30000}};
	struct timespec ts = {5, 0};

	catch_info(SIGALRM);
	setitimer(ITIMER_REAL, &it, NULL);
	CALL(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0));
	setitimer(ITIMER_REAL, &it, NULL);
	CALL(futex(&word, FUTEX_WAIT, 0, &ts, NULL, 0));
	NOTE("count %d", count);
}

static void *wake_later(void *arg)
{
	sleep_ms(60);
	word = 1;
	futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0);
	return NULL;
}

CASE(futex_restarted)
{
	struct sigaction sa = {.sa_sigaction = on_info, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct itimerval it = {.it_value = {0, 20000}};
	pthread_t thread;

	sigaction(SIGALRM, &sa, NULL);
	pthread_create(&thread, NULL, wake_later, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	long r = futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0);
	/* The thread that got the signal may be either. */
	NOTE("woken %d count %d", r == 0 || errno == EAGAIN, count);
	pthread_join(thread, NULL);
}

CASE(futex_shared_between_processes)
{
	uint32_t *shared =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();

	if (pid == 0) {
		_exit(futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 3 : 4);
	}
	sleep_ms(50);
	CALL(futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0));
	note_wait("child", pid);
}

static void *lock_and_die(void *arg)
{
	pthread_mutex_lock(arg);
	return NULL;
}

CASE(robust_mutex_of_a_thread)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t mutex;
	pthread_t thread;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&mutex, &attr);
	pthread_create(&thread, NULL, lock_and_die, &mutex);
	pthread_join(thread, NULL);
	RC(pthread_mutex_lock(&mutex));
	RC(pthread_mutex_consistent(&mutex));
	RC(pthread_mutex_unlock(&mutex));
	RC(pthread_mutex_lock(&mutex));
}

CASE(robust_mutex_of_a_killed_process)
{
	pthread_mutexattr_t attr;
	pthread_mutex_t *mutex =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fds[2];
	char c;

	pipe(fds);
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(mutex, &attr);
	pid_t pid = fork();
	if (pid == 0) {
		pthread_mutex_lock(mutex);
		write(fds[1], "l", 1);
		for (;;)
			pause();
	}
	read(fds[0], &c, 1);
	kill(pid, SIGKILL);
	RC(pthread_mutex_lock(mutex));
	note_wait("child", pid);
}

CASE(robust_list_calls)
{
	void *head;
	size_t size = 0;

	CALL(SYS(SYS_get_robust_list, 0, &head, &size));
	NOTE("size %zu", size);
	CALL(SYS(SYS_set_robust_list, NULL, 24));
	CALL(SYS(SYS_set_robust_list, NULL, 8));
	CALL(SYS(SYS_get_robust_list, 999999, &head, &size));
	CALL(SYS(SYS_get_robust_list, 0, BAD_ADDRESS, &size));
}

CASE(robust_list_garbage)
{
	pid_t pid = fork();

	if (pid == 0) {
		SYS(SYS_set_robust_list, BAD_ADDRESS, 24);
		_exit(5);
	}
	note_wait("child", pid);
	pid = fork();
	if (pid == 0) {
		struct {
			void *next;
			long offset;
			void *pending;
		} head = {&head, 0, NULL};
		struct {
			void *next;
		} loop = {&loop};
		head.next = &loop;
		SYS(SYS_set_robust_list, &head, 24);
		_exit(6);
	}
	note_wait("child", pid);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turns;

static void *ping(void *arg)
{
	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&lock);
		while (turns % 2 != (arg != NULL))
			pthread_cond_wait(&cond, &lock);
		turns++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

CASE(condition_variable_ping_pong)
{
	pthread_t a, b;

	pthread_create(&a, NULL, ping, NULL);
	pthread_create(&b, NULL, ping, &lock);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	NOTE("%d", turns);
}
