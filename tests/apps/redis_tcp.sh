# application: redis
# needs: redis-server redis-tools
# set: matrix
# Over TCP on the loopback device, both families: clients, many connections, a replica that follows its master.
start() { # PORT NAME OPTIONS: false when the port is somebody's
	redis-server --port "$1" --bind 127.0.0.1 ::1 --dir "$PWD" --save '' --appendonly no --logfile "$2.log" --pidfile '' \
		--dbfilename "$2.rdb" --repl-diskless-sync-delay 0 > /dev/null & started=$!
	for n in $(seq 200); do
		redis-cli -p "$1" config get dbfilename 2> /dev/null | grep -qx "$2.rdb" && return
		kill -0 $started 2> /dev/null || return 1
		sleep 0.05
	done
	return 1
}
free_port() { # NAME: starts there
	for try in $(seq 20); do
		port=$(($(od -An -N2 -tu2 /dev/urandom) % 20000 + 10000))
		start $port "$1" && return
	done
	echo "no port"; exit 1
}
free_port master; master=$port server=$started
trap 'kill $server $replica 2> /dev/null' EXIT
cli() { redis-cli -p $master "$@"; }
cli set key value; cli get key; redis-cli -h ::1 -p $master get key
seq 2000 | sed 's/.*/RPUSH list &/' | cli --pipe | tail -1
cli lrange list -3 -1
head -c 3000000 /dev/zero | tr '\0' x | cli -x set big; cli strlen big; cli get big | cksum
free_port replica; replica=$started other=$port
redis-cli -p $other replicaof 127.0.0.1 $master
for n in $(seq 200); do [ "$(redis-cli -p $other strlen big)" = 3000000 ] && break; sleep 0.05; done
redis-cli -p $other llen list; printf 'set after yes\nwait 1 20000\n' | cli; redis-cli -p $other get after
redis-cli -p $other set no no
(cli blpop queue 20 > popped) & waiter=$!
for n in $(seq 200); do cli info clients | tr -d '\r' | grep -qx blocked_clients:1 && break; sleep 0.02; done
cli rpush queue item; wait $waiter; cat popped
redis-benchmark -p $master -q -n 20000 -c 50 -P 4 -t set,get,lpush | tr '\r' '\n' | grep -E 'requests per second' | sed 's/:.*//'
redis-benchmark -h ::1 -p $master -q -n 3000 -c 20 -t ping_inline | tr '\r' '\n' | grep -E 'requests per second' | sed 's/:.*//'
redis-cli -p $other shutdown nosave; wait $replica; echo "replica exit $?"
cli shutdown nosave; wait $server; echo "exit $?"
redis-cli -p $master ping 2>&1 | sed "s/$master/PORT/"
