# SPDX-License-Identifier: BSD-3-Clause
"""
What v4l2-compliance says, read and compared: of a node of the host, and of the same node in a guest.

Its tests have no numbers. Here a test is known by the heading that it stands under (with the number
of the input or output that is selected), its name, and how often the same stood there before. With
-f, streaming is one test for each format, size and rate, of several parts; or for two formats, of
a memory-to-memory device.
"""
import collections
import dataclasses
import re

OK, UNSUPPORTED, FAIL, WARN, UNTESTED, MISSING = (
    "ok", "not supported", "FAIL", "WARNING", "not tested", "MISSING")

# What it prints behind "test NAME: ".
RESULTS = (
    (re.compile(r"OK \(Not Supported\)$"), UNSUPPORTED),
    (re.compile(r"OK(, Warnings.*)?$"), OK),
    (re.compile(r"FAIL\b"), FAIL),
    (re.compile(r"WARN\b"), WARN),
    (re.compile(r"Cannot test\b"), UNTESTED),
)

TEST = re.compile(r"\s*test (.+?): ((?:OK|FAIL|WARN|Cannot test)\b.*)$")
TEST_OF_PARTS = re.compile(r"\s*test (.+):$")
PART = re.compile(r"\s+(\S.*): ((?:OK|FAIL|WARN|Cannot test)\b.*)$")
CONVERSION = re.compile(r"\s+(\S.* -> .*): ((?:OK|FAIL|WARN|Cannot test)\b.*)$")
HEADING = re.compile(r"(\S.*):$")
COMPLAINT = re.compile(r"\s*fail: ((v4l2-\S+\(\d+\)).*)")
TOTAL = re.compile(r"Total for .*: (\d+), Succeeded: (\d+), Failed: (\d+), Warnings: (\d+)")

ALL_FORMATS = "Stream using all formats"

# What there is no way for, or no reason: a pattern of nodes, one of tests, the reason. What is
# supported by the host only, and not here, is a failure.
NEVER_SUPPORTED = (
    (r".*", r"MC information .*", "virtio 1.4 has no media controller"),
    (r".*", r"VIDIOC_LOG_STATUS", "virtio 1.4, 5.22.6.1.5: the driver's own"),
    (r".*", r"VIDIOC_DBG_G/S_REGISTER", "registers of the host's hardware are not the guest's"),
    (r".*", r"VIDIOC_G/S_JPEGCOMP", "virtio 1.4, 5.22.6.1.5: controls take its place"),
    (r".*", r"VIDIOC_EXPBUF", "needs VIRTIO_OBJECT, which the device does not offer"),
    (r".*", r"Requests", "virtio 1.4 has no requests"),
    (r".*", r"read/write", "frames pass in shared buffers, never by read() and write()"),
    (r"vivid-.*", r"Disconnect", "presses a button of drivers called vivid; here it is another"),
)

# What fails in the guest alone, and may: a pattern of nodes, one of tests, the place in
# v4l2-compliance, the reason.
MAY_FAIL = (
    (r"stateful-encoder", r"VIDIOC_\(TRY_\)ENCODER_CMD", "v4l2-test-codecs.cpp(35)",
     "asks a media controller, which virtio 1.4 has not, for the node's function"),
    (r"stateful-decoder", r"VIDIOC_\(TRY_\)DECODER_CMD", "v4l2-test-codecs.cpp(104)",
     "asks a media controller, which virtio 1.4 has not, for the node's function"),
)


@dataclasses.dataclass(frozen=True)
class Result:
    """How one test ended. @complaints: where in v4l2-compliance it failed. @said: in its words."""
    outcome: str
    complaints: tuple = ()
    said: tuple = dataclasses.field(default=(), compare=False)


class ComplianceError(Exception):
    """What v4l2-compliance printed is not what it prints."""


def outcome_of(text):
    for pattern, outcome in RESULTS:
        if pattern.match(text):
            return outcome
    raise ComplianceError(f'v4l2-compliance has an unknown result: "{text}"')


def lines_of(text):
    """The lines, without what progress reports have left in front of them."""
    for line in text.splitlines():
        yield line.rsplit("\r", 1)[-1].rstrip()


class Reader:
    """Collects results from the lines. @found: results by test, in order. @total: of TOTAL."""

    def __init__(self):
        self.found = {}
        self.total = None
        self.heading = self.selected = ""
        self.whole = None  # name of a test of parts
        self.complaints = []
        self.seen = collections.Counter()

    def read(self, line):
        """The next line."""
        if match := COMPLAINT.search(line):
            self.complaints.append((match[2], match[1]))
        elif match := TEST.match(line):
            self.whole = None
            self.add(match[1], match[2])
        elif match := TEST_OF_PARTS.match(line):
            self.whole = match[1]
        elif match := CONVERSION.match(line):
            self.add(match[1], match[2])
        elif self.whole and (match := PART.match(line)):
            self.add(f"{self.whole}, {match[1]}", match[2])
        elif match := TOTAL.match(line):
            self.total = match
        elif match := HEADING.match(line):
            self.whole = None
            if match[1].startswith("Test "):
                self.selected = match[1].split()[-1]
            self.heading = (f"{match[1]} ({self.selected})" if match[1].startswith("Str")
                            else match[1])
            self.complaints = []

    def add(self, name, result):
        """One test has ended."""
        place = (self.heading, name)
        self.seen[place] += 1
        places = tuple(place for place, _ in self.complaints)
        self.found[(*place, self.seen[place])] = Result(
            outcome_of(result), places, tuple(words for _, words in self.complaints))
        self.complaints = []


