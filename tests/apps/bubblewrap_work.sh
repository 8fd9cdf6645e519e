# application: bubblewrap
# needs: bubblewrap
# version: bwrap --version
# run: sh
# What bubblewrap makes of namespaces and mounts, as the sandbox's root.
say() { echo "== $*"; }
box() { bwrap --ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink usr/bin /bin "$@"; }

say everything unshared
bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --unshare-all sh -c '
	echo "pid $$"; id -u; ls /tmp | wc -l; ls -d /proc/1 /proc/2
	touch /usr/x 2>&1; ls /dev | grep -v core | sort | tr "\n" " "; echo
	cat /proc/self/uid_map; ls /sys/class/net 2>/dev/null | head -0'
echo "exit $?"
say a root of its own
box --proc /proc --dev /dev --unshare-user --unshare-pid --unshare-uts --unshare-ipc --hostname box --uid 5 --gid 6 \
	--dir /work --chdir /work --setenv A b --tmpfs /t --new-session sh -c '
	hostname; id -u; id -g; echo "$A $PWD"; ls /
	grep -E " /(usr|t|proc) " /proc/self/mountinfo | cut -d" " -f5,6; echo x > /t/x; cat /t/x
	sleep 100 & kill $!; wait $!; echo "killed $?"'
echo "exit $?"
say binds
mkdir -p in out; echo text > in/file
box --ro-bind in /in --bind out /out sh -c 'cat /in/file; echo no > /in/file; cp /in/file /out/copy'
cat out/copy in/file
say files from descriptors
echo content | box --unshare-user --file 0 /etc/made cat /etc/made
say its program ends
box --unshare-pid --proc /proc sh -c 'exit 7'; echo "exit $?"
box --unshare-pid --proc /proc sh -c 'kill -9 $$'; echo "exit $?"
box --unshare-pid --die-with-parent --as-pid-1 sh -c 'echo pid $$'; echo "exit $?"
say nested
bwrap --bind / / --dev /dev --proc /proc --unshare-user --unshare-pid bwrap --bind / / --proc /proc --dev /dev \
	--unshare-user --unshare-pid --uid 0 sh -c 'id -u; echo "pid $$"; cat /proc/self/setgroups'
echo "exit $?"
