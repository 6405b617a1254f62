# SPDX-License-Identifier: BSD-3-Clause
"""
The rig: an emulated host with hardware virtualization, for machines that have none. QEMU emulates
a PC with AMD SVM; it runs Debian's kernel, whose kvm-amd then offers a real /dev/kvm. Its root is
this machine's own file system, read-only under a tmpfs: what is built and installed here is there
under the same path.

    rig = Rig(debian.Archive(cache))
    code = rig.run(['ls', '-l', '/dev/kvm'])

Files in a private folder, shared with the emulated host, carry the command there and its output
and exit code back; the console of its kernel goes to a file of its own. So nothing that the
command prints is taken for its result, and nothing that the kernel prints gets into its output.
"""
import contextlib
import ctypes
import fcntl
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import initramfs
import kernel
import terminal

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
QEMU = "qemu-system-x86_64"

# Heartbeats come every 5 s.
HANG_SECONDS = 120

# What the initramfs needs to reach the root; kvm-amd and the rest are loaded from there.
BOOT_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")


class RigError(Exception):
    """The rig, not the command, failed: a sentence for the user."""


class RigTimeout(RigError):
    """The command did not end in time."""


class RigBroken(RigError):
    """The emulated host was up, and then hung, panicked or ended, by no doing of the command."""


class RigHang(RigBroken):
    """The emulated host stopped running processes."""


def default_cache():
    """Where downloads are kept: $VMM_RIG_CACHE, or the build folder's "cache"."""
    build = os.environ.get("VMM_BUILD", SOURCE / "build")
    return pathlib.Path(os.environ.get("VMM_RIG_CACHE") or pathlib.Path(build) / "cache")


