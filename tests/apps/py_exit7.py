import atexit
import sys

atexit.register(lambda: print("atexit"))
print("leaving", file=sys.stderr)
sys.exit(7)
