# application: OpenSSH
# version: ssh -V 2>&1
# needs: openssh-server openssh-client rsync git
# set: matrix
# A server and its clients over the loopback device: commands, terminals, forwarding, copies, rsync and git through it.
export HOME=$PWD/home; mkdir -p home keys; umask 077; LC_ALL=C; export LC_ALL
if [ "$(id -u)" = 0 ]; then # who checks keys without rights
	mkdir -p /run/sshd; grep -q ^sshd: /etc/passwd || echo 'sshd:x:101:65534::/run/sshd:/usr/sbin/nologin' >> /etc/passwd
fi
ssh-keygen -q -t ed25519 -N '' -f keys/host; ssh-keygen -q -t ed25519 -N '' -f keys/user; ssh-keygen -q -t ecdsa -N '' -f keys/other
cp keys/user.pub keys/authorized
write() {
	cat > sshd_config <<C
Port $1
ListenAddress 127.0.0.1
ListenAddress ::1
HostKey $PWD/keys/host
AuthorizedKeysFile $PWD/keys/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
AcceptEnv SAID
PrintMotd no
PrintLastLog no
C
	cat > config <<C
Host guest guest6
	Port $1
	User $(id -un)
	IdentityFile $PWD/keys/user
	UserKnownHostsFile $PWD/known
	StrictHostKeyChecking accept-new
	IdentitiesOnly yes
	LogLevel ERROR
	ConnectTimeout 30
Host guest
	HostName 127.0.0.1
Host guest6
	HostName ::1
C
}
free_port() { port=$(($(od -An -N2 -tu2 /dev/urandom) % 20000 + 10000)); }
for try in $(seq 20); do
	free_port; write $port
	/usr/sbin/sshd -D -e -f "$PWD/sshd_config" 2> sshd.log & server=$!
	for n in $(seq 200); do
		grep -q 'Server listening on 127' sshd.log && grep -q 'Server listening on ::1' sshd.log && break 2
		kill -0 $server 2> /dev/null || break
		sleep 0.05
	done
	kill $server 2> /dev/null; wait $server
done
trap 'kill $server 2> /dev/null' EXIT
on() { ssh -F config "$@"; }
on guest 'echo out; echo err >&2; exit 7' 2>&1; echo "exit $?"
on guest6 'echo $SSH_CONNECTION | cut -d" " -f1,3; cd /; pwd'
seq 300000 | on guest 'cat | sha256sum; cat; echo behind'; on -C guest 'seq 300000' | sha256sum
head -c 20000000 /dev/zero | on guest 'wc -c'; on guest 'head -c 20000000 /dev/zero' | sha256sum
SAID=something on -o SendEnv=SAID guest 'echo "said $SAID"'
on -tt guest 'tty > /dev/null && echo terminal; stty size; exit 3' < /dev/null 2>&1 | tr -d '\r' | grep -v lastlog
sed "s,keys/user,keys/other," config > config2; ssh -F config2 guest true > /dev/null 2>&1; echo "somebody else: $?"
on guest 'kill -TERM $$'; echo "a signal: $?"
for n in $(seq 8); do on guest "echo $n; seq $n" > "many$n" & jobs="$jobs $!"; done; wait $jobs; cat many* | sha256sum
# one connection for several
on -M -S "$PWD/mux" -f -N guest; for n in 1 2 3; do on -S "$PWD/mux" guest "echo shared $n"; done; on -S "$PWD/mux" -O exit guest 2> /dev/null; echo "closed $?"
# copies
mkdir -p from/sub; seq 100000 > from/a; echo b > from/sub/b; ln -s a from/link
scp -q -F config -r from guest:"$PWD/scp"; ls scp scp/sub; cmp from/a scp/a && echo scp
printf 'put from/a sftp_a\nrename sftp_a sftp_b\nls -1 sftp_b\nget sftp_b back\nrm sftp_b\n' | sftp -q -b - -F config guest:"$PWD" | grep -v '^sftp>'; cmp from/a back && echo sftp
rsync -a -e "ssh -F $PWD/config" from/ guest:"$PWD/rsync/"; (cd rsync; find . | sort; readlink link; sha256sum a)
echo more >> from/a; rsync -a --stats -e "ssh -F $PWD/config" from/ guest:"$PWD/rsync/" | grep 'regular files transferred'
export GIT_SSH_COMMAND="ssh -F $PWD/config" GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z'
git config --global user.name G; git config --global user.email g@example.org; git config --global init.defaultBranch main
git init -q --bare repo.git; git clone -q "guest:$PWD/repo.git" work 2> /dev/null; cd work
seq 1000 > file; git add file; git commit -qm first; git push -q origin HEAD; cd ..; git clone -q "guest:$PWD/repo.git" again; git -C again log --format='%H %s'
# forwarding, there and back
cat > serve.py <<'P'
import socket, sys, threading
ls = socket.create_server(("127.0.0.1", 0))
open(sys.argv[1] + ".new", "w").write(str(ls.getsockname()[1]))
import os; os.rename(sys.argv[1] + ".new", sys.argv[1])
while True:
    c, _ = ls.accept()
    d = b""
    while True:
        p = c.recv(65536)
        if not p: break
        d += p
    c.sendall(d.upper()); c.close()
P
cat > ask.py <<'P'
import hashlib, socket, sys, time
for n in range(200):
    try:
        s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20); break
    except ConnectionRefusedError:
        time.sleep(0.05)
s.sendall(b"forwarded " * 50000); s.shutdown(socket.SHUT_WR)
d = b""
while True:
    p = s.recv(65536)
    if not p: break
    d += p
print(len(d), hashlib.sha256(d).hexdigest())
P
python3 serve.py at & echo_server=$!
trap 'kill $server $echo_server $forward 2> /dev/null' EXIT
for n in $(seq 200); do [ -s at ] && break; sleep 0.05; done
for kind in L R; do
	for try in 1 2 3 4 5; do
		free_port
		on -N -o ExitOnForwardFailure=yes -$kind "127.0.0.1:$port:127.0.0.1:$(cat at)" guest 2> /dev/null & forward=$!
		python3 ask.py $port 2> /dev/null && break
		kill $forward 2> /dev/null; wait $forward
	done
	kill $forward; wait $forward
done
on -W "127.0.0.1:$(cat at)" guest < from/sub/b
kill $server; wait $server; echo "server $?"
on guest true 2> /dev/null; echo "gone $?"
