/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that administer the machine, made by somebody who may not. Natively nothing here must have
 * an effect, so every case gives up its privileges before anything else. Which of the calls exist
 * depends on the kernel's configuration: then a case says only that the call is refused.
 */
#include "case.h"

#include <grp.h>
#include <sys/quota.h>
#include <sys/reboot.h>
#include <sys/swap.h>
#include <sys/timex.h>

static void become_nobody(void)
{
	if (geteuid() != 0)
		return;
	if (setgroups(0, NULL) < 0 || setresgid(65534, 65534, 65534) < 0 ||
		setresuid(65534, 65534, 65534) < 0)
		_exit(97);
}

#define UNPRIVILEGED(name, expr)                                                                   \
	CASE(name)                                                                                 \
	{                                                                                          \
		become_nobody();                                                                   \
		CALL(expr);                                                                        \
	}
/* Not there, or not for everybody. */
#define REFUSED(name, expr)                                                                        \
	CASE(name)                                                                                 \
	{                                                                                          \
		become_nobody();                                                                   \
		errno = 0;                                                                         \
		NOTE(#expr ": %s", (long)(expr) == -1 && (errno == EPERM || errno == ENOSYS)       \
					   ? "refused"                                             \
					   : "not refused");                                       \
	}

UNPRIVILEGED(acct_off, SYS(SYS_acct, NULL))
UNPRIVILEGED(acct_missing_file, SYS(SYS_acct, "missing"))
UNPRIVILEGED(acct_bad_address, SYS(SYS_acct, BAD_ADDRESS))
UNPRIVILEGED(swapon_missing_file, swapon("missing", 0))
UNPRIVILEGED(swapon_bad_flags, swapon("missing", 0x100000))
UNPRIVILEGED(swapon_bad_address, swapon(BAD_ADDRESS, 0))
UNPRIVILEGED(swapoff_missing_file, swapoff("missing"))
UNPRIVILEGED(swapoff_bad_address, swapoff(BAD_ADDRESS))
UNPRIVILEGED(swapoff_directory, swapoff("/"))
UNPRIVILEGED(vhangup_refused, SYS(SYS_vhangup))
UNPRIVILEGED(vhangup_with_garbage, SYS(SYS_vhangup, 1, 2, 3))
UNPRIVILEGED(reboot_bad_magic, SYS(SYS_reboot, 1, 2, 0, NULL))
UNPRIVILEGED(reboot_nothing, SYS(SYS_reboot, 0, 0, 0, 0))
UNPRIVILEGED(reboot_bad_address, SYS(SYS_reboot, 0xfee1dead, 0, 0, BAD_ADDRESS))
REFUSED(iopl_of_ports, SYS(SYS_iopl, 3))
REFUSED(iopl_one, SYS(SYS_iopl, 1))
REFUSED(iopl_two, SYS(SYS_iopl, 2))
REFUSED(ioperm_one_port, SYS(SYS_ioperm, 0x80, 1, 1))
REFUSED(ioperm_many_ports, SYS(SYS_ioperm, 0, 1024, 1))
REFUSED(ioperm_last_port, SYS(SYS_ioperm, 65535, 1, 1))
REFUSED(init_module_of_nothing, SYS(SYS_init_module, NULL, 0, ""))
REFUSED(init_module_bad_address, SYS(SYS_init_module, BAD_ADDRESS, 100, ""))
REFUSED(init_module_huge, SYS(SYS_init_module, "x", -1, ""))
REFUSED(finit_module_no_descriptor, SYS(SYS_finit_module, -1, "", 0))
REFUSED(finit_module_of_stdin, SYS(SYS_finit_module, 0, "", 0))
REFUSED(finit_module_bad_flags, SYS(SYS_finit_module, 0, "", 0x1000))
REFUSED(delete_module_unknown, SYS(SYS_delete_module, "no_such_module", O_NONBLOCK))
REFUSED(delete_module_empty, SYS(SYS_delete_module, "", 0))
REFUSED(delete_module_bad_address, SYS(SYS_delete_module, BAD_ADDRESS, 0))
REFUSED(kexec_load_nothing, SYS(SYS_kexec_load, 0, 0, NULL, 0))
REFUSED(kexec_load_bad_address, SYS(SYS_kexec_load, 0, 1, BAD_ADDRESS, 0))
REFUSED(kexec_load_bad_flags, SYS(SYS_kexec_load, 0, 0, NULL, 0x8000))
UNPRIVILEGED(pivot_root_missing, SYS(SYS_pivot_root, "missing", "missing"))
UNPRIVILEGED(pivot_root_here, SYS(SYS_pivot_root, ".", "."))
UNPRIVILEGED(pivot_root_bad_address, SYS(SYS_pivot_root, BAD_ADDRESS, "."))
UNPRIVILEGED(chroot_here, chroot("."))
UNPRIVILEGED(chroot_missing, chroot("missing"))
UNPRIVILEGED(chroot_bad_address, chroot(BAD_ADDRESS))
UNPRIVILEGED(sethostname_refused, sethostname("x", 1))
UNPRIVILEGED(sethostname_refused_before_length, sethostname("x", 100))
UNPRIVILEGED(setdomainname_refused, setdomainname("x", 1))
UNPRIVILEGED(setdomainname_refused_before_address, setdomainname(BAD_ADDRESS, 1))
UNPRIVILEGED(setdomainname_negative, setdomainname("x", -1))

