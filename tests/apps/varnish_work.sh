# application: Varnish
# version: varnishd -V 2>&1
# needs: varnish curl
# set: matrix
# options: --pids-limit 1000
# It compiles its configuration with gcc.
# A free port among the upper ones.
port=$(($(od -An -N2 -tu2 /dev/urandom) % 20000 + 10000))
back=$((port + 1))
export HOME=$PWD; mkdir d; echo data > d/f; (cd d; exec python3 -m http.server --bind 127.0.0.1 $back >/dev/null 2>&1) & h=$!
cat > v.vcl <<C
vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "$back"; }
sub vcl_deliver { set resp.http.X-Hits = obj.hits; }
C
varnishd -F -j none -a 127.0.0.1:$port -f $PWD/v.vcl -s malloc,20m -n $PWD/v >/dev/null 2>v.err & p=$!
for i in $(seq 200); do curl -sf http://127.0.0.1:$port/f && break; sleep 0.1; done
for i in 1 2 3; do curl -s -D - -o /dev/null http://127.0.0.1:$port/f | grep X-Hits; done
kill $p; wait $p; echo "exit $?"; kill $h
