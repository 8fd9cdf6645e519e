import ctypes
import ctypes.util

libc = ctypes.CDLL(None)
cmp_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
values = (ctypes.c_int * 8)(5, 3, 8, 1, 9, 2, 7, 4)
calls = []


def compare(a, b):
    calls.append(1)
    return a[0] - b[0]


libc.qsort(values, len(values), ctypes.sizeof(ctypes.c_int), cmp_type(compare))
print(list(values), len(calls) > 7)
libm = ctypes.CDLL(ctypes.util.find_library("m"))
libm.cos.restype, libm.cos.argtypes = ctypes.c_double, [ctypes.c_double]
print(libm.cos(0.5))
buf = ctypes.create_string_buffer(64)
libc.snprintf(buf, 64, b"%d %s", 42, b"words")
print(buf.value)
