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
    yield files((b"n" * 50, b"long")) + b"\1" + select(0x4021) + bytes([2, 1]) + bytes([1, 0, 0, 0])


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
    yield ide_command(0xC6, 0, 16) + ide_command(0xC4, 0, 40) + ide_transfer(255) + ide_transfer(255) + \
        ide_transfer(128)
    yield ide_command_ext(0x24, 5, 3, channel=1) + ide_transfer(40, channel=1) + \
        ide_command_ext(0x34, 30, 12) + ide_transfer(200, True) + bytes([4, 8, 4, 0])
    yield ide_command(0x91, 0, 16, 0xA7) + ide_command(0x20, 1, 1, 0xA0) + ide_transfer(8) + \
        ide_command(0x40, 39, 5) + ide_command(0x90) + bytes([4, 4, 4, 0, 0x4D]) + bytes([5])
    yield ide_command(0x20, 39, 2, channel=1) + ide_transfer(60, channel=1) + bytes([0x5D]) + \
        le(40, 4) + b"\1" + ide_command(0x10) + ide_command(0x70) + bytes([6, 9, 0x1E, 7, 1, 2, 3, 4])
    codes = (0x00, 0x08, 0x21, 0x27, 0x29, 0x31, 0x39, 0x41, 0x42, 0x94, 0x95, 0xA1, 0xC4, 0xE0,
             0xE1, 0xE3, 0xE5, 0xEA, 0xEF, 0xF8, 0x99)
    yield b"".join(ide_command(code, 2, 2) + ide_transfer(2) for code in codes)
    yield b"".join(bytes([0, feature, 8, 0, 0, 0, 0xE0, 0xEF])
                   for feature in (0x02, 0x03, 0x55, 0x66, 0x82, 0xAA, 0xCC, 0x99))


# --- ELF files: header, program headers, segments, then section headers of a symbol table

def elf(bits, segments, symbols=(), machine=3, kind=2, entry=0x100000):
    wide = bits == 64
    head, phdr, shdr, sym = (64, 56, 64, 24) if wide else (52, 32, 40, 16)
    offset = head + phdr * len(segments)
    headers, body = b"", b""
    for address, data, memory_len in segments:
        at = offset + len(body)
        if wide:
            headers += struct.pack("<IIQQQQQQ", 1, 7, at, address, address, len(data), memory_len, 1)
        else:
            headers += struct.pack("<IIIIIIII", 1, at, address, address, len(data), memory_len, 7, 1)
        body += data
    sections, n_sections, sections_at = b"", 0, 0
    if symbols:
        strings, table = b"\0", b"\0" * sym
        for name, value, size in symbols:
            if wide:
                table += struct.pack("<IBBHQQ", len(strings), 2, 0, 1, value, size)
            else:
                table += struct.pack("<IIIBBH", len(strings), value, size, 2, 0, 1)
            strings += name + b"\0"
        table_at = offset + len(body)
        strings_at = table_at + len(table)
        body += table + strings
        sections_at = offset + len(body)
        form = "<IIQQQQIIQQ" if wide else "<IIIIIIIIII"
        sections = b"\0" * shdr
        sections += struct.pack(form, 0, 2, 0, 0, table_at, len(table), 2, 1, 8, sym)
        sections += struct.pack(form, 0, 3, 0, 0, strings_at, len(strings), 0, 0, 1, 0)
        n_sections = 3
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + b"\0" * 9
    header = ident + struct.pack("<HHIQQQIHHHHHH" if wide else "<HHIIIIIHHHHHH", kind, machine, 1,
                                 entry, head, sections_at, 0, head, phdr, len(segments), shdr,
                                 n_sections, 0)
    return header + headers + body + sections


def elf_seeds():
    code = bytes(range(1, 65))
    yield elf(32, [(0x100000, code, 64)])
    yield elf(32, [(0x100000, code, 4096), (0x1000, b"low", 3)],
              [(b"start", 0x100000, 16), (b"data", 0x100020, 0)])
    yield elf(64, [(0x200000, code, 100), (0x300000, b"", 0x1000)],
              [(b"entry", 0x100000, 0)], machine=62)
    yield elf(64, [(0x100000, code, 64), (0x100020, code, 64)], machine=62)
    yield elf(32, [(0x90000, code, 0x20000)])
    yield elf(32, [(0x100000, code, 64)], kind=1)
    yield elf(32, [(0x100000, code, 64)], machine=40)
    yield elf(32, [])
    yield elf(32, [(0x100000, code, 32)])
    yield elf(32, [(0x100000, b"", 0)])
    yield b"no ELF file at all"
    yield elf(64, [(0x100000, code, 64)], machine=62)[:70]


