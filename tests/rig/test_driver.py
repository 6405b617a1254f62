#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
The guest's driver (guest/virtio_media): built for Debian's kernels without a word of the compiler,
sparse or the kernel's checkpatch; then in guests with the synthetic camera, where the programs of
tests/guest_driver put it to the test; loaded and unloaded, suspended, taken off its device.

    test_driver.py "" [TEXT]    only the cases with TEXT in their names
"""
import contextlib
import functools
import os
import pathlib
import subprocess
import sys
import tempfile

import driver_module
import guest_image
import hosted
import initramfs
import kernel
import kernel_build
from disk_guest import SCRATCH, Session, Shell
from hosted import is_long, vmm_path
from tap import expect

KERNELS = ("6.12", "6.1")

# Steps of tests/guest_driver that differ between 64 and 32 bits, and those that do not.
PORTABLE = ("mmap", "userptr", "userptr-unaligned", "poll", "flags", "prepare", "event", "merge",
            "array")
STEPS = (*PORTABLE, "select", "epoll", "nonblocking", "fork", "split", "readonly", "orphan",
         "refused", "remap", "cacheable", "abandoned", "huge", "failed", "busy", "streamoff",
         "killed", "processes", "crowd")
SLOW_DEVICE = ("abandoned", "crowd")
PROGRAMS = ("guest_driver", "guest_driver32", "guest_driver32_time64")

MODULES = ("virtio_mmio", "virtio_console", "virtio_blk")
# An allocator keeps some.
LEAK_KIB_MAX = 300
RELOADS = 50 if is_long() else 10

# Small, so that mappings that are not given back are missed: "remap" makes more than fit.
OPTIONS = "test,size=320x240,shm=16M"

# Of the kernel's checkpatch: what the project wants otherwise, or an external module needs.
CHECKPATCH = ("scripts/checkpatch.pl", "scripts/spelling.txt", "scripts/const_structs.checkpatch")
IGNORED = {
    "BRACKET_SPACE": "designators in macros",
    "EMBEDDED_FILENAME": "files begin with their names here",
    "LINUX_VERSION_CODE": "it is built for several kernels",
    "CONSTANT_COMPARISON": "the same: LINUX_VERSION_CODE < KERNEL_VERSION()",
    "MACRO_ARG_REUSE": "tables of constants",
    "UNCOMMENTED_DEFINITION": "virtio_media.h begins with the locks",
    "FILE_PATH_CHANGES": "it has no MAINTAINERS",
}

# The driver's, and where the guest's kernel says that something is wrong.
DRIVER = "/sys/bus/virtio/drivers/virtio_media"
COMPLAINTS = "dmesg | grep -E 'BUG|WARNING|Oops|INFO:|refcount|protection fault|leak'"


def run(*words, **options):
    """Return: the exit code and all that was said."""
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, check=False, **options)
    return done.returncode, done.stdout


def compile_with_warnings(archive, release):
    """Return: what compiler and sparse say when they are asked to say everything."""
    headers = kernel_build.headers(archive, release)
    with tempfile.TemporaryDirectory(dir=archive.cache) as folder:
        for path in driver_module.source_files():
            pathlib.Path(folder, path.name).write_bytes(path.read_bytes())
        return run("make", "-s", "-C", str(headers), f"M={folder}", "W=1", "C=1",
                   "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules", env=os.environ | {"LC_ALL": "C"})


def checkpatch(archive):
    """Return: what the kernel's own style check says."""
    tools = archive.cache / "checkpatch"
    with archive.locked():
        if not tools.is_dir():
            work = pathlib.Path(tempfile.mkdtemp(dir=archive.cache))
            kernel_build.unpack_source(archive, CHECKPATCH, work)
            os.rename(work, tools)
    files = [str(path) for path in driver_module.source_files() if path.suffix in (".c", ".h")]
    return run("perl", str(tools / "checkpatch.pl"), "--no-tree", "--strict", "--terse",
               "--no-summary", "--max-line-length=100", "--ignore", ",".join(IGNORED), "-f",
               *files)


