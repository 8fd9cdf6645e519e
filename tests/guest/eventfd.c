/* SPDX-License-Identifier: Apache-2.0 */
/* eventfd(2), timerfd_create(2), memfd_create(2) */
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "case.h"

static void put(int fd, uint64_t value)
{
	long long r = write(fd, &value, 8);

	NOTE("write %llu = %lld %s", (unsigned long long)value, r, r < 0 ? errno_name(errno) : "");
}

static void get(int fd)
{
	uint64_t value = 0;
	long long r = read(fd, &value, 8);

	NOTE("read = %lld %s: %llu", r, r < 0 ? errno_name(errno) : "", (unsigned long long)value);
}

static void note_poll(int fd)
{
	struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM, 0};
	int r = poll(&p, 1, 0);

	NOTE("poll = %d %x", r, p.revents);
}

CASE(eventfd_create)
{
	int fd;

	CALL(SYS(SYS_eventfd2, 0, 0x10));
	fd = OK(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	NOTE("%d %o", fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
	fd = OK(SYS(SYS_eventfd, 5));
	get(fd);
}

CASE(eventfd_counter)
{
	int fd = eventfd(2, EFD_NONBLOCK);
	char buf[32];

	note_poll(fd);
	put(fd, 3);
	get(fd);
	get(fd);
	note_poll(fd);
	CALL(read(fd, buf, 7));
	CALL(write(fd, buf, 7));
	put(fd, 0);
	get(fd);
	put(fd, UINT64_MAX);
	put(fd, UINT64_MAX - 1);
	note_poll(fd);
	put(fd, 1);
	put(fd, 0);
	CALL(read(fd, buf, sizeof(buf)));
	memset(buf, 0, sizeof(buf));
	buf[0] = 1;
	CALL(write(fd, buf, sizeof(buf)));
	get(fd);
}

CASE(eventfd_semaphore)
{
	int fd = eventfd(3, EFD_NONBLOCK | EFD_SEMAPHORE);

	get(fd);
	get(fd);
	put(fd, 1);
	get(fd);
	get(fd);
	get(fd);
}

CASE(eventfd_bad_memory)
{
	int fd = eventfd(3, EFD_NONBLOCK);

	CALL(write(fd, BAD_ADDRESS, 8));
	CALL(read(fd, BAD_ADDRESS, 8));
	get(fd); /* the value is gone */
	CALL(lseek(fd, 0, SEEK_SET));
	CALL(pread(fd, BAD_ADDRESS, 8, 0));
}

CASE(eventfd_blocking)
{
	int fd = eventfd(0, 0), back = eventfd(0, 0);
	pid_t pid = fork();

	if (pid == 0) {
		uint64_t value = 4;

		sleep_ms(20);
		if (write(fd, &value, 8) != 8)
			_exit(1);
		_exit(read(back, &value, 8) != 8);
	}
	get(fd);
	put(fd, UINT64_MAX - 1);
	put(back, 1);
	note_wait("child", pid);
}

/* ---- timerfd ---- */

static long long arm(int fd, int flags, long first_ms, long interval_ms)
{
	struct itimerspec value = {
		.it_value = {first_ms / 1000, first_ms % 1000 * 1000000},
		.it_interval = {interval_ms / 1000, interval_ms % 1000 * 1000000},
	};

	return timerfd_settime(fd, flags, &value, NULL);
}

CASE(timerfd_create)
{
	int fd;

	CALL(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
	CALL(timerfd_create(99, 0));
	CALL(timerfd_create(-1, 0));
	CALL(timerfd_create(CLOCK_MONOTONIC, 1));
	fd = OK(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
	NOTE("%d %o", fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
	get(fd);
	note_poll(fd);
	CALL(write(fd, "12345678", 8));
}

CASE(timerfd_errors)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, 0), ev = eventfd(0, 0);
	struct itimerspec good = {{0, 0}, {1, 0}}, bad = {{0, 0}, {0, 1000000000}};
	struct itimerspec bad_interval = {{-1, 0}, {0, 1}};

	CALL(timerfd_settime(fd, 8, &good, NULL));
	CALL(timerfd_settime(fd, 0, &bad, NULL));
	CALL(timerfd_settime(fd, 0, &bad_interval, NULL));
	CALL(timerfd_settime(fd, 0, BAD_ADDRESS, NULL));
	CALL(timerfd_settime(fd, 0, &good, BAD_ADDRESS));
	CALL(timerfd_settime(ev, 0, &good, NULL));
	CALL(timerfd_settime(99, 0, &good, NULL));
	CALL(timerfd_gettime(ev, &good));
	CALL(timerfd_gettime(99, &good));
	CALL(timerfd_gettime(fd, BAD_ADDRESS));
}

CASE(timerfd_one_shot)
{
	int fd = timerfd_create(CLOCK_REALTIME, 0);
	struct itimerspec value;
	long long start = now_ms();

	CALL(arm(fd, 0, 30, 0));
	CALL(timerfd_gettime(fd, &value));
	TRUTH(value.it_value.tv_nsec > 0 && value.it_value.tv_nsec <= 30000000);
	get(fd);
	TRUTH(now_ms() - start >= 29);
	CALL(timerfd_gettime(fd, &value));
	NOTE("%lld %ld", (long long)value.it_value.tv_sec, value.it_value.tv_nsec);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	get(fd);
}

CASE(timerfd_periodic)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec value;
	uint64_t ticks = 0;

	CALL(arm(fd, 0, 10, 10));
	sleep_ms(55);
	note_poll(fd);
	CALL(read(fd, &ticks, 8));
	TRUTH(ticks >= 5 && ticks < 50);
	CALL(read(fd, &ticks, 8));
	TRUTH(ticks >= 1);
	CALL(timerfd_gettime(fd, &value));
	NOTE("interval %ld", value.it_interval.tv_nsec);
	CALL(arm(fd, 0, 0, 10)); /* disarms */
	sleep_ms(15);
	note_poll(fd);
}

CASE(timerfd_absolute)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct timespec now;
	struct itimerspec value = {0}, old;

	value.it_value.tv_nsec = 1; /* long ago */
	CALL(timerfd_settime(fd, TFD_TIMER_ABSTIME, &value, NULL));
	sleep_ms(5);
	get(fd);
	clock_gettime(CLOCK_MONOTONIC, &now);
	value.it_value = (struct timespec){now.tv_sec + 100, now.tv_nsec};
	CALL(timerfd_settime(fd, TFD_TIMER_ABSTIME, &value, NULL));
	CALL(timerfd_settime(fd, 0, &value, &old));
	TRUTH(old.it_value.tv_sec >= 99 && old.it_value.tv_sec <= 100);
	get(fd);
}

CASE(timerfd_setting_forgets)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);

	CALL(arm(fd, 0, 5, 0));
	sleep_ms(10);
	note_poll(fd);
	CALL(arm(fd, 0, 1000, 0));
	note_poll(fd);
	get(fd);
}

