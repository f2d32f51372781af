#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What `meson install` puts in place is enough for a program outside this tree: the example of the
# README (its first block of C) is built against the installed memory system alone, with nothing
# but what pkg-config says, and run. The installed `quire` program starts.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

readonly PREFIX=$OUT/installed WORK=$OUT/outside
rm -rf "$PREFIX" "$WORK"
mkdir -p "$WORK"

CC=gcc make_build install --prefix "$PREFIX" --libdir lib -Dtests=false
meson install -C "$OUT/install" --no-rebuild

# Only ours and what the system has: an include of the source tree would fail here.
export PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig:$PKG_CONFIG_PATH LD_LIBRARY_PATH=$PREFIX/lib
# shellcheck disable=SC2016 # these are Markdown's backquotes
sed -n '/^```c$/,/^```$/{/^```c$/d;/^```$/q;p}' "$ROOT/README.md" >"$WORK/embed.c"
[ -s "$WORK/embed.c" ] || die "README.md has no block of C"

# build_and_run PACKAGE: the example with exactly what pkg-config says for that package.
build_and_run() {
    local flags
    # shellcheck disable=SC2162 # pkg-config escapes spaces in paths with a backslash, read undoes it
    read -a flags <<<"$(pkg-config --cflags --libs "$1")"
    (cd "$WORK" && gcc -std=gnu11 -Wall -Wextra -Werror -o "embed-$1" embed.c "${flags[@]}")
    "$WORK/embed-$1"
}

if ldd "$PREFIX/lib/libquire-memsys.so" | grep -qiE 'unicorn|json|libelf'; then
    die "the memory system alone links more than it should: $(ldd "$PREFIX/lib/libquire-memsys.so")"
fi
build_and_run quire-memsys
build_and_run quire
"$PREFIX/bin/quire" --version

# Each installed header compiles alone, found where an outside program finds it.
# shellcheck disable=SC2162
read -a flags <<<"$(pkg-config --cflags quire)"
find "$PREFIX/include/quire" -name '*.h' -printf 'quire/%P\n' | sort >"$WORK/headers"
[ -s "$WORK/headers" ] || die "no header is installed"
while read -r header; do
    printf '#include <%s>\nextern int not_empty;\n' "$header" |
        (cd "$WORK" && gcc -std=gnu11 -Wall -Wextra -Werror -fsyntax-only "${flags[@]}" -x c -)
done <"$WORK/headers"
echo "summary: $(wc -l <"$WORK/headers") headers, $(wc -l <"$WORK/embed.c") lines of C"
