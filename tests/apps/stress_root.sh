# application: stress-ng
# version: stress-ng --version
# needs: stress-ng
# set: matrix
# input: stress.sh
# timeout: 900
# options: --memory 6g --pids-limit 2000 --ulimit nofile=4096
# ptrace: no the other files are enough there
# What root may do, or may try, in the sandbox: never outside of it.
. ./stress.sh
survive bind-mount cap chown chroot clock cpu-online dev dnotify exec fanotify getdent handle ioport klog kvm landlock \
	loadavg loop memhotplug mknod netlink-task nice oom-pipe pagemove pageswap pci personality physpage priv-instr \
	procfs ptrace quota ramfs reboot resources rlimit rtc schedpolicy seccomp set softlockup spawn swap sysbadaddr \
	sysfs sysinval syscall umount unshare watchdog xattr
