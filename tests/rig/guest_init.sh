#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# The first process of a test guest. It says on the console what the kernel found, then does what
# the kernel's command line asks for:
#   vmm.run=shell		an interactive shell (also when nothing is asked for)
#   vmm.run=poweroff	power off, as a user would
#   vmm.run=reboot		reboot
#   vmm.run=triplefault	reboot by a triple fault
#   vmm.run=panic		crash the kernel
#   vmm.run=powerbutton	wait for the power button, then power off
echo 'vmm-guest: init runs'
export PATH=/bin HOME=/root TERM=linux
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs dev /dev

# Sum of the ranges "START-END : System RAM", in KiB.
memory_kib() {
	bytes=0
	while read -r range _ kind; do
		[ "$kind" = "System RAM" ] || continue
		bytes=$((bytes + 0x${range#*-} - 0x${range%-*} + 1))
	done </proc/iomem
	echo $((bytes / 1024))
}

memtotal_kib() {
	read -r _ kib _ </proc/meminfo
	echo "$kib"
}

load_modules() {
	for module in /modules/*.ko; do
		busybox insmod "$module" || echo "vmm-guest: $module did not load"
	done
}

# An input device named "Power Button" has only one key.
wait_for_power_button() {
	for device in /sys/class/input/event*; do
		read -r name <"$device/device/name"
		[ "$name" = "Power Button" ] || continue
		# Only what happens while the device is open can be read from it.
		exec 3<"/dev/input/${device##*/}"
		echo "vmm-guest: waiting for the power button"
		busybox dd of=/dev/null bs=24 count=1 <&3 2>/dev/null
		echo "vmm-guest: power button pressed"
		return
	done
	echo "vmm-guest: there is no power button"
	busybox sleep 1000000
}

# By loading its driver a disk appears, at some later moment.
wait_for_disk() {
	until [ -b /dev/vda ]; do
		busybox sleep 0.1
	done
}

enter_root() {
	load_modules
	wait_for_disk
	# a console that a module drives is there only now
	exec </dev/console >/dev/console 2>&1
	busybox mkdir /new
	if ! busybox mount -t ext4 /dev/vda /new; then
		echo "vmm-guest: /dev/vda cannot be mounted"
		return
	fi
	for folder in proc sys dev; do
		busybox mount --move /$folder /new/$folder
	done
	exec busybox switch_root /new /sbin/init
}

echo "vmm-guest: init reached cpus=$(busybox nproc) memory_kib=$(memory_kib)" \
	"memtotal_kib=$(memtotal_kib) kernel=$(busybox uname -r)"

# Until the console has it: what a reset finds in the tty's buffer is lost.
busybox stty opost 2>/dev/null

run=shell
read -r cmdline </proc/cmdline
for word in $cmdline; do
	case $word in
	vmm.run=*) run=${word#vmm.run=} ;;
	esac
done

case $run in
poweroff)
	busybox poweroff -f
	;;
reboot)
	busybox reboot -f
	;;
triplefault)
	echo triple >/sys/kernel/reboot/type
	busybox reboot -f
	;;
panic)
	load_modules
	echo c >/proc/sysrq-trigger
	;;
powerbutton)
	load_modules
	wait_for_power_button
	busybox poweroff -f
	;;
root)
	enter_root
	;;
shell)
	load_modules
	busybox --install -s /bin
	busybox mkdir -p /dev/pts
	busybox mount -t devpts devpts /dev/pts
	busybox setsid busybox cttyhack /bin/sh
	busybox poweroff -f
	;;
*)
	echo "vmm-guest: vmm.run=$run is unknown"
	busybox poweroff -f
	;;
esac
busybox sleep 1000000