def end_with_parent():
    """In the child: do not outlive the rig, however that ends (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def follow(path, offset, fd):
    """Copy what @path has beyond @offset to @fd. Return: the new offset."""
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        file.seek(offset)
        while data := file.read(1 << 20):
            terminal.write_all(fd, data)
            offset += len(data)
    return offset


@contextlib.contextmanager
def private_folder(archive):
    """A folder for one run in the cache; takes those away whose owners were killed."""
    with archive.locked():
        for old in archive.cache.glob("run-*/lock"):
            # an owner that ends takes its folder away itself
            with contextlib.suppress(BlockingIOError, FileNotFoundError), open(old) as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(old.parent)
        folder = pathlib.Path(tempfile.mkdtemp(dir=archive.cache, prefix="run-"))
        lock = open(folder / "lock", "w")
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        lock.close()


class Rig:
    """
    Describes an emulated host; each run() boots it anew. @memory: as QEMU takes it. @icount: time
    is the number of executed instructions, repeatable within 1 %, instead of real time.
    @modules: of the kernel, to load before the command, with parameters ("vivid n_devs=2"); files
    ("/path/vim2m.ko") whose needs are loaded already.
    @shares: folders that the command may write to for real; writes elsewhere are lost.
    @hang_seconds: how long no process may run before the emulated host counts as hung.
    """

    def __init__(self, archive, memory="4G", icount=False, modules=(), shares=(),
                 hang_seconds=HANG_SECONDS):
        self.archive = archive
        self.memory = memory
        self.icount = icount
        self.modules = modules
        self.shares = [pathlib.Path(path).resolve() for path in shares]
        self.hang_seconds = hang_seconds
        self.boot_seconds = None  # of the last run(): from start to start of the command

    def run(self, command, timeout=600, *, silence=None, interactive=False, stdout=1,
            stderr=2):
        """
        Run @command, a list of words, in this process's working directory, on the emulated host.
        @timeout: seconds for all of it, None for none. @silence: seconds for which it
        may print nothing. @interactive: connect standard input and output to a terminal there.
        @stdout, @stderr: file descriptors.
        Return: its exit code, 128 + N if signal N ended it. Raises RigError, RigTimeout, RigBroken.
        """
        if not shutil.which(QEMU):
            raise RigError(f"{QEMU} is not installed; ./check installs it "
                           "(package qemu-system-x86)")
        if not os.path.exists("/proc/self/fd"):
            raise RigError(f"{QEMU} needs /proc to share folders, and there is none here; "
                           "as root: mount -t proc proc /proc")
        for path in self.shares:
            if not path.is_dir():
                raise RigError(f"the folder to share, {path}, does not exist")
        host_kernel = kernel.Kernel(self.archive, "6.12")
        with private_folder(self.archive) as folder:
            self.prepare(folder, host_kernel, command, interactive)
            limits = Limits(timeout, silence, self.hang_seconds)
            return self.boot(folder, host_kernel, limits, interactive, (stdout, stderr))

    def prepare(self, folder, host_kernel, command, interactive):
        """Fill the private folder: initramfs, scripts and what they must know."""
        modules = host_kernel.module_files(BOOT_MODULES)
        image = initramfs.with_busybox(self.archive, HERE / "host_init.sh", modules)
        image.write(folder / "initramfs")
        shutil.copyfile(HERE / "host_start.sh", folder / "start")
        rows, columns = terminal.size()
        settings = {
            "modules_folder": host_kernel.modules.parent,
            "interactive": "yes" if interactive else "no",
            # costs time, which counts there
            "heartbeat": "no" if self.icount else "yes",
            "terminal": os.environ.get("TERM", "dumb"),
            "rows": rows,
            "columns": columns,
        }
        text = "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in settings.items())
        text += "load_modules() {\n:\n"
        text += "".join(load_command(words) for words in self.modules)
        text += "}\nmount_shares() {\n:\n"
        for number, path in enumerate(self.shares):
            text += f"mkdir -p {shlex.quote(str(path))}\n"
            text += (f"try mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 "
                     f"share{number} {shlex.quote(str(path))}\n")
        (folder / "settings").write_text(text + "}\n")
        (folder / "command").write_text(
            f"cd {shlex.quote(os.getcwd())} || exit\nexec {shlex.join(command)}\n")

    def qemu(self, folder, host_kernel, channel):
        """QEMU's command line. @channel: fd of the second serial port's socket, or None."""
        accel = ["-accel", "tcg,thread=single"]
        if self.icount:
            accel += ["-icount", "shift=0,sleep=off"]
        command_line = ("console=ttyS0 quiet loglevel=3 panic=-1 oops=panic mitigations=off "
                        "nokaslr")
        words = [
            QEMU, "-nodefaults", "-no-user-config", "-machine", "q35", *accel,
            # one CPU: with more, TCG's threads race on the kernel's text patching
            "-cpu", "EPYC,+svm,+npt,+nrip-save", "-smp", "1", "-m", self.memory,
            "-display", "none", "-no-reboot",
            "-kernel", str(host_kernel.image), "-initrd", str(folder / "initramfs"),
            "-append", command_line,
            "-chardev", f'file,id=console,path={escape(folder / "console")}',
            "-serial", "chardev:console",
            *folder_option("root", "/", "readonly=on,multidevs=remap"),
            *folder_option("run", folder, "multidevs=remap"),
        ]
        if channel is not None:
            words += ["-chardev", f"socket,id=tty,fd={channel}", "-serial", "chardev:tty"]
        for number, path in enumerate(self.shares):
            words += folder_option(f"share{number}", path, "multidevs=remap")
        return words

    def boot(self, folder, host_kernel, limits, interactive, sinks):
        """Start QEMU, carry output until there is a result, and end QEMU."""
        with contextlib.ExitStack() as stack:
            channel = screen = None
            if interactive:
                near, channel = socket.socketpair()
                stack.enter_context(near)
                stack.enter_context(channel)
                screen = stack.enter_context(terminal.Terminal(near))
            with open(folder / "qemu", "wb") as said:
                qemu = subprocess.Popen(
                    self.qemu(folder, host_kernel, channel.fileno() if channel else None),
                    stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                    pass_fds=[channel.fileno()] if channel else [], preexec_fn=end_with_parent)
            stack.callback(qemu.wait)
            stack.callback(qemu.kill)
            if channel:
                channel.close()
            return self.follow(folder, qemu, limits, screen, sinks)

    def follow(self, folder, qemu, limits, screen, sinks):
        """Carry output until the emulated host reports or ends. Return: the exit code."""
        offsets = [0, 0]
        self.boot_seconds = None
        while True:
            # The order matters: what was printed before the end is there once the end is seen.
            ended = qemu.poll() is not None
            done = (folder / "exit").exists()
            if not self.boot_seconds and (folder / "started").exists():
                self.boot_seconds = limits.elapsed()
                if screen:
                    screen.connect_input()
            if screen:
                while screen.pump(0 if done else 0.05) and not done:
                    pass
            before = offsets
            offsets = [follow(folder / name, offset, sink) for name, offset, sink
                       in zip(("out", "err"), offsets, sinks)]
            if offsets != before:
                limits.heard()
            if done:
                return int((folder / "exit").read_text())
            if (folder / "failed").exists():
                raise RigError("the emulated host could not be readied: "
                               + (folder / "failed").read_text().strip())
            if ended:
                kind = RigBroken if self.boot_seconds else RigError
                raise kind(self.explain_end(folder, qemu.returncode))
            if limits.reached():
                raise RigTimeout(self.explain_timeout(folder, limits))
            if limits.hangs(folder / "alive"):
                raise RigHang("the emulated host hangs: it ran no process for "
                              f"{self.hang_seconds} s")
            if not screen:
                time.sleep(0.05)

    def keep_console(self, folder):
        """Keep the emulated host's console for reading. Return: what it says, and the path."""
        kept = self.archive.cache / "last-console.txt"
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(folder / "console", kept)
            return kept.read_text(errors="replace"), kept
        return "", kept

    def explain_end(self, folder, code):
        """Why QEMU ended without a result."""
        console, kept = self.keep_console(folder)
        panic = re.search(r"Kernel panic - .*", console)
        if panic:
            return f"the emulated host panicked: {panic[0].strip()} (console: {kept})"
        initial = re.search(r"^rig: .*", console, re.MULTILINE)
        if initial:
            return f"the emulated host could not be readied: {initial[0].strip()}"
        if code:
            lines = (folder / "qemu").read_text(errors="replace").splitlines()
            said = [line for line in lines if line and ": warning: " not in line]
            return f'{QEMU} failed ({code}): {said[0] if said else "it said nothing"}'
        return f"the emulated host ended before the command did (console: {kept})"

    def explain_timeout(self, folder, limits):
        """How far it came."""
        _, kept = self.keep_console(folder)
        if self.boot_seconds:
            return (f"the command {limits.reached()} (the emulated host was up after "
                    f"{self.boot_seconds:.0f} s; its console: {kept})")
        return f"the emulated host {limits.reached()} while it booted (console: {kept})"


