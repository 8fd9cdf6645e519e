# application: php
# version: php --version
# needs: php-cli php-fpm nginx-light curl
# set: matrix
# user: nobody
# nginx in front of PHP's process manager, over Unix sockets.
mkdir www tmp
cat > www/index.php <<'P'
<?php session_save_path("tmp"); header("X-Made-By: php"); echo $_SERVER["REQUEST_METHOD"], " ", $_GET["n"] ?? "-", " ", strlen(file_get_contents("php://input")), "\n";
P
echo '<?php $f = fopen(__DIR__ . "/../count", "c+"); flock($f, LOCK_EX); $n = (int)fgets($f) + 1; rewind($f); fwrite($f, "$n\n"); flock($f, LOCK_UN); echo $n, "\n";' > www/count.php
cat > fpm.conf <<C
[global]
error_log = $PWD/fpm.log
pid = $PWD/fpm.pid
[www]
listen = $PWD/fpm.sock
pm = dynamic
pm.max_children = 4
pm.start_servers = 2
pm.min_spare_servers = 1
pm.max_spare_servers = 3
chdir = $PWD
C
cat > nginx.conf <<C
daemon off;
worker_processes 1;
pid $PWD/nginx.pid;
events { worker_connections 100; }
http {
	access_log off;
	client_body_temp_path $PWD/tmp; proxy_temp_path $PWD/tmp; fastcgi_temp_path $PWD/tmp; uwsgi_temp_path $PWD/tmp; scgi_temp_path $PWD/tmp;
	server {
		listen unix:$PWD/front.sock;
		root $PWD/www;
		location ~ \.php$ {
			fastcgi_pass unix:$PWD/fpm.sock;
			fastcgi_param SCRIPT_FILENAME \$document_root\$fastcgi_script_name;
			fastcgi_param REQUEST_METHOD \$request_method; fastcgi_param QUERY_STRING \$query_string;
			fastcgi_param CONTENT_TYPE \$content_type; fastcgi_param CONTENT_LENGTH \$content_length;
		}
	}
}
C
$(ls /usr/sbin/php-fpm* | tail -1) -F -n -y fpm.conf -p "$PWD" 2> /dev/null & fpm=$!
nginx -p "$PWD" -e nginx.log -c "$PWD/nginx.conf" & server=$!
trap 'kill $fpm $server 2> /dev/null' EXIT
get() { curl -s --unix-socket front.sock "$@"; }
for n in $(seq 100); do [ "$(get -o /dev/null -w '%{http_code}' http://x/index.php)" = 200 ] && break; sleep 0.05; done
get 'http://x/index.php?n=5'; get -d "$(seq 10000)" http://x/index.php; get -I http://x/index.php | grep -c X-Made-By
for n in $(seq 40); do get http://x/count.php > /dev/null & pids="$pids $!"; done; wait $pids; cat count
get -o /dev/null -w '%{http_code}\n' http://x/none.php
kill -USR2 $fpm; for n in $(seq 100); do grep -q 'reloading' fpm.log && break; sleep 0.05; done; sleep 0.3; get 'http://x/index.php?n=again'
kill -QUIT $server; wait $server; echo "nginx $?"; kill -QUIT $fpm; wait $fpm; echo "fpm $?"
