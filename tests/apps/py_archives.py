import hashlib
import io
import os
import shutil
import tarfile
import zipfile

os.makedirs("tree/a/b")
for n in range(40):
    with open("tree/%s/f%02d.txt" % ("a" if n % 2 else "a/b", n), "w") as f:
        f.write("line %d\n" % n * (n * 50))
os.symlink("a/b", "tree/link")
os.chmod("tree/a/f01.txt", 0o750)
with tarfile.open("tree.tar.gz", "w:gz") as t:
    t.add("tree")
with tarfile.open("tree.tar.gz") as t:
    t.extractall("out")
    print(len(t.getnames()))
with zipfile.ZipFile("tree.zip", "w", zipfile.ZIP_DEFLATED) as z:
    for root, dirs, files in os.walk("tree"):
        for name in sorted(files):
            z.write(os.path.join(root, name))
with zipfile.ZipFile("tree.zip") as z:
    print(z.testzip(), len(z.namelist()))
digest = hashlib.sha256()
for root, dirs, files in os.walk("out"):
    dirs.sort()
    for name in sorted(files):
        path = os.path.join(root, name)
        digest.update(path.encode() + open(path, "rb").read())
print(digest.hexdigest(), os.readlink("out/tree/link"), oct(os.stat("out/tree/a/f01.txt").st_mode))
shutil.copytree("out", "copy", symlinks=True)
shutil.rmtree("out")
print(sorted(os.listdir(".")), len(os.listdir("copy/tree/a/b")))
