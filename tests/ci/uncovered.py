#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""uncovered.py REPORT LIST ROOT: each line of gcovr's JSON report that never ran must stand in LIST.

LIST has groups: lines that start with "- " say why, the lines after them say what, as
"FILE FUNCTION: TEXT OF THE LINE", where "*" as the text is the whole function. Line numbers would
be wrong with the next change. An entry that fits nothing in the tree any more is an error too; one
whose line did run is only named, since what runs can depend on the timing of threads.
"""
import json
import sys


def read_list(path):
    """The entries: (file, function, text) -> reason."""
    entries, reason = {}, None
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            if line.startswith("- "):
                reason = line[2:]
                continue
            if reason is None:
                sys.exit(f"{path}:{number}: an entry without a reason")
            place, colon, text = line.partition(": ")
            if not colon or len(place.split()) != 2:
                sys.exit(f"{path}:{number}: not FILE FUNCTION: TEXT")
            entries[(*place.split(), text)] = reason
    return entries


def lines_of(report, root):
    """(file, function, text, number, count) of each line that counts."""
    with open(report, encoding="utf-8") as file:
        report = json.load(file)
    for file in report["files"]:
        with open(f"{root}/{file['file']}", encoding="utf-8") as source:
            text = source.read().split("\n")
        functions = sorted(
            (f["lineno"], f.get("name") or f["demangled_name"]) for f in file["functions"]
        )
        for line in file["lines"]:
            number = line["line_number"]
            if line.get("gcovr/excluded") or line.get("gcovr/noncode"):
                continue
            name = [f[1] for f in functions if f[0] <= number]
            yield file["file"], name[-1] if name else "-", text[number - 1].strip(), number, line["count"]


def main():
    report, path, root = sys.argv[1:]
    entries = read_list(path)
    ran, missed, n_bad = set(), set(), 0
    for file, function, text, number, count in lines_of(report, root):
        fitting = {(file, function, t) for t in (text, "*")} & entries.keys()
        (missed if count == 0 else ran).update(fitting)
        if count == 0 and not fitting:
            n_bad += 1
            print(f"{file}:{number}: never ran and is not in {path}:\n{file} {function}: {text}")
    for entry in entries.keys() - missed - ran:
        n_bad += 1
        print(f"{path}: nothing in the tree is '{entry[0]} {entry[1]}: {entry[2]}'")
    for entry in sorted(ran - missed):
        print(f"note: ran this time: {entry[0]} {entry[1]}: {entry[2]}")
    print(f"{len(missed)} listed lines never ran, {n_bad} faults")
    return n_bad != 0


if __name__ == "__main__":
    sys.exit(main())
