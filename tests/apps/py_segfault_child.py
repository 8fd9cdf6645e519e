import os
import signal
import subprocess
import sys

p = subprocess.run([sys.executable, "-c", "import ctypes; ctypes.string_at(0)"])
print(p.returncode == -signal.SIGSEGV)
pid = os.fork()
if pid == 0:
    os.abort()
status = os.waitpid(pid, 0)[1]
print(os.WIFSIGNALED(status), os.WTERMSIG(status) == signal.SIGABRT)
p = subprocess.run([sys.executable, "-X", "faulthandler", "-c", "import os; os.kill(os.getpid(), 11)"], stderr=subprocess.PIPE)
print(p.returncode, b"Fatal Python error" in p.stderr)
