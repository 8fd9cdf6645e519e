# input: tree
# Random operations, the same in every run, on a directory tree that exists before: each result and the tree at the end must be
# as natively.
import ctypes
import errno
import hashlib
import os
import random
import stat

rng = random.Random(20240229)
libc = ctypes.CDLL(None, use_errno=True)
os.umask(0o022)
os.chdir("tree")
NAMES = ["a", "b", "c", "dir", "file", "sub", "link", "x"]


def path():
    return "/".join(rng.choice(NAMES) for _ in range(rng.choice([1, 1, 2, 2, 2, 3, 3, 4])))


def rename2(old, new, flags):
    if libc.renameat2(-100, old.encode(), -100, new.encode(), flags) < 0:
        raise OSError(ctypes.get_errno(), "renameat2")


def write(name):
    flags = os.O_RDWR | rng.choice([0, 0, os.O_APPEND, os.O_TRUNC, os.O_CREAT, os.O_CREAT | os.O_EXCL, os.O_CREAT | os.O_TRUNC])
    fd = os.open(name, flags, 0o640)
    try:
        first = os.read(fd, 5)
        if rng.random() < 0.5:
            os.lseek(fd, rng.choice([0, 3, 100, 9000]), os.SEEK_SET)
        os.write(fd, bytes([rng.randrange(97, 123)]) * rng.choice([1, 10, 5000]))
        if rng.random() < 0.2:
            os.ftruncate(fd, rng.choice([0, 7, 12000]))
        size = os.fstat(fd).st_size
        return first, size, hashlib.md5(os.pread(fd, 100000, 0)).hexdigest()
    finally:
        os.close(fd)


def read(name):
    with open(name, "rb") as f:
        return hashlib.md5(f.read()).hexdigest()


def look(name):
    st = os.lstat(name)
    if stat.S_ISDIR(st.st_mode):
        return oct(st.st_mode)
    return oct(st.st_mode), st.st_size, st.st_nlink


def times(name):
    os.utime(name, (1000, rng.randrange(10 ** 9)), follow_symlinks=False)
    return os.lstat(name).st_mtime


def held(name):
    """A file stays what it is while it is open, whatever happens to its name."""
    with open(name, "rb") as f:
        before = os.fstat(f.fileno()).st_ino
        other = path()
        try:
            os.rename(name, other)
        except OSError as error:
            return error.errno
        with open(other, "ab") as g:
            g.write(b"held")
        same = os.fstat(f.fileno()).st_ino == before == os.stat(other).st_ino
        return same, hashlib.md5(f.read()).hexdigest()


def allocate(name):
    """Allocated, and a hole punched."""
    fd = os.open(name, os.O_RDWR)
    try:
        os.posix_fallocate(fd, rng.choice([0, 4096, 9000]), rng.choice([1, 5000, 20000]))
        r = libc.fallocate(fd, 3, ctypes.c_long(rng.choice([0, 100, 4096])), ctypes.c_long(rng.choice([1, 4096, 6000])))
        return r, os.fstat(fd).st_size, hashlib.md5(os.pread(fd, 100000, 0)).hexdigest()
    finally:
        os.close(fd)


OPERATIONS = [
    (8, "write", write), (6, "read", read), (6, "look", look), (4, "list", lambda n: sorted(os.listdir(n))),
    (4, "unlink", os.unlink), (4, "mkdir", lambda n: os.mkdir(n, 0o755)), (3, "rmdir", os.rmdir),
    (6, "rename", lambda n: os.rename(n, path())), (2, "noreplace", lambda n: rename2(n, path(), 1)),
    (3, "exchange", lambda n: rename2(n, path(), 2)), (4, "link", lambda n: os.link(n, path(), follow_symlinks=False)),
    (2, "symlink", lambda n: os.symlink(path(), n)), (2, "chmod", lambda n: os.chmod(n, rng.choice([0o600, 0o755, 0o444 | 0o200]))),
    (2, "utime", times), (2, "truncate", lambda n: os.truncate(n, rng.choice([0, 5, 5000]))), (2, "held", held),
    (2, "readlink", os.readlink), (2, "allocate", allocate), (1, "access", lambda n: os.access(n, os.W_OK)),
]
WEIGHTS = [w for w, _, _ in OPERATIONS]


def show(value):
    return "" if value is None else repr(value)


for step in range(6000):
    _, name, operation = rng.choices(OPERATIONS, WEIGHTS)[0]
    target = path()
    try:
        result = show(operation(target))
    except OSError as error:
        result = errno.errorcode[error.errno]
    print(step, name, target, result)


def tree(top):
    try:
        names = sorted(os.listdir(top))
        os.lstat(top + "/.")
    except OSError as error:
        return print(top, errno.errorcode[error.errno])
    for name in names:
        full = top + "/" + name
        st = os.lstat(full)
        if stat.S_ISDIR(st.st_mode):
            print(full, oct(st.st_mode))
            tree(full)
        elif stat.S_ISLNK(st.st_mode):
            print(full, "->", os.readlink(full))
        else:
            with open(full, "rb") as f:
                print(full, oct(st.st_mode), st.st_nlink, hashlib.md5(f.read()).hexdigest())


tree(".")
