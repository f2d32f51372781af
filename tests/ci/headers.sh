#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each header compiles on its own, and twice in one file, with both compilers.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

cd "$ROOT"
# shellcheck disable=SC2162 # pkg-config escapes spaces in paths with a backslash, read undoes it
read -a flags <<<"$(pkg-config --cflags glib-2.0 json-glib-1.0 libelf unicorn check)"
mapfile -t headers < <(git ls-files 'memsys/*.h' 'emu/*.h' 'devices/*.h' 'frontends/*.h' 'tests/*.h')
[ ${#headers[@]} -gt 0 ] || die "no header found: is this a git clone?"

n_bad=0
for header in "${headers[@]}"; do
    for compiler in gcc clang; do
        printf '#include "%s"\n#include "%s"\nextern int not_empty;\n' "$header" "$header" |
            "$compiler" -std=gnu11 -Wall -Wextra -Werror -Wno-unused-function -fsyntax-only \
                -I. "${flags[@]}" -x c - ||
            n_bad=$((n_bad + 1))
    done
done
[ $n_bad -eq 0 ] || die "$n_bad compilations failed"
echo "summary: ${#headers[@]} headers"