CASE(settimeofday_refused)
{
	struct timeval tv = {1000000000, 0};

	become_nobody();
	CALL(SYS(SYS_settimeofday, &tv, NULL));
}

CASE(settimeofday_bad_time)
{
	struct timeval tv = {1000000000, 1000000};

	become_nobody();
	CALL(SYS(SYS_settimeofday, &tv, NULL));
	tv.tv_usec = -1;
	CALL(SYS(SYS_settimeofday, &tv, NULL));
}

CASE(settimeofday_bad_address)
{
	become_nobody();
	CALL(SYS(SYS_settimeofday, BAD_ADDRESS, NULL));
	CALL(SYS(SYS_settimeofday, NULL, BAD_ADDRESS));
}

CASE(clock_settime_refused)
{
	struct timespec ts = {1000000000, 0};

	become_nobody();
	CALL(SYS(SYS_clock_settime, CLOCK_REALTIME, &ts));
}

CASE(clock_settime_of_other_clocks)
{
	struct timespec ts = {1000000000, 0};

	become_nobody();
	CALL(SYS(SYS_clock_settime, CLOCK_MONOTONIC, &ts));
	CALL(SYS(SYS_clock_settime, CLOCK_BOOTTIME, &ts));
	CALL(SYS(SYS_clock_settime, 99, &ts));
}

CASE(clock_settime_bad_address)
{
	become_nobody();
	CALL(SYS(SYS_clock_settime, CLOCK_REALTIME, BAD_ADDRESS));
	CALL(SYS(SYS_clock_settime, CLOCK_MONOTONIC, BAD_ADDRESS));
}

CASE(adjtimex_read)
{
	struct timex tx = {0};

	become_nobody();
	TRUTH(SYS(SYS_adjtimex, &tx) >= 0);
	TRUTH(tx.tick > 9000 && tx.tick < 11000);
}

CASE(adjtimex_refused)
{
	struct timex tx = {.modes = ADJ_FREQUENCY};

	become_nobody();
	CALL(SYS(SYS_adjtimex, &tx));
	tx.modes = ADJ_OFFSET;
	CALL(SYS(SYS_adjtimex, &tx));
}

CASE(adjtimex_bad_address)
{
	become_nobody();
	CALL(SYS(SYS_adjtimex, BAD_ADDRESS));
	CALL(SYS(SYS_adjtimex, NULL));
}

CASE(clock_adjtime_read)
{
	struct timex tx = {0};

	become_nobody();
	TRUTH(SYS(SYS_clock_adjtime, CLOCK_REALTIME, &tx) >= 0);
	TRUTH(tx.time.tv_sec > 1000000000);
}

