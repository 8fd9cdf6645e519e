# application: stress-ng
# version: stress-ng --version
# needs: stress-ng
# set: matrix
# user: nobody
# input: stress.sh
# timeout: 900
# options: --memory 6g --pids-limit 2000 --ulimit nofile=4096
# ptrace: no the other files are enough there
# System calls with odd and wrong arguments, limits, identities, filters.
. ./stress.sh
same ptrace af-alg bad-ioctl cap chroot dynlib enosys get ioprio kcmp landlock personality prctl rlimit seal seccomp set \
	sysbadaddr syscall sysinfo urandom vdso x86syscall
survive apparmor cpu-online dccp efivar icmp-flood idle-page io-uring ioport key klog kvm loop memhotplug netdev pci \
	ping-sock pkey plugin pty quota rawpkt rawsock rawudp reboot rseq rtc sctp smi sock sockabuse sockdiag \
	sockmany sysinval tun udp udp-flood unshare uprobe usersyscall watchdog
