#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""Tests how the output of v4l2-compliance is read, and how a guest's is judged by the host's."""
import sys

import compliance
import tap
from compliance import FAIL, MISSING, OK, UNSUPPORTED, UNTESTED, WARN, Result
from tap import expect

PLACE, OTHER_PLACE = "v4l2-test-buffers.cpp(703)", "v4l2-test-formats.cpp(12)"

ALL = compliance.ALL_FORMATS
STREAM = "MMAP for Format YUYV, Frame Size 320x180"

OUTPUT = f"""v4l2-compliance 1.22.1, 64 bits, 64-bit time_t

Driver Info:
\tDriver name      : vivid
Allow for multiple opens:
\ttest second /dev/v4l-touch0 open: OK
\ttest VIDIOC_QUERYCAP: OK

Control ioctls (Input 0):
\t\twarn: v4l2-test-controls.cpp(9): odd
\ttest VIDIOC_QUERYCTRL: OK (Not Supported)
\ttest VIDIOC_QUERYCTRL: OK
\tStandard Controls: 2 Private Controls: 22

Buffer ioctls (Input 0):
\t\tfail: {PLACE}: check_0(reserved)
\t\tfail: {OTHER_PLACE}: again
\ttest VIDIOC_REQBUFS: FAIL

Test input 0:

Streaming ioctls:
\tVideo Capture: Frame #000\r\ttest MMAP: OK
\ttest DMABUF: Cannot test, specify --expbuf-device

Test input 1:

Streaming ioctls:
\ttest MMAP: FAIL

Stream using all formats:
\ttest {STREAM}@1.00 Hz:
\t\tStride 640, Field None: OK{' ' * 3}
\t\tVideo Capture: Frame #000\r\t\tfail: {PLACE}: check_0(reserved)
\t\tStride 704, Field None: FAIL
\ttest {STREAM}@2.00 Hz:
\t\tStride 640, Field None: OK{' ' * 3}
\tVideo Capture: Captured 1 buffers
\tRGBP (16-bit RGB 5-6-5) 32x32 -> YUYV (YUYV 4:2:2) 32x32: OK
\ttest Disconnect: OK

Total for vivid device /dev/v4l-touch0: 12, Succeeded: 9, Failed: 3, Warnings: 1
"""

READ = {
    ("Allow for multiple opens", "second node open", 1): Result(OK),
    ("Allow for multiple opens", "VIDIOC_QUERYCAP", 1): Result(OK),
    ("Control ioctls (Input 0)", "VIDIOC_QUERYCTRL", 1): Result(UNSUPPORTED),
    ("Control ioctls (Input 0)", "VIDIOC_QUERYCTRL", 2): Result(OK),
    ("Buffer ioctls (Input 0)", "VIDIOC_REQBUFS", 1): Result(FAIL, (PLACE, OTHER_PLACE)),
    ("Streaming ioctls (0)", "MMAP", 1): Result(OK),
    ("Streaming ioctls (0)", "DMABUF", 1): Result(UNTESTED),
    ("Streaming ioctls (1)", "MMAP", 1): Result(FAIL),
    (f"{ALL} (1)", f"{STREAM}@1.00 Hz, Stride 640, Field None", 1): Result(OK),
    (f"{ALL} (1)", f"{STREAM}@1.00 Hz, Stride 704, Field None", 1): Result(FAIL, (PLACE,)),
    (f"{ALL} (1)", f"{STREAM}@2.00 Hz, Stride 640, Field None", 1): Result(OK),
    (f"{ALL} (1)", "RGBP (16-bit RGB 5-6-5) 32x32 -> YUYV (YUYV 4:2:2) 32x32", 1): Result(OK),
    (f"{ALL} (1)", "Disconnect", 1): Result(OK),
}

# title, output, what the complaint about it says
BROKEN = (
    ("cut off", OUTPUT[:OUTPUT.index("Total")], "did not come to its end"),
    ("a test lost", OUTPUT.replace("\ttest VIDIOC_QUERYCAP: OK\n", ""), "counts 12 tests"),
    ("a failure lost", OUTPUT.replace("\ttest VIDIOC_REQBUFS: FAIL", "\ttest VIDIOC_REQBUFS: OK"),
     "3 failed, but 12 and 2"),
    ("nothing", "", "did not come to its end"),
)

