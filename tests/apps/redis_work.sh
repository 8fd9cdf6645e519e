# application: redis
# version: redis-server --version
# needs: redis-server redis-tools
# set: matrix
sock=$PWD/redis.sock
cli() { redis-cli -s "$sock" "$@"; }
start() {
	redis-server --port 0 --unixsocket "$sock" --dir "$PWD" --daemonize no --appendonly yes --io-threads 2 \
		--save '' --logfile redis.log "$@" > /dev/null &
	server=$!
	for n in $(seq 200); do [ "$(cli ping 2> /dev/null)" = PONG ] && break; sleep 0.05; done
}
trap 'kill $server 2> /dev/null' EXIT
start
cli set key value; cli get key; cli incr n; cli incrby n 41
seq 1000 | sed 's/.*/RPUSH list &/' | cli --pipe | tail -1
cli lrange list 0 4; cli llen list
cli eval 'local s = 0; for n = 1, 1000 do s = s + n end; return s' 0
cli expire key 100; cli hset h a 1 b 2; cli hgetall h; cli zadd z 3 c 1 a 2 b; cli zrange z 0 -1 withscores
cli xadd s 1-1 f v; cli xread streams s 0
cli psetex short 30 x; sleep 0.1; cli exists short
(cli subscribe channel | head -4 | tail -1 > heard) & listener=$!
for n in $(seq 100); do [ "$(cli publish channel hello)" = 1 ] && break; sleep 0.02; done
cli bgsave; for n in $(seq 100); do cli info persistence | grep -q 'rdb_bgsave_in_progress:0' && break; sleep 0.05; done
cli info persistence | tr -d '\r' | grep -E 'bgsave_status|aof_last_write'
cli bgrewriteaof; for n in $(seq 100); do cli info persistence | grep -q 'aof_rewrite_in_progress:0' && break; sleep 0.05; done
cli blpop nothing 0.05
redis-benchmark -s "$sock" -q -n 20000 -c 20 -P 8 -t set,get,lpush,mset | tr '\r' '\n' | grep -E 'requests per second' | sed 's/:.*//'
cli shutdown; wait $server; echo "exit $?"
start
cli dbsize; cli get n; cli lrange list -2 -1
kill -9 $server; wait $server 2> /dev/null; echo "killed $?"
start
cli get n; cli shutdown nosave; wait $server; echo "exit $?"; cat heard
redis-check-aof appendonlydir/*.manifest | tail -1
