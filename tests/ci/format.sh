#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every C file of the tree is as .clang-format says; to repair one: clang-format -i FILE
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

cd "$ROOT"
mapfile -t files < <(git ls-files '*.c' '*.h')
[ ${#files[@]} -gt 0 ] || die "no C file found: is this a git clone?"
clang-format --version
wrong=$(clang-format --dry-run "${files[@]}" 2>&1 | sed -nE 's/:[0-9]+:[0-9]+: .*//p' | sort -u)
[ -z "$wrong" ] || die "not as .clang-format says:"$'\n'"$wrong"
echo "summary: ${#files[@]} files"
