#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# First process of the emulated host, from its initramfs: puts the root together (the machine's
# own file system, read-only by 9p, under a tmpfs that takes what is written) and goes on there
# with host_start.sh. What fails is told on the kernel's console; then the emulated host ends.
export PATH=/bin
options=trans=virtio,version=9p2000.L,msize=512000

busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs dev /dev

try() {
	"$@" && return
	echo "rig: in the initramfs: $* failed"
	echo o >/proc/sysrq-trigger
	busybox sleep 1000
}

for module in /modules/*.ko; do
	try busybox insmod "$module"
done

# Both layers of the overlay stay reachable for as long as it is mounted.
try busybox mkdir /lower /upper
try busybox mount -t 9p -o "$options,ro,cache=loose" root /lower
try busybox mount -t tmpfs tmpfs /upper
try busybox mkdir /upper/data /upper/work
try busybox mount -t overlay \
	-o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work overlay /root

try busybox mkdir -p /root/proc /root/sys /root/dev /root/run/rig
try busybox mount -t 9p -o "$options" run /root/run/rig
for folder in proc sys dev; do
	try busybox mount --move /$folder /root/$folder
done
exec busybox switch_root /root /bin/sh /run/rig/start
