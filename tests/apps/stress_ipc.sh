# application: stress-ng
# version: stress-ng --version
# needs: stress-ng
# set: matrix
# user: nobody
# input: stress.sh
# timeout: 900
# options: --memory 6g --pids-limit 2000 --ulimit nofile=4096
# Pipes, signals, timers, scheduling, processes, threads, message queues, semaphores.
. ./stress.sh
same affinity alarm clock clone close cyclic daemon epoll exec exit-group fifo fork forkheavy futex hrtimers itimer \
	kill loadavg mq msg mutex nanosleep nice pidfd pipe pipeherd poll pthread race-sched resched ring-pipe \
	schedpolicy sem sem-sysv sendfile session sigabrt sigchld sigfd sigfpe sigio signal signest sigpending sigpipe \
	sigq sigrt sigsegv sigsuspend sigtrap sleep sockfd softlockup spawn splice switch tee timer timerfd vfork \
	vforkmany wait yield zombie
survive sockpair netlink-proc netlink-task
