# application: matplotlib
# version: python3 -c 'import matplotlib; print(matplotlib.__version__)'
# needs: python3-matplotlib
# set: matrix
import hashlib
import os

os.environ["MPLCONFIGDIR"] = os.getcwd()
os.environ["SOURCE_DATE_EPOCH"] = "0"
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

x = np.linspace(0, 10, 500)
figure, axes = plt.subplots(2, 2, figsize=(8, 6))
axes[0, 0].plot(x, np.sin(x), label="sin")
axes[0, 0].legend()
axes[0, 1].hist(np.random.default_rng(1).normal(size=1000), bins=30)
axes[1, 0].imshow(np.outer(np.sin(x[:100]), np.cos(x[:100])), cmap="viridis")
axes[1, 1].scatter(x[::10], np.cos(x[::10]), c=x[::10])
axes[1, 1].set_title(r"$\int e^{x}\,dx$")
figure.tight_layout()
figure.canvas.draw()
print(hashlib.sha256(np.asarray(figure.canvas.buffer_rgba()).tobytes()).hexdigest())
figure.savefig("plot.png", dpi=100)
image = plt.imread("plot.png")
print(image.shape, hashlib.sha256(image.tobytes()).hexdigest())
for kind in ("svg", "pdf"):
    matplotlib.rcParams["svg.hashsalt"] = "salt"
    figure.savefig("plot." + kind)
    with open("plot." + kind, "rb") as f:
        print(kind, hashlib.sha256(f.read()).hexdigest())