def parse(text):
    """
    Read the whole output of v4l2-compliance for one node. Return: results by test, in order.
    Raises ComplianceError if it did not come to its end, or counted otherwise.
    """
    reader = Reader()
    for line in lines_of(re.sub(r"/dev/[\w-]+", "node", text)):
        reader.read(line)
    found, total = reader.found, reader.total
    if not total:
        raise ComplianceError("v4l2-compliance did not come to its end; it said last:\n"
                              + "\n".join(list(lines_of(text))[-8:]))
    failed = sum(result.outcome == FAIL for result in found.values())
    counted = sum(result.outcome != UNTESTED for result in found.values())
    if (counted, failed) != (int(total[1]), int(total[3])):
        raise ComplianceError(f"v4l2-compliance counts {total[1]} tests and {total[3]} failed, "
                              f"but {counted} and {failed} were read")
    return found


def has_repeated_number(results):
    """Whether a test failed because a frame's number was not above that of the one before."""
    return any("g_sequence() <" in words for result in results.values() for words in result.said)


def name_of(key):
    heading, name, number = key
    return f"{heading}: {name}" + (f" #{number}" if number > 1 else "")


def excuse(node, key, guest):
    """Why a guest may have the result @guest where the host's is a pass, or None."""
    def fits(nodes, tests):
        return re.fullmatch(nodes, node) and re.fullmatch(tests, key[1])

    if guest.outcome in (UNSUPPORTED, MISSING):
        return next((reason for nodes, tests, reason in NEVER_SUPPORTED if fits(nodes, tests)),
                    None)
    return next((reason for nodes, tests, place, reason in MAY_FAIL
                 if fits(nodes, tests) and guest.complaints == (place,)), None)


def judge(node, key, host, guest):
    """What is wrong with a test in the guest, or None. @host, @guest: its results."""
    passes = (OK, UNSUPPORTED)
    if host.outcome not in passes:
        # it fails in the host's driver; in the guest it must fail the same way, or not at all
        if guest.outcome == FAIL and guest.complaints != host.complaints:
            return (f"fails elsewhere: {'; '.join(guest.said)}; on the host: "
                    f"{'; '.join(host.said)}")
        return None
    if guest.outcome == OK or guest.outcome == host.outcome or excuse(node, key, guest):
        return None
    if guest.outcome == UNSUPPORTED:
        return "is supported on the host only"
    where = f" at {'; '.join(guest.said)}" if guest.complaints else ""
    return f"passes on the host; in the guest: {guest.outcome}{where}"


class Comparison:
    """
    Of one @node, by name: @host and @guest, what parse() returned. @wrong: a sentence for each
    test that is worse in the guest.
    """

    def __init__(self, node, host, guest):
        missing = Result(MISSING)
        self.node = node
        self.keys = list(dict.fromkeys([*host, *guest]))
        self.rows = [(key, host.get(key, missing), guest.get(key, missing)) for key in self.keys]
        self.wrong = [f"{name_of(key)}: {sentence}" for key, *results in self.rows
                      if (sentence := judge(node, key, *results))]

    def count(self, column, outcome):
        return sum(row[column].outcome == outcome for row in self.rows)

    def summary(self):
        """One line: how many tests of each outcome."""
        def counts(column):
            names = (OK, UNSUPPORTED, FAIL, WARN)
            return ", ".join(f"{count} {name}" for name in names
                             if (count := self.count(column, name)))
        return f"{self.node}: host {counts(1)}; guest {counts(2)}"

    def table(self):
        """
        All results, a line each, as text; but only how many formats can be streamed on either side.
        """
        rows = [row for row in self.rows if not (ALL_FORMATS in name_of(row[0])
                                                 and row[1].outcome == row[2].outcome == OK)]
        width = max(len(name_of(key)) for key, *_ in rows or self.rows)
        lines = [self.summary(), f"{'test':{width}}  {'host':13}  guest"]
        if len(rows) < len(self.rows):
            lines.append(f"{ALL_FORMATS}: {len(self.rows) - len(rows)} are {OK} on both sides")
        for key, host, guest in rows:
            line = f"{name_of(key):{width}}  {host.outcome:13}  {guest.outcome}"
            sentence = judge(self.node, key, host, guest)
            reason = excuse(self.node, key, guest) if guest.outcome != host.outcome else None
            lines.append(line + (f"  <-- {sentence}" if sentence else
                                 f"  ({reason})" if reason else ""))
        return "\n".join(lines) + "\n"
