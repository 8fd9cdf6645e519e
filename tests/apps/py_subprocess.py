import subprocess

print(subprocess.run("seq 1 1000 | grep 7 | sort -rn | head -3 | tr '\\n' ,", shell=True, capture_output=True, text=True))
p1 = subprocess.Popen(["seq", "1", "100000"], stdout=subprocess.PIPE)
p2 = subprocess.Popen(["awk", "{ s += $1 } END { print s }"], stdin=p1.stdout, stdout=subprocess.PIPE)
p1.stdout.close()
print(p2.communicate()[0], p1.wait())
print(subprocess.run(["sh", "-c", "cat; exit 3"], input=b"x" * 200000, stdout=subprocess.PIPE).returncode)
print(subprocess.call(["sh", "-c", "kill -9 $$"]))
try:
    subprocess.run(["sleep", "10"], timeout=0.2)
except subprocess.TimeoutExpired as e:
    print("timeout", e.cmd)
try:
    subprocess.run(["/no/such/program"])
except FileNotFoundError as e:
    print(e)
out = [subprocess.check_output(["echo", str(n)]) for n in range(20)]
print(b"".join(out))
