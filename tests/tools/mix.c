/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that does a little of everything, for tests/run-faults: says "ready", waits for a line,
 * works. What fails, fails; but each error must be one that Linux has, and what it says worked must
 * have worked. Exits with 0, or with 1 when something failed, or with 2 when something was wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <dirent.h>
#include <time.h>
#include <unistd.h>

#define LINUX_ERRNO_MAX 133

static int failed;

/* Whether a call worked. */
static int good(long result)
{
	if (result >= 0)
		return 1;
	failed |= 1;
	if (errno <= 0 || errno > LINUX_ERRNO_MAX) {
		dprintf(2, "errno %d\n", errno);
		failed |= 2;
	}
	return 0;
}

static void wrong(const char *what)
{
	dprintf(2, "wrong: %s\n", what);
	failed |= 2;
}

static void files(const char *name)
{
	char text[8192], again[8192];
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct stat st;
	char *map;

	if (!good(fd))
		return;
	memset(text, 'a', sizeof(text));
	if (good(write(fd, text, sizeof(text))) &&
		pread(fd, again, sizeof(again), 0) == sizeof(again) &&
		memcmp(text, again, sizeof(text)) != 0)
		wrong("what was written");
	if (good(fstat(fd, &st)) && st.st_size > (off_t)sizeof(text))
		wrong("size");
	good(ftruncate(fd, 4096));
	good(fallocate(fd, 0, 0, 65536));
	good(lseek(fd, 0, SEEK_DATA));
	good(fsync(fd));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED) {
		map[0] = 'b';
		munmap(map, 4096);
	} else {
		good(-1);
	}
	close(fd);
	snprintf(again, sizeof(again), "%s.other", name);
	good(rename(name, again));
	good(link(again, name));
	good(chmod(name, 0640));
	good(utimensat(AT_FDCWD, name, NULL, 0));
	good(unlink(name));
	good(symlink("nowhere", name));
	good(unlink(name));
	good(mkdir(name, 0700));
	good(rmdir(name));
	good(unlink(again));
}

static void host_files(void)
{
	static char text[1 << 18];
	DIR *folder = opendir("/usr/lib");
	struct stat st;
	int fd;

	for (int i = 0; folder && i < 40 && readdir(folder); i++)
		;
	if (folder)
		closedir(folder);
	fd = open("/usr/bin/python3", O_RDONLY);
	if (good(fd)) {
		good(read(fd, text, sizeof(text)));
		good(pread(fd, text, 100, 5000));
		void *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

		if (map != MAP_FAILED && memcmp(map, "\177ELF", 4) != 0)
			wrong("a mapped file");
		close(fd);
	}
	good(stat("/usr/bin", &st));
	good(readlink("/bin", text, 100));
	good(access("/usr/bin/env", R_OK));
	fd = open("/proc/self/status", O_RDONLY);
	if (good(fd)) {
		good(read(fd, text, 4096));
		close(fd);
	}
}

static void *thread(void *arg)
{
	struct timespec moment = {0, 1000000};

	nanosleep(&moment, NULL);
	return arg;
}

static void tasks(void)
{
	char *const program[] = {(char *)"/bin/true", NULL};
	pthread_t other;
	int status;
	pid_t pid;

	if (pthread_create(&other, NULL, thread, NULL) == 0)
		pthread_join(other, NULL);
	else
		failed |= 1;
	pid = fork();
	if (pid == 0)
		_exit(7);
	if (good(pid) && good(waitpid(pid, &status, 0)) && WIFEXITED(status) &&
		WEXITSTATUS(status) != 7)
		wrong("a child's exit");
	pid = vfork();
	if (pid == 0) {
		execv(program[0], program);
		_exit(1);
	}
	if (good(pid))
		good(waitpid(pid, &status, 0));
	pid = fork();
	if (pid == 0)
		for (;;)
			;
	if (good(pid)) {
		kill(pid, SIGKILL);
		good(waitpid(pid, &status, 0));
	}
}

static void ends(void)
{
	struct itimerspec soon = {{0, 0}, {0, 1000000}};
	struct epoll_event event = {.events = EPOLLIN};
	int pair[2], pipes[2], epoll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
	char text[100];

	if (good(socketpair(AF_UNIX, SOCK_STREAM, 0, pair))) {
		good(write(pair[0], "hello", 5));
		if (good(read(pair[1], text, 5)) && memcmp(text, "hello", 5) != 0)
			wrong("a socket");
		close(pair[0]);
		close(pair[1]);
	}
	if (good(pipe(pipes))) {
		if (good(epoll))
			good(epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event));
		good(write(pipes[1], "x", 1));
		good(epoll_wait(epoll, &event, 1, 100));
		close(pipes[0]);
		close(pipes[1]);
	}
	if (good(timer)) {
		timerfd_settime(timer, 0, &soon, NULL);
		good(read(timer, text, 8));
	}
	good(getrandom(text, sizeof(text), 0));
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1;
	char line[16];

	(void)!write(1, "ready\n", 6);
	(void)!read(0, line, sizeof(line));
	for (int i = 0; i < rounds; i++) {
		files("/tmp/file");
		files("mix-file");
		files("/vol/file");
		host_files();
		tasks();
		ends();
		for (int size = 16; size < 26; size++) {
			void *map = mmap(NULL, 1ul << size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			if (good(map == MAP_FAILED ? -1 : 0)) {
				good(mprotect(map, 4096, PROT_READ));
				munmap(map, 1ul << size);
			}
		}
	}
	good(write(1, "done\n", 5));
	return failed & 2 ? 2 : failed;
}
