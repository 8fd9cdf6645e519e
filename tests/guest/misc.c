/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks, names, numbers, randomness, and what an unprivileged process is refused. */
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/timex.h>
#include <sys/utsname.h>

#include "case.h"

static void drop(void)
{
	if (geteuid() == 0 &&
		(setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0))
		exit(1);
}

/* ---- clocks
 * ------------------------------------------------------------------------------------------------------------
 */

CASE(clocks_exist)
{
	static const int clocks[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 15, 16, 1000};
	struct timespec ts;

	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		NOTE("clock %d", clocks[i]);
		CALL(SYS(SYS_clock_gettime, clocks[i], &ts));
		TRUTH(ts.tv_nsec >= 0 && ts.tv_nsec < 1000000000);
	}
	CALL(SYS(SYS_clock_gettime, 0, BAD_ADDRESS));
	CALL(SYS(SYS_clock_gettime, -1, &ts));
}

CASE(clock_resolutions)
{
	static const int clocks[] = {0, 1, 2, 3, 4, 5, 6, 7, 11};
	struct timespec ts;

	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		CALL(SYS(SYS_clock_getres, clocks[i], &ts));
		NOTE("clock %d: %ld %ld", clocks[i], ts.tv_sec, ts.tv_nsec);
	}
	CALL(SYS(SYS_clock_getres, 0, NULL));
	CALL(SYS(SYS_clock_getres, 77, NULL));
	CALL(SYS(SYS_clock_getres, 0, BAD_ADDRESS));
}

CASE(clocks_agree)
{
	struct timespec raw, libc;
	struct timeval tv;
	long seconds;

	SYS(SYS_clock_gettime, CLOCK_REALTIME, &raw);
	clock_gettime(CLOCK_REALTIME, &libc);
	SYS(SYS_gettimeofday, &tv, NULL);
	seconds = SYS(SYS_time, NULL);
	TRUTH(libc.tv_sec - raw.tv_sec <= 1 && tv.tv_sec - raw.tv_sec <= 1 &&
		seconds - raw.tv_sec <= 1);
	SYS(SYS_clock_gettime, CLOCK_MONOTONIC, &raw);
	clock_gettime(CLOCK_MONOTONIC, &libc);
	TRUTH(libc.tv_sec - raw.tv_sec <= 1 && libc.tv_sec >= raw.tv_sec);
}

