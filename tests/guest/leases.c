/* SPDX-License-Identifier: Apache-2.0 */
/* F_SETLEASE and F_GETLEASE: fcntl(2), "Leases". */
#include <grp.h>

#include "case.h"

static volatile sig_atomic_t signals, last_fd, last_code;

static void handler(int signo, siginfo_t *info, void *context)
{
	signals++;
	last_fd = info->si_fd;
	last_code = info->si_code;
}

static void catch (int signo)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};

	sigaction(signo, &action, NULL);
}

static const char *type_name(int type)
{
	return type == F_RDLCK	 ? "read"
	       : type == F_WRLCK ? "write"
	       : type == F_UNLCK ? "none"
				 : "?";
}

static void note_lease(int fd)
{
	NOTE("lease: %s", type_name(fcntl(fd, F_GETLEASE)));
}

CASE(given_and_taken_back)
{
	write_file("f", "x");
	int fd = OK(open("f", O_RDONLY));
	note_lease(fd);
	CALL(fcntl(fd, F_SETLEASE, F_UNLCK));
	CALL(fcntl(fd, F_SETLEASE, F_RDLCK));
	note_lease(fd);
	CALL(fcntl(fd, F_SETLEASE, F_RDLCK));
	CALL(fcntl(fd, F_SETLEASE, F_WRLCK));
	note_lease(fd);
	CALL(fcntl(fd, F_SETLEASE, F_RDLCK));
	int copy = dup(fd);
	note_lease(copy);
	CALL(fcntl(copy, F_SETLEASE, F_UNLCK));
	note_lease(fd);
	CALL(fcntl(fd, F_SETLEASE, F_UNLCK));
}

CASE(refused)
{
	int p[2];

	write_file("f", "x");
	int fd = OK(open("f", O_RDWR));
	CALL(fcntl(fd, F_SETLEASE, F_RDLCK));
	CALL(fcntl(fd, F_SETLEASE, 7));
	CALL(fcntl(fd, F_SETLEASE, F_WRLCK));
	CALL(fcntl(fd, F_SETLEASE, F_UNLCK));
	int other = OK(open("f", O_RDONLY));
	CALL(fcntl(fd, F_SETLEASE, F_WRLCK));
	CALL(fcntl(other, F_SETLEASE, F_WRLCK));
	CALL(fcntl(other, F_SETLEASE, F_RDLCK));
	close(fd);
	CALL(fcntl(other, F_SETLEASE, F_RDLCK));
	int third = OK(open("f", O_RDONLY));
	CALL(fcntl(third, F_SETLEASE, F_WRLCK));
	CALL(fcntl(third, F_SETLEASE, F_RDLCK));
	CALL(fcntl(open("/dev/null", O_RDONLY), F_SETLEASE, F_RDLCK));
	CALL(fcntl(open("f", O_PATH), F_SETLEASE, F_RDLCK));
	CALL(fcntl(-1, F_SETLEASE, F_RDLCK));
	if (pipe(p) == 0)
		CALL(fcntl(p[0], F_SETLEASE, F_RDLCK));
}

CASE(of_another_user)
{
	write_file("f", "x");
	chmod("f", 0644);
	int fd = OK(open("f", O_RDONLY));
	if (geteuid() != 0)
		SKIP("not root");
	if (setgroups(0, NULL) < 0 || setresgid(1000, 1000, 1000) < 0 ||
		setresuid(1000, 1000, 1000) < 0)
		exit(1);
	CALL(fcntl(fd, F_SETLEASE, F_RDLCK));
	CALL(fcntl(fd, F_SETLEASE, F_UNLCK));
	CALL(fcntl(fd, F_SETLEASE, 9));
}

CASE(broken_by_a_writer)
{
	catch (SIGIO);
	write_file("f", "x");
	int fd = OK(open("f", O_RDONLY));
	CALL(fcntl(fd, F_SETLEASE, F_RDLCK));
	OK(open("f", O_RDONLY));
	NOTE("%d signals", signals);
	CALL(open("f", O_WRONLY | O_NONBLOCK));
	NOTE("%d signals", signals);
	note_lease(fd);
	CALL(open("f", O_RDWR | O_NONBLOCK));
	NOTE("%d signals", signals);
	CALL(fcntl(fd, F_SETLEASE, F_UNLCK));
	OK(open("f", O_WRONLY | O_NONBLOCK));
	CALL(fcntl(fd, F_SETLEASE, F_RDLCK));
}

