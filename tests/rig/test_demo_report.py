#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""Tests what ./demo makes of what its guest said: the picture, by pixel format, and the figures."""
import io
import pathlib
import sys
import tempfile

from PIL import Image

import rig
import tap
from tap import expect

sys.path.insert(0, str(rig.SOURCE / "scripts"))
import demo_report  # noqa: E402 pylint: disable=wrong-import-position

WIDTH, HEIGHT = 8, 4
RED = (255, 0, 0)
# ITU-R BT.601, limited range
RED_Y, RED_U, RED_V = 81, 90, 240
FULL_Y, FULL_U, FULL_V = 76, 85, 255
PADDING = b"\x10\x20"  # at the end of lines


def lines_of(line):
    return (line + PADDING) * HEIGHT


def jpeg():
    out = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), RED).save(out, "JPEG", quality=95)
    return out.getvalue()


# pixel format, quantization, bytes of a red frame, bytes of a line
FRAMES = (
    ("YUYV", "Limited Range", lines_of(bytes((RED_Y, RED_U, RED_Y, RED_V)) * (WIDTH // 2)), 18),
    ("YUYV", "Full Range", lines_of(bytes((FULL_Y, FULL_U, FULL_Y, FULL_V)) * (WIDTH // 2)), 18),
    ("NV12", "Limited Range", lines_of(bytes((RED_Y,)) * WIDTH)
     + (bytes((RED_U, RED_V)) * (WIDTH // 2) + PADDING) * (HEIGHT // 2), 10),
    ("RGB3", "Full Range", lines_of(bytes(RED) * WIDTH), 26),
    ("MJPG", "Full Range", jpeg(), 0),
)


def log_of(pixel_format, quantization, length, line, numbers=range(8), clock=True):
    """What the guest says. 25 frames/s; each is 5 ms old, by clocks that differ by 1000 ms."""
    said = ["demo: card A camera", f"demo: format Width/Height      : {WIDTH}/{HEIGHT}",
            f"demo: format Pixel Format      : '{pixel_format}' (some words)",
            f"demo: format Bytes per Line    : {line}",
            f"demo: format Quantization      : Default (maps to {quantization})"]
    if clock:
        said.append("demo: clock offset 1000000000 ns, error 3000 ns")
    said += [f"demo: cap dqbuf: {number % 4} seq: {number:6} bytesused: {length} "
             f"ts: {100 + number / 25:.6f} delta: 40.000 ms delta now: -995.000 ms fps: 25.00 "
             "(ts-monotonic, ts-src-eof)" for number in numbers]
    return "\n".join([*said, f"demo: frame of {length} bytes", ""])


def report(log, frame):
    """Return: the lines, and the picture."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "frame.png")
        lines = demo_report.report(log, frame, path)
        with Image.open(path) as image:
            image.load()
            return "\n".join(lines), image


def picture_is_red(pixel_format, quantization, frame, line):
    log = log_of(pixel_format, quantization, len(frame), line)
    lines, image = report(log, frame + bytes(512))
    expect(image.size == (WIDTH, HEIGHT), f"{image.size}")
    for at in ((0, 0), (WIDTH - 1, HEIGHT - 1)):
        pixel = image.convert("RGB").getpixel(at)
        expect(all(abs(one - other) <= 4 for one, other in zip(pixel, RED)), f"{at}: {pixel}")
    expect(f"A camera, {pixel_format} {WIDTH}x{HEIGHT}" in lines, lines)


def grey_is_a_ramp():
    frame = b"".join(bytes(range(row, row + WIDTH)) + PADDING for row in range(HEIGHT))
    _, image = report(log_of("GREY", "Full Range", len(frame), 10), frame)
    expect([image.getpixel((x, 2)) for x in range(WIDTH)] == list(range(2, 2 + WIDTH)),
           "other pixels")


def figures_are_those_of_the_stream():
    _, quantization, frame, line = FRAMES[0]
    lines, _ = report(log_of("YUYV", quantization, len(frame), line,
                             (0, 1, 2, 3, 4, 7, 8, 9)), frame)
    for words in ("frame rate   25.00 frames/s over 8 frames", "frames lost  2",
                  "latency      5.00 ms median, 5.00 ms at most", "known to 3 us"):
        expect(words in lines, f'no "{words}" in: {lines}')


def latency_needs_the_clocks():
    _, quantization, frame, line = FRAMES[0]
    lines, _ = report(log_of("YUYV", quantization, len(frame), line, clock=False), frame)
    expect("latency" not in lines, lines)


GOOD = log_of(*FRAMES[0][:2], len(FRAMES[0][2]), FRAMES[0][3])

# title, log, frame, what the complaint says
MISTAKES = (
    ("the guest gave up", "demo: failed: there is no /dev/video0\n", b"", "there is no /dev/video0"),
    ("nothing was said", "", b"", "the guest did not tell the camera's name"),
    ("unknown format", GOOD.replace("YUYV", "H264"), FRAMES[0][2], "H264, which is not known"),
    ("no frame came out", GOOD, b"", "not in the 0 that came out"),
    ("no stream", GOOD.replace("cap dqbuf", "cap"), FRAMES[0][2], "only 0 frames came"),
)


def mistake(log, frame, words):
    try:
        report(log, frame)
    except demo_report.ReportError as error:
        expect(words in str(error), f'"{error}" does not say "{words}"')
        return
    expect(False, "nothing was found wrong")


def main():
    cases = [(f"{case[0]}, {case[1]}", lambda case=case: picture_is_red(*case))
             for case in FRAMES]
    cases += [(function.__name__, function) for function in
              (grey_is_a_ramp, figures_are_those_of_the_stream, latency_needs_the_clocks)]
    cases += [(f"mistake: {name}", lambda case=case: mistake(*case)) for name, *case in MISTAKES]
    tap.plan(cases)
    return 1 if tap.run(cases) else 0


if __name__ == "__main__":
    sys.exit(main())
