# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# ./demo --shell, sourced by it: boots an unmodified Debian kernel to a shell on a terminal, else to
# the line that init prints.

# PROBLEM: why KVM cannot run a kernel here, or nothing.
demo_shell() {
	problem=$1
	say "Fetching a kernel, if there is none yet"
	guest=$(tests/rig/rig --guest 6.12-cloud)
	kernel=$(echo "$guest" | sed -n 1p)
	initramfs=$(echo "$guest" | sed -n 2p)

	if [ -t 0 ] && [ -t 1 ]; then
		run=shell rig='--interactive --timeout 0'
	else
		run=poweroff rig=
	fi
	set -- build/vmm/vmm --kernel "$kernel" --initramfs "$initramfs" --cpus 2 --memory 256M \
		--cmdline "console=ttyS0 quiet panic=-1 vmm.run=$run"
	if [ "$problem" ]; then
		say "Booting in an emulated host, because $problem; this takes about half a minute"
		# shellcheck disable=SC2086 # options
		set -- tests/rig/rig $rig -- "$@"
	else
		say "Booting on this machine's KVM"
	fi
	echo "   $*"
	if [ $run = shell ]; then
		say "A shell will appear. Ctrl-A x ends the machine; so does: poweroff -f"
		exec "$@"
	fi

	output=build/demo.log
	code=0
	"$@" </dev/null >$output || code=$?
	cat $output
	[ $code = 0 ] || die "vmm ended with exit code $code instead of 0"
	grep -q '^vmm-guest: init reached' $output || die "the guest did not reach its init"
	say "The guest reached its init and powered off"
}
