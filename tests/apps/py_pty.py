import os
import pty
import select

pid, master = pty.fork()
if pid == 0:
    print("tty", os.isatty(0), os.ttyname(0).startswith("/dev/pts/"), flush=True)
    line = input("name? ")
    print("hello", line, flush=True)
    os._exit(4)
out = b""
sent = False
while True:
    ready, _, _ = select.select([master], [], [], 10)
    if not ready:
        print("timeout")
        break
    try:
        data = os.read(master, 1024)
    except OSError as e:
        print("end", e.errno)
        break
    if not data:
        break
    out += data
    if not sent and b"name? " in out:
        os.write(master, b"guest\n")
        sent = True
print(out)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
