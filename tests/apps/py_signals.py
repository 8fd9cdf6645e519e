import os
import signal
import time

ticks = []
signal.signal(signal.SIGALRM, lambda n, f: ticks.append(n))
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
while len(ticks) < 5:
    signal.pause()
signal.setitimer(signal.ITIMER_REAL, 0)
print("alarms", len(ticks) >= 5)
vticks = []
signal.signal(signal.SIGVTALRM, lambda n, f: vticks.append(n))
signal.setitimer(signal.ITIMER_VIRTUAL, 0.02)
end = time.monotonic() + 20
while not vticks and time.monotonic() < end:
    sum(range(1000))
print("virtual", len(vticks))
signal.signal(signal.SIGUSR1, lambda n, f: print("usr1"))
os.kill(os.getpid(), signal.SIGUSR1)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
os.kill(os.getpid(), signal.SIGUSR2)
print(signal.sigpending(), signal.sigwait({signal.SIGUSR2}))
pid = os.fork()
if pid == 0:
    signal.signal(signal.SIGTERM, lambda n, f: os._exit(5))
    while True:
        signal.pause()
time.sleep(0.2)
os.kill(pid, signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
r, w = os.pipe()
os.set_blocking(w, False)
signal.set_wakeup_fd(w)
os.kill(os.getpid(), signal.SIGALRM)
print(os.read(r, 10))
