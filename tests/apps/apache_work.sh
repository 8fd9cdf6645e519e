# application: Apache
# version: apache2 -v
# needs: apache2 curl
# set: matrix
# Event workers, CGI, eight clients at a time, a graceful restart.
# A free port among the upper ones.
port=$(($(od -An -N2 -tu2 /dev/urandom) % 20000 + 10000))
mkdir -p www logs; echo hello > www/index.html; head -c 300000 /dev/zero > www/big
cat > www/env.cgi <<'C'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'; echo "$REQUEST_METHOD $QUERY_STRING"; cat
C
chmod 755 www/env.cgi
cat > a.conf <<C
ServerRoot $PWD
PidFile $PWD/pid
Listen 127.0.0.1:$port
ServerName localhost
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
LoadModule cgid_module /usr/lib/apache2/modules/mod_cgid.so
LoadModule deflate_module /usr/lib/apache2/modules/mod_deflate.so
LoadModule filter_module /usr/lib/apache2/modules/mod_filter.so
TypesConfig /etc/mime.types
ScriptSock $PWD/cgisock
ErrorLog $PWD/logs/error
User nobody
Group nogroup
DocumentRoot $PWD/www
AddHandler cgi-script .cgi
<Directory $PWD/www>
Options ExecCGI
Require all granted
</Directory>
C
chmod 755 . ; apache2 -f $PWD/a.conf -t; apache2 -f $PWD/a.conf -DFOREGROUND & p=$!
for i in $(seq 100); do curl -s http://127.0.0.1:$port/ && break; sleep 0.1; done
curl -s http://127.0.0.1:$port/big | md5sum
curl -s -d body "http://127.0.0.1:$port/env.cgi?a=1"; echo
seq 200 | xargs -P 8 -n 20 sh -c 'for i; do curl -s http://127.0.0.1:$port/index.html; done' x | sort | uniq -c
apache2 -f $PWD/a.conf -k graceful; sleep 0.5; curl -s http://127.0.0.1:$port/
kill $p; wait $p; echo "exit $?"
