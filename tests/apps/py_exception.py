# stderr: compare
import sys

print("before")
sys.stdout.flush()


def deep(n):
    if n == 0:
        raise RuntimeError("uncaught on purpose")
    deep(n - 1)


deep(3)
