# run: sh
# needs: gcc libc6-dev
cat > primes.c <<'C'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *arg)
{
	int mine = 0;
	for (long n = (long)arg; n < 200000; n += 4) {
		int prime = n > 1;
		for (long d = 2; d * d <= n && prime; d++)
			prime = n % d != 0;
		mine += prime;
	}
	pthread_mutex_lock(&lock);
	count += mine;
	pthread_mutex_unlock(&lock);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[4];
	for (long i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	printf("%d primes, %d arguments\n", count, argc);
	return strlen(argv[argc - 1]) > 100;
}
C
gcc -O2 -Wall -o primes primes.c -lpthread && ./primes a b c; echo "exit $?"
gcc -O2 -c primes.c -o primes.o && nm primes.o | grep -c ' T '
echo 'int main(void) { return x; }' > bad.c; gcc bad.c 2>&1 | grep -c error; echo "exit $?"
gcc -static -O2 -o static primes.c -lpthread && ./static; echo "exit $?"
printf 'all: primes\n\t./primes\nprimes: primes.o\n\tgcc -o $@ $< -lpthread\n' > Makefile
rm -f primes; make -j2 2>&1 | sed 's/\[.*\]//'