# node, test, host, guest: is it wrong?
VERDICTS = (
    ("n", "MMAP", Result(OK), Result(OK), False),
    ("n", "MMAP", Result(OK), Result(FAIL, (PLACE,)), True),
    ("n", "MMAP", Result(OK), Result(WARN), True),
    ("n", "MMAP", Result(OK), Result(UNSUPPORTED), True),
    ("n", "MMAP", Result(OK), Result(MISSING), True),
    ("n", "MMAP", Result(UNSUPPORTED), Result(FAIL), True),
    ("n", "MMAP", Result(UNSUPPORTED), Result(OK), False),
    ("n", "MMAP", Result(FAIL, (PLACE,)), Result(OK), False),
    ("n", "MMAP", Result(FAIL, (PLACE,)), Result(FAIL, (PLACE,)), False),
    ("n", "MMAP", Result(FAIL, (PLACE,)), Result(FAIL, (OTHER_PLACE,)), True),
    ("n", "read/write", Result(OK), Result(UNSUPPORTED), False),
    ("n", "read/write", Result(OK), Result(FAIL), True),
    ("vivid-000-vid-cap", "Disconnect", Result(OK), Result(MISSING), False),
    ("vim2m", "Disconnect", Result(OK), Result(MISSING), True),
    ("stateful-encoder", "VIDIOC_(TRY_)ENCODER_CMD", Result(OK),
     Result(FAIL, ("v4l2-test-codecs.cpp(35)",)), False),
    ("stateful-encoder", "VIDIOC_(TRY_)ENCODER_CMD", Result(OK),
     Result(FAIL, ("v4l2-test-codecs.cpp(36)",)), True),
    ("vim2m", "VIDIOC_(TRY_)ENCODER_CMD", Result(OK),
     Result(FAIL, ("v4l2-test-codecs.cpp(35)",)), True),
)


def every_test_is_read():
    found = compliance.parse(OUTPUT)
    expect(found == READ, f"{found} instead of {READ}")


def broken(text, complaint):
    try:
        compliance.parse(text)
    except compliance.ComplianceError as error:
        expect(complaint in str(error), f'"{error}" does not say "{complaint}"')
        return
    expect(False, "nothing was found wrong")


def verdict(node, name, host, guest, is_wrong):
    key = ("heading", name, 1)
    said = compliance.judge(node, key, host, guest)
    expect(bool(said) == is_wrong, f"{said}")


def repeated_numbers_are_seen():
    said = OUTPUT.replace("check_0(reserved)", "(int)g_sequence() < seq.last_seq + 1")
    for text, expected in (OUTPUT, False), (said, True):
        found = compliance.has_repeated_number(compliance.parse(text))
        expect(found == expected, f"{found} instead of {expected}")


def comparison_knows_what_either_side_lacks():
    first, *_, last = READ
    host = {key: result for key, result in READ.items() if key != last}
    guest = {key: result for key, result in READ.items() if key != first}
    found = compliance.Comparison("n", host, guest)
    expect(len(found.rows) == len(READ), f"{found.rows}")
    expect([text for text in found.wrong if "second node open" in text and MISSING in text],
           f"{found.wrong}")
    table = found.table()
    expect(all(compliance.name_of(key) in table for key in READ if key[0] != f"{ALL} (1)"), table)
    expect(f"{ALL}: 3 are ok" in table and "Stride 704" in table, table)
    expect(table.count("<--") == len(found.wrong), table)


def main():
    cases = [(f"broken output: {name}", lambda case=case: broken(*case))
             for name, *case in BROKEN]
    cases += [(f"{name} of {node}: host {host.outcome}, guest {guest.outcome}",
               lambda case=(node, name, host, guest, wrong): verdict(*case))
              for node, name, host, guest, wrong in VERDICTS]
    cases += [(function.__name__, function) for function in
              (every_test_is_read, repeated_numbers_are_seen,
               comparison_knows_what_either_side_lacks)]
    tap.plan(cases)
    return 1 if tap.run(cases) else 0


if __name__ == "__main__":
    sys.exit(main())
