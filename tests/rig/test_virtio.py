#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
What all virtio devices have in common, and the console and the entropy device, with Debian's
unmodified kernels: drivers come and go, notifications stay inside KVM, the window has a size.

    test_virtio.py "" [TEXT]    only the cases with TEXT in their names

With VMM_LONG set in the environment (./check --long): every kernel with both event loops and both
kinds of rings.
"""
import hashlib
import itertools
import re
import socket
import sys

import footprint
import hosted
import kernel
from disk_guest import SCRATCH, DiskMachine, Session, copy_of_root, describe, sparse_image
from exit_trace import ExitTrace, mmio_exits
from hosted import END_SECONDS, ENDED
from tap import expect

MIB = 1 << 20
SHORT = (("6.1", "uring", "on"), ("6.12", "epoll", "off"))
LONG = tuple(itertools.product(kernel.PACKAGES, ("uring", "epoll"), ("on", "off")))

QUEUE_NOTIFY = 0x050  # register of virtio-mmio (virtio 1.4, 4.2.2)
REGISTER = 0xfff
READS = 200
BENIGN_EXITS = READS // 20

# The guest's driver sends 16 at a time.
CONSOLE_BYTES = 12000
LINES = 2000

CYCLES = 100
WARM_UP = 10
# An allocator may keep some pages; a leak of 4 KiB a cycle would be twice as much.
LEAK_KIB_MAX = 200
MEMORY_MIB = 256


class Drivers:
    """A guest whose shell is on the serial port, so that every driver can go."""

    def __init__(self, work, description, options):
        self.work = work
        self.kernel = description
        self.options = options
        self.socket = SCRATCH / "hvc0"
        self.session = Session(self.make)

    def make(self):
        root = copy_of_root(self.work)
        data = sparse_image("data.img", 4 * MIB)
        self.socket.unlink(missing_ok=True)
        return DiskMachine(self.kernel, [root, data], 2,
                           ("--console", f"socket={self.socket}", *self.options),
                           f"{MEMORY_MIB}M", serial=True)

    def console_reaches_socket(self, shell):
        """Every byte there is, both ways."""
        said = hashlib.shake_128(b"to the guest").digest(CONSOLE_BYTES)
        shell.run(f"head -c {CONSOLE_BYTES} /dev/urandom >/tmp/answer")
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(END_SECONDS)
            peer.connect(str(self.socket))
            # the line's settings last as long as it is open
            shell.run(f"(stty raw -echo; touch /tmp/raw; head -c {CONSOLE_BYTES} >/tmp/heard; "
                      "cat /tmp/answer >&0; sleep 3) <>/dev/hvc0 &")
            shell.wait_until("ls /tmp/raw", "/tmp/raw")
            peer.sendall(said)
            answer = b""
            while len(answer) < CONSOLE_BYTES:
                data = peer.recv(65536)
                expect(data, f"the socket was closed after {len(answer)} bytes")
                answer += data
        expect(shell.run("md5sum </tmp/heard").split()[0] == hashlib.md5(said).hexdigest(),
               "the guest has read something else")
        expect(shell.run("md5sum </tmp/answer").split()[0] == hashlib.md5(answer).hexdigest(),
               "the guest has written something else")

    def entropy_is_random(self, shell):
        name = shell.run("cat /sys/class/misc/hw_random/rng_current")
        expect(name.startswith("virtio_rng"), f"the guest's hardware generator is {name}")
        shell.run("dd if=/dev/hwrng of=/tmp/random bs=4k count=4 iflag=fullblock")
        # random bytes do not compress; zeros, or the same piece again and again, do
        size = int(shell.run("gzip -c /tmp/random | wc -c"))
        expect(size > 16 << 10, f"16 KiB of entropy compress to {size} bytes")

    def notifications_cause_no_exit(self, shell):
        """Each of many reads is a notification; none of them comes to vmm by way of KVM_RUN."""
        fio = ("fio --name=read --filename=/dev/vdb --direct=1 --ioengine=psync --rw=randread "
               f"--bs=4k --size=4M --number_ios={READS}")
        shell.run(fio)  # programs and libraries are in memory from now on
        before = mmio_exits(shell.process.pid)
        with ExitTrace() as trace:
            shell.run(fio)
        after = mmio_exits(shell.process.pid)
        notified = self.at_notify(trace.accesses)
        expect(notified > READS // 2, f"{notified} notifications for {READS} reads: what was "
               "counted is something else")
        exits = self.at_notify(trace.exits)
        expect(exits <= BENIGN_EXITS, f"{exits} of {notified} notifications ended in user space")
        others = sum(trace.exits.values()) - exits
        expect(after - before <= others + BENIGN_EXITS,
               f"KVM's statistics have {after - before} exits, the trace {others}")

    @staticmethod
    def at_notify(counter):
        return sum(count for address, count in counter.items()
                   if address & REGISTER == QUEUE_NOTIFY)

    def binding_leaks_nothing(self, shell):
        """Every driver is taken off its device and put back, again and again."""
        links = shell.run("cd /sys/bus/virtio/drivers; ls -d virtio_blk/virtio* "
                          "virtio_rng/virtio* virtio_console/virtio*; cd /")
        # the first disk is the root
        devices = sorted(set(re.findall(r"(\w+)/(virtio\d+)", links)))
        root = shell.run("readlink /sys/block/vda/device").rsplit("/", 1)[1]
        devices = [(driver, device) for driver, device in devices if device != root]
        expect(len(devices) == 3, f"the devices are {devices}")
        loop = "".join(f"echo {device} >{driver}/unbind && echo {device} >{driver}/bind && "
                       for driver, device in devices)

        def cycles(count):
            shell.run("cd /sys/bus/virtio/drivers; "
                      f"for i in $(seq {count}); do {loop} true || break; done && "
                      "dd if=/dev/hwrng of=/dev/null bs=64 count=1 && "
                      "dd if=/dev/vdb of=/dev/null bs=1M && cd /", 4 * END_SECONDS)
            return footprint.measure(shell.process.pid, MEMORY_MIB << 10)

        before = cycles(WARM_UP)
        after = cycles(CYCLES)
        expect(after.fds == before.fds, f"descriptors were {before.fds}, are {after.fds}")
        expect(after.mappings <= before.mappings,
               f"{before.mappings} mappings became {after.mappings}")
        expect(after.kib <= before.kib + LEAK_KIB_MAX,
               f"{before.kib} KiB of memory became {after.kib}")

    def power_off(self, shell):
        expect(shell.power_off() == 0, "the power-off did not end with 0")


class Console:
    """A guest on a terminal."""

    def __init__(self, work, description, options):
        self.work = work
        self.kernel = description
        self.options = options

    def window_size_follows_terminal(self):
        root = copy_of_root(self.work)
        with DiskMachine(self.kernel, [root], 1, self.options).start(
                terminal=(33, 101)) as shell:
            shell.wait_until("stty size", "33 101")
            shell.set_window(50, 132)
            shell.wait_until("stty size", "50 132")
            expected = [str(number) for number in range(1, LINES + 1)]
            said = shell.run(f"seq {LINES}").split()
            expect(said == expected, f"of {LINES} lines {len(said)} came, or others")
            shell.send("\x01x")
            code = shell.wait(END_SECONDS)
            expect(code == ENDED, f"Ctrl-A x ended it with {code}")
            expect(shell.terminal_is_as_before(), "the terminal was not restored")


def cases(work):
    """Pairs of name and function, as tap.run() takes them."""
    found = []
    kernels = {known["name"]: known for known in work["kernels"]}
    for name, loop, packed in LONG if hosted.is_long() else SHORT:
        options = ("--loop", loop, "--virtio", f"packed={packed}")
        title = f"{name}, {loop}, {'packed' if packed == 'on' else 'split'} rings: "
        drivers = Drivers(work, kernels[name], options)
        console = Console(work, kernels[name], options)
        for function in (drivers.console_reaches_socket, drivers.entropy_is_random,
                         drivers.notifications_cause_no_exit, drivers.binding_leaks_nothing):
            found.append((title + function.__name__, drivers.session.case(function)))
        found.append((title + "power_off", drivers.session.last_case(drivers.power_off)))
        if (name, loop, packed) == SHORT[0] or hosted.is_long():
            function = console.window_size_follows_terminal
            found.append((title + function.__name__, function))
    return found


def prepare(archive, _):
    names = {name for name, *_ in (LONG if hosted.is_long() else SHORT)}
    return describe(archive, sorted(names))


if __name__ == "__main__":
    sys.exit(hosted.main(__file__, prepare, cases))
