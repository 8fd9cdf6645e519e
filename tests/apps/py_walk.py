import hashlib
import os

count = size = 0
digest = hashlib.sha256()
for root, dirs, files in os.walk("/usr/lib/python3.11"):
    dirs[:] = sorted(d for d in dirs if d != "__pycache__")
    for name in sorted(files):
        st = os.lstat(os.path.join(root, name))
        count += 1
        size += st.st_size
        digest.update(("%s %d %o\n" % (name, st.st_size, st.st_mode)).encode())
print(count, size, digest.hexdigest())
