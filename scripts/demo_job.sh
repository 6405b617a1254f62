#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# What the guest of ./demo does, as its /job: streams from its camera to measure, then brings one
# frame out on the disk /dev/vda. scripts/demo_report.py reads what this prints.
device=/dev/video0
frames=60
skip=10 # a real camera needs some to find its exposure

die() {
	echo "demo: failed: $*"
	exit 1
}

[ -c $device ] || die "there is no $device"
formats=$(v4l2-ctl -d $device --list-formats)
for format in YUYV NV12 RGB3 MJPG GREY; do # what demo_report.py can read
	case $formats in
	*"'$format'"*) break ;;
	esac
done
v4l2-ctl -d $device --set-fmt-video="width=640,height=480,pixelformat=$format" ||
	die "no format was accepted"
v4l2-ctl -d $device --info | sed -n 's/.*Card type *: /demo: card /p'
v4l2-ctl -d $device --get-fmt-video | sed -n "s/^[\t ]*/demo: format /p"
# else the kernel's virtual camera stamps a frame with a time to come; others have no such control
v4l2-ctl -d $device --set-ctrl=timestamp_source=1 >/dev/null 2>&1
stamp_offset $device | sed 's/^/demo: clock /'
v4l2-ctl -d $device --stream-mmap=4 --stream-count=$frames --verbose --stream-show-delta-now 2>&1 |
	sed -n 's/.*\(cap dqbuf\)/demo: \1/p'
v4l2-ctl -d $device --stream-mmap=4 --stream-skip=$skip --stream-count=1 \
	--stream-to=/tmp/frame >/dev/null 2>&1 || die "no frame came"
echo "demo: frame of $(stat -c %s /tmp/frame) bytes"
cat /tmp/frame >/dev/vda
