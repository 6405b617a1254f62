#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
The media device over real V4L2 nodes: those of the kernel's virtual drivers, on an emulated host.
No guest: tests/media_host drives the device as a guest's driver would (see main.c there). What it
finds is compared with what a plain V4L2 program finds with the same settings.

    test_media.py "" [TEXT]    only the cases with TEXT in their names

Time there is the number of executed instructions, so that no load of this machine makes a frame
late. With VMM_LONG set in the environment (./check --long), more frames.
"""
import collections
import filecmp
import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys

import hosted
import media_modules
from hosted import is_long
from tap import Failure, expect

SCRATCH = pathlib.Path("/tmp/vmm-media")  # in the emulated host's memory
SYSFS = pathlib.Path("/sys/class/video4linux")
UNBIND = "/sys/bus/platform/drivers/vivid/unbind"

# V4L2_BUF_TYPE_
(CAPTURE, OUTPUT, VBI_CAPTURE, VBI_OUTPUT, SLICED_CAPTURE, SLICED_OUTPUT) = 1, 2, 4, 5, 6, 7
CAPTURE_MP, OUTPUT_MP, SDR_CAPTURE, META_CAPTURE, META_OUTPUT = 9, 10, 11, 13, 14

# A picture that stands still, and one of which no two frames are the same.
WEBCAM, S_VIDEO = ("--input", "0"), ("--input", "2")
STILL = ("--set", "OSD Text Mode=2")
MOVING = (*STILL, "--set", "Horizontal Movement=6", "--moves")

# How vivid is loaded: by planes of its formats, and by its two allocators.
SINGLE, MULTI = "multiplanar=1", "multiplanar=2"
ALLOCATORS = {"vmalloc": "allocators=0", "contiguous": "allocators=1"}

# vivid's pictures: title, planes, type, options.
PICTURES = (
    ("YUYV", SINGLE, CAPTURE, ("--format", "YUYV", "--size", "640x360")),
    ("BGR3", SINGLE, CAPTURE, ("--format", "BGR3", "--size", "320x180")),
    ("NV12", SINGLE, CAPTURE, ("--format", "NV12", "--size", "320x180")),
    ("multi-planar YUYV", MULTI, CAPTURE_MP, ("--format", "YUYV", "--size", "640x360")),
    ("multi-planar NM12", MULTI, CAPTURE_MP, ("--format", "NM12", "--size", "320x180")),
    ("multi-planar YM12", MULTI, CAPTURE_MP, ("--format", "YM12", "--size", "320x180")),
)

# What else can be captured: title, node, type, options; can two runs be compared?
SIGNALS = (
    ("VBI", "vbi-cap", VBI_CAPTURE, S_VIDEO, True),
    ("sliced VBI", "vbi-cap", SLICED_CAPTURE, S_VIDEO, True),
    ("SDR", "sdr-cap", SDR_CAPTURE, (), True),
    # of random numbers, and of the time
    ("touch", "touch-cap", CAPTURE, (), False),
    ("metadata", "meta-cap", META_CAPTURE, (), False),
)

# title, planes, node, type, options
OUTPUTS = (
    ("video", SINGLE, "vid-out", OUTPUT, ("--format", "YUYV")),
    ("multi-planar video", MULTI, "vid-out", OUTPUT_MP, ("--format", "NM12")),
    ("VBI", SINGLE, "vbi-out", VBI_OUTPUT, ()),
    ("sliced VBI", SINGLE, "vbi-out", SLICED_OUTPUT, ()),
    ("metadata", SINGLE, "meta-out", META_OUTPUT, ()),
)

VIVID_NODES = ("vid-cap", "vid-out", "vbi-cap", "vbi-out", "rad-rx", "rad-tx", "sdr-cap",
               "meta-cap", "meta-out", "touch-cap")

# Nodes at a time, frames of each.
MANY = ((1, 10000), (4, 2000), (16, 500)) if is_long() else ((1, 2000), (4, 400), (16, 100))
TRANSFORMED = 2000 if is_long() else 300

# Of the frames whose system calls are counted; what the start has left takes three seconds to end.
WARM_UP, COUNTED, RATE, BUFFERS = 170, 350, 50, 4

# The device's loop and rings.
DEVICES = {
    "io_uring": (),
    "epoll": ("--loop", "epoll", "--packed"),
}


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


@functools.cache
def program():
    """
    Its path, in memory, as are its libraries from now on: while it waits for a file of this
    machine's, time there would fly, and frames be late.
    """
    SCRATCH.mkdir(exist_ok=True)
    path = pathlib.Path(shutil.copy(built(), SCRATCH))
    libraries = subprocess.run(["ldd", path], stdout=subprocess.PIPE, text=True, check=True)
    for library in re.findall(r"/\S+", libraries.stdout):
        pathlib.Path(library).read_bytes()
    return path


def built():
    return pathlib.Path(os.environ["VMM_BUILD"]) / "tests/media_host/media_host"


def media_host(step, *options):
    """One run of the program. Return: what it said."""
    return run_program([], step, *options)


def run_program(before, step, *options):
    """The same under another program, @before."""
    words = [*map(str, before), str(program()), step, *map(str, options)]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False)
    expect(done.returncode == 0, f"{' '.join(words)}: {done.returncode}: {done.stdout[-1500:]}")
    return done.stdout


def unload(*names):
    """Each of the drivers, if it is there: fails if anybody has one of its nodes open."""
    for name in names:
        if pathlib.Path("/sys/module", name).exists():
            run("rmmod", name)


class Vivid:
    """The driver of cameras and the like, loaded anew: each run finds it in the same state."""

    def __init__(self, *parameters, count=1):
        unload("vivid")
        words = [f"{parameter.partition('=')[0]}="
                 + ",".join([parameter.partition("=")[2]] * count) for parameter in parameters]
        run("modprobe", "vivid", f"n_devs={count}", *words)

    @staticmethod
    def node(name, number=0):
        return node(f"vivid-{number:03}-{name}")


class Codec:
    """vim2m and vicodec, which are built for this."""

    def __init__(self, work, *parameters):
        unload("vicodec", "vim2m", "v4l2_mem2mem")
        for name in media_modules.NEEDS:
            run("modprobe", name)
        for path in work["modules"]:
            is_codec = pathlib.Path(path).stem == "vicodec"
            run("insmod", path, *(parameters if is_codec else ()))

    @staticmethod
    def node(name):
        return node(name)


def node(name):
    found = [path.name for path in SYSFS.iterdir() if (path / "name").read_text().strip() == name]
    expect(len(found) == 1, f"nodes called {name}: {found}")
    return f"/dev/{found[0]}"


def compare(load, name, step, options, device):
    """
    Run @step through a plain program and through the device; @load makes the driver that the node
    @name is of, anew for both. Return: the file with what both have found.
    """
    files = []
    for way in ("--plain",), ("--tap", *device):
        files.append(program().parent / way[0].strip("-"))
        media_host(step, *way, *options, "--out", files[-1], load().node(name))
    expect(files[0].stat().st_size > 0, "there was nothing to compare")
    expect(filecmp.cmp(*files, shallow=False),
           f"what a plain program finds is different: {first_difference(*files)}")
    return files[0]


def first_difference(left, right):
    pairs = zip(left.read_bytes().split(b"\n"), right.read_bytes().split(b"\n"))
    for number, (one, other) in enumerate(pairs, 1):
        if one != other:
            return f"line {number}: {one[:200]} is {other[:200]}"
    return f"{left.stat().st_size} bytes are {right.stat().st_size}"


def picture_cases():
    for allocator, parameter in ALLOCATORS.items():
        for title, planes, kind, options in PICTURES:
            device = DEVICES["epoll" if allocator == "contiguous" else "io_uring"]

            def case(planes=planes, kind=kind, options=options, parameter=parameter,
                     device=device):
                compare(lambda: Vivid(planes, parameter), "vid-cap", "capture",
                        ("--type", kind, *WEBCAM, *STILL, *options), device)
            yield f"pictures, {title}, {allocator}", case


def signal_cases():
    for allocator, parameter in ALLOCATORS.items():
        for title, name, kind, options, is_same in SIGNALS:
            def case(name=name, kind=kind, options=options, is_same=is_same,
                     parameter=parameter):
                load = lambda: Vivid(SINGLE, parameter)  # noqa: E731
                options = ("--type", kind, *options)
                if is_same:
                    compare(load, name, "capture", options, ())
                else:
                    media_host("capture", "--tap", *options, load().node(name))
            yield f"signals, {title}, {allocator}", case


def output_cases():
    for allocator, parameter in ALLOCATORS.items():
        for title, planes, name, kind, options in OUTPUTS:
            def case(planes=planes, name=name, kind=kind, options=options, parameter=parameter):
                media_host("output", "--tap", "--type", kind, *options,
                           Vivid(planes, parameter).node(name))
            yield f"output, {title}, {allocator}", case


def describe(driver, name, *options):
    """Asking changes nothing, so that both ways can ask the same @driver."""
    compare(lambda: driver, name, "describe", options, ())


def description_cases():
    for planes in SINGLE, MULTI:
        for name in VIVID_NODES:
            options = ("--frequency", 100 * 16000) if name.startswith("rad") else ()

            def case(planes=planes, name=name, options=options):
                describe(Vivid(planes), name, *options)
            yield f"description, {name}, {planes}", case


def codec_cases(work):
    picture = ("--size", "640x368")
    for planes, parameter in ("single-planar", "multiplanar=0"), ("multi-planar", "multiplanar=1"):
        def load(parameter=parameter):
            return Codec(work, parameter)

        def encode(load=load, device=DEVICES["io_uring"]):
            found = compare(load, "stateful-encoder", "transform",
                            ("--codec", "encoder", "--format", "YU12", "--to", "FWHT",
                             "--frames", 20, *picture), device)
            return found.rename(SCRATCH / "coded")

        def decode(load=load, encode=encode):
            coded = encode()
            compare(load, "stateful-decoder", "transform",
                    ("--codec", "decoder", "--format", "FWHT", "--in", coded, *picture),
                    DEVICES["epoll"])

        yield f"codec, encoder, {planes}", encode
        yield f"codec, decoder, {planes}", decode
        for name in "stateful-encoder", "stateful-decoder", "stateless-decoder":
            yield (f"description, {name}, {planes}",
                   lambda name=name, load=load: describe(load(), name))

    yield "description, vim2m", lambda: describe(Codec(work), "vim2m")
    for name, device in DEVICES.items():
        def transform(device=device):
            compare(lambda: Codec(work), "vim2m", "transform",
                    ("--format", "RGB3", "--to", "RGB3", "--size", "64x64", "--frames",
                     TRANSFORMED), device)
        yield f"memory to memory, {TRANSFORMED} frames, {name}", transform


def many_cases():
    for name, device in DEVICES.items():
        for nodes, frames in MANY:
            def case(nodes=nodes, frames=frames, device=device):
                vivid = Vivid(SINGLE, count=nodes)
                said = media_host(
                    "soak", "--tap", *device, "--type", CAPTURE, "--frames", frames,
                    "--buffers", 8, *WEBCAM, *MOVING, "--format", "GREY", "--size", "320x180",
                    "--rate", 50,
                    *(vivid.node("vid-cap", number) for number in range(nodes)))
                dropped = [int(number) for number in re.findall(r"(\d+) were dropped", said)]
                expect(len(dropped) == nodes, said)
                # by the host, which says so; not by us
                print(f"# dropped by the host: {dropped}", flush=True)
            yield f"{nodes} at a time, {frames} frames each, {name}", case


def calls_of_threads(log):
    """By the names of threads, "" for those without: rows of time and call, as strace -ff -ttt."""
    found = collections.defaultdict(list)
    for path in log.parent.glob(log.name + ".*"):
        rows = [line.split(maxsplit=1) for line in path.read_text().splitlines()]
        rows = [(float(time), call) for time, call in rows if not call.startswith("---")]
        name = next((match[1] for _, call in rows
                     if (match := re.match(r'prctl\(PR_SET_NAME, "([^"]*)"', call))), "")
        found[name] += rows
    return found


def calls_of_frames():
    """
    The system calls of vmm's threads while frames pass, and nothing else happens. Return: how often
    each is made by the device's thread, and by all others of the device; how many frames passed,
    and the seconds that they took.
    """
    log = program().parent / "calls"
    run_program(["strace", "-ff", "-ttt", "-o", log], "measure", "--packed", "--type", CAPTURE,
                *WEBCAM, *STILL, "--format", "YUYV", "--size", "640x360", "--buffers", BUFFERS,
                "--rate", RATE, "--frames", COUNTED, Vivid(SINGLE).node("vid-cap"))
    threads = calls_of_threads(log)
    device = threads.pop("device")
    frames = [number for number, (_, call) in enumerate(device)
              if "VIDIOC_DQBUF" in call and call.endswith(" = 0")]
    # before that it begins, and after the last it ends
    first, last = frames[WARM_UP], frames[-1]
    begin, end = device[first][0], device[last][0]
    others = [call for name, rows in threads.items() if name.startswith("media")
              for time, call in rows if begin <= time < end]

    def count(calls):
        return collections.Counter(call.partition("(")[0] for call in calls)

    return (count(call for _, call in device[first:last]), count(others),
            len(frames) - 1 - WARM_UP, end - begin)


def check_calls(names, others, frames, seconds):
    """As calls_of_frames() returns them: nothing but what the frames need, and the guard's looks."""
    expect(frames > COUNTED / 3, f"only {frames} frames: {names}")
    for name in "ioctl", "io_uring_enter":
        # buffers may be queued again late at the one end, and early at the other
        expect(names[name] <= 2 * frames + BUFFERS,
               f"{name} {names[name]} times for {frames} frames")
        del names[name]
    expect(not names, f"other system calls while {frames} frames passed: {dict(names)}")
    # the guard against calls that hang looks twice a second
    expect(set(others) == {"futex"} and others["futex"] <= 2 * seconds + 2,
           f"calls of other threads in {seconds:.1f} s: {dict(others)}")


