# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the whole program share: where vmm is, and whether KVM can be used here."""
import os
import pathlib
import re
import signal
import subprocess
import sys

# A shell's background job inherits these as ignored, and vmm leaves them so.
signal.signal(signal.SIGINT, signal.default_int_handler)
for _name in (signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
    signal.signal(_name, signal.SIG_DFL)

SKIPPED = 77  # meson's exit code for a test that this machine cannot run


class Program:
    """The vmm binary under test, and the tiny kernel that it boots."""

    def __init__(self, vmm, kernel=None):
        self.vmm = pathlib.Path(vmm).resolve()
        self.kernel = pathlib.Path(kernel).resolve() if kernel else None

    @classmethod
    def from_args(cls):
        """Takes the paths off the command line, before unittest reads the rest."""
        paths, sys.argv[1:] = sys.argv[1:3], sys.argv[3:]
        return cls(*paths)

    def run(self, *args, **kwargs):
        kwargs.setdefault("timeout", 60)
        return subprocess.run([str(self.vmm), *map(str, args)], capture_output=True, text=True,
                              stdin=kwargs.pop("stdin", subprocess.DEVNULL), check=False, **kwargs)

    def machine_args(self, action, *args):
        """The command line that boots the tiny kernel, on whatever KVM there is."""
        return [str(self.vmm), "--software-kvm", "--kernel", str(self.kernel),
                "--cmdline", action, "--memory", "16M", *map(str, args)]


def have_kvm():
    return os.access("/dev/kvm", os.R_OK | os.W_OK)


def have_hardware():
    """Whether the processor shows VT-x or AMD-V."""
    flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return re.search(r"\b(vmx|svm)\b", flags) is not None
