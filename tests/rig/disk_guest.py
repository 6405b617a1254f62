# SPDX-License-Identifier: BSD-3-Clause
"""
A guest whose root is on a disk, with a shell on its console that tests talk to: Debian's kernel,
the initramfs of guest_image.py, the image of guest_root.py.
"""
import pathlib
import subprocess

import guest_image
import guest_root
import kernel
from guest import Guest
from hosted import BOOT_SECONDS, END_SECONDS, vmm_path
from tap import Failure, expect

# A tmpfs of the emulated host.
SCRATCH = pathlib.Path("/dev/shm/vmm")
SECTOR = 512


def describe(archive, names):
    """What the emulated host needs to know of the kernels @names, as JSON."""
    kernels = []
    for name in names:
        known = kernel.Kernel(archive, name)
        initramfs = guest_image.build(known, guest_image.VIRTIO_MODULES, "-virtio")
        kernels.append({"name": name, "release": known.release, "bzImage": str(known.image),
                        "initramfs": str(initramfs)})
    return {"kernels": kernels, "root": str(guest_root.build(archive))}


class Shell(Guest):
    """A guest with a shell. @log: the file with what its serial port said, or None."""

    def __init__(self, words, log=None, terminal=False):
        super().__init__(words, terminal)
        self.log = log
        self.commands = 0

    def failure(self, sentence):
        text = str(super().failure(sentence))
        if self.log and self.log.exists():
            said = self.log.read_text(errors="replace").splitlines()[-15:]
            text += "\n".join(["", "its serial port said last:", *said])
        return Failure(text)

    def reach_shell(self):
        """Wait for the prompt, then have neither prompt nor echo any more."""
        self.wait_for("/ # ", BOOT_SECONDS)
        self.send("stty -echo; PS1=\n")
        self.run("true")

    def start_command(self, command):
        """Let the shell begin @command. Return: what end_command() wants."""
        self.commands += 1
        begin = len(self.text)
        self.send(f"{command}\necho end-of-{self.commands}-$?\n")
        return begin, self.commands

    def end_command(self, command, started, seconds=END_SECONDS):
        """Wait for the end of a command. Return: its exit code and its output."""
        begin, number = started
        try:
            end = self.wait_for(rf"end-of-{number}-(\d+)\n", seconds)
        except Failure as problem:
            raise Failure(f'"{command}": {problem}') from None
        return int(end[1]), self.text[begin:end.start()]

    def run_any(self, command, seconds=END_SECONDS):
        """Run @command. Return: its exit code and its output, standard error included."""
        return self.end_command(command, self.start_command(command), seconds)

    def run(self, command, seconds=END_SECONDS):
        """Run @command, which must succeed. Return: its output without the last newline."""
        code, output = self.run_any(command, seconds)
        expect(code == 0, f'"{command}" ended with {code} and said: {output[-2000:]}')
        return output.rstrip("\n")

    def wait_until(self, command, expected, seconds=END_SECONDS):
        """Run @command until it prints @expected."""
        loop = f"until [ \"$({command})\" = '{expected}' ]; do sleep 0.2; done"
        try:
            self.run(loop, seconds)
        except Failure as problem:
            raise Failure(f'"{command}" did not come to print "{expected}": {problem}') from None

    def power_off(self):
        """Sync, power off. Return: vmm's exit code."""
        self.send("mount -o remount,ro /; poweroff -f\n")
        return self.wait(END_SECONDS)

    def reboot(self):
        self.send("mount -o remount,ro /; reboot -f\n")
        return self.wait(END_SECONDS)


class DiskMachine:
    """
    How to start vmm. @kernel: one that describe() made. @disks: values of --disk, the first one
    the root's. @options: further ones of vmm. @serial: the shell is on ttyS0, not on hvc0, and
    nothing is on hvc0.
    """

    def __init__(self, description, disks, cpus=1, options=(), memory="256M", serial=False):
        self.kernel = description
        self.disks = disks
        self.cpus = cpus
        self.options = options
        self.memory = memory
        self.serial = serial

    def words(self, log):
        """The command line. @log: file for the serial port's output."""
        consoles = "console=ttyS0" if self.serial else "console=ttyS0 console=hvc0"
        words = [str(vmm_path()), "--kernel", self.kernel["bzImage"], "--initramfs",
                 self.kernel["initramfs"], "--cpus", str(self.cpus), "--memory", self.memory,
                 "--cmdline", f"{consoles} quiet panic=-1 vmm.run=root", *self.options]
        if not self.serial:
            words += ["--serial", f"file={log}", "--console", "stdio"]
        for disk in self.disks:
            words += ["--disk", str(disk)]
        return words

    def start(self, terminal=False):
        """Start vmm and wait for the shell. Return: a Shell, to be used in a with statement."""
        log = SCRATCH / "serial.txt"
        log.unlink(missing_ok=True)
        shell = Shell(self.words(log), None if self.serial else log, terminal)
        try:
            shell.reach_shell()
        except BaseException:
            shell.__exit__()
            raise
        return shell


class Session:
    """
    One guest for several test cases, one after the other: it starts at the first, and anew at the
    next after a case has failed. @make: a function that prepares files and returns a DiskMachine.
    """

    def __init__(self, make):
        self.make = make
        self.shell = None

    def case(self, function, *arguments):
        """A test case that calls @function with the shell and @arguments."""
        def run():
            if not self.shell:
                self.shell = self.make().start()
            try:
                function(self.shell, *arguments)
            except BaseException:
                self.end()
                raise
        return run

    def last_case(self, function, *arguments):
        """As case(), but nothing comes after it: the guest ends, or is ended."""
        run = self.case(function, *arguments)

        def run_and_end():
            try:
                run()
            finally:
                self.end()
        return run_and_end

    def go_on_with(self, machine):
        """Within a case: the guest has ended; start @machine for the rest and for what follows."""
        self.end()
        self.shell = machine.start()

    def end(self):
        if self.shell:
            self.shell.__exit__()
        self.shell = None


def copy_of_root(work, name="root.img"):
    """A fresh copy of the root image in SCRATCH. Return: its path."""
    SCRATCH.mkdir(exist_ok=True)
    path = SCRATCH / name
    subprocess.run(["cp", "--sparse=always", work["root"], path], check=True)
    return path


def sparse_image(name, size):
    """An image of @size bytes in SCRATCH, a hole as a whole. Return: its path."""
    SCRATCH.mkdir(exist_ok=True)
    path = SCRATCH / name
    path.unlink(missing_ok=True)
    with open(path, "wb") as file:
        file.truncate(size)
    return path


def allocated(path):
    """Bytes that a file takes on its file system."""
    return path.stat().st_blocks * SECTOR


def check_file_system(image):
    """Fail unless e2fsck has nothing to say about @image."""
    done = subprocess.run(["/sbin/e2fsck", "-fn", image], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    expect(done.returncode == 0, f"e2fsck -fn ended with {done.returncode}: {done.stdout}")
