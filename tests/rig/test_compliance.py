#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
Debian's v4l2-compliance on nodes of the emulated host, and in a guest that has the same nodes by
--media: what passes on the host passes in the guest. The synthetic camera has no fault at all.

    test_compliance.py "" [TEXT]    only the nodes with TEXT in their names

With VMM_LONG set in the environment (./check --long): with more frames and all formats; also on
kernel 6.1, with the codecs' multi-planar sides. The table of each node is in the log.
"""
import contextlib
import functools
import hashlib
import os
import pathlib
import pty
import subprocess
import sys
import threading
import time

import compliance
import guest_root
import hosted
import media_image
import media_modules
from disk_guest import SCRATCH, Shell
from hosted import is_long, vmm_path
from tap import expect

SYSFS = pathlib.Path("/sys/class/video4linux")

# Two devices of vivid: single- and multi-planar. What is no video does not depend on it.
VIVID = ("vivid", "n_devs=2", "multiplanar=1,2")
NODES = (
    *(f"vivid-000-{name}" for name in ("vid-cap", "vid-out", "vbi-cap", "vbi-out", "sdr-cap",
                                       "rad-rx", "rad-tx", "touch-cap", "meta-cap", "meta-out")),
    "vivid-001-vid-cap", "vivid-001-vid-out",
    "stateful-encoder", "stateful-decoder", "vim2m",
)
SYNTHETIC = "synthetic camera"

# A decoder needs something to decode.
DECODER, ENCODER = "stateful-decoder", "stateful-encoder"
CODED = SCRATCH / "coded"
ENCODE = ("--stream-mmap", "--stream-out-mmap", "--stream-count=16", f"--stream-to-hdr={CODED}")

# Guest's kernel, how to stream, options of vmm, parameters of vicodec.
SHORT = (("6.12", ("-s4",), (), ()),)
LONG = (
    ("6.1", ("-s20",), ("--loop", "epoll", "--virtio", "packed=on"), ("multiplanar=1",)),
    ("6.12", ("-s20", "-f1"), (), ()),
)

# vivid, when it is late, gives two frames the same number. v4l2-compliance knows, and forgives it by
# the driver's name, which in the guest is another.
TRIES = 8

BEAT_SECONDS = 120
NODE_SECONDS = 3600 if is_long() else 300


@contextlib.contextmanager
def signs_of_life():
    """Print something now and then: a node may take longer than a test may be silent."""
    over = threading.Event()

    def beat():
        begin = time.monotonic()
        while not over.wait(BEAT_SECONDS):
            print(f"# after {time.monotonic() - begin:.0f} s it goes on", flush=True)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def host_words(tree, program):
    """How the host runs a program of @tree, which is not installed."""
    libraries = ":".join(str(tree / folder) for folder in guest_root.LIBRARIES)
    return [str(tree / guest_root.LOADER), "--library-path", libraries,
            str(tree / "usr/bin" / program)]


def on_terminal(words):
    """
    Run @words with a terminal for output, as in the guest: v4l2-compliance forks, and what is in
    the buffer of a file then would be written twice. Return: the output.
    """
    near, far = pty.openpty()
    with subprocess.Popen(["timeout", "-k", "10", str(NODE_SECONDS), *words],
                          stdin=subprocess.DEVNULL, stdout=far, stderr=far) as process:
        os.close(far)
        said = b""
        while True:
            try:
                data = os.read(near, 65536)
            except OSError:  # EIO: the other end is closed
                break
            said += data
        process.wait()
    os.close(near)
    return said.decode(errors="replace").replace("\r\n", "\n")


def nodes_of_host():
    """Paths by name."""
    return {(entry / "name").read_text().strip(): f"/dev/{entry.name}"
            for entry in SYSFS.iterdir()}


def tool_options(name, streaming):
    """What v4l2-compliance needs besides the node."""
    options = ["-P", "-C", "never", *streaming]
    if name == DECODER:
        options += ["--stream-from-hdr", str(CODED)]
    return options


class Host:
    """The drivers of the emulated host. @work: see prepare(). @codec: parameters of vicodec."""

    def __init__(self, work, codec):
        self.work = work
        self.codec = codec
        self.tree = pathlib.Path(work["tools"])

    def load(self):
        """The drivers anew: so that host and guest begin with the same settings."""
        def run(*words):
            subprocess.run(words, check=True)

        for name in "vivid", "vicodec", "vim2m", "v4l2_mem2mem":
            if pathlib.Path("/sys/module", name).exists():
                run("rmmod", name)
        for name in media_modules.NEEDS:
            run("modprobe", name)
        for path in self.work["modules"]:
            is_codec = pathlib.Path(path).stem == "vicodec"
            run("insmod", path, *(self.codec if is_codec else ()))
        run("modprobe", *VIVID)

    def encode(self):
        """Make the file that the decoder gets. Return: its checksum."""
        CODED.parent.mkdir(exist_ok=True)
        words = [*host_words(self.tree, "v4l2-ctl"), "-d", nodes_of_host()[ENCODER], *ENCODE]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       timeout=NODE_SECONDS)
        return hashlib.sha256(CODED.read_bytes()).hexdigest()

    def check(self, name, streaming):
        """Return: what v4l2-compliance says of a node."""
        return on_terminal([*host_words(self.tree, "v4l2-compliance"),
                            *tool_options(name, streaming), "-d", nodes_of_host()[name]])


class MediaGuest:
    """One guest with all nodes. @description: of prepare()."""

    def __init__(self, description, names, options):
        self.description = description
        self.names = names
        self.options = options
        self.paths = {}
        self.shell = None

    def words(self, log):
        """vmm's command line. @log: file for the serial port's output."""
        words = [str(vmm_path()), "--kernel", self.description["bzImage"], "--initramfs",
                 self.description["initramfs"], "--memory", "512M", "--no-rng", "--cmdline",
                 "console=ttyS0 console=hvc0 quiet panic=-1", "--serial", f"file={log}",
                 "--console", "stdio", *self.options]
        known = nodes_of_host()
        for name in self.names:
            source = "test" if name == SYNTHETIC else f"path={known[name]}"
            words += ["--media", f"{source},label={name},shm=128M"]
        return words

    def start(self):
        """Boot, and find out which node is which."""
        log = SCRATCH / "serial.txt"
        log.unlink(missing_ok=True)
        self.shell = Shell(self.words(log), log)
        self.shell.reach_shell()
        self.shell.run("dmesg -c >/dev/null")  # what it said of itself while it booted
        said = self.shell.run("for node in /sys/class/video4linux/*; do node=/dev/${node##*/}; "
                              "echo $node $(v4l2-ctl -d $node --info | grep 'Card type'); done")
        for line in said.splitlines():
            path, _, label = line.partition(" Card type : ")
            self.paths[label] = path
        expect(set(self.paths) == set(self.names),
               f"the guest was given {sorted(self.names)} and has {sorted(self.paths)}")

    def encode(self):
        """As Host.encode(), in the guest."""
        self.shell.run(f"mkdir -p {CODED.parent}")
        words = ["v4l2-ctl", "-d", self.paths[ENCODER], *ENCODE, ">/dev/null 2>&1"]
        self.shell.run(" ".join(words), NODE_SECONDS)
        return self.shell.run(f"sha256sum <{CODED}").split()[0]

    def check(self, name, streaming):
        """Return: what v4l2-compliance says of a node."""
        command = " ".join(["timeout", "-k", "10", str(NODE_SECONDS), "v4l2-compliance",
                            *tool_options(name, streaming), "-d", self.paths[name]])
        _, said = self.shell.run_any(command, NODE_SECONDS + hosted.END_SECONDS)
        return said

    def kernel_complaints(self):
        """Lines of the guest's kernel that tell of a defect."""
        _, said = self.shell.run_any("dmesg | grep -E 'BUG|WARNING|Oops|virtio_media'")
        return said.strip()

    def end(self):
        if self.shell:
            self.shell.__exit__()


