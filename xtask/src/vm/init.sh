#!/bin/busybox sh
# Process 1 of a guest. /etc/guest has its settings (see initramfs.rs), /etc/command the command.
# Serial ports: the console, the command's stdout, its stderr, and the report ("exit CODE", how /out goes back, "done").
# The ends of the last three are confirmed by the host (handshake.rs).
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root LANG=C.UTF-8

# The commands of a busybox of another architecture were not known when this file system was made.
[ -e /bin/mount ] || /bin/busybox --install -s

# Not every kernel has all of these.
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

# Kept open: the last close of a port discards what is unsent after 30 s of the guest's clock, which pass at once when
# instructions are counted.
exec 3>$STDOUT 4>$STDERR 5>$REPORT
# No newline translation, no echo.
for port in $STDOUT $STDERR $REPORT; do stty -F $port raw -echo -opost; done

# Lines "ROWS COLUMNS" from the host follow its window; setting the size raises SIGWINCH in the guest.
follow_window() {
    while read -r rows columns; do stty -F $CONSOLE rows "$rows" cols "$columns"; done <$STDOUT
}

if [ "$GUEST_TTY" = 1 ]; then
    export TERM="$GUEST_TERM"
    stty -F $CONSOLE sane rows "$GUEST_ROWS" cols "$GUEST_COLUMNS"
    follow_window &
    # When the first process of a session ends, its terminal hangs up and discards unsent output: stty waits until all of
    # it is sent.
    setsid -c sh -c "sh /etc/command; code=\$?; stty -F $CONSOLE sane; exit \$code" <$CONSOLE >$CONSOLE 2>&1 3>&- 4>&- 5>&-
else
    # A guest that dies before this line is in the log was not killed by the command.
    echo "guest: the command starts" >$CONSOLE
    sh /etc/command </dev/null >&3 2>&4 3>&- 4>&- 5>&-
fi
code=$?

# stty waits until all output is sent.
stty -F $CONSOLE -echo

# /out goes through a disk if the kernel has the driver, since a serial port moves less than 100 KB/s. The driver is loaded
# only now, so that the command runs without it.
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
{ echo "exit $code"; send_out; } >&5 2>&4 && {
    printf '\004' >&3
    printf '\004' >&4
    echo done >&5
    read -r confirmation <$REPORT
}

# Kernel messages of the shutdown do not belong to the command's output.
echo 0 >/proc/sys/kernel/printk
poweroff -f
