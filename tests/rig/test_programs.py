#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
Programs that people use, in a guest with nodes of the emulated host by --media: v4l2-ctl, ffmpeg,
GStreamer, and programs of 32 bits. Each does the same on the host and in the guest; the guest's
frames must be the host's, byte by byte: of a picture that stands still, of a codec's work.

    test_programs.py "" [TEXT]    only the cases with TEXT in their names
"""
import dataclasses
import os
import subprocess
import sys

import hosted
import media_modules
import programs_image
from disk_guest import SCRATCH, SECTOR
from tap import Failure, expect
from test_compliance import DECODER, ENCODER, Host, MediaGuest, nodes_of_host

CAMERA, PLANES = "vivid-000-vid-cap", "vivid-001-vid-cap"
NODES = (CAMERA, PLANES, ENCODER, DECODER)

# The root of the programs: on the host, and in the guest.
ROOT = SCRATCH / "programs"
ENVIRONMENT = ("HOME=/tmp", "GST_PLUGIN_SYSTEM_PATH=/lib/gstreamer-1.0",
               "GST_REGISTRY=/tmp/registry", "GST_REGISTRY_FORK=no")
PROGRAM_SECONDS = 300

FRAMES = 5
WIDTH, HEIGHT = 320, 180
SIZE = f"{WIDTH}x{HEIGHT}"
FRAME_BYTES = WIDTH * HEIGHT * 2  # YUYV

# What the node is set to in between, so that a program sets the format itself.
OTHER_FORMAT = "--set-fmt-video=width=640,height=360,pixelformat=NV12"
STILL = "--set-ctrl=osd_text_mode=2,horizontal_movement=3,vertical_movement=3"

CODEC_FRAMES = 10
CODEC_WIDTH, CODEC_HEIGHT = 640, 480
CODEC_BYTES = CODEC_WIDTH * CODEC_HEIGHT * 3 // 2  # YU12
RAW = SCRATCH / "raw"


@dataclasses.dataclass(frozen=True)
class Capture:
    """How a program captures FRAMES frames of CAMERA as YUYV; {node} and {file} are put in."""
    title: str
    command: str

    def words(self, node):
        return self.command.format(node=node, file="/tmp/frames", frames=FRAMES, size=SIZE,
                                   width=WIDTH, height=HEIGHT)


V4L2_CTL = ("v4l2-ctl -d {node} --set-fmt-video=width={width},height={height},pixelformat=YUYV "
            "--stream-count={frames} --stream-to={file} ")
FFMPEG = ("ffmpeg -nostdin -loglevel error -f v4l2 -input_format yuyv422 -video_size {size} "
          "-i {node} -frames:v {frames} -c:v copy -f rawvideo -y {file}")
GSTREAMER = ("gst-launch-1.0 -q v4l2src device={node} num-buffers={frames} io-mode=%s ! "
             "video/x-raw,format=YUY2,width={width},height={height} ! %sfilesink location={file}")
# Only an element behind the source can have memory for it; this one changes the order of bytes.
CONVERT = "videoconvert ! video/x-raw,format=UYVY ! "
CAPTURES = (
    Capture("v4l2-ctl, MMAP", V4L2_CTL + "--stream-mmap"),
    Capture("v4l2-ctl, USERPTR", V4L2_CTL + "--stream-user"),
    Capture("ffmpeg", FFMPEG),
    Capture("GStreamer", GSTREAMER % ("auto", "")),
    Capture("GStreamer, MMAP", GSTREAMER % ("mmap", "")),
    Capture("GStreamer, USERPTR", GSTREAMER % ("userptr", CONVERT)),
)

# Programs of tests/guest_media; the first is of 64 bits and runs on the host.
REFERENCE = "capture"
SMALL = ("capture32", "capture32-time64")
STATIC = (REFERENCE, *SMALL)

ENCODE = (f"v4l2-ctl -d {{node}} --set-fmt-video-out=width={CODEC_WIDTH},height={CODEC_HEIGHT},"
          "pixelformat=YU12 --stream-{memory} --stream-out-{memory} --stream-from=/tmp/raw "
          "--stream-to-hdr=/tmp/coded")
DECODE = ("v4l2-ctl -d {node} --stream-{memory} --stream-out-{memory} "
          "--stream-from-hdr=/tmp/coded --stream-to=/tmp/frames")


class Side:
    """
    Where programs run: the host, or the guest. @run: runs a command of the shell, which must
    succeed, and returns its output. @nodes: paths by name.
    """

    def __init__(self, run, nodes):
        self.run = run
        self.nodes = nodes

    def mount(self, image):
        """@image: what to mount, with options for mount(8)."""
        self.run(f"mkdir -p {ROOT} && mount -t ext4 {image} {ROOT} && "
                 f"mount -t tmpfs tmpfs {ROOT}/tmp && for name in dev proc sys; do "
                 f"mount -o bind /$name {ROOT}/$name || exit; done")

    def program(self, words):
        """Run a program of the image. Return: what it said."""
        return self.run(f"env {' '.join(ENVIRONMENT)} chroot {ROOT} /bin/{words} 2>&1")

    def digest(self, name):
        """Of a file that a program has written. Return: its size and its checksum."""
        path = ROOT / "tmp" / name
        size, checksum = self.run(f"stat -c %s {path} && sha256sum <{path}").split()[:2]
        return int(size), checksum

    def capture(self, how):
        """Return: digest() of the frames."""
        self.run(f"rm -f {ROOT}/tmp/frames")
        self.program(how.words(self.nodes[CAMERA]))
        return self.digest("frames")

    def small(self, program, name, pixelformat, memory):
        """Run a program of tests/guest_media. Return: what it said, and digest()."""
        self.run(f"rm -f {ROOT}/tmp/frames")
        said = self.program(f"{program} {self.nodes[name]} {pixelformat} {SIZE} {FRAMES} "
                            f"{memory} /tmp/frames")
        return said, self.digest("frames")

    def transform(self, command, name, result, memory):
        """Let v4l2-ctl code. Return: digest() of the @result."""
        self.run(f"rm -f {ROOT}/tmp/{result}")
        self.program(command.format(node=self.nodes[name], memory=memory))
        return self.digest(result)


def run_on_host(command):
    done = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          errors="replace", timeout=PROGRAM_SECONDS)
    if done.returncode:
        raise Failure(f'"{command}" on the host: {done.returncode}: {done.stdout[-2000:]}')
    return done.stdout.rstrip("\n")


class Guest(MediaGuest):
    """Programs compare a frame's time with what their own clock says."""

    def words(self, log):
        return [f"{word},timestamps=guest" if word.startswith("path=") else word
                for word in super().words(log)]