def image(archive, name):
    """The initramfs with driver and programs. Return: what the emulated host needs of it."""
    known = kernel.Kernel(archive, name)
    driver = driver_module.build(archive, known.release)
    names = [*MODULES, *driver_module.needs(driver)]
    files = [*known.module_files(names), driver]
    found = initramfs.with_busybox(archive, guest_image.INIT, files)
    for program in PROGRAMS:
        path = pathlib.Path(os.environ["VMM_BUILD"]) / "tests/guest_driver" / program
        found.file(f"bin/{program}", path.read_bytes(), 0o755)
    path = archive.cache / "guests" / f"{name}-driver.cpio"
    path.parent.mkdir(parents=True, exist_ok=True)
    found.write(path)
    return {"bzImage": str(known.image), "initramfs": str(path)}


class Machine:
    """How a guest is started. @description: of image()."""

    def __init__(self, description):
        self.description = description

    def start(self):
        SCRATCH.mkdir(exist_ok=True)
        log = SCRATCH / "serial.txt"
        log.unlink(missing_ok=True)
        shell = Shell([str(vmm_path()), "--kernel", self.description["bzImage"], "--initramfs",
                       self.description["initramfs"], "--cpus", "2", "--memory", "256M",
                       "--cmdline", "console=ttyS0 console=hvc0 quiet panic=-1 vmm.run=shell",
                       "--serial", f"file={log}", "--console", "stdio", "--media", OPTIONS], log)
        try:
            shell.reach_shell()
            shell.run("mount -t debugfs debugfs /sys/kernel/debug; dmesg -n 1; dmesg -c >/dev/null")
        except BaseException:
            shell.__exit__()
            raise
        return shell


def healthy(shell):
    """The guest's kernel has nothing to complain of."""
    code, said = shell.run_any(COMPLAINTS)
    expect(code != 0, f"the guest's kernel says: {said[-3000:]}")


@contextlib.contextmanager
def slow_device(shell):
    """The thread of vmm's media device runs only when the guest has nothing to do: rings fill."""
    tasks = pathlib.Path(f"/proc/{shell.process.pid}/task")
    (thread,) = [int(path.name) for path in tasks.iterdir()
                 if (path / "comm").read_text().strip() == "media0"]
    os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
    try:
        yield
    finally:
        os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))


def counter(shell, file, name):
    """The number behind @name in a file of /proc."""
    return int(shell.run(f"awk '/^{name}:? / {{print $2}}' /proc/{file}").splitlines()[-1])


def no_page_is_pinned(shell):
    """When all programs have ended; what a command held that was abandoned comes back later."""
    for _ in range(20):
        acquired = counter(shell, "vmstat", "nr_foll_pin_acquired")
        released = counter(shell, "vmstat", "nr_foll_pin_released")
        if acquired == released:
            return
        shell.run("sleep 0.5")
    expect(False, f"of {acquired} pages that were pinned {released} were released")


def step(shell, program, name):
    """One step of tests/guest_driver."""
    with slow_device(shell) if name in SLOW_DEVICE else contextlib.nullcontext():
        shell.run(f"timeout 100 {program} {name}")
    no_page_is_pinned(shell)
    healthy(shell)


def taken_off_its_device(shell):
    """While programs wait: all are told, and afterwards the device works again."""
    shell.run(f"cd {DRIVER}; D=$(ls -d virtio*); cd /")
    for turn in range(3):
        shell.run("rm -f /tmp/said; guest_driver unplug >/tmp/said & P=$!; "
                  "until grep -q ready /tmp/said; do sleep 0.1; done; sleep 0.5; "
                  f"echo $D >{DRIVER}/unbind; wait $P && grep -q 'ok unplug' /tmp/said && "
                  f"echo $D >{DRIVER}/bind && guest_driver {'mmap' if turn else 'userptr'}")
    # taken away in mid-stream
    shell.run("rm -f /tmp/said; guest_driver hold >/tmp/said & P=$!; "
              "until grep -q ready /tmp/said; do sleep 0.1; done; sleep 0.5; "
              f"echo $D >{DRIVER}/unbind; wait $P; grep ENODEV /tmp/said || "
              f"grep 'No such device' /tmp/said && echo $D >{DRIVER}/bind && guest_driver flags")
    healthy(shell)


