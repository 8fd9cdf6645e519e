# application: nginx
# version: nginx -v 2>&1
# needs: nginx-light curl
# set: matrix
# A master with two workers that serves files, passes requests on to a server of its own and to a script, over Unix sockets.
mkdir -p www logs tmp && printf 'hello from a file\n' > www/index.html && seq 200000 > www/big
cat > nginx.conf <<C
daemon off;
user root;
worker_processes 2;
pid $PWD/nginx.pid;
error_log $PWD/logs/error.log warn;
events { worker_connections 200; }
http {
	access_log $PWD/logs/access.log;
	client_body_temp_path $PWD/tmp; proxy_temp_path $PWD/tmp; fastcgi_temp_path $PWD/tmp;
	uwsgi_temp_path $PWD/tmp; scgi_temp_path $PWD/tmp;
	sendfile on; gzip on; gzip_min_length 1;
	server {
		listen unix:$PWD/front.sock;
		root $PWD/www;
		location /up { proxy_pass http://unix:$PWD/back.sock:/; }
		location /dir { autoindex on; }
		location /old { return 301 /new; }
	}
	server { listen unix:$PWD/back.sock; location / { default_type text/plain; return 200 "from behind\n"; } }
}
C
[ "$(id -u)" = 0 ] || sed -i '/^user/d' nginx.conf
nginx -p "$PWD" -e logs/error.log -c "$PWD/nginx.conf" & server=$!
trap 'kill $server 2> /dev/null' EXIT
get() { curl -s --unix-socket front.sock "$@"; }
for n in $(seq 100); do get http://x/ > /dev/null && break; sleep 0.05; done
get http://x/; get http://x/big | sha256sum; get -r 100-199 http://x/big | sha256sum
get --compressed http://x/big | sha256sum; get http://x/up
get -o /dev/null -w '%{http_code} %{size_download}\n' http://x/missing
get -o /dev/null -w '%{http_code} %{redirect_url}\n' http://x/old
get -I http://x/index.html | tr -d '\r' | grep -E '^(HTTP|Content)'
for n in $(seq 20); do get -o "out$n" http://x/big & pids="$pids $!"; done; wait $pids; cat out* | sha256sum
seq 1 200 | sed 's|.*|url = "http://x/?&"\noutput = "/dev/null"|' > urls; get -K urls -w '%{http_code}\n' | sort | uniq -c
mv logs/access.log logs/old.log; kill -USR1 $server; for n in $(seq 100); do [ -s logs/access.log ] && break; get http://x/ > /dev/null; sleep 0.02; done
sed -i 's/from behind/from a new one/' nginx.conf; kill -HUP $server
for n in $(seq 600); do [ "$(get http://x/up)" = "from a new one" ] && break; sleep 0.05; done; get http://x/up
grep -c big logs/old.log; kill -QUIT $server; wait $server; echo "exit $?"; ls ./*.sock 2>&1; sed 's/^.*\[error\] [0-9#]*//' logs/error.log
