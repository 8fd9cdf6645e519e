# SPDX-License-Identifier: Apache-2.0
# needs: g++
# C++ exceptions that begin in a signal handler and unwind through a call in progress, and threads that are cancelled there.
cat > exceptions.cc <<'END'
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <pthread.h>
#include <stdexcept>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static int destroyed, ends[2];
struct Guard {
	~Guard() { destroyed++; }
};

static void on_alarm(int) { throw std::runtime_error("alarm"); }

static int blocked(int depth)
{
	Guard guard;
	char byte;

	if (depth > 0)
		return blocked(depth - 1) + 1;
	return (int)read(ends[0], &byte, 1);
}

static void *cancelled(void *)
{
	Guard guard;
	char byte;

	for (int i = 0; i < 300; i++)
		(void)!read(ends[0] + 100, &byte, 1);
	(void)!write(ends[1], "r", 1);
	sleep(100);
	return nullptr;
}

int main()
{
	int zero = open("/dev/zero", O_RDONLY), caught = 0;
	struct sigaction sa = {};
	char byte;

	(void)!pipe(ends);
	for (int i = 0; i < 500; i++)
		(void)!read(zero, &byte, 1);
	sa.sa_handler = on_alarm;
	sa.sa_flags = SA_NODEFER;
	sigaction(SIGALRM, &sa, nullptr);
	for (int i = 0; i < 50; i++) {
		struct itimerval once = {{0, 0}, {0, 2000}};

		try {
			setitimer(ITIMER_REAL, &once, nullptr);
			blocked(5);
		} catch (const std::runtime_error &) {
			caught++;
		}
	}
	printf("%d caught, %d destroyed\n", caught, destroyed);
	signal(SIGALRM, SIG_DFL);
	destroyed = 0;
	for (int i = 0; i < 10; i++) {
		pthread_t thread;
		void *result;

		pthread_create(&thread, nullptr, cancelled, nullptr);
		(void)!read(ends[0], &byte, 1);
		pthread_cancel(thread);
		pthread_join(thread, &result);
		caught += result == PTHREAD_CANCELED;
	}
	printf("%d cancelled, %d destroyed\n", caught - 50, destroyed);
}
END
g++ -O1 -fnon-call-exceptions -fasynchronous-unwind-tables -pthread -o exceptions exceptions.cc && ./exceptions
