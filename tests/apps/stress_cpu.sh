# application: stress-ng
# version: stress-ng --version
# needs: stress-ng
# set: matrix
# user: nobody
# input: stress.sh
# timeout: 900
# options: --memory 6g --pids-limit 2000 --ulimit nofile=4096
# ptrace: no the other files are enough there
# Computing, floating point, caches, odd instructions.
. ./stress.sh
same atomic bsearch branch cache cacheline context cpu crypt dekker far-branch flushcache fp fp-error funccall \
	funcret getrandom goto hash heapsort hsearch icache ipsec-mb jpeg judy l1cache list llc-affinity lockbus \
	longjmp lsearch matrix matrix-3d mergesort misaligned nop numa opcode peterson prefetch priv-instr qsort \
	radixsort rdrand regs rotate shellsort skiplist sparsematrix str stream syncload tree tsc tsearch vecfp \
	vecmath vecshuf vecwide waitcpu wcs x86cpuid zlib
