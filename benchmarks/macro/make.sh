# SPDX-License-Identifier: Apache-2.0
# A tree of eight small files, two compilers at a time.
set -e
dir=$(mktemp -d)
cd "$dir"
for i in 1 2 3 4 5 6 7 8; do
	printf '#include <stdio.h>\n#include <string.h>\nint f%d(const char *s) { return printf("%%zu", strlen(s)); }\n' $i >f$i.c
done
echo 'int main(void) { return 0; }' >main.c
printf 'prog: f1.o f2.o f3.o f4.o f5.o f6.o f7.o f8.o main.o\n\tgcc -o $@ $^\n%%.o: %%.c\n\tgcc -O1 -c -o $@ $<\n' >Makefile
make -s -j2
rm -r "$dir"
