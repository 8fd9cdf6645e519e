# application: dpkg, fakeroot
# version: dpkg --version
# needs: fakeroot
# set: matrix
# A package is built, installed below a directory, and removed.
mkdir -p p/DEBIAN p/usr/share/x root/var/lib/dpkg/info root/var/lib/dpkg/updates; : > root/var/lib/dpkg/status; echo data > p/usr/share/x/f
printf 'Package: x\nVersion: 1.0\nArchitecture: all\nMaintainer: m <m@m>\nDescription: d\n' > p/DEBIAN/control
printf '#!/bin/sh\necho post "$1"\n' > p/DEBIAN/postinst; chmod 755 p/DEBIAN/postinst
fakeroot dpkg-deb -Zxz -b p x.deb; dpkg-deb -c x.deb | awk '{print $1,$2,$NF}'
dpkg --root=$PWD/root --force-script-chrootless --log=/dev/null -i x.deb 2>&1 | grep -v warning; cat root/usr/share/x/f; dpkg --root=$PWD/root -l | tail -1; dpkg --root=$PWD/root --log=/dev/null --force-script-chrootless -r x 2>&1 | tail -1; ls root/usr 2>&1
