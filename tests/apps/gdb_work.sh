# application: gdb
# version: gdb --version
# needs: gdb gcc libc6-dev
# set: matrix
cat > main.c <<'C'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int total;

__attribute__((noinline)) static int add(int n)
{
	total += n;
	return total;
}

static void *thread(void *arg)
{
	add(100);
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t other;
	char *volatile nothing = NULL;

	for (int i = 0; i < 5; i++)
		printf("%d\n", add(i));
	pthread_create(&other, NULL, thread, NULL);
	pthread_join(other, NULL);
	fflush(stdout);
	if (argc > 1)
		*nothing = 'x';
	return total & 127;
}
C
gcc -g -O0 -pthread -o main main.c
g() { gdb -q -batch -nx -iex 'set debuginfod enabled off' -ex 'set confirm off' -ex 'set width 0' "$@" 2>&1 | sed -E '/^\[(New )?Thread/d; s/0x[0-9a-f]+/ADDR/g; s/process [0-9]+/process N/; s/Thread ADDR \(LWP [0-9]+\)/Thread/; s/\(LWP [0-9]+\)//'; }
g -ex 'break add if n == 3' -ex run -ex bt -ex 'info locals' -ex 'print n' -ex 'print total' -ex finish -ex 'set var total = 50' -ex continue ./main
g -iex 'set can-use-hw-watchpoints 0' -ex 'break main' -ex run -ex next -ex next -ex step -ex 'info registers rip' -ex stepi -ex 'x/2i $pc' -ex 'watch total' -ex continue -ex kill ./main | grep -v '=>'
g -ex 'break thread' -ex run -ex 'bt 1' -ex 'print $_thread' -ex continue ./main | grep -vE 'Thread debugging|host libthread|\[New|\[Thread.*exited'
g -ex run -ex bt -ex 'print nothing' -ex 'info signals SIGSEGV' --args ./main x | grep -vE 'Thread debugging|host libthread|\[New|\[Thread.*exited'
g -ex 'catch syscall write' -ex run -ex 'print $rax' -ex continue -ex 'kill' ./main | grep -E 'Catchpoint|^\$'
g -ex 'set follow-fork-mode child' -ex 'break main' -ex run -ex continue --args sh -c './main; exit 3' | grep -E 'exited|Breakpoint' | sort
sleep 30 > /dev/null & sleep 0.2; g -p $! -ex 'info proc' -ex detach | grep -cE 'process N|Detaching'; kill $!