class Limits:
    """How long a run may take, and how long it may be silent; seconds, None for no limit."""

    def __init__(self, timeout, silence, hang_seconds):
        self.timeout, self.silence, self.hang_seconds = timeout, silence, hang_seconds
        self.begin = self.last = time.monotonic()
        self.beat = self.last_beat = None

    def elapsed(self):
        return time.monotonic() - self.begin

    def heard(self):
        self.last = time.monotonic()

    def reached(self):
        """What was not done in time, or None."""
        if self.timeout is not None and self.elapsed() > self.timeout:
            return f"did not end within {self.timeout:g} s"
        if self.silence is not None and time.monotonic() - self.last > self.silence:
            return f"printed nothing for {self.silence:g} s"
        return None

    def hangs(self, path):
        """Whether the heartbeat at @path, once there, has stayed the same for too long."""
        with contextlib.suppress(FileNotFoundError):
            beat = path.read_text()
            if beat != self.beat:
                self.beat, self.last_beat = beat, time.monotonic()
        return self.beat is not None and time.monotonic() - self.last_beat > self.hang_seconds


def load_command(words):
    """What loads a module, by its name or its file."""
    words = shlex.split(words)
    return f"try {'insmod' if words[0].startswith('/') else 'modprobe'} {shlex.join(words)}\n"


def escape(path):
    """A path in one of QEMU's comma-separated options."""
    return str(path).replace(",", ",,")


def folder_option(tag, path, options):
    return ["-virtfs", f"local,path={escape(path)},mount_tag={tag},security_model=none,{options}"]