CASE(broken_by_a_reader)
{
	catch (SIGUSR1);
	write_file("f", "x");
	int fd = OK(open("f", O_RDWR));
	CALL(fcntl(fd, F_SETSIG, SIGUSR1));
	CALL(fcntl(fd, F_SETLEASE, F_WRLCK));
	CALL(open("f", O_RDONLY | O_NONBLOCK));
	NOTE("%d signals", signals);
	TRUTH(last_fd == fd);
	TRUTH(last_code == POLL_MSG);
	note_lease(fd);
	CALL(open("f", O_RDONLY | O_NONBLOCK));
	CALL(open("f", O_WRONLY | O_NONBLOCK));
	NOTE("%d signals", signals);
	note_lease(fd);
	CALL(fcntl(fd, F_SETLEASE, F_UNLCK));
	OK(open("f", O_RDONLY | O_NONBLOCK));
}

/* @fn in a child, which waits for us to give the lease back. */
static void broken_in_child(int fd, int to, void (*fn)(void))
{
	struct pollfd nothing = {.fd = -1};
	sigset_t set, old;
	pid_t pid;

	catch (SIGIO);
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, &old);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(fd);
		fn();
		fflush(NULL);
		_exit(0);
	}
	ppoll(&nothing, 1, NULL, &old);
	NOTE("%d signals", signals);
	note_lease(fd);
	CALL(fcntl(fd, F_SETLEASE, to));
	note_lease(fd);
	note_wait("child", pid);
}

static void write_it(void)
{
	int fd = open("f", O_WRONLY);

	if (fd < 0 || write(fd, "new", 3) != 3)
		_exit(1);
}

static void read_it(void)
{
	if (open("f", O_RDONLY) < 0)
		_exit(1);
}

static void truncate_it(void)
{
	if (truncate("f", 0) < 0)
		_exit(1);
}

CASE(waits_for_it)
{
	write_file("f", "x");
	int fd = OK(open("f", O_RDONLY));
	CALL(fcntl(fd, F_SETLEASE, F_RDLCK));
	broken_in_child(fd, F_UNLCK, write_it);
	note_file("f");
}

CASE(waits_for_less)
{
	write_file("f", "x");
	int fd = OK(open("f", O_RDONLY));
	CALL(fcntl(fd, F_SETLEASE, F_WRLCK));
	broken_in_child(fd, F_RDLCK, read_it);
}

CASE(truncate_waits)
{
	write_file("f", "x");
	int fd = OK(open("f", O_RDONLY));
	CALL(fcntl(fd, F_SETLEASE, F_RDLCK));
	broken_in_child(fd, F_UNLCK, truncate_it);
	note_file("f");
}

static void interrupted(int signo, siginfo_t *info, void *context)
{
}

CASE(interrupted_wait)
{
	struct sigaction action = {.sa_sigaction = interrupted, .sa_flags = SA_SIGINFO};

	sigaction(SIGIO, &action, NULL);
	write_file("f", "x");
	int fd = OK(open("f", O_RDONLY));
	CALL(fcntl(fd, F_SETLEASE, F_RDLCK));
	/* We are told ourselves, which interrupts the call. */
	CALL(open("f", O_WRONLY));
	note_lease(fd);
}

CASE(goes_with_the_file)
{
	catch (SIGIO);
	write_file("f", "x");
	int fd = OK(open("f", O_RDONLY));
	CALL(fcntl(fd, F_SETLEASE, F_RDLCK));
	int copy = dup(fd);
	close(fd);
	CALL(open("f", O_WRONLY | O_NONBLOCK));
	close(copy);
	OK(open("f", O_WRONLY | O_NONBLOCK));
}

/* "N: LEASE  ACTIVE    READ PID DEVICE:INODE 0 EOF", without what differs. */
static void note_proc_locks(void)
{
	FILE *file = fopen("/proc/locks", "r");
	char line[256], kind[32], state[32], type[32], start[32], end[32];
	int pid;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%*s %31s %31s %31s %d %*s %31s %31s", kind, state, type, &pid,
			    start, end) == 6 &&
			pid == getpid())
			NOTE("%s %s %s %s %s", kind, state, type, start, end);
	if (file)
		fclose(file);
}

CASE(shown_in_proc_locks)
{
	catch (SIGIO);
	write_file("f", "x");
	int fd = OK(open("f", O_RDONLY));
	CALL(fcntl(fd, F_SETLEASE, F_RDLCK));
	note_proc_locks();
	CALL(open("f", O_WRONLY | O_NONBLOCK));
	note_proc_locks();
	CALL(fcntl(fd, F_SETLEASE, F_UNLCK));
	note_proc_locks();
	CALL(fcntl(fd, F_SETLEASE, F_WRLCK));
	CALL(open("f", O_RDONLY | O_NONBLOCK));
	note_proc_locks();
}
