# application: valgrind, sanitizers
# version: valgrind --version
# needs: valgrind gcc libc6-dev libc6-dbg
# set: matrix
# Programs with a good part of the address space mapped, a signal handler for everything, or no instruction run as it is.
cat > a.c <<'C'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static int shared;

static void *work(void *arg)
{
	for (int i = 0; i < 1000; i++)
		shared++;
	return arg;
}

int main(int argc, char **argv)
{
	char kind = argc > 1 ? argv[1][0] : 0, *block = malloc(10);
	pthread_t thread;

	if (kind == 'r') {
		pthread_create(&thread, NULL, work, NULL);
		work(NULL);
		pthread_join(thread, NULL);
	}
	if (kind == 'o')
		block[argc + 8] = 1;
	if (kind == 'u')
		printf("%d\n", 1 << (argc + 30));
	if (kind != 'l')
		free(block);
	block = NULL;
	return puts("done") < 0;
}
C
gcc -g -fsanitize=address,undefined -o asan a.c && gcc -g -fsanitize=thread -o tsan a.c && gcc -g -pthread -o plain a.c
for kind in none over leak u; do ./asan $kind > out 2>&1; echo "asan $kind $?"; grep -oE 'done|ERROR: [A-Za-z:]* [a-z-]*|runtime error.*|[0-9]+ byte\(s\) leaked' out; done
for kind in none race; do ./tsan $kind > out 2>&1; echo "tsan $kind $?"; grep -oE 'done|WARNING: ThreadSanitizer: [a-z ]*|FATAL.*' out; done
for kind in none over leak; do valgrind --leak-check=full --error-exitcode=9 ./plain $kind > out 2>&1; echo "valgrind $kind $?"; grep -oE 'done|Invalid [a-z]* of size .*|definitely lost: .*|ERROR SUMMARY.*' out; done
valgrind --tool=helgrind -q ./plain race 2>&1 | grep -c 'data race'
valgrind -q sh -c 'echo from a shell; exit 4'; echo "exit $?"