class Parity:
    """Host and guest with one kernel: the host's results first, then a guest for all nodes."""

    def __init__(self, work, kernel_name, streaming, options, codec):
        self.description = work["kernels"][kernel_name]
        self.host = Host(work, codec)
        self.kernel_name = kernel_name
        self.streaming = streaming
        self.options = options
        self.chosen = [name for name in (*NODES, SYNTHETIC) if work["text"] in self.title(name)]
        self.coded = None  # checksum of the host's

    def title(self, name):
        return f"{name}, guest's kernel {self.kernel_name}, {' '.join(self.streaming)}"

    @functools.cached_property
    def of_host(self):
        """Results by node, or why there are none; with the drivers loaded anew afterwards."""
        self.host.load()
        self.coded = self.host.encode()
        found = {SYNTHETIC: {}}
        for name in self.chosen:
            if name != SYNTHETIC:
                said = self.host.check(name, self.streaming)
                try:
                    found[name] = compliance.parse(said)
                except compliance.ComplianceError as error:
                    found[name] = error
        self.host.load()
        return found

    @functools.cached_property
    def guest(self):
        """The guest, running."""
        assert self.of_host is not None  # before the guest has the nodes
        needed = {ENCODER} if DECODER in self.chosen else set()
        guest = MediaGuest(self.description, [*dict.fromkeys([*self.chosen, *needed])],
                           self.options)
        guest.start()
        return guest

    def check(self, name):
        """The test of one node."""
        with signs_of_life():
            self.compare(name)

    def compare(self, name):
        """The same, silently."""
        of_host = self.of_host[name]
        if isinstance(of_host, compliance.ComplianceError):
            raise of_host
        if name == DECODER:
            found = self.guest.encode()
            expect(found == self.coded, "the guest's encoder gives other bytes than the host's")
        for _ in range(TRIES):
            of_guest = compliance.parse(self.guest.check(name, self.streaming))
            if not (name.startswith("vivid-") and compliance.has_repeated_number(of_guest)):
                break
        comparison = compliance.Comparison(name, of_host, of_guest)
        print("".join(f"# {line}\n" for line in comparison.table().splitlines()), end="",
              flush=True)
        wrong = comparison.wrong
        if name == SYNTHETIC:
            wrong = [f"{compliance.name_of(key)}: {result.outcome} at {result.complaints}"
                     for key, result in of_guest.items()
                     if result.outcome in (compliance.FAIL, compliance.WARN)]
        complaints = self.guest.kernel_complaints()
        if complaints:
            wrong.append(f"the guest's kernel: {complaints}")
        expect(not wrong, "\n".join(wrong))

    def check_last(self, name):
        """The same; then the guest ends."""
        try:
            self.check(name)
        finally:
            self.guest.end()


def cases(work):
    """Pairs of name and function, as tap.run() takes them."""
    found = []
    for kind in LONG if is_long() else SHORT:
        parity = Parity(work, *kind)
        for name in parity.chosen:
            check = parity.check_last if name == parity.chosen[-1] else parity.check
            found.append((parity.title(name), functools.partial(check, name)))
    return found


def prepare(archive, _):
    """What the emulated host needs to know, as JSON takes it."""
    kernels = {}
    for name, *_ in LONG if is_long() else SHORT:
        guest_kernel, path = media_image.build_cached(archive, name)
        kernels[name] = {"bzImage": str(guest_kernel.image), "initramfs": str(path)}
    return {"kernels": kernels, "tools": str(guest_root.program_with_libraries(
        archive, "v4l-utils")), "modules": [str(path) for path in
                                            media_modules.modules(archive)]}


if __name__ == "__main__":
    sys.exit(hosted.main(__file__, prepare, cases))
