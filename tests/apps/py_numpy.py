# application: numpy
# version: python3 -c "import numpy; print(numpy.__version__)"
# needs: python3-numpy
import threading

import numpy as np

rng = np.random.default_rng(42)
a, b = rng.random((300, 300)), rng.random((300, 300))
c = a @ b
print(round(float(c.sum()), 6), c.shape)
print(np.round(np.linalg.svd(a[:5, :5], compute_uv=False), 6))
print(np.round(np.fft.fft(np.arange(8)), 6))
results = [0.0] * 4


def work(n):
    results[n] = round(float((a * n @ b).trace()), 6)


threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print(results)
np.save("a.npy", a)
m = np.load("a.npy", mmap_mode="r")
print(bool((m == a).all()))
np.seterr(divide="ignore")
print(np.array([1.0]) / np.array([0.0]))