CASE(monotonic_is)
{
	struct timespec before, now;
	int back = 0;

	SYS(SYS_clock_gettime, CLOCK_MONOTONIC, &before);
	for (int i = 0; i < 2000; i++) {
		SYS(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
		back += now.tv_sec < before.tv_sec ||
			(now.tv_sec == before.tv_sec && now.tv_nsec < before.tv_nsec);
		before = now;
	}
	NOTE("%d", back);
}

CASE(cpu_clocks)
{
	clockid_t clock = 0;
	struct timespec ts;
	pid_t pid;

	RC(clock_getcpuclockid(0, &clock));
	CALL(clock_gettime(clock, &ts));
	RC(clock_getcpuclockid(getpid(), &clock));
	CALL(clock_gettime(clock, &ts));
	CALL(SYS(SYS_clock_gettime, (int)(~4000000u << 3 | 2), &ts));
	CALL(SYS(SYS_clock_gettime, (int)(~1u << 3 | 6), &ts));
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	RC(clock_getcpuclockid(pid, &clock));
	CALL(clock_gettime(clock, &ts));
	kill(pid, SIGKILL);
	note_wait("child", pid);
	RC(clock_getcpuclockid(pid, &clock));
}

CASE(setting_clocks)
{
	struct timespec ts = {1000000000, 0}, bad = {0, -1};
	struct timeval tv = {1000000000, 0}, bad_tv = {0, 2000000};

	drop();
	CALL(SYS(SYS_clock_settime, CLOCK_REALTIME, &ts));
	CALL(SYS(SYS_clock_settime, CLOCK_REALTIME, &bad));
	CALL(SYS(SYS_clock_settime, CLOCK_REALTIME, BAD_ADDRESS));
	CALL(SYS(SYS_clock_settime, CLOCK_MONOTONIC, &ts));
	CALL(SYS(SYS_clock_settime, 77, &ts));
	CALL(SYS(SYS_settimeofday, &tv, NULL));
	CALL(SYS(SYS_settimeofday, &bad_tv, NULL));
	CALL(SYS(SYS_settimeofday, BAD_ADDRESS, NULL));
}

CASE(time_calls)
{
	struct timezone tz = {7, 7};
	long t;

	CALL(SYS(SYS_gettimeofday, NULL, &tz));
	NOTE("%d %d", tz.tz_minuteswest, tz.tz_dsttime);
	CALL(SYS(SYS_gettimeofday, NULL, NULL));
	CALL(SYS(SYS_gettimeofday, BAD_ADDRESS, NULL));
	TRUTH(SYS(SYS_time, &t) == t);
	CALL(SYS(SYS_time, BAD_ADDRESS));
}

CASE(adjusting_the_clock)
{
	struct timex tx = {.modes = ADJ_FREQUENCY};

	drop();
	CALL(SYS(SYS_adjtimex, &tx));
	CALL(SYS(SYS_adjtimex, BAD_ADDRESS));
	CALL(SYS(SYS_clock_adjtime, CLOCK_REALTIME, &tx));
	CALL(SYS(SYS_clock_adjtime, CLOCK_MONOTONIC, &tx));
	CALL(SYS(SYS_clock_adjtime, 77, &tx));
	tx.modes = 0;
	TRUTH(SYS(SYS_adjtimex, &tx) >= 0);
	TRUTH(tx.tick > 0);
}

/* ---- names
 * -------------------------------------------------------------------------------------------------------------
 */

CASE(system_name)
{
	struct utsname name;

	CALL(uname(&name));
	NOTE("%s %s", name.sysname, name.machine);
	TRUTH(name.nodename[0] != '\0');
	TRUTH(atoi(name.release) >= 5);
	CALL(SYS(SYS_uname, BAD_ADDRESS));
}

CASE(naming_needs_rights)
{
	drop();
	CALL(sethostname("x", 1));
	CALL(setdomainname("x", 1));
	CALL(SYS(SYS_sethostname, "x", -1));
	CALL(SYS(SYS_sethostname, BAD_ADDRESS, 1));
}

CASE(system_numbers)
{
	struct sysinfo info;

	CALL(sysinfo(&info));
	TRUTH(info.totalram > 0 && info.freeram <= info.totalram && info.mem_unit > 0);
	TRUTH(info.procs > 0 && info.uptime >= 0);
	CALL(SYS(SYS_sysinfo, BAD_ADDRESS));
}

/* ---- randomness
 * --------------------------------------------------------------------------------------------------------
 */

CASE(random_bytes)
{
	unsigned char a[300] = {0}, b[300] = {0};

	CALL(getrandom(a, sizeof(a), 0));
	CALL(getrandom(b, sizeof(b), GRND_NONBLOCK));
	TRUTH(memcmp(a, b, sizeof(a)) != 0);
	CALL(getrandom(a, 16, GRND_RANDOM));
	CALL(getrandom(a, 16, GRND_INSECURE));
	CALL(getrandom(a, 0, 0));
	CALL(getrandom(a, 16, 64));
	CALL(getrandom(a, 16, GRND_RANDOM | GRND_INSECURE));
	CALL(getrandom(BAD_ADDRESS, 16, 0));
	char *big = malloc(1 << 20);
	CALL(getrandom(big, 1 << 20, 0));
	TRUTH(big[(1 << 20) - 1] | big[(1 << 20) - 2] | big[(1 << 20) - 3] | big[(1 << 20) - 4]);
}

/* ---- refusals
 * ----------------------------------------------------------------------------------------------------------
 */

CASE(administration_is_refused)
{
	drop();
	mkdir("d", 0700);
	CALL(SYS(SYS_reboot, 0xfee1dead, 672274793, 0, NULL));
	CALL(SYS(SYS_swapon, "x", 0));
	CALL(SYS(SYS_swapoff, "x"));
	CALL(SYS(SYS_acct, NULL));
	CALL(SYS(SYS_vhangup));
	CALL(SYS(SYS_mount, "none", "d", "tmpfs", 0, NULL));
	CALL(SYS(SYS_umount2, "d", 0));
	CALL(SYS(SYS_umount2, "d", 1 << 20));
	CALL(SYS(SYS_pivot_root, "d", "d"));
	CALL(SYS(SYS_chroot, "d"));
}

CASE(old_calls_are_gone)
{
	CALL(SYS(SYS_create_module, 0, 0));
	CALL(SYS(SYS_query_module));
	CALL(SYS(SYS_nfsservctl));
	CALL(SYS(SYS_getpmsg));
	CALL(SYS(SYS_afs_syscall));
	CALL(SYS(SYS_tuxcall));
	CALL(SYS(SYS_security));
	CALL(SYS(SYS_vserver));
	CALL(SYS(SYS__sysctl, NULL));
	CALL(SYS(SYS_set_thread_area, NULL));
	CALL(SYS(SYS_epoll_ctl_old));
	CALL(SYS(500));
	CALL(SYS(5000));
}

CASE(garbage_above_int_arguments)
{
	/* The upper halves of 32-bit arguments do not count. */
	struct timespec ts;

	CALL(SYS(SYS_clock_gettime, 0xdead00000001ul, &ts));
	CALL(SYS(SYS_getrandom, &ts, 4, 0xdead00000001ul));
	CALL(SYS(SYS_sched_getscheduler, 0xdead00000000ul));
	CALL(SYS(SYS_umask, 0xdead00000012ul) >= 0);
	CALL(SYS(SYS_close, 0xdead00000063ul));
}