def unloaded_and_loaded(shell):
    """When nobody uses it, at any time; not before."""
    code, said = shell.run_any("guest_driver hold >/tmp/said & P=$!; "
                               "until grep -q ready /tmp/said; do sleep 0.1; done; "
                               "rmmod virtio_media; R=$?; kill -9 $P; wait $P 2>/dev/null; "
                               "[ $R != 0 ]")
    expect(code == 0, f"it was unloaded while a program used it: {said}")
    # busybox sees a process end before its files are closed
    shell.run("until rmmod virtio_media 2>/dev/null; do sleep 0.1; done; "
              "M=$(ls /modules/*virtio_media.ko); insmod $M")
    shell.run(f"for i in $(seq {RELOADS}); do guest_driver flags >/dev/null && "
              "rmmod virtio_media && insmod $M || break; done; guest_driver mmap",
              4 * hosted.END_SECONDS)
    healthy(shell)


def suspended(shell):
    """Refused while a program has the node open; else it works again afterwards."""
    shell.run("echo devices >/sys/power/pm_test; "
              "echo 1 >/sys/module/suspend/parameters/pm_test_delay")
    code, said = shell.run_any("guest_driver hold >/tmp/said & P=$!; "
                               "until grep -q ready /tmp/said; do sleep 0.1; done; "
                               "echo freeze >/sys/power/state; R=$?; kill -9 $P; "
                               "wait $P 2>/dev/null; sleep 0.5; [ $R != 0 ]")
    expect(code == 0, f"the guest slept while a program streamed: {said}")
    for name in "mmap", "userptr":
        shell.run(f"echo freeze >/sys/power/state && guest_driver {name}")
    healthy(shell)


def leaks_nothing(shell):
    """Pages that were pinned are not any more; slabs go back to what they were."""
    def use(turns):
        shell.run(f"for i in $(seq {turns}); do guest_driver mmap userptr prepare event refused "
                  "array killed >/dev/null || exit; done; sync; echo 3 >/proc/sys/vm/drop_caches; "
                  "sleep 1", 3 * hosted.END_SECONDS)
        return counter(shell, "meminfo", "SUnreclaim")

    before = use(1)
    after = use(3)
    expect(counter(shell, "vmstat", "nr_foll_pin_acquired") > 0, "no page was ever pinned")
    no_page_is_pinned(shell)
    expect(after < before + LEAK_KIB_MAX, f"{before} KiB of the kernel's memory became {after}")


def said_nothing(said):
    code, text = said
    expect(code == 0 and not text.strip(), f"ended with {code}: {text[-4000:]}")


def cases(work):
    """Pairs of name and function, as tap.run() takes them."""
    found = [("checkpatch has nothing to say", lambda: said_nothing(work["checkpatch"]))]
    for name in KERNELS:
        known = work["kernels"][name]
        session = Session(functools.partial(Machine, known["image"]))
        found.append((f"{name}: builds without a warning",
                      functools.partial(said_nothing, known["build"])))
        for program in PROGRAMS:
            for title in STEPS if program == PROGRAMS[0] else PORTABLE:
                found.append((f"{name}: {program} {title}", session.case(step, program, title)))
        for function in unloaded_and_loaded, suspended, leaks_nothing:
            found.append((f"{name}: {function.__name__}", session.case(function)))
        found.append((f"{name}: {taken_off_its_device.__name__}",
                      session.last_case(taken_off_its_device)))
    return found


def prepare(archive, _):
    """What the emulated host needs to know, as JSON takes it."""
    kernels = {}
    for name in KERNELS:
        release = kernel.Kernel(archive, name).release
        kernels[name] = {"build": compile_with_warnings(archive, release),
                         "image": image(archive, name)}
    return {"kernels": kernels, "checkpatch": checkpatch(archive)}


if __name__ == "__main__":
    sys.exit(hosted.main(__file__, prepare, cases))
