# SPDX-License-Identifier: BSD-3-Clause
"""What a vmm process holds of its host, guest memory apart: descriptors, mappings, memory."""
import dataclasses
import os
import pathlib
import re


@dataclasses.dataclass(frozen=True)
class Footprint:
    """@fds: open ones, by what they are and how many. @mappings: how many. @kib: resident."""
    fds: dict
    mappings: int
    kib: int


def descriptors(pid):
    found = {}
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        name = os.readlink(link)
        found[name] = found.get(name, 0) + 1
    return found


def measure(pid, guest_kib):
    """The footprint of process @pid. A mapping of @guest_kib or more is the guest's memory."""
    mappings = 0
    runs = []  # of mappings that touch and are of one kind: [end, kind, size, rss]
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text(encoding="ascii").splitlines():
        head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)", line)
        if head:
            mappings += 1
            start, end, kind = int(head[1], 16), int(head[2], 16), (head[3], head[4])
            if not runs or runs[-1][:2] != [start, kind]:
                runs.append([end, kind, 0, 0])
            runs[-1][0] = end
            runs[-1][2] += (end - start) >> 10
        elif line.startswith("Rss:"):
            runs[-1][3] += int(line.split()[1])
    resident = sum(run[3] for run in runs if run[2] < guest_kib)
    return Footprint(descriptors(pid), mappings, resident)
