#!/bin/busybox sh
# Process 1 of a guest. /etc/guest says what to do (see initramfs.rs), /etc/command is what to run.
# Serial ports: the console, the command's stdout, its stderr, and the report ("exit CODE", how /out goes back, "done").
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root LANG=C.UTF-8

# A busybox of another architecture could not be asked for its commands when this file system was made.
[ -e /bin/mount ] || /bin/busybox --install -s

# A kernel without one of these is still a guest worth having.
try_mount() { mount -t "$1" "$1" "$2" 2>/dev/null; }
try_mount proc /proc
try_mount sysfs /sys
try_mount devtmpfs /dev
try_mount tmpfs /tmp
mkdir -p /dev/pts /dev/shm
try_mount devpts /dev/pts
try_mount tmpfs /dev/shm
try_mount debugfs /sys/kernel/debug
try_mount tracefs /sys/kernel/tracing
try_mount securityfs /sys/kernel/security
try_mount bpf /sys/fs/bpf
try_mount cgroup2 /sys/fs/cgroup
ip link set lo up 2>/dev/null

. /etc/guest

# Bytes must arrive as they were written: no newline translation, no echo.
for port in $STDOUT $STDERR $REPORT; do stty -F $port raw -echo -opost; done

# Lines "ROWS COLUMNS" from the host follow its window; setting the size raises SIGWINCH in the guest.
follow_window() {
    while read -r rows columns; do stty -F $CONSOLE rows "$rows" cols "$columns"; done <$STDOUT
}

if [ "$GUEST_TTY" = 1 ]; then
    export TERM="$GUEST_TERM"
    stty -F $CONSOLE sane rows "$GUEST_ROWS" cols "$GUEST_COLUMNS"
    follow_window &
    # When the first process of a session ends, its terminal hangs up and drops what it has not sent: stty waits until
    # all has left.
    setsid -c sh -c "sh /etc/command; code=\$?; stty -F $CONSOLE sane; exit \$code" <$CONSOLE >$CONSOLE 2>&1
else
    # Told in the log: a guest that died before was none of the command's doing.
    echo "guest: the command starts" >$CONSOLE
    sh /etc/command </dev/null >$STDOUT 2>$STDERR
fi
code=$?

# stty waits until all output has left the port, even where something in the background still holds it open.
for port in $CONSOLE $STDOUT $STDERR; do stty -F $port -echo; done

# Through a disk where the kernel has its driver: a serial port moves less than 100 KB/s. The driver is loaded only now,
# so that the command does not see it.
send_out() {
    if [ "$GUEST_OUT" != 1 ]; then echo none; return; fi
    modprobe -q virtio_pci
    modprobe -q virtio_blk
    if [ -b /dev/vda ]; then
        tar -c -f /dev/vda -C /out . && echo disk
    else
        echo serial && tar -c -f - -C /out .
    fi
}
{ echo "exit $code"; send_out && echo done; } >$REPORT 2>$STDERR

# The last words of the kernel are not the command's.
echo 0 >/proc/sys/kernel/printk
poweroff -f
