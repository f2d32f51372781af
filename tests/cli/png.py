#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads PNG files, animated ones too, by nothing but the specification (third edition), and is strict about it: each
chunk's sum and place, the numbers of fcTL and fdAT, rectangles inside the picture, no byte too many or too few.

Usage: png.py info FILE          size and number of frames, then a line a frame: X Y WIDTH HEIGHT MILLISECONDS
       png.py ppm FILE [FRAME]   the picture as a frame leaves it, as PPM on stdout; -1 is the last, 0 the default
"""
import struct
import sys
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def check(condition, what):
    if not condition:
        sys.exit(f"{sys.argv[2]}: {what}")


def chunks(data):
    check(data.startswith(SIGNATURE), "no signature")
    at = len(SIGNATURE)
    while at < len(data):
        check(at + 12 <= len(data), "ends inside a chunk")
        (length,) = struct.unpack_from(">I", data, at)
        check(at + 12 + length <= len(data), "ends inside a chunk")
        body = data[at + 4 : at + 8 + length]
        (crc,) = struct.unpack_from(">I", data, at + 8 + length)
        check(crc == zlib.crc32(body), f"wrong sum of {body[:4]}")
        yield body[:4].decode("ascii"), body[4:]
        at += 12 + length


def paeth(a, b, c):
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    if pa <= pb and pa <= pc:
        return a
    return b if pb <= pc else c


def unfilter(kind, row, above):
    """Row and the one above it: RGB, without the filter's byte."""
    n = len(row)
    if kind == 1:
        for i in range(3, n):
            row[i] = (row[i] + row[i - 3]) & 255
    elif kind == 2:
        for i in range(n):
            row[i] = (row[i] + above[i]) & 255
    elif kind == 3:
        for i in range(n):
            row[i] = (row[i] + ((row[i - 3] if i >= 3 else 0) + above[i]) // 2) & 255
    elif kind == 4:
        for i in range(n):
            a, c = (row[i - 3], above[i - 3]) if i >= 3 else (0, 0)
            row[i] = (row[i] + paeth(a, above[i], c)) & 255
    else:
        check(kind == 0, f"filter {kind}")
    return row


def rows(stream, width, height):
    inflate = zlib.decompressobj()
    data = inflate.decompress(stream) + inflate.flush()
    check(inflate.eof and not inflate.unused_data, "a frame's data does not end where it should")
    check(len(data) == height * (1 + 3 * width), "a frame has too many or too few bytes")
    above = bytearray(3 * width)
    for y in range(height):
        at = y * (1 + 3 * width)
        above = unfilter(data[at], bytearray(data[at + 1 : at + 1 + 3 * width]), above)
        yield above


class Frame:
    def __init__(self, x, y, width, height, ms):
        self.x, self.y, self.width, self.height, self.ms = x, y, width, height, ms
        self.data = bytearray()


class Png:
    """width, height, frames; a still picture has one frame that lasts 0 ms."""

    def __init__(self, data):
        self.frames = []
        self.sequence = 0
        self.n_frames = None  # as acTL says
        self.still = bytearray()  # of an animation: what is shown by those who do not play
        self.ended = False
        for index, (kind, body) in enumerate(chunks(data)):
            check(not self.ended, "something behind IEND")
            check((kind == "IHDR") == (index == 0), "IHDR comes first and once")
            getattr(self, "read_" + kind, self.skip)(body)
        check(self.ended, "no IEND")
        check(self.n_frames in (None, len(self.frames)), "acTL has another number of frames")
        check(self.frames, "no picture")
        if self.n_frames is not None:
            still = b"".join(rows(bytes(self.still), self.width, self.height))
            check(still == self.play(len(self.frames) - 1), "the still picture is not the last one")

    def skip(self, body):
        pass

    def read_IHDR(self, body):
        self.width, self.height, *rest = struct.unpack(">IIBBBBB", body)
        check(rest == [8, 2, 0, 0, 0], "not 8-bit RGB")
        check(self.width > 0 and self.height > 0, "no size")

    def read_acTL(self, body):
        check(not self.frames, "acTL behind a picture")
        self.n_frames, n_plays = struct.unpack(">II", body)
        check(self.n_frames > 0 and n_plays == 0, "acTL")

    def number(self, body):
        check(struct.unpack_from(">I", body)[0] == self.sequence, "numbers out of order")
        self.sequence += 1

    def read_fcTL(self, body):
        check(self.n_frames is not None, "fcTL without acTL")
        self.number(body)
        width, height, x, y, num, den, dispose, blend = struct.unpack_from(">IIIIHHBB", body, 4)
        check(width > 0 and height > 0 and x + width <= self.width and y + height <= self.height, "fcTL outside")
        check(self.frames or (x, y, width, height) == (0, 0, self.width, self.height), "first frame not whole")
        check(dispose == 0 and blend == 0 and den == 1000, "fcTL")
        self.frames.append(Frame(x, y, width, height, num))

    def read_IDAT(self, body):
        if self.n_frames is not None:
            check(not self.frames, "IDAT behind a frame")
            self.still += body
            return
        if not self.frames:
            self.frames.append(Frame(0, 0, self.width, self.height, 0))
        self.frames[0].data += body

    def read_fdAT(self, body):
        check(self.frames, "fdAT without a frame")
        self.number(body)
        self.frames[-1].data += body[4:]

    def read_IEND(self, body):
        check(not body, "IEND")
        self.ended = True

    def play(self, last):
        canvas = bytearray(3 * self.width * self.height)
        for frame in self.frames[: last + 1]:
            for y, row in enumerate(rows(bytes(frame.data), frame.width, frame.height)):
                at = 3 * ((frame.y + y) * self.width + frame.x)
                canvas[at : at + len(row)] = row
        return canvas


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in ("info", "ppm"):
        sys.exit(__doc__)
    with open(sys.argv[2], "rb") as file:
        png = Png(file.read())
    if sys.argv[1] == "info":
        png.play(len(png.frames) - 1)
        print(png.width, png.height, len(png.frames))
        for frame in png.frames:
            print(frame.x, frame.y, frame.width, frame.height, frame.ms)
        return
    index = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    last = index if index >= 0 else len(png.frames) + index
    check(0 <= last < len(png.frames), f"no frame {index}")
    sys.stdout.buffer.write(b"P6 %d %d 255\n" % (png.width, png.height) + png.play(last))


main()