/* ---- memfd ---- */

CASE(memfd_create)
{
	char name[300], target[64] = "", link[64];
	int fd;

	CALL(memfd_create("x", 0x1000));
	CALL(memfd_create(BAD_ADDRESS, 0));
	memset(name, 'n', sizeof(name));
	name[249] = 0;
	OK(memfd_create(name, 0));
	name[249] = 'n';
	name[250] = 0;
	CALL(memfd_create(name, 0));
	fd = OK(memfd_create("hello", MFD_CLOEXEC));
	NOTE("%d %o", fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	OK(readlink(link, target, sizeof(target) - 1));
	NOTE("%s", target);
}

CASE(memfd_file)
{
	int fd = memfd_create("m", 0);
	struct stat st;
	char buf[16] = "";

	CALL(write(fd, "abcdef", 6));
	CALL(pread(fd, buf, 3, 2));
	NOTE("%s", buf);
	CALL(ftruncate(fd, 10000));
	CALL(fstat(fd, &st));
	NOTE("%o %lld nlink %d", st.st_mode, (long long)st.st_size, (int)st.st_nlink);
	CALL(fcntl(fd, F_GET_SEALS));
	CALL(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
}

CASE(memfd_seals)
{
	int fd = memfd_create("m", MFD_ALLOW_SEALING);
	char *map;

	CALL(ftruncate(fd, 8192));
	CALL(fcntl(fd, F_GET_SEALS));
	CALL(fcntl(fd, F_ADD_SEALS, 0x1000));
	CALL(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	CALL(ftruncate(fd, 4096));
	CALL(ftruncate(fd, 16384));
	CALL(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	CALL(ftruncate(fd, 20000));
	CALL(pwrite(fd, "x", 1, 16383));
	CALL(pwrite(fd, "xy", 2, 16383));
	CALL(pwrite(fd, "xy", 2, 20000));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	TRUTH(map != MAP_FAILED);
	CALL(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	CALL(munmap(map, 4096));
	CALL(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	CALL(pwrite(fd, "x", 1, 0));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NOTE("%s", map == MAP_FAILED ? errno_name(errno) : "mapped");
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	NOTE("%s", map == MAP_FAILED ? errno_name(errno) : "mapped");
	CALL(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
	CALL(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	CALL(fcntl(fd, F_GET_SEALS));
	CALL(fcntl(0, F_GET_SEALS));
}
