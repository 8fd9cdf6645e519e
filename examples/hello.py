"""The first program to run in a sandbox: ./dev run -- python3 examples/hello.py"""
import os
import platform

print("Hello from Python", platform.python_version(), "on", platform.system(), platform.release())
print("I am process", os.getpid(), "in", os.getcwd())
print("My home directory holds", os.listdir(os.path.expanduser("~")))
