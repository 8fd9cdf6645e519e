# run: sh
# needs: strace gcc libc6-dev
# application: strace
# version: strace --version
# A tracer of calls: what it shows, without addresses, times and ids, is what it shows natively.
cat > prog.c <<'C'
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void handler(int signo)
{
}

static void *thread(void *arg)
{
	write(1, "thread\n", 7);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t id;
	int fds[2], status;
	char buffer[64];
	pid_t pid;

	signal(SIGUSR1, handler);
	int fd = open("file", O_CREAT | O_RDWR | O_TRUNC, 0640);
	write(fd, "some text\n", 10);
	lseek(fd, 5, SEEK_SET);
	read(fd, buffer, sizeof(buffer));
	fchmod(fd, 0600);
	unlink("nowhere");
	mkdir("dir", 0700);
	rmdir("dir");
	pipe(fds);
	pid = fork();
	if (pid == 0) {
		write(fds[1], "child", 5);
		_exit(3);
	}
	waitpid(pid, &status, 0);
	read(fds[0], buffer, 5);
	raise(SIGUSR1);
	pthread_create(&id, NULL, thread, NULL);
	pthread_join(id, NULL);
	if (argc > 1) {
		alarm(1);
		sigaction(SIGALRM, &(struct sigaction){.sa_handler = handler}, NULL);
		read(0 * fds[0] + fds[0], buffer, 1);
	}
	execl("/bin/echo", "echo", "the", "end", (char *)NULL);
}
C
gcc -O1 -pthread -o prog prog.c || exit 1

same() {
	sed -e 's/0x[0-9a-f][0-9a-f]*/ADDR/g' -e 's/^[0-9][0-9]*  *//' -e 's/\[pid *[0-9]*\] //' -e 's/pid=[0-9]*/pid=N/g' -e 's/_pid=[0-9]*/_pid=N/g' \
		-e 's/uid=[0-9]*/uid=N/g' -e 's/utime=[0-9]*/utime=N/g' -e 's/stime=[0-9]*/stime=N/g' -e 's/tgkill([0-9]*, [0-9]*/tgkill(N, N/' \
		-e 's/wait4([0-9][0-9]*/wait4(N/' -e 's/ = [0-9][0-9][0-9]*$/ = N/' -e 's/parent_tid=\[[0-9]*\]/parent_tid=[N]/' -e 's/  */ /g' \
		-e 's/SIGCHLD, child_tidptr=ADDR) = [0-9]*/fork/' -e 's/Process [0-9]*/Process N/' -e 's/\/\* [0-9]* vars \*\//vars/'
}

# The two halves of a line that another task's line came between, as one line: who comes between whom is chance.
rejoin() {
	awk '{
		task = $1
		line = $0
		sub(/^[0-9]+ +/, "", line)
		if (line ~ / <unfinished \.\.\.>$/) {
			sub(/ <unfinished \.\.\.>$/, "", line)
			held[task] = line
			next
		}
		if (line ~ /^<\.\.\. [a-z0-9_]+ resumed>/) {
			sub(/^<\.\.\. [a-z0-9_]+ resumed>/, "", line)
			line = held[task] line
		}
		print task, line
	}'
}

calls=openat,read,write,lseek,fchmod,unlink,mkdir,rmdir,pipe2,wait4,tgkill,execve,exit_group
echo "== one process"
strace -o out -e trace=$calls -e signal=!CHLD ./prog
same < out | grep -v -e locale -e ld.so -e libc -e ELF
echo "== with its children and threads"
strace -f -o out -e trace=$calls ./prog
rejoin < out | same | grep -v -e locale -e ld.so -e libc -e ELF | sort
echo "== each its own file"
strace -ff -o each -e trace=write,exit_group ./prog
cat each.* | same | sort
echo "== by seccomp"
strace --seccomp-bpf -f -o out -e trace=unlink,mkdir,rmdir ./prog
same < out | sort
echo "== a call that is interrupted"
strace -o out -e trace=read -e signal=ALRM ./prog slow
same < out | grep -v -e ELF
echo "== other calls"
strace -o out -e trace=mkdir,rmdir -e signal=!CHLD -e inject=mkdir:error=ENOSPC:when=1 ./prog
same < out
strace -o out -e trace=unlink -e inject=unlink:retval=7 -e signal=none ./prog
same < out
strace -c -f -o out -e trace=$calls ./prog
awk 'NF >= 5 && $1 ~ /^[0-9]/ && $NF != "total" { print $4, $NF }' out | grep -v -e read -e openat | sort
echo "== attached"
sh -c 'while :; do sleep 0.05; done' &
pid=$!
timeout -s INT 1 strace -o out -e trace=wait4 -p $pid 2> err
grep -c -q 'wait4(-1, .*WIFEXITED' out && echo "it waits"
same < err | sort | uniq
kill -0 $pid && echo "and lives"
kill $pid
