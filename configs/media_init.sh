#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# First process of a guest with media devices, from the image that configs/guest-image makes: loads
# the drivers, then runs /job if there is one, or a shell on the kernel's console; then powers off.
export PATH=/bin HOME=/root TERM=linux
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs dev /dev
busybox --install -s /bin
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts

for module in /modules/*.ko; do
	insmod "$module" || echo "media_init: $module did not load"
done
# hvc0, if it is the console, has come with its driver
exec </dev/console >/dev/console 2>&1
dmesg -n 1

if [ -x /job ]; then
	/job
	echo "media_init: the job ended with $?"
else
	ls /dev/video* /dev/vbi* /dev/radio* /dev/swradio* /dev/v4l-touch* 2>/dev/null
	setsid cttyhack /bin/sh
fi
sync
stty opost 2>/dev/null # until the console has what was printed
poweroff -f
sleep 1000000