class Programs:
    """The cases. Host and guest are made at the first."""

    def __init__(self, work):
        self.work = work
        self.host = self.guest = self.machine = self.problem = None

    def ready(self):
        """Host and guest are there; if that failed once, nothing else can be tried."""
        if self.problem:
            raise Failure("there is no guest to try it in")
        if not self.guest:
            try:
                self.make()
            except BaseException as problem:
                self.problem = problem
                raise

    def make(self):
        Host(self.work, ()).load()
        self.host = Side(run_on_host, nodes_of_host())
        run_on_host("modprobe loop")
        self.host.mount(f"-o loop,ro {self.work['image']}")
        self.make_pictures()
        self.start_guest()

    def make_pictures(self):
        """Frames for the codec that are different from each other; then a still picture."""
        node = self.host.nodes[CAMERA]
        moving = STILL.replace("horizontal_movement=3", "horizontal_movement=6")
        self.host.program(f"v4l2-ctl -d {node} --set-input=0 {moving}")
        self.host.program(
            f"v4l2-ctl -d {node} --set-fmt-video=width={CODEC_WIDTH},height={CODEC_HEIGHT},"
            f"pixelformat=YU12 --stream-mmap --stream-count={CODEC_FRAMES} --stream-to=/tmp/raw")
        for name in CAMERA, PLANES:
            self.host.program(f"v4l2-ctl -d {self.host.nodes[name]} --set-input=0 {STILL}")
        raw = (ROOT / "tmp/raw").read_bytes()
        frames = {raw[i:i + CODEC_BYTES] for i in range(0, len(raw), CODEC_BYTES)}
        expect(len(raw) == CODEC_FRAMES * CODEC_BYTES and len(frames) == CODEC_FRAMES,
               f"{len(raw)} bytes, {len(frames)} different frames for the codec")
        RAW.write_bytes(raw)
        os.truncate(RAW, -(-len(raw) // SECTOR) * SECTOR)

    def start_guest(self):
        options = ["--disk", f"{self.work['image']},readonly", "--disk", f"{RAW},readonly"]
        self.machine = Guest(self.work["guest"], NODES, options)
        self.machine.start()
        shell = self.machine.shell
        self.guest = Side(lambda command: shell.run(command, PROGRAM_SECONDS), self.machine.paths)
        self.guest.mount("-o ro /dev/vda")
        shell.run(f"head -c {CODEC_FRAMES * CODEC_BYTES} /dev/vdb >{ROOT}/tmp/raw")

    def forget_format(self):
        self.host.program(f"v4l2-ctl -d {self.host.nodes[CAMERA]} {OTHER_FORMAT}")

    def capture(self, how):
        """One program, one way of streaming."""
        self.forget_format()
        of_host = self.host.capture(how)
        self.check_still(how)
        self.forget_format()
        of_guest = self.guest.capture(how)
        expect(of_guest == of_host, f"frames of the guest (size, checksum) {of_guest}, "
               f"of the host {of_host}")

    def check_still(self, how):
        """What the host has captured is FRAMES times one picture, and no grey one."""
        data = (ROOT / "tmp/frames").read_bytes()
        frame = data[:FRAME_BYTES]
        expect(data == frame * FRAMES and len(set(frame)) > 8,
               f"{how.title} captures {len(data)} bytes on the host, and no still picture")

    def small(self, program, name, pixelformat, memory):
        """A program of 32 bits in the guest, that of 64 bits on the host."""
        said = self.host.small(REFERENCE, name, pixelformat, memory)
        small = self.guest.small(program, name, pixelformat, memory)
        differ = [f"{left} | {right}" for left, right in
                  zip(said[0].splitlines(), small[0].splitlines()) if left != right]
        expect(said[0].count("bytes, sum") > FRAMES, f"on the host it says: {said[0]}")
        expect(small == said, "host | guest:\n" + "\n".join(differ[:20])
               + f"\n{said[1]} | {small[1]}")

    def transform(self, memory):
        """Encode, then decode what came of it."""
        for command, name, result in ((ENCODE, ENCODER, "coded"), (DECODE, DECODER, "frames")):
            of_host = self.host.transform(command, name, result, memory)
            of_guest = self.guest.transform(command, name, result, memory)
            expect(of_guest == of_host, f"{name}: size and checksum in the guest {of_guest}, "
                   f"on the host {of_host}")
        expect(of_host[0] == CODEC_FRAMES * CODEC_BYTES,
               f"{of_host[0]} bytes of {CODEC_FRAMES} decoded frames")

    def end(self):
        """Nothing is wrong with the guest's kernel, and it ends."""
        complaints = self.machine.kernel_complaints()
        expect(not complaints, f"the guest's kernel: {complaints}")
        expect(self.machine.shell.power_off() == hosted.POWER_OFF, "the guest did not power off")


def cases(work):
    """Pairs of name and function, as tap.run() takes them."""
    programs = Programs(work)

    def case(function, *arguments):
        def run():
            programs.ready()
            function(*arguments)
        return run

    found = [(how.title, case(programs.capture, how)) for how in CAPTURES]
    for program in SMALL:
        for name, pixelformat, memory in ((CAMERA, "YUYV", "mmap"), (CAMERA, "YUYV", "userptr"),
                                          (PLANES, "NM12", "mmap"), (PLANES, "NM12", "userptr")):
            found.append((f"{program}, {pixelformat}, {memory}",
                          case(programs.small, program, name, pixelformat, memory)))
    for memory in "mmap", "user":
        found.append((f"codec, {memory}", case(programs.transform, memory)))
    return [*found, ("the guest ends", case(programs.end))]


def prepare(archive, _):
    """What the emulated host needs to know, as JSON takes it."""
    folder = hosted.vmm_path().parent.parent / "tests/guest_media"
    guest_kernel, initramfs = programs_image.guest(archive, "6.12")
    return {
        "guest": {"bzImage": str(guest_kernel.image), "initramfs": str(initramfs)},
        "image": str(programs_image.build(archive, [folder / name for name in STATIC])),
        "modules": [str(path) for path in media_modules.modules(archive)],
        "tools": "",  # those of the image
    }


if __name__ == "__main__":
    sys.exit(hosted.main(__file__, prepare, cases))
