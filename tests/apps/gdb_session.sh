# run: sh
# needs: gdb gcc libc6-dev
# application: gdb
# version: gdb --version
# A debugger that runs, stops, steps and looks: what it says, without addresses and ids, is what it says natively.
cat > prog.c <<'C'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct point { int x, y; double d; };
static int counter;

static int add(int a, int b)
{
	int sum = a + b;
	counter++;
	return sum;
}

static void handler(int signo)
{
	counter += 100;
}

static int in_child(int x)
{
	return x * 2;
}

static pthread_barrier_t barrier;

static void *worker(void *arg)
{
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	return arg;
}

static void threads_are_there(void)
{
}

int main(int argc, char **argv)
{
	struct point p = {1, 2, 1.5};
	int total = 0, status;

	signal(SIGUSR1, handler);
	if (argc > 1 && strcmp(argv[1], "fork") == 0) {
		pid_t pid = fork();

		if (pid == 0)
			execl("/bin/sh", "sh", "-c", in_child(21) == 42 ? "exit 7" : "exit 8", (char *)NULL);
		waitpid(pid, &status, 0);
		return WEXITSTATUS(status);
	}
	if (argc > 1 && strcmp(argv[1], "threads") == 0) {
		pthread_t threads[2];

		pthread_barrier_init(&barrier, NULL, 3);
		for (int i = 0; i < 2; i++)
			pthread_create(&threads[i], NULL, worker, NULL);
		pthread_barrier_wait(&barrier);
		threads_are_there();
		pthread_barrier_wait(&barrier);
		for (int i = 0; i < 2; i++)
			pthread_join(threads[i], NULL);
		return 3;
	}
	if (argc > 1 && strcmp(argv[1], "crash") == 0)
		*(volatile int *)16 = 1;
	if (argc > 1 && strcmp(argv[1], "wait") == 0)
		for (;;)
			pause();
	for (int i = 0; i < 4; i++)
		total = add(total, i * p.x);
	raise(SIGUSR1);
	printf("total %d, counter %d\n", total, counter);
	return total == 6 ? 0 : 1;
}
C
gcc -g -O0 -pthread -o prog prog.c || exit 1

same() {
	sed -e 's/0x[0-9a-f][0-9a-f]*/ADDR/g' -e 's/process [0-9][0-9]*/process N/g' -e 's/LWP [0-9][0-9]*/LWP N/g' \
		-e 's/Thread ADDR (LWP N)/Thread/' -e 's/  *$//' | grep -v -e '^\[New ' -e '^Using host' -e '^\[Thread debugging' \
		-e '^\[Switching' -e '^\[Detaching' -e '^\[Attaching' -e '^\[Thread.*exited' -e '^warning: ' -e '^$'
}

debug() {
	gdb -nx -batch -ex 'set width 0' -ex 'set confirm off' -ex 'set can-use-hw-watchpoints 0' "$@" 2>&1 | same
}

echo "== breakpoints and steps"
debug -ex 'break add' -ex run -ex bt -ex 'info args' -ex up -ex 'print p' -ex 'print &p.x == (int *)&p' -ex down -ex next -ex step \
	-ex 'print sum' -ex finish -ex 'print counter' -ex 'set var total = 100' -ex delete -ex 'stepi' -ex 'nexti' -ex continue ./prog
echo "== a condition, a watchpoint, a call"
debug -ex 'break add if b == 2' -ex run -ex 'print add(40, 2)' -ex 'print $_exitcode' -ex 'watch counter' -ex continue -ex 'info registers eflags' \
	-ex 'print $_siginfo.si_signo' -ex kill ./prog
echo "== registers and code"
debug -ex 'break add' -ex run -ex 'x/3i add' -ex 'print $rip == (long)&add + 10' -ex 'print/x $cs' -ex 'print $mxcsr' -ex 'print $ymm0.v8_float[7]' \
	-ex 'set var $rax = 77' -ex 'print $rax' -ex kill ./prog
echo "== signals"
debug -ex 'handle SIGUSR1 stop print' -ex run -ex 'print $_siginfo.si_signo' -ex bt -ex 'signal 0' ./prog
debug -ex 'break handler' -ex run -ex 'bt 2' -ex continue -ex continue ./prog
debug -ex run -ex bt -ex 'print $_siginfo._sifields._sigfault.si_addr' -ex kill --args ./prog crash
echo "== calls and children"
debug -ex 'catch syscall write' -ex run -ex 'continue' -ex continue -ex continue ./prog | grep -v -e 'write.c'
debug -ex 'set follow-fork-mode child' -ex 'break in_child' -ex run -ex bt -ex finish -ex 'catch exec' -ex continue -ex continue --args ./prog fork |
	grep -v '^\[Inferior [0-9]* (process N) detached'
debug -ex 'catch fork' -ex run -ex continue --args ./prog fork | sed 's/ (forked process .*//' | grep -v '^[^ ]* ADDR'
echo "== threads"
debug -ex 'break threads_are_there' -ex run -ex 'thread apply all -q frame function worker' -ex 'info threads' -ex continue --args ./prog threads |
	sed -e 's/^\(\**\) *\([0-9]\) .*threads_are_there.*/\1 \2 there/' | grep -v -e ADDR -e '^  Id' -e 'barrier' | sort | uniq -c
echo "== attach"
./prog wait &
pid=$!
while ! grep -q '^State:.S' /proc/$pid/status; do sleep 0.05; done
debug -p $pid -ex 'up' -ex 'bt -1' -ex 'print counter' -ex 'set var counter = 5' -ex 'print counter' -ex detach | grep -e '^\$' -e 'main (argc'
grep -e TracerPid -e '^State' /proc/$pid/status
kill $pid
wait $pid
echo "exit $?"