# --- kernels

def kernel(version=0x20A, setup=1, payload=1024, init_size=0x10000, pref=0x100000, relocatable=1,
           alignment=0x1000, flags=1, jump=0x66, limit=255, initrd_last=0x37FFFFFF, syssize=None):
    image = bytearray((setup + 1) * 512)

    def put(offset, size, value):
        image[offset:offset + size] = le(value, size)

    put(0x1F1, 1, setup)
    put(0x1F4, 4 if version >= 0x204 else 2, payload // 16 if syssize is None else syssize)
    put(0x1FE, 2, 0xAA55)
    put(0x200, 2, 0xEB | jump << 8)
    image[0x202:0x206] = b"HdrS"
    put(0x206, 2, version)
    put(0x211, 1, flags)
    put(0x22C, 4, initrd_last)
    put(0x230, 4, alignment)
    put(0x234, 1, relocatable)
    put(0x238, 4, limit)
    put(0x258, 8, pref)
    put(0x260, 4, init_size)
    return bytes(image) + bytes(i & 255 for i in range(payload))


def boot(image, initrd=b"", append=b""):
    initrd += b"\0" * (-len(initrd) % 64)
    return le(len(initrd) // 64, 2) + bytes([len(append)]) + append + initrd + image


def linux():
    yield boot(kernel())
    yield boot(kernel(), b"initial files" * 10, b"console=ttyS0")
    yield boot(kernel(version=0x200), b"", b"old")
    yield boot(kernel(version=0x202, jump=0x40), b"x" * 64)
    yield boot(kernel(pref=0x1000000), b"y" * 128, b"moved")
    yield boot(kernel(relocatable=0, pref=0x200000, init_size=0x20000), b"z" * 64)
    yield boot(kernel(flags=0))
    yield boot(kernel(limit=3), b"", b"too long")
    yield boot(kernel(init_size=0x2F0000), b"high" * 16)
    yield boot(kernel(init_size=0xF0000, initrd_last=0x200FFF), b"near" * 16)
    yield boot(kernel(init_size=0x7FFFFFFF))
    yield boot(kernel(alignment=3))
    yield boot(kernel(syssize=0x1000))
    yield boot(kernel(version=0x100))
    yield boot(kernel(payload=0))
    yield boot(kernel(initrd_last=0x1000), b"nowhere")
    yield boot(b"not a kernel")


# --- PCI: records of 8 bytes

def record(what, *rest):
    out = bytes([what]) + b"".join(rest)
    return out + b"\0" * (8 - len(out))


def pci_write(function, reg, value, size_code=0):
    return record(size_code << 4, bytes([function, reg]), le(value, 4))


def pci_read(function, reg, size_code=0):
    return record(8 | size_code << 4, bytes([function, reg]))


def memory(address, value=None, size_code=0):
    at = le(address - 0xA0000, 3)
    if value is None:
        return record(3 | size_code << 4, at)
    return record(3 | 8 | size_code << 4, at, le(value, 4))


def pci():
    yield pci_read(0, 0, 2) + pci_write(0, 0x59, 0x30) + memory(0xF0000, 0x1234, 2) + memory(0xF0000)
    yield b"".join(pci_write(0, 0x5A + i, 0x21 + i) + memory(0xC0000 + i * 0x8000, i + 1) +
                   memory(0xC4000 + i * 0x8000, 7 + i, 3) + memory(0xC0000 + i * 0x8000)
                   for i in range(3))
    yield pci_write(0, 0x72, 0x4A) + memory(0xA0000, 5, 1) + memory(0xA0000, None, 1) + \
        pci_write(0, 0x72, 0x1A) + memory(0xA0000) + pci_write(0, 0x72, 0x4A) + record(7)
    yield pci_write(3, 0x40, 0xB001, 2) + pci_write(3, 0x80, 1) + record(2 | 8 | 0x10, le(0xB004, 2), le(1, 4)) + \
        record(2 | 0x20, le(0xB008, 2)) + record(6, le(100000000, 4)) + record(2 | 0x10, le(0xB000, 2))
    yield pci_write(3, 0x90, 0xB101, 2) + pci_write(3, 0xD2, 1) + record(2 | 8, le(0xB102, 2), le(0x48, 4)) + \
        record(2, le(0xB100, 2)) + record(2 | 8, le(0xB2, 2), le(0xF1, 4)) + record(0x17)
    yield pci_write(1, 0x60, 0x0B0A0B0A, 2) + pci_write(2, 0x40, 0x80008000, 2) + \
        record(2 | 8, le(0x4D0, 2), le(0x20, 4)) + record(2 | 8 | 0x40, le(1, 2), le(6, 4)) + \
        pci_read(0xF3, 0) + record(5, le(0x12345, 3), b"\x55") + record(2 | 8 | 0x60, le(0, 2), le(0xFFFFFFFF, 4))


# --- memory: records of 16 bytes

def op(what, page=0, offset=0, length=0, page2=0, value=0, machine=0):
    return struct.pack("<BBHHHHHI", what, machine, page, offset, length, page2, value, 0)


# Numbers of access_ops and, from 16, life_ops of memory-access.c and memory-life.c.
(TYPED, STORE, BULK, BULK_2, FILL, COPY, PEEK, MOVE, MOVE_2, PROTECT, ALIAS, HANDLER, WATCH, CPU_ACCESS,
 CPU_FILL, STORE_2, MAP, STORE_MAPPED, SNAPSHOT, SNAPSHOT_2, SNAPSHOT_3, DIRTY, DIRTY_2, BALLOON, BALLOON_2,
 SHARE, DIRTY_BITMAP, RESET, LIMIT, PREALLOCATE, BIG, BIG_RUN) = range(32)


def memory_ops():
    yield op(STORE, 1, 16, value=7) + op(TYPED, 1, 16, 2) + op(BULK, 1, 0, 4096)
    yield op(BULK, 2, 100, 9000, value=3) + op(COPY, 2, 100, 5000, 33, 12) + op(BULK, 33, 0, 8000)
    yield b"".join(op(MOVE, place, value=device) + op(BULK, 2 + place * 10, 0, 9000, value=3) +
                   op(BULK, place * 10, 0, 12000) + op(TYPED, 5, 4, 6, value=0x1234)
                   for place in range(5) for device in (0, 1))
    yield b"".join(op(PROTECT, 1, 0, 1, value=prot) + op(BULK, 8, 0, 0x3FFF, value=3 + prot * 8) +
                   op(BULK, 8, 0, 0x3FFF) for prot in range(4))
    yield op(HANDLER, 1, 8, 64, value=1) + op(STORE, 1, 8, value=5) + op(HANDLER, 1, value=6) + op(STORE, 1, 8) + \
        op(HANDLER, 1, value=4) + op(HANDLER, 3, 0, 2, value=0) + op(STORE, 4, 8, value=5) + op(TYPED, 4, 8, 2) + \
        op(HANDLER, value=2)
    yield op(MAP, 3, 5, page2=12, value=3) + op(STORE_MAPPED, 0, 7, value=9) + op(SNAPSHOT, value=8) + \
        op(STORE_MAPPED, 1, 8, value=2) + op(SNAPSHOT, value=1) + op(RESET) + op(MAP) + op(MAP, 9, 5, page2=4) + \
        op(MAP) + op(FILL, 3, 9, 8000, value=9)
    yield op(DIRTY_BITMAP, value=4) + op(MOVE, 2, value=1) + op(STORE, 24, 0, value=9) + op(DIRTY_BITMAP, value=2) + \
        op(DIRTY_BITMAP, 1, 3, value=0x501) + op(DIRTY_BITMAP, value=2) + op(STORE, value=5, machine=1) + \
        op(FILL, 0, 0, 0x2FFF, machine=1) + op(RESET, machine=1)
    # Snapshots: a line, then a branch, dropped from the middle.
    yield op(STORE, 1, 0, value=1) + op(SNAPSHOT, 0, value=8) + op(STORE, 1, 0, value=2) + op(SNAPSHOT, 1, value=8) + \
        op(BULK, 1, 0, 9000, value=3) + op(SNAPSHOT, 0, value=1) + op(STORE, 2, 0, value=3) + \
        op(SNAPSHOT, 2, value=8) + op(PROTECT, 0, 0, 3, value=3) + op(MOVE, 1, value=1) + op(SNAPSHOT, 1, value=1) + \
        op(SNAPSHOT, 0, value=0) + op(SNAPSHOT, 2, value=1) + op(SNAPSHOT, 1, value=0) + op(BULK, 0, 0, 16000)
    yield op(DIRTY) + op(STORE, 3, 0, value=1) + op(DIRTY, value=1) + op(BULK, 5, 0, 9000, value=3) + op(SNAPSHOT) + \
        op(RESET) + op(DIRTY, value=1) + op(SNAPSHOT, value=1) + op(DIRTY) + op(LIMIT, 0, 0, 1, value=1) + \
        op(BULK, 2, 0, 16000, value=3) + op(LIMIT, 0, 0, 2, value=2) + op(BULK, 34, 0, 16000, value=3) + op(LIMIT, value=3)
    yield op(BULK, 1, 0, 9000, value=3) + op(BALLOON, 1, 0, 1, 2, value=1) + op(STORE, 1, 4, value=1) + op(SNAPSHOT) + \
        op(BALLOON, 1, 0, 0, value=0) + op(STORE, 1, 4, value=1) + op(SNAPSHOT, value=1) + op(BULK, 0, 0, 9000) + op(RESET)
    # Equal pages in both machines; a write to one that is shared.
    yield b"".join(op(BULK, 2, 0, 3 * 4096, value=7, machine=machine) + op(FILL, 12, 0, 8192, value=0x33, machine=machine) +
                   op(SHARE, value=1, length=300, machine=machine) for machine in (0, 1)) + \
        op(SHARE, value=2, length=255) * 3 + op(STORE, 12, 4, value=1) + op(BULK, 2, 0, 9000, machine=1) + \
        op(SHARE, value=3, length=64) + op(MAP, 13, 0, page2=12) + op(MAP)
    yield op(BIG_RUN, 0, 0, 31, value=7, machine=1) + op(BIG, 300, value=9, machine=1) + op(BIG_RUN, 8, 0, 20) + \
        op(SNAPSHOT, machine=1) + op(BIG, 3, 0, value=1, machine=1) + op(SNAPSHOT, machine=1, value=1) + \
        op(SHARE, value=3, length=255) + op(CPU_FILL, 3) + op(BIG, 260, 0, 4, value=3) + op(BIG, 4, 0, 5)
    yield op(STORE, 3, 0, value=5) + op(PREALLOCATE, value=5) + op(BULK, 3, 0, 8000) + op(RESET) + \
        op(BALLOON, 3, 0, 1, 4, value=1) + op(BIG, 7, value=1)
    yield op(WATCH, 3, 8, 15, value=2) + op(STORE, 3, 12, value=4) + op(TYPED, 3, 9, 6, value=1) + \
        op(WATCH, 4, 8, 15, value=16 + 6) + b"".join(op(CPU_ACCESS, 4, 8, how, value=how) for how in (2, 6, 8, 10)) + \
        op(BULK, 4, 0, 64, value=3) + op(WATCH, value=32)
    yield b"".join(op(CPU_FILL, page, 5, access, value=0x705) for page in (1, 8, 12, 24) for access in range(3)) + \
        op(CPU_FILL, 1, 5, 2) + op(SNAPSHOT) + op(CPU_FILL, 1, 5, 1, value=6) + op(SNAPSHOT, value=1) + op(BULK, 1, 0, 64)
    yield op(MOVE, 2, value=0) + op(ALIAS, 0, page2=1, value=2) + op(STORE, 28, 8, value=7) + op(MOVE, 2, value=1) + \
        op(BULK, 24, 0, 8192) + op(SNAPSHOT) + op(ALIAS) + op(SNAPSHOT, value=1) + op(TYPED, 28, 8, 2) + \
        op(MOVE, 4, value=1) + op(ALIAS, value=1) + op(MOVE, 1, value=1) + op(BULK, 14, 0, 9000, value=3)
    yield op(PEEK, 9, 5, 20, value=0x4201) + op(TYPED, 9, 5, 2) + op(RESET) + op(PEEK, 9, 5, 20) + op(PEEK, 2, 5, 20, value=1) + \
        op(PROTECT, 1, 0, 0, value=1) + op(MAP, 9, 1, page2=2, value=5) + op(PEEK, 9, 0, 4000)


# --- VGA: records of 8 bytes; the first says what (low half) and how (high half)

def vga_record(what, how, *values):
    return bytes([what | how << 4]) + b"".join(values).ljust(7, b"\0")


def vga_register(group, index, value):
    return vga_record(0, 0, bytes([group, index, value]))


def vga_vbe(index, value):
    return vga_record(4, 0, bytes([index]), le(value, 2))


def vga_vbe_mode(width, height, bpp, flags=0x41):
    return vga_vbe(4, 0) + vga_vbe(1, width) + vga_vbe(2, height) + vga_vbe(3, bpp) + vga_vbe(4, flags)


def vga_window(offset, value=None, size_code=0):
    write = value is not None
    return vga_record(7, size_code | write << 2, le(offset, 3), le(value or 0, 4))


def vga_bar(reg, value):
    return vga_record(6, 0, bytes([{0x10: 0, 0x18: 1, 0x30: 2, 4: 3}[reg]]), le(value, 4))


def vga_mode(which):
    return vga_record(15, 6, bytes([which]))  # 0 chained, 1 planes, 2 text, 3 CGA


def vga():
    look = vga_record(13, 0)
    bars = vga_bar(0x10, 0xE0000000) + vga_bar(0x18, 0xFEB00000) + vga_bar(4, 2)
    crtc = lambda *values: b"".join(vga_register(2, index, value) for index, value in enumerate(values))
    text = crtc(0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0, 0x4F, 0xD, 0xE, 0, 0, 0, 0, 0x9C, 0x0E, 0x8F, 0x28,
                0x1F, 0x96, 0xB9, 0xA3, 0xFF)
    yield vga_mode(2) + text + vga_window(0x18000, 0x1F411F42, 2) + look + vga_record(15, 5) + \
        vga_window(0x18002, 0x1F, 1) + look + vga_record(3, 4, bytes([0x2A]))
    yield vga_mode(0) + text + vga_window(0x100, 0x12345678, 3) + vga_window(0x100, None, 3) + look + \
        vga_register(0, 2, 7) + vga_window(3, 9) + vga_register(1, 6, 1) + vga_window(0x1FFF8, None, 3)
    yield vga_mode(1) + \
        b"".join(vga_register(1, 5, mode) + vga_register(1, 3, mode << 3 | 1) + vga_window(8) + vga_window(9, 0xA5)
                 for mode in range(4)) + vga_register(1, 5, 8) + vga_window(8) + text + look
    yield bars + vga_vbe_mode(640, 480, 8) + vga_vbe(5, 3) + vga_window(0x40, 0x99) + \
        vga_record(10, 6, le(0x30040, 3), le(1, 4)) + look + vga_vbe(6, 800) + vga_vbe(8, 16) + vga_vbe(9, 20) + look
    yield bars + vga_vbe_mode(320, 200, 32, 0xC1) + vga_bar(0x10, 0xFFFFFFFF) + vga_bar(0x10, 0xD0000000) + \
        vga_record(10, 6, le(0x1000, 3), le(0xFF00FF, 4)) + look + vga_record(11, 5, le(0x502, 3), le(64, 4)) + \
        vga_record(11, 1, le(0x604, 3)) + vga_bar(0x30, 0xC0000001) + vga_bar(4, 0) + vga_vbe_mode(64, 64, 4) + look
    yield vga_mode(0) + vga_window(0, 5) + vga_record(12, 1) + vga_window(0, 6) + vga_vbe_mode(64, 64, 16) + \
        vga_record(12, 0, b"\x0A") + vga_window(0, 7) + vga_record(15, 4)
    yield vga_vbe_mode(64, 64, 24) + vga_record(14, 0) + vga_vbe(5, 9) + vga_window(1, 8) + vga_record(14, 1) + \
        vga_window(1) + look + vga_record(14, 0) + vga_record(15, 0)
    yield vga_record(15, 1, b"\x01", le(9, 2), b"\x22", le(60, 2), b"\x07") + vga_record(15, 3, le(9000000, 4)) + \
        vga_record(3, 4, bytes([0x0A])) + look + vga_register(6, 0x10, 1) + vga_vbe(0, 0xB0C3) + vga_vbe(4, 2)


TARGETS = {"elf": elf_seeds, "fw-cfg": fw_cfg, "ide": ide, "linux": linux, "memory": memory_ops,
           "pci": pci, "vga": vga}


def main():
    target, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    for number, seed in enumerate(TARGETS[target]()):
        with open(os.path.join(folder, f"{target}-{number:02d}"), "wb") as out:
            out.write(seed)


main()
