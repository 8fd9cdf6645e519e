# application: stress-ng
# version: stress-ng --version
# needs: stress-ng
# set: matrix
# user: nobody
# input: stress.sh
# timeout: 900
# options: --memory 6g --pids-limit 2000 --ulimit nofile=4096
# ptrace: no the other files are enough there
# Mappings, the heap, stacks, shared memory, pages.
. ./stress.sh
same bad-altstack bigheap brk dev-shm env fault full madvise malloc mcontend membarrier memcpy memfd memrate \
	memthrash mincore mlock mmap mmapaddr mmapfixed mmapfork mmapmany mprotect mremap msync msyncmany munmap null \
	pagemove randlist remap rmap shm shm-sysv stack stackmmap tlb-shootdown vm vm-addr vm-rw vm-segv \
	vm-splice zero
survive tmpfs mlockmany mmaphuge oom-pipe pageswap physpage resources secretmem swap userfaultfd
