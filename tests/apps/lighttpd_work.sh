# application: lighttpd
# version: lighttpd -v
# needs: lighttpd curl
# set: matrix
# A free port among the upper ones.
port=$(($(od -An -N2 -tu2 /dev/urandom) % 20000 + 10000))
mkdir w; echo hi > w/index.html
cat > l.conf <<C
server.document-root = "$PWD/w"
server.port = $port
server.bind = "127.0.0.1"
index-file.names = ( "index.html" )
mimetype.assign = ( ".html" => "text/html" )
server.modules = ( "mod_cgi", "mod_accesslog" )
accesslog.filename = "$PWD/log"
C
lighttpd -D -f l.conf 2>/dev/null & p=$!
for i in $(seq 100); do curl -sf http://127.0.0.1:$port/ && break; sleep 0.1; done
for i in 1 2 3 4 5; do curl -s http://127.0.0.1:$port/; done; curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:$port/none
kill $p; wait $p; echo $?; awk '{print $6,$7,$9}' log | sort | uniq -c | tail -2
