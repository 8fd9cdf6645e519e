# redis-server and redis-benchmark over loopback: redis_load.sh TEST PIPELINE REQUESTS prints requests per second.
port=$((20000 + $$ % 10000))
redis-server --port $port --bind 127.0.0.1 --save '' --appendonly no --logfile /dev/null --pidfile '' > /dev/null &
server=$!
for n in $(seq 500); do
	redis-cli -p $port ping 2> /dev/null | grep -q PONG && break
	sleep 0.01
done
redis-benchmark -p $port -q -c 50 -t "$1" -P "$2" -n "$3" | tr '\r' '\n' | sed -n 's/.*: \([0-9.]*\) requests per second.*/\1/p' | tail -n 1
kill $server
wait $server
exit 0
