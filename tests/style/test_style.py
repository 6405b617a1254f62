#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The rules of the house that a machine can check: format, who includes what, registered tests.

Run from meson with the source directory as argument. Each rule is a test of its own.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ".").resolve()

# Headers that speak to one part of the host, and the only files that may.
RESERVED = {
    "linux/kvm.h": r"vmm/(vm|vcpu|kvm_host)\.c|arch/.*|tests/kvm/.*",
    "liburing.h": r"vmm/loop_uring(_io|_setup)?\.c|vmm/loop_uring\.h",
    "linux/videodev2.h": r"devices/media/.*|include/virtio_media\.h|guest/.*|tests/.*",
    "libv4lconvert.h": r"devices/media/convert_formats\.c",
    "jansson.h": r"vmm/config.*\.c|tests/.*",
    "termios.h": r"vmm/(terminal|chardev_open)\.c|tests/.*",
}

# What a folder may include besides include/ and itself; but for the files that know all parts.
KNOWS = {
    "include": (),
    "vmm": ("devices/virtio/mmio.h",),
    "devices": (),
    "arch": (),
    "firmware": ("arch/x86_64/memory_map.h",),
}

KNOWS_ALL = ("vmm/main.c", "vmm/media_devices.c", "vmm/serial_host.c", "vmm/virtio_devices.c",
             "vmm/vmm.c")

INCLUDE = re.compile(r'^#include ([<"])([^>"]+)[>"]', re.M)
LINES_MAX = 500


def tracked(*suffixes):
    """Files of the project with one of the suffixes, whether git knows them or not."""
    skip = re.compile(r"build.*|\.git|__pycache__|demo-out")
    found = []
    for folder, folders, names in os.walk(ROOT):
        # not even looked into: what is in there may go away at any moment
        folders[:] = [name for name in folders if not skip.fullmatch(name)]
        found += [pathlib.Path(folder, name) for name in names]
    for path in sorted(found):
        if path.suffix in suffixes and path.is_file():
            yield path.relative_to(ROOT).as_posix(), path


def includes(path):
    return INCLUDE.findall(path.read_text(encoding="utf-8"))


class Style(unittest.TestCase):
    maxDiff = None

    def test_format(self):
        self.assertIsNotNone(shutil.which("clang-format"), "clang-format is not installed")
        files = [str(path) for _, path in tracked(".c", ".h")]
        self.assertTrue(files)
        run = subprocess.run(["clang-format", "--dry-run", "--Werror", *files],
                             capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, 0, run.stderr[:4000])

    def test_reserved_headers(self):
        wrong = [f"{name} includes {header}" for name, path in tracked(".c", ".h")
                 for _, header in includes(path)
                 if header in RESERVED and not re.fullmatch(RESERVED[header], name)]
        self.assertEqual(wrong, [])

    def test_parts_know_only_their_contracts(self):
        wrong = []
        for name, path in tracked(".c", ".h"):
            part = name.split("/")[0]
            if part not in KNOWS or name in KNOWS_ALL:
                continue
            for kind, header in includes(path):
                if kind == '"' and not (ROOT / "include" / header).exists() and \
                        not header.startswith(part + "/") and header not in KNOWS[part] and \
                        not (path.parent / header).exists():
                    wrong.append(f"{name} includes {header}")
        self.assertEqual(wrong, [])

    def test_contracts_hold_no_code(self):
        """Headers in include/: no function bodies but one-line inlines."""
        for name, path in tracked(".h"):
            if not name.startswith("include/"):
                continue
            for body in re.findall(r"^\{\n(.*?)^\}", path.read_text(encoding="utf-8"), re.M | re.S):
                self.assertLessEqual(body.count("\n"), 3, f"{name} holds code:\n{body}")

    def test_files_say_what_they_are(self):
        for name, path in tracked(".c", ".h", ".S"):
            head = path.read_text(encoding="utf-8").splitlines()[:3]
            licence = "/* SPDX-License-Identifier: BSD-3-Clause */"
            if name.startswith("guest/"):  # as the kernel's checkpatch wants it
                licence = "SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause)"
                licence = f"// {licence}" if path.suffix == ".c" else f"/* {licence} */"
            self.assertEqual(head[0], licence, name)
            self.assertEqual(head[1], "/*", name)
            self.assertTrue(head[2].startswith(f" * {path.name} - "),
                            f"{name}: the first comment begins with '{path.name} - '")

    def test_no_file_is_long(self):
        for name, path in tracked(".c", ".h", ".py"):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            self.assertLessEqual(lines, LINES_MAX, f"{name}: has it got a second subject?")

    def test_headers_are_guarded(self):
        for name, path in tracked(".h"):
            text = path.read_text(encoding="utf-8")
            guard = re.search(r"^#ifndef ((?:VMM|VIRTIO_MEDIA)\w*_H)\n#define (\w+_H)$", text, re.M)
            self.assertTrue(guard and guard[1] == guard[2], f"{name} has no include guard")

    def test_every_source_is_built(self):
        """Each C file, test and fuzzer is named in the meson.build of its folder or one above."""
        for name, path in tracked(".c", ".S"):
            self.assertTrue(self.registered(path), f"{name} is in no meson.build")
        for name, path in tracked(".py"):
            if path.name.startswith("test_"):
                self.assertTrue(self.registered(path), f"{name} is in no meson.build")

    @staticmethod
    def registered(path):
        stem = re.sub(r"^(test|fuzz)_", "", path.stem)
        if path.parent == ROOT / "tests" / "support":  # linked into tests of several folders
            return any(path.name in build.read_text(encoding="utf-8")
                       for _, build in tracked(".build"))
        folder = path.parent
        while folder != ROOT.parent:
            build = folder / "meson.build"
            kbuild = folder / "Kbuild"
            if kbuild.exists() and f"{path.stem}.o" in kbuild.read_text(encoding="utf-8"):
                return True
            if build.exists():
                text = build.read_text(encoding="utf-8")
                if path.name in text or re.search(rf"'{re.escape(stem)}'", text):
                    return True
            folder = folder.parent
        return False

    def test_plain_words(self):
        """No leftovers in what a reader gets."""
        leftover = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX")) + r")\b")
        for name, path in tracked(".c", ".h", ".S", ".py", ".md", ".build"):
            found = leftover.search(path.read_text(encoding="utf-8"))
            self.assertIsNone(found, f"{name}: {found and found[0]}")


if __name__ == "__main__":
    unittest.main()
