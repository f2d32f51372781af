#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make-seeds.py TARGET FOLDER: the seeds of a fuzz target, one file each.

A seed shows the fuzzer what an input looks like; none of them finds a planted bug by itself.
"""
import os
import struct
import sys


def le(value, size):
    return (value & ((1 << (8 * size)) - 1)).to_bytes(size, "little")


# --- fw_cfg: files, e820 or not, records

def fw_cfg_write(port, size_code, value):
    return bytes([7, 1 | size_code << 2, port - 0x50E]) + le(value, 4)


def fw_cfg_read(port, size_code):
    return bytes([7, size_code << 2, port - 0x50E]) + le(0, 4)


def fw_cfg():
    def files(*pairs):
        out = bytes([len(pairs)])
        for name, data in pairs:
            out += bytes([len(name)]) + name + bytes([len(data)]) + data
        return out

    select = lambda key: fw_cfg_write(0x510, 1, key)
    yield files() + b"\0" + select(0) + bytes([2, 3])
    yield files((b"etc/one", b"12345")) + b"\1" + select(0x20) + bytes([2, 3]) + fw_cfg_read(0x511, 0)
    yield files((b"a", b"x"), (b"b", b""), (b"a", b"twice"), (b"", b"")) + b"\0" + select(0x19) + \
        bytes([3, 80]) + bytes([1, 9, 0, 1]) + bytes([0]) + fw_cfg_read(0x511, 1)
    yield files((b"n" * 56, b"too long")) + b"\1" + select(0x4021) + bytes([2, 1]) + bytes([1, 0, 0, 0])


# --- IDE: records

def ide_command(code, lba=0, count=1, device=0xE0, channel=0):
    return bytes([channel * 0x80, 0, count, lba & 255, lba >> 8 & 255, lba >> 16 & 255, device, code])


def ide_command_ext(code, lba=0, count=1, device=0xE0, channel=0):
    return bytes([1 | channel * 0x80, 0, 0, 0, 0, count, lba, 0, 0, device, code])


def ide_transfer(n, write=False, wide=False, channel=0):
    return bytes([2 | channel * 0x80 | write * 0x20 | wide * 0x10, n, 0x5A])


def ide():
    yield ide_command(0xEC) + ide_transfer(16)
    yield ide_command(0x20, 1, 2) + ide_transfer(32) + ide_command(0x30, 3, 2) + \
        ide_transfer(32, True) + ide_command(0xE7)
    yield ide_command(0xC6, 0, 8) + ide_command(0xC4, 0, 16) + ide_transfer(255) + \
        ide_command(0xC5, 4, 16) + ide_transfer(255, True, True) + ide_transfer(1, True)
    yield ide_command_ext(0x24, 5, 3, channel=1) + ide_transfer(40, channel=1) + \
        ide_command_ext(0x34, 30, 12) + ide_transfer(200, True) + bytes([4, 8, 4, 0])
    yield ide_command(0x91, 0, 16, 0xA7) + ide_command(0x20, 1, 1, 0xA0) + ide_transfer(8) + \
        ide_command(0x40, 39, 5) + ide_command(0x90) + bytes([4, 4, 4, 0, 0x45]) + bytes([5])
    yield ide_command(0x20, 39, 2, channel=1) + ide_transfer(60, channel=1) + bytes([0x55]) + \
        le(40, 4) + b"\1" + ide_command(0x10) + ide_command(0x70) + bytes([6, 9, 0x1E, 7, 1, 2, 3, 4])
    codes = (0x00, 0x08, 0x21, 0x27, 0x29, 0x31, 0x39, 0x41, 0x42, 0x94, 0x95, 0xA1, 0xC4, 0xE0,
             0xE1, 0xE3, 0xE5, 0xEA, 0xEF, 0xF8, 0x99)
    yield b"".join(ide_command(code, 2, 2) + ide_transfer(2) for code in codes)
    yield b"".join(bytes([0, feature, 8, 0, 0, 0, 0xE0, 0xEF])
                   for feature in (0x02, 0x03, 0x55, 0x66, 0x82, 0xAA, 0xCC, 0x99))


TARGETS = {"fw-cfg": fw_cfg, "ide": ide}


def main():
    target, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    for number, seed in enumerate(TARGETS[target]()):
        with open(os.path.join(folder, f"{target}-{number:02d}"), "wb") as out:
            out.write(seed)


main()
