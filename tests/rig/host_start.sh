#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# First process of the emulated host once its root is in place: readies the host, runs the command
# and reports. /run/rig is shared with rig.py: it left "settings" (read here) and "command" (run
# here) in it; this script answers with "started", then "out", "err" and "exit", or with "failed"
# and a sentence.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LANG=C.UTF-8
cd /run/rig || exit
. ./settings

# Tell rig.py: it sees a file whole or not at all.
report() {
	echo "$2" >"$1.new"
	mv "$1.new" "$1"
}

end() {
	report "$1" "$2"
	echo o >/proc/sysrq-trigger
	sleep 1000
}

try() {
	said=$("$@" 2>&1) || end failed "$*: $said"
}

# Shows rig.py that processes still run here.
beat() {
	while cat /proc/uptime >alive; do
		sleep 5
	done
}

mkdir -p /dev/pts /dev/shm /lib/modules
try mount -t devpts devpts /dev/pts
try mount -t tmpfs tmpfs /dev/shm
ln -sf /proc/self/fd /dev/fd
ln -sf pts/ptmx /dev/ptmx
try mount --bind "$modules_folder" /lib/modules
try modprobe kvm-amd nested=0
[ -c /dev/kvm ] || end failed "kvm-amd loaded, but there is no /dev/kvm"
load_modules
mount_shares
mount -t configfs configfs /sys/kernel/config 2>/dev/null

[ "$heartbeat" = no ] || beat &

if [ "$interactive" = yes ]; then
	export TERM="$terminal"
	exec 3<>/dev/ttyS1 # as long as it is open it keeps its size
	try stty -F /dev/ttyS1 sane rows "$rows" columns "$columns"
	report started
	(exec setsid -c -w sh ./command <&3 >&3 2>&3 3>&-)
	code=$?
else
	export TERM=dumb
	mkfifo /run/rig-out /run/rig-err
	{ cat </run/rig-out >out; : >/run/rig-out-done; } &
	{ cat </run/rig-err >err; : >/run/rig-err-done; } &
	report started
	# In a subshell, so that what this shell says about its end stays out of the output.
	(exec sh ./command </dev/null >/run/rig-out 2>/run/rig-err)
	code=$?
	# What the command left running may hold the pipes open: do not wait for that.
	tries=0
	until [ -e /run/rig-out-done ] && [ -e /run/rig-err-done ] || [ $tries = 20 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
fi
end exit "$code"
