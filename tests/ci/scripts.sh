#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every shell script of the tree, by its first line, is clean for ShellCheck.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

cd "$ROOT"
mapfile -t scripts < <(git grep -lIE '^#!/bin/(ba)?sh|^# shellcheck shell=')
[ ${#scripts[@]} -gt 0 ] || die "no script found: is this a git clone?"
shellcheck --external-sources --source-path=SCRIPTDIR "${scripts[@]}"
echo "summary: ${#scripts[@]} scripts"
