# application: network tools
# version: curl --version
# needs: iperf3 socat netcat-openbsd curl wget bind9-dnsutils bind9-host openssl traceroute tcpdump iputils-ping
# set: matrix
# user: root
# Small clients and servers over the loopback device. What depends on time or chance is cut out of what they print.
export LC_ALL=C HOME=$PWD
free_port() { port=$(($(od -An -N2 -tu2 /dev/urandom) % 20000 + 10000)); }
# until COMMAND: tries it for a while
until_true() { for n in $(seq 200); do "$@" > /dev/null 2>&1 && return; sleep 0.05; done; echo "never: $*"; }
open_port() { ss -Hnl"${2:-t}" "sport = :$1" | grep -q .; }
server() { # COMMAND with PORT in it; its pid in $server, the port in $port
	for try in $(seq 10); do
		free_port
		sh -c "exec $(echo "$1" | sed "s/PORT/$port/g")" > server.out 2> server.err & server=$!
		for n in $(seq 200); do
			open_port $port "${2:-t}" && return
			kill -0 $server 2> /dev/null || break
			sleep 0.05
		done
		kill $server 2> /dev/null; wait $server
	done
	echo "no server: $1"
}
end() { kill $server 2> /dev/null; wait $server 2> /dev/null; }
seq 200000 > big; sum=$(sha256sum < big)

