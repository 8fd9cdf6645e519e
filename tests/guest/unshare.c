/* SPDX-License-Identifier: Apache-2.0 */
/* unshare(2) and setns(2), as far as they go without namespaces. */
#include <pthread.h>

#include "memory.h"

static int stage;

static void await(int wanted)
{
	while (*(volatile int *)&stage < wanted)
		sleep_ms(1);
}

static void *own_directory(void *arg)
{
	CALL(unshare(CLONE_FS));
	CALL(chdir("/"));
	stage = 1;
	return NULL;
}

CASE(unshare_fs)
{
	pthread_t thread;
	char cwd[PATH_MAX];

	mkdir("here", 0700);
	CALL(chdir("here"));
	pthread_create(&thread, NULL, own_directory, NULL);
	pthread_join(thread, NULL);
	getcwd(cwd, sizeof(cwd));
	TRUTH(strstr(cwd, "/here") != NULL);
}

static void *own_files(void *arg)
{
	int fd = *(int *)arg;

	CALL(unshare(CLONE_FILES));
	CALL(close(fd));
	CALL(fcntl(fd, F_GETFD));
	stage = 1;
	return NULL;
}

CASE(unshare_files)
{
	pthread_t thread;
	int fd = open("f", O_CREAT | O_RDWR, 0600);

	pthread_create(&thread, NULL, own_files, &fd);
	pthread_join(thread, NULL);
	CALL(fcntl(fd, F_GETFD));
}

static void *waits(void *arg)
{
	await(1);
	return NULL;
}

CASE(unshare_of_threads)
{
	pthread_t thread;

	CALL(unshare(CLONE_THREAD));
	CALL(unshare(CLONE_VM));
	CALL(unshare(CLONE_SIGHAND | CLONE_SYSVSEM));
	pthread_create(&thread, NULL, waits, NULL);
	CALL(unshare(CLONE_THREAD));
	CALL(unshare(CLONE_VM));
	CALL(unshare(CLONE_SIGHAND));
	CALL(unshare(CLONE_FILES | CLONE_FS | CLONE_SYSVSEM));
	stage = 1;
	pthread_join(thread, NULL);
	CALL(unshare(0));
	CALL(unshare(CLONE_PTRACE));
	CALL(unshare(CLONE_VFORK | CLONE_FS));
}

CASE(setns_errors)
{
	int fd = open("f", O_CREAT | O_RDWR, 0600);

	CALL(setns(-1, 0));
	CALL(setns(fd, 0));
	CALL(setns(fd, CLONE_NEWNS));
}
