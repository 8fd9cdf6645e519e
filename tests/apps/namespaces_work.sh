# application: util-linux
# needs: util-linux fakeroot
# version: unshare --version
# run: sh
# unshare, nsenter, mount, umount, pivot_root, chroot: a rootless build, an overlay, namespaces that are joined.
say() { echo "== $*"; }

say unshare
unshare -Urmpf --mount-proc sh -c 'id -u; echo "pid $$"; ls -d /proc/1; cat /proc/self/uid_map'
unshare -Uru sh -c 'hostname inner; hostname; cat /proc/sys/kernel/hostname'
unshare -n sh -c 'cat /proc/net/dev >/dev/null; echo $?'
unshare -pf sh -c 'echo $$; exit 3'; echo "exit $?"

say nsenter
unshare -Urui --fork sh -c 'hostname joined; echo $PPID > /dev/null; readlink /proc/self > pid; sleep 30' &
while [ ! -s pid ]; do sleep 0.1; done
p=$(pgrep -f 'sleep 30' | tail -1)
nsenter -t "$p" -U -u --preserve-credentials sh -c 'hostname; id -u'
kill "$p"; wait

say mount
unshare -m --propagation private sh -c '
	mkdir -p a b c; mount -t tmpfs -o size=1m,mode=750 none a; stat -c %a a; echo one > a/f
	mount --bind a b; cat b/f; mount -o remount,bind,ro b; touch b/x; umount b; ls b | wc -l
	mount --make-shared a; mkdir a/s; mount --bind a c; mount -t tmpfs none a/s; touch a/s/y; ls c/s
	umount a/s; ls c/s | wc -l; mount --move c b 2>&1 | head -1; findmnt -n -o FSTYPE,PROPAGATION a
	umount c a; mount -t tmpfs none nowhere 2>&1 | head -1; umount a; echo "exit $?"'

say overlay
unshare -Urm sh -c '
	mkdir -p o; mount -t tmpfs none o; cd o; mkdir low up work m; echo below > low/x; echo stays > low/y
	mount -t overlay -o lowerdir=low,upperdir=up,workdir=work,userxattr none m; echo above > m/x; rm m/y
	cat m/x low/x low/y; ls m; stat -c %F up/y'

say rootless build
unshare -Urm sh -c '
	mkdir -p rt/usr rt/proc rt/dev rt/tmp rt/etc; mount --rbind /usr rt/usr
	ln -s usr/bin rt/bin; ln -s usr/lib rt/lib; ln -s usr/lib64 rt/lib64
	mount -t tmpfs none rt/tmp; mount --rbind /dev rt/dev; echo "int main(){return 42;}" > rt/tmp/x.c
	chroot rt /bin/sh -c "cd /tmp && gcc -o x x.c && ./x; echo built \$?; id -u; touch f; chown 0:0 f; stat -c %u f"'

say pivot_root
unshare -m --propagation private sh -c '
	mkdir -p nr; mount -t tmpfs none nr; mkdir nr/old nr/usr nr/proc; mount --rbind /usr nr/usr
	ln -s usr/bin nr/bin; ln -s usr/lib nr/lib; ln -s usr/lib64 nr/lib64; cd nr; pivot_root . old; cd /
	mount -t proc none /proc; umount -l /old; ls /; ls /old | wc -l; grep -c . /proc/self/mountinfo'

say fakeroot
fakeroot sh -c 'touch ff; chown 5:6 ff; stat -c "%u %g" ff; id -u; tar cf t.tar ff'; tar tvf t.tar --numeric-owner | cut -d" " -f2
