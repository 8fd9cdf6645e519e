# application: Chromium
# version: chromium --version
# needs: chromium
# set: matrix
# options: --memory 3g --pids-limit 500
# A page that computes, headless; its own sandbox is off, since it has one.
export HOME=$PWD
cat > page.html <<'H'
<body><canvas id=c width=50 height=50></canvas><script>
const context = document.getElementById("c").getContext("2d");
context.fillStyle = "rgb(10, 20, 30)"; context.fillRect(0, 0, 50, 50);
const pixel = context.getImageData(5, 5, 1, 1).data.join();
const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 6, 1, 4, 0, 65, 42, 11]);
const wasm = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports.f();
document.body.innerText = [pixel, wasm, [1, 2, 3].map(x => x ** 2)].join(" ");
</script></body>
H
timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --dump-dom "file://$PWD/page.html" 2> /dev/null; echo "exit $?"
