# nginx and a client over loopback, connections kept alive: nginx_load.sh ab|wrk REQUESTS prints requests per second.
port=$((20000 + $$ % 10000))
dir=$(mktemp -d)
echo hello > "$dir/index.html"
cat > "$dir/conf" << END
daemon off; master_process off; worker_processes 1; pid $dir/pid; error_log /dev/null;
events { worker_connections 1024; }
http {
	access_log off; keepalive_requests 10000000;
	client_body_temp_path $dir/a; proxy_temp_path $dir/b; fastcgi_temp_path $dir/c; uwsgi_temp_path $dir/d; scgi_temp_path $dir/e;
	server { listen 127.0.0.1:$port; root $dir; }
}
END
nginx -c "$dir/conf" -p "$dir" -e /dev/null &
server=$!
url=http://127.0.0.1:$port/index.html
for n in $(seq 500); do
	ab -q -n 1 $url > /dev/null 2>&1 && break
	sleep 0.01
done
case $1 in
ab) ab -q -k -c 20 -n "$2" $url 2> /dev/null | sed -n 's/^Requests per second: *\([0-9.]*\).*/\1/p' ;;
wrk) wrk -t 1 -c 20 -d 2 $url | sed -n 's/^Requests\/sec: *\([0-9.]*\).*/\1/p' ;;
esac
kill $server
wait $server
rm -r "$dir"
