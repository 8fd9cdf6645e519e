# application: iproute2, ping, tcpdump
# needs: iproute2 iputils-ping tcpdump net-tools
# version: ip -V
# set: matrix
# run: sh
# A network of its own: interfaces, addresses and routes by ip and ifconfig, echoes, what ss and tcpdump see of them.
work() {
	say() { echo "== $*"; }
	say a loopback device
	ip link; ip link set lo up; ip addr; ip -d link show lo; ip -j addr show lo; ip rule; ip -6 rule
	say a pair
	ip link add a1 type veth peer name b1; ip addr add 10.1.2.3/24 dev a1; ip addr add 10.1.2.4/24 dev a1
	ip link set a1 up; ip -4 addr show a1 | grep inet; ip addr add 10.1.2.3/24 dev a1; ip addr del 10.9.9.9/8 dev a1
	ip route add default via 10.1.2.1; ip route add 10.7.0.0/16 dev a1 metric 5; ip route add 10.8.0.0/16 via 99.1.1.1
	ip route | sed 's/ linkdown//'; ip route get 10.7.1.1; ip route get 127.0.0.1; ip route del 10.7.0.0/16; ip route del 10.7.0.0/16
	route -n; ifconfig lo | grep -v packets; ip link set a1 mtu 1400 name other; ip link add x type nothing; ip link del lo
	ip link set other down; ip link set other name other2; ip link del other2; ip link | grep -c veth
	say echoes
	ping -c1 127.0.0.1 | sed 's/time=.*//; s/time .*//; /^rtt/d'
	ping -c1 ::1 | sed 's/time=.*//; s/time .*//; /^rtt/d'
	ping -c1 -W1 10.99.99.99; echo "exit $?"
	say sockets
	python3 -c '
import socket, subprocess
a = socket.socket(); a.bind(("127.0.0.1", 8123)); a.listen(5)
b = socket.create_connection(("127.0.0.1", 8123), source_address=None); c = a.accept()[0]
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 8124))
print(subprocess.run("ss -Htln; ss -Huln; ss -Htn state established sport = :8123 | sed s/[0-9]*$//", shell=True, capture_output=True, text=True).stdout)'
	say frames
	tcpdump -Z root -nn -t -i lo -c 2 -w frames udp port 9 2> log & dump=$!
	until grep -q listening log; do sleep 0.02; done
	python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 9999)); [s.sendto(b"x", ("127.0.0.1", 9)) for _ in "ab"]'
	wait $dump; tcpdump -Z root -nn -t -r frames 2> /dev/null
}
if [ -z "$1" ]; then exec unshare -n sh "$0" inside; fi
work 2>&1
