import mmap
import os

with open("map.bin", "wb") as f:
    f.write(b"0123456789" * 10000)
with open("map.bin", "r+b") as f:
    with mmap.mmap(f.fileno(), 0) as m:
        print(len(m), m[:10], m.find(b"90"))
        m[0:5] = b"HELLO"
        m.flush()
        m[99990:] = b"THE END!!!"
    f.seek(0)
    data = f.read()
    print(data[:12], data[-12:])
    with mmap.mmap(f.fileno(), 4096, access=mmap.ACCESS_COPY) as m:
        m[:4] = b"copy"
        print(m[:8])
print(open("map.bin", "rb").read(8))
shared = mmap.mmap(-1, 4096)
pid = os.fork()
if pid == 0:
    shared[:5] = b"child"
    os._exit(0)
os.waitpid(pid, 0)
print(shared[:5])