def frame_needs_two_ioctls_and_two_enters():
    """Once in three times: for half a second without a frame the guard asks what is going on."""
    for tries_left in reversed(range(3)):
        names, others, frames, seconds = calls_of_frames()
        print(f"# {frames} frames in {seconds:.1f} s: {dict(names)}; other threads: "
              f"{dict(others)}", flush=True)
        try:
            check_calls(names, others, frames, seconds)
            return
        except Failure:
            if not tries_left:
                raise


def cost_does_not_depend_on_size():
    def cost(size):
        said = media_host("measure", "--packed", "--shm", 256, "--type", CAPTURE, *WEBCAM, *STILL,
                          "--format", "YUYV", "--size", size, "--rate", 10, "--frames", 100,
                          Vivid(SINGLE).node("vid-cap"))
        return int(re.search(r": (\d+) ns", said)[1])

    small, large = cost("640x480"), cost("3840x2160")
    expect(abs(large - small) < 0.02 * small,
           f"{small} instructions for a frame of 640x480, {large} for one of 3840x2160")


def cost_cases():
    for function in frame_needs_two_ioctls_and_two_enters, cost_does_not_depend_on_size:
        yield f"cost, {function.__name__}", function


def unplug_cases(work):
    for name, device in DEVICES.items():
        for allocator, parameter in ALLOCATORS.items():
            def case(parameter=parameter, device=device):
                nodes = [Vivid(SINGLE, parameter).node("vid-cap"), Codec(work).node("vim2m")]
                media_host("unplug", *device, "--type", CAPTURE, *WEBCAM, "--format", "YUYV",
                           "--size", "320x180", "--rate", 30, "--unbind", f"{UNBIND}=vivid.0",
                           *nodes)
                unload("vivid", "vim2m")
            yield f"unplugged in mid-stream, {allocator}, {name}", case


def cases(work):
    """Pairs of name and function, as tap.run() takes them."""
    return [*picture_cases(), *signal_cases(), *output_cases(), *description_cases(),
            *codec_cases(work), *many_cases(), *cost_cases(),
            *unplug_cases(work)]


def prepare(archive, _):
    return {"modules": [str(path) for path in media_modules.modules(archive)]}


if __name__ == "__main__":
    sys.exit(hosted.main(__file__, prepare, cases, icount=True))
