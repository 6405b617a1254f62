#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
Reads what the guest of ./demo said and the frame that it brought out; makes a picture of the frame
and prints frame rate, lost frames and latency.

    demo_report.py LOG FRAME PICTURE
"""
import dataclasses
import io
import pathlib
import re
import statistics
import sys

from PIL import Image

LINE = re.compile(r"demo: cap dqbuf: *\d+ seq: *(\d+) bytesused: \d+ ts: (\d+\.\d+).*?"
                  r"delta now: ([-+]\d+\.\d+) ms")
EDGE = 3  # frames; what a stream begins with


class ReportError(Exception):
    """A sentence for the user."""


@dataclasses.dataclass(frozen=True)
class Frame:
    """One that the application got. @age: since its time stamp, ms."""
    sequence: int
    stamp: float
    age: float


def field(log, pattern, what):
    match = re.search(rf"^demo: {pattern}", log, re.MULTILINE)
    if not match:
        raise ReportError(f"the guest did not tell {what}")
    return match


def frames_of(log, offset):
    """@offset: how far the clock of the time stamps is ahead of the guest's, ms."""
    return [Frame(int(number), float(stamp), float(behind) + offset)
            for number, stamp, behind in LINE.findall(log)]


def expand(plane, size):
    """A plane of chrominance, as large as the picture."""
    return plane.resize(size, Image.Resampling.BILINEAR)


def plane_of(data, width, height):
    return Image.frombytes("L", (width, height), data)


def picture_of_ycbcr(planes, full_range):
    """@full_range: 0 to 255, not 16 to 235."""
    if not full_range:
        planes = [plane.point([min(max(round((value - low) * 255 / width + zero), 0), 255)
                               for value in range(256)])
                  for plane, low, width, zero in zip(planes, (16, 128, 128), (219, 224, 224),
                                                     (0, 128, 128))]
    return Image.merge("YCbCr", planes).convert("RGB")


def picture(data, pixel_format, size, line, full_range):
    """
    The frame as an image. @size: width and height. @line: bytes of a line. @full_range: of YCbCr.
    """
    width, height = size
    if pixel_format == "MJPG":
        return Image.open(io.BytesIO(data)).convert("RGB")
    rows = [data[start:start + line] for start in range(0, line * height, line)]
    if pixel_format == "GREY":
        return plane_of(b"".join(row[:width] for row in rows), *size)
    if pixel_format == "RGB3":
        return Image.frombytes("RGB", size, b"".join(row[:3 * width] for row in rows))
    if pixel_format == "YUYV":
        pixels = b"".join(row[:2 * width] for row in rows)
        small = (width // 2, height)
        chroma = [pixels[1::4], pixels[3::4]]
        luma = pixels[0::2]
    elif pixel_format == "NV12":
        luma = b"".join(row[:width] for row in rows)
        begin = line * height
        pairs = b"".join(data[start:start + width] for start in
                         range(begin, begin + line * (height // 2), line))
        small = (width // 2, height // 2)
        chroma = [pairs[0::2], pairs[1::2]]
    else:
        raise ReportError(f"the frame is {pixel_format}, which is not known here")
    return picture_of_ycbcr([plane_of(luma, *size),
                             *(expand(plane_of(plane, *small), size) for plane in chroma)],
                            full_range)


def rate_of(frames):
    """Frames that the camera made in a second."""
    first, last = frames[EDGE], frames[-1]
    return (last.sequence - first.sequence) / (last.stamp - first.stamp)


def lost_of(frames):
    """How many of the camera's frames between the first and the last did not arrive."""
    return frames[-1].sequence - frames[0].sequence + 1 - len(frames)


def report(log, frame, target):
    """
    Write the picture at @target. @log: text. @frame: bytes, perhaps with more behind. Return: lines
    for the user.
    """
    if failure := re.search(r"^demo: failed: (.*)", log, re.MULTILINE):
        raise ReportError(failure[1])
    card = field(log, r"card (.*)", "the camera's name")[1]
    size = tuple(int(number) for number in
                 field(log, r"format Width/Height *: (\d+)/(\d+)", "the size").groups())
    pixel_format = field(log, r"format Pixel Format *: '(.{4})'", "the pixel format")[1]
    line = int(field(log, r"format Bytes per Line *: (\d+)", "the bytes of a line")[1])
    full_range = re.search(r"format Quantization .*Full Range", log) is not None
    length = int(field(log, r"frame of (\d+) bytes", "how long the frame is")[1])
    clock = re.search(r"demo: clock offset (-?\d+) ns, error (\d+) ns", log)
    offset = int(clock[1]) / 1e6 if clock else 0
    frames = frames_of(log, offset)
    if len(frames) <= EDGE + 1:
        raise ReportError(f"only {len(frames)} frames came")
    if length == 0 or length > len(frame):
        raise ReportError(f"a frame of {length} bytes is not in the {len(frame)} that came out")
    image = picture(frame[:length], pixel_format, size, line, full_range)
    image.save(target)
    lines = [f"camera       {card}, {pixel_format} {size[0]}x{size[1]}",
             f"frame rate   {rate_of(frames):.2f} frames/s over {len(frames)} frames",
             f"frames lost  {lost_of(frames)}"]
    if clock:
        ages = [frame.age for frame in frames[EDGE:]]
        lines.append(f"latency      {statistics.median(ages):.2f} ms median, {max(ages):.2f} ms at "
                     "most, from the camera's time stamp to the application in the guest "
                     f"(known to {int(clock[2]) / 1e3:.0f} us)")
    lines.append(f"picture      {target}")
    return lines


def main():
    log, frame, target = (pathlib.Path(path) for path in sys.argv[1:])
    try:
        lines = report(log.read_text(errors="replace").replace("\r", ""), frame.read_bytes(),
                       target)
    except (ReportError, OSError) as error:
        print(f"demo: {error} (all that the guest said: {log})", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
