#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The whole tree installed under a prefix of its own: the program starts from there, each header
# compiles alone with what pkg-config says, and the README shows the example that a test compiles.
# (What an outside program meets, and what the libraries export, is tests/install.)
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

readonly PREFIX=$OUT/installed WORK=$OUT/outside
rm -rf "$PREFIX" "$WORK"
mkdir -p "$WORK"
CC=gcc make_build install --prefix "$PREFIX" --libdir lib -Dtests=false
meson install -C "$OUT/install" --no-rebuild

export PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
"$PREFIX/bin/quire" --version
if ldd "$PREFIX/lib/libquire-memsys.so" | grep -iE 'unicorn|json|libelf'; then
    die "the memory system alone needs more than it should"
fi

# Compiled where no header of the source tree is found.
# shellcheck disable=SC2162 # pkg-config escapes spaces in paths with a backslash, read undoes it
read -a flags <<<"$(pkg-config --cflags quire)"
find "$PREFIX/include/quire" -name '*.h' -printf 'quire/%P\n' | sort >"$WORK/headers"
[ -s "$WORK/headers" ] || die "no header is installed"
while read -r header; do
    printf '#include <%s>\nextern int not_empty;\n' "$header" |
        (cd "$WORK" && gcc -std=gnu11 -Wall -Wextra -Werror -fsyntax-only "${flags[@]}" -x c -)
done <"$WORK/headers"

# shellcheck disable=SC2016 # these are Markdown's backquotes
sed -n '/^```c$/,/^```$/{/^```c$/d;/^```$/q;p}' "$ROOT/README.md" | sed -n '/^#include/,$p' \
    >"$WORK/shown.c"
sed -n '/^#include/,$p' "$ROOT/tests/examples/embed.c" >"$WORK/compiled.c"
diff -u "$WORK/compiled.c" "$WORK/shown.c" || die "README.md shows another example than tests/examples/embed.c"
echo "summary: $(wc -l <"$WORK/headers") headers"
