# application: memcached
# version: memcached -V
# needs: memcached
# set: matrix
memcached -u root -s $PWD/m.sock -m 32 & p=$!
while [ ! -S m.sock ]; do sleep 0.05; done
python3 - <<'P'
import socket
s=socket.socket(socket.AF_UNIX); s.connect("m.sock"); f=s.makefile("rwb",0)
for i in range(500):
    v=b"x"*(i*7%1500); f.write(b"set k%d 0 0 %d\r\n%s\r\n"%(i,len(v),v)); assert f.readline()==b"STORED\r\n"
n=0
for i in range(500):
    f.write(b"get k%d\r\n"%i); h=f.readline(); n+=int(h.split()[3]); f.read(int(h.split()[3])+2) ; f.readline()
f.write(b"incr k 1\r\n"); print(n,f.readline())
P
kill $p; wait $p; echo $?
