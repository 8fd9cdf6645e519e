# application: nginx
# needs: nginx-light curl openssl
# set: matrix
# Over TCP on the loopback device: plain and TLS, both families, keep-alive, many clients, a proxy with a connection of its own.
mkdir -p www logs tmp && printf 'hello over TCP\n' > www/index.html && seq 300000 > www/big
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 3650 -subj /CN=localhost 2> /dev/null
write() {
	cat > nginx.conf <<C
daemon off;
user root;
worker_processes 2;
pid $PWD/nginx.pid;
error_log $PWD/logs/error.log warn;
events { worker_connections 300; }
http {
	access_log $PWD/logs/access.log;
	client_body_temp_path $PWD/tmp; proxy_temp_path $PWD/tmp; fastcgi_temp_path $PWD/tmp;
	uwsgi_temp_path $PWD/tmp; scgi_temp_path $PWD/tmp;
	sendfile on; tcp_nopush on; gzip on; gzip_min_length 1;
	upstream behind { server 127.0.0.1:$(($1 + 2)); keepalive 4; }
	server {
		listen 127.0.0.1:$1 reuseport; listen [::1]:$1;
		root $PWD/www;
		location /up { proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://behind/; }
	}
	server { listen 127.0.0.1:$(($1 + 1)) ssl http2; ssl_certificate $PWD/cert.pem; ssl_certificate_key $PWD/key.pem; root $PWD/www; }
	server { listen 127.0.0.1:$(($1 + 2)); location / { default_type text/plain; return 200 "from behind\n"; } }
}
C
	[ "$(id -u)" = 0 ] || sed -i '/^user/d' nginx.conf
}
for try in $(seq 20); do
	port=$(($(od -An -N2 -tu2 /dev/urandom) % 20000 + 10000))
	write $port
	nginx -p "$PWD" -e logs/error.log -c "$PWD/nginx.conf" 2> start.log & server=$!
	for n in $(seq 100); do
		[ "$(curl -s http://127.0.0.1:$port/up 2> /dev/null)" = "from behind" ] && break 2
		kill -0 $server 2> /dev/null || break
		sleep 0.05
	done
	kill $server 2> /dev/null; wait $server
done
trap 'kill $server 2> /dev/null' EXIT
: > logs/error.log
at=http://127.0.0.1:$port tls=https://127.0.0.1:$((port + 1))
curl -s $at/; curl -s "http://[::1]:$port/"; curl -s $at/big | sha256sum; curl -s -r 1000-1099 $at/big | sha256sum
curl -s --compressed $at/big | sha256sum; curl -s $at/up $at/up $at/up
curl -s -o /dev/null -w '%{http_code} %{num_connects}\n' $at/ -o /dev/null $at/missing
curl -sk $tls/; curl -sk $tls/big | sha256sum; curl -sk -o /dev/null -w '%{http_version} %{ssl_verify_result}\n' $tls/
curl -s --cacert cert.pem --resolve "localhost:$((port + 1)):127.0.0.1" "https://localhost:$((port + 1))/"
for n in $(seq 20); do curl -s -o "out$n" $at/big & pids="$pids $!"; done; wait $pids; cat out* | sha256sum
for n in $(seq 8); do curl -sk -o "tls$n" $tls/big & more="$more $!"; done; wait $more; cat tls* | sha256sum
seq 1 300 | sed "s|.*|url = \"$at/?&\"\noutput = \"/dev/null\"|" > urls; curl -s -K urls -w '%{http_code}\n' | sort | uniq -c
curl -s -Z --parallel-max 30 -K urls -w '%{http_code}\n' | sort | uniq -c
curl -s --limit-rate 4m -o slow $at/big; cksum < slow
curl -s -o /dev/null -w '%{exitcode}\n' --max-time 5 http://127.0.0.1:1/
kill -QUIT $server; wait $server; echo "exit $?"; curl -s -o /dev/null $at/; echo "gone $?"
sed 's/^.*\[error\] [0-9#]*//' logs/error.log | grep -v '/missing'
