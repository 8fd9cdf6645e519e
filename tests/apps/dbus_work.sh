# application: D-Bus
# version: dbus-daemon --version
# needs: dbus
# set: matrix
dbus-run-session -- sh -c 'dbus-send --session --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.ListNames | grep -c string; dbus-send --session --print-reply=literal --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetConnectionUnixUser string:org.freedesktop.DBus; dbus-send --session --print-reply --dest=no.such / a.b.c 2>&1 | cut -c1-60'
