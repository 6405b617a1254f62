#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# First process of a guest whose root is on a disk (see guest_root.py), once the initramfs has
# mounted it (see guest_init.sh): a shell on the kernel's console.
export PATH=/bin:/sbin HOME=/root TERM=linux
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
dmesg -n 1
echo "vmm-guest: root is on disk"
setsid cttyhack /bin/sh
poweroff -f