echo "== iperf3"
json() { python3 -c '
import json, sys
r = json.load(sys.stdin)
e = r["end"]
print(r.get("error", "no error"), sorted(e)[:2], e.get("sum_received", e.get("sum"))["bytes"] > 0, len(r["start"]["connected"]))'; }
server 'iperf3 -s -p PORT'
for options in "" "-R" "-P 4" "-u -b 500M -l 1400" "-6" "--bidir" "-C reno" "-M 900" "-Z"; do
	host=127.0.0.1; [ "$options" = -6 ] && host=::1
	for n in $(seq 100); do # the one before may not be over for the server
		iperf3 -J -c $host -p $port -n 20M $options > result
		grep -q busy result || break
		sleep 0.05
	done
	json < result
done
end

echo "== curl, wget"
cat > web.py <<'P'
import http.server, sys
class H(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *a): pass
    def do_PUT(self):
        n = len(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(201); self.send_header("Content-Length", "0"); self.send_header("X-Got", str(n)); self.end_headers()
class S(http.server.ThreadingHTTPServer):
    address_family = __import__("socket").AF_INET6
    def server_bind(self): # without asking for a name
        __import__("socketserver").TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]
S(("::", int(sys.argv[1])), H).serve_forever()
P
server 'python3 web.py PORT'
curl -sS "http://127.0.0.1:$port/big" | sha256sum; curl -sS "http://[::1]:$port/big" | sha256sum; curl -sS -T big -i "http://localhost:$port/x" | grep -ai '^http\|x-got'
curl -sS -C 1000 "http://127.0.0.1:$port/big" -o part 2>&1 | head -1; curl -sS -o /dev/null -w '%{http_code} %{num_connects} %{size_download}\n' "http://127.0.0.1:$port/no"
curl -sS --tcp-fastopen "http://127.0.0.1:$port/big" | sha256sum; curl -sS --interface lo "http://127.0.0.1:$port/big" | sha256sum
curl -sS --keepalive-time 2 --tcp-nodelay --local-port 40000-60000 "http://127.0.0.1:$port/big" | sha256sum
wget -q -O - "http://127.0.0.1:$port/big" | sha256sum; wget -q -4 -O - "http://localhost:$port/big" | sha256sum; wget -q "http://127.0.0.1:$port/no"; echo "wget $?"
wget -q -r -l 1 -nH -P mirror "http://127.0.0.1:$port/"; cmp mirror/big big && echo mirrored
end

echo "== openssl"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 3650 -subj /CN=localhost 2> /dev/null
for version in tls1_2 tls1_3; do
	server "openssl s_server -accept PORT -key key.pem -cert cert.pem -WWW -$version"
	printf 'GET /big HTTP/1.0\r\n\r\n' | openssl s_client -quiet -ign_eof -connect 127.0.0.1:$port -CAfile cert.pem -servername localhost 2> /dev/null | sed '1,/^\r*$/d' | sha256sum
	curl -sS --cacert cert.pem --resolve "localhost:$port:127.0.0.1" "https://localhost:$port/big" | sha256sum
	openssl s_client -brief -connect 127.0.0.1:$port -CAfile cert.pem < /dev/null 2>&1 | grep -E 'Protocol|Ciphersuite|Verification'
	end
done

echo "== nc"
server 'nc -N -l 127.0.0.1 PORT < big'; nc -d 127.0.0.1 $port | sha256sum; wait $server; echo "nc $?"
server 'nc -N -l ::1 PORT > got'; nc -N ::1 $port < big; wait $server; cmp got big && echo same
server 'nc -k -u -l 127.0.0.1 PORT > datagrams' u; for n in 1 2 3; do echo "datagram $n" | nc -u -w 1 -N 127.0.0.1 $port; done; end; cat datagrams
nc -z -v 127.0.0.1 1 2>&1 | sed 's/.*failed/failed/'; (nc -lU sock > unix & echo $! > pid); until_true test -S sock; echo local | nc -N -U sock; until_true grep -q local unix; cat unix

echo "== socat"
server 'socat TCP-LISTEN:PORT,fork,reuseaddr EXEC:"tr a-z A-Z"'; echo shouted | socat -t 10 - TCP:127.0.0.1:$port
for n in 1 2 3 4; do echo "number $n" | socat -t 10 - TCP4:127.0.0.1:$port,nodelay,keepalive & done > several; wait $! ; until_true sh -c '[ $(wc -l < several) = 4 ]'; sort several; end
server 'socat UDP-RECVFROM:PORT,fork EXEC:cat' u; echo over UDP | socat -t 2 - UDP:127.0.0.1:$port; end
server "socat OPENSSL-LISTEN:PORT,fork,cert=cert.pem,key=key.pem,verify=0 EXEC:cat"; echo secret | socat -t 10 - OPENSSL:127.0.0.1:$port,cafile=cert.pem,commonname=localhost; end
server 'socat SCTP-LISTEN:PORT -' > /dev/null 2>&1 < /dev/null & wait $!; true
socat -u FILE:big UNIX-LISTEN:u2 & until_true test -S u2; socat -u UNIX-CONNECT:u2 - | sha256sum; wait $!

echo "== dig, host"
cat > dns.py <<'P'
import socket, struct, sys, threading
def answer(q):
    at = 12; names = []
    while q[at]:
        names.append(q[at + 1:at + 1 + q[at]].decode()); at += 1 + q[at]
    kind = struct.unpack(">H", q[at + 1:at + 3])[0]; end = at + 5
    name = ".".join(names).lower()
    data = {1: socket.inet_aton("192.0.2.7"), 28: socket.inet_pton(socket.AF_INET6, "2001:db8::7"), 16: bytes([5]) + b"hello"}.get(kind)
    code = 0 if name.endswith("example.org") else 3
    body = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data if data and not code else b""
    return q[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, bool(body), 0, 0) + q[12:end] + body
port = int(sys.argv[1])
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", port))
l = socket.create_server(("127.0.0.1", port))
def tcp():
    while True:
        c, _ = l.accept(); n = struct.unpack(">H", c.recv(2))[0]; a = answer(c.recv(n)); c.sendall(struct.pack(">H", len(a)) + a); c.close()
threading.Thread(target=tcp, daemon=True).start()
while True:
    q, a = u.recvfrom(2000); u.sendto(answer(q), a)
P
server 'python3 dns.py PORT'
ask="dig +noedns +nocookie @127.0.0.1 -p $port"
$ask +short www.example.org; $ask +short AAAA www.example.org; $ask +short +tcp TXT www.example.org; $ask nothing.example.net | grep -o 'status: [A-Z]*'
host -p $port www.example.org 127.0.0.1 | tail -3; nslookup -port=$port www.example.org 127.0.0.1 | grep '^Address: '; end

echo "== traceroute, ping, tcpdump"
traceroute -n -q 1 127.0.0.1 | sed 's/ [0-9.]* ms//'; traceroute -n -q 1 -6 ::1 | sed 's/ [0-9.]* ms//'
if [ "$(id -u)" = 0 ]; then
	traceroute -n -q 1 -I 127.0.0.1 | sed 's/ [0-9.]* ms//'; traceroute -n -q 1 -T -p 1 127.0.0.1 | sed 's/ [0-9.]* ms//'
	tcpdump -Z root -i lo -n -U -w capture 'icmp or (udp and port 33)' 2> tcpdump.err & dump=$!; until_true grep -q listening tcpdump.err
	ping -n -c 2 -i 0.2 -p ab -s 40 127.0.0.1 | sed -n 's/ time=.*//p; /packets/s/, time.*//p'; echo hello | nc -u -w 1 -N 127.0.0.1 33
	until_true sh -c '[ $(tcpdump -Z root -n -r capture 2> /dev/null | wc -l) -ge 6 ]'; kill -INT $dump; wait $dump; echo "tcpdump $?"; grep -E 'dropped by kernel' tcpdump.err
	tcpdump -Z root -n -t -r capture 2> /dev/null | sed 's/id [0-9]*/id N/; s/127.0.0.1.[0-9]\{5\}/127.0.0.1.PORT/g'
fi
echo done
