# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# ./demo and ./demo --test-camera, sourced by it: a Debian guest captures frames of a camera; one of
# them becomes demo-out/frame.png, all of them figures.
#
# The camera is the host's first, or the kernel's virtual one in an emulated host (PROBLEM says why
# there), or with --test-camera the synthetic one of vmm itself.

# More than any frame of demo_job.sh has; in whole sectors.
frame_room=4M

# PROBLEM CAMERA: CAMERA is a value for --media.
demo_camera() {
	problem=$1 camera=$2
	out=$PWD/demo-out
	mkdir -p "$out"
	rm -f "$out"/*

	say "Fetching a kernel and building the guest's driver for it, if that is not done yet"
	kernel=$(configs/guest-image --debian 6.12 --job scripts/demo_job.sh \
		--program build/tests/stamp_offset/stamp_offset "$out/guest.cpio")
	truncate -s $frame_room "$out/frame.raw"

	set -- build/vmm/vmm --kernel "$kernel" --initramfs "$out/guest.cpio" --memory 512M \
		--cmdline "console=ttyS0 console=hvc0 quiet panic=-1" \
		--serial "file=$out/serial.log" --console stdio \
		--disk "$out/frame.raw" --media "$camera,timestamps=guest"
	if [ "$problem" ]; then
		say "Booting in an emulated host, because $problem; this takes about a minute"
		set -- tests/rig/rig --share "$out" --modules "vivid node_types=0x1" -- "$@"
	else
		say "Booting on this machine's KVM"
	fi
	echo "   $*"
	code=0
	"$@" </dev/null >"$out/guest.log" || code=$?
	if [ $code != 0 ]; then
		cat "$out/guest.log" >&2
		die "vmm ended with exit code $code instead of 0"
	fi
	say "What the guest has seen"
	scripts/demo_report.py "$out/guest.log" "$out/frame.raw" "$out/frame.png"
}