CASE(clock_adjtime_refused)
{
	struct timex tx = {.modes = ADJ_TICK};

	become_nobody();
	CALL(SYS(SYS_clock_adjtime, CLOCK_REALTIME, &tx));
}

CASE(clock_adjtime_of_other_clocks)
{
	struct timex tx = {0};

	become_nobody();
	CALL(SYS(SYS_clock_adjtime, CLOCK_MONOTONIC, &tx));
	CALL(SYS(SYS_clock_adjtime, 99, &tx));
	CALL(SYS(SYS_clock_adjtime, CLOCK_REALTIME, BAD_ADDRESS));
}

/* ---- quotactl(2) ---- */

CASE(quotactl_sync_all)
{
	become_nobody();
	CALL(SYS(SYS_quotactl, QCMD(Q_SYNC, USRQUOTA), NULL, 0, NULL));
	CALL(SYS(SYS_quotactl, QCMD(Q_SYNC, GRPQUOTA), NULL, 0, NULL));
}

CASE(quotactl_bad_type)
{
	become_nobody();
	CALL(SYS(SYS_quotactl, QCMD(Q_GETQUOTA, 3), "missing", 0, NULL));
	CALL(SYS(SYS_quotactl, QCMD(Q_GETQUOTA, 255), "missing", 0, NULL));
}

CASE(quotactl_no_device)
{
	become_nobody();
	CALL(SYS(SYS_quotactl, QCMD(Q_GETQUOTA, USRQUOTA), NULL, 0, NULL));
}

CASE(quotactl_missing_device)
{
	char name[300];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = 0;
	become_nobody();
	CALL(SYS(SYS_quotactl, QCMD(Q_GETQUOTA, USRQUOTA), "missing", 0, NULL));
	CALL(SYS(SYS_quotactl, QCMD(Q_GETQUOTA, USRQUOTA), "", 0, NULL));
	CALL(SYS(SYS_quotactl, QCMD(Q_GETQUOTA, USRQUOTA), name, 0, NULL));
	CALL(SYS(SYS_quotactl, QCMD(Q_GETQUOTA, USRQUOTA), BAD_ADDRESS, 0, NULL));
}

CASE(quotactl_no_block_device)
{
	write_file("f", "x");
	chmod(".", 0777);
	become_nobody();
	CALL(SYS(SYS_quotactl, QCMD(Q_GETQUOTA, USRQUOTA), "f", 0, NULL));
	CALL(SYS(SYS_quotactl, QCMD(Q_GETQUOTA, USRQUOTA), ".", 0, NULL));
	CALL(SYS(SYS_quotactl, QCMD(Q_GETQUOTA, USRQUOTA), "/dev/null", 0, NULL));
}

/* ---- syslog(2): the sandbox has no log; who may read the host's depends on dmesg_restrict ---- */

CASE(syslog_clear)
{
	become_nobody();
	CALL(SYS(SYS_syslog, 5, NULL, 0));
}

CASE(syslog_console_level)
{
	become_nobody();
	CALL(SYS(SYS_syslog, 8, NULL, 1));
	CALL(SYS(SYS_syslog, 6, NULL, 0));
	CALL(SYS(SYS_syslog, 7, NULL, 0));
}

CASE(syslog_read_waits_for_nobody)
{
	char buffer[16];

	become_nobody();
	CALL(SYS(SYS_syslog, 2, buffer, sizeof(buffer)));
	CALL(SYS(SYS_syslog, 0, NULL, 0));
}

/* ---- mount(2) and umount2(2) ---- */

UNPRIVILEGED(umount_nothing, SYS(SYS_umount2, "missing", 0))
UNPRIVILEGED(umount_bad_flags, SYS(SYS_umount2, "/", 0x1000))
UNPRIVILEGED(umount_here, SYS(SYS_umount2, ".", 0))
UNPRIVILEGED(mount_unknown_type, SYS(SYS_mount, "none", "/", "no_such_type", 0, NULL))
UNPRIVILEGED(mount_missing_target, SYS(SYS_mount, "none", "missing", "tmpfs", 0, NULL))
