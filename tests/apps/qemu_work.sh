# application: qemu-user
# version: qemu-x86_64 --version
# needs: qemu-user
# set: matrix
# The same machine emulated: its signals, threads and mappings over ours.
qemu-x86_64 /bin/sh -c 'echo from sh; seq 100 | sort -rn | head -2; (exit 3); echo $?; trap "echo usr" USR1; kill -USR1 $$; exit 5'; echo "exit $?"
qemu-x86_64 /usr/bin/python3 -c '
import hashlib, mmap, os, signal, threading
threads = [threading.Thread(target=print, args=(n,)) for n in range(3)]
[(t.start(), t.join()) for t in threads]
print(hashlib.sha256(b"q").hexdigest())
m = mmap.mmap(-1, 1 << 20); m[100] = 7; print(m[100], os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)[1])
signal.signal(signal.SIGALRM, lambda *_: print("alarm")); signal.setitimer(signal.ITIMER_REAL, 0.05); signal.pause()
'
qemu-x86_64 /bin/sh -c 'kill -SEGV $$' 2> /dev/null; echo "exit $?"
