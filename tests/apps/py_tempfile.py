import os
import tempfile

with tempfile.TemporaryDirectory() as d:
    print(d.startswith("/tmp/"), os.path.isdir(d))
    with tempfile.NamedTemporaryFile(dir=d, delete=False) as f:
        f.write(b"abc")
    print(os.path.getsize(f.name), oct(os.stat(f.name).st_mode))
    with tempfile.TemporaryFile() as f:
        f.write(b"x" * 100000)
        f.seek(99990)
        print(len(f.read()))
    with tempfile.SpooledTemporaryFile(10) as f:
        f.write(b"y" * 100)
        f.seek(0)
        print(f.read(3))
print(os.path.exists(d))
fd, name = tempfile.mkstemp()
print(os.write(fd, b"hello"), os.fstat(fd).st_size)
os.unlink(name)
print(os.fstat(fd).st_nlink)
