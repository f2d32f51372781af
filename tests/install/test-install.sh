#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What `meson install` would put in place: a program outside the tree builds against it with what
# pkg-config says and runs, and each shared library exports exactly the functions that the installed
# headers declare.
#
# Usage: test-install.sh BUILD_DIR SOURCE_DIR CC PACKAGE...
set -euo pipefail

readonly BUILD=$1 SOURCE=$2 CC=$3
shift 3
WORK=$(mktemp -d)
readonly WORK
trap 'rm -rf "$WORK"' EXIT

die() {
    echo "test-install: $*" >&2
    exit 1
}

meson install -C "$BUILD" --no-rebuild --quiet --destdir "$WORK/root"

# The .pc files name the final prefix; here it lies below our root.
PKGCONFIG=$(dirname "$(find "$WORK/root" -name quire-memsys.pc)")
PREFIX=$(sed -n 's/^prefix=//p' "$PKGCONFIG/quire-memsys.pc")
LIBDIR=$(dirname "$PKGCONFIG")
INCLUDE=$WORK/root$PREFIX/include
readonly PKGCONFIG PREFIX LIBDIR INCLUDE
[ -n "$PREFIX" ] || die "quire-memsys.pc names no prefix"
[ -d "$INCLUDE/quire/memsys" ] || die "no headers in $PREFIX/include/quire/memsys"
sed -i "s|^prefix=.*|prefix=$WORK/root$PREFIX|" "$PKGCONFIG"/*.pc
export PKG_CONFIG_PATH=$PKGCONFIG${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export LD_LIBRARY_PATH=$LIBDIR

# ---- the examples, built where no header of the source tree can be found
read -ra flags <<<"$(pkg-config --cflags --libs quire-memsys)"
# example NAME WORDS: it compiles without a warning and says these words
example() {
    cp "$SOURCE/tests/examples/$1.c" "$WORK"
    (cd "$WORK" && "$CC" -std=gnu11 -Wall -Wextra -Werror -o "$1" "$1.c" "${flags[@]}")
    "$WORK/$1" >"$WORK/said"
    diff -u - "$WORK/said" <<<"$2" || die "the example $1.c says something else"
}
example embed 'written 0x12345678, never written 0x0, nowhere 0xffffffff; pages: 1 private, 3999 zero'
example snapshot 'written since "before": 2 pages; now 2 and 3, restored 1 and 0'

# The README shows that very program.
# shellcheck disable=SC2016 # these are Markdown's backquotes
sed -n '/^```c$/,/^```$/{/^```/d;p}' "$SOURCE/README.md" >"$WORK/shown"
sed -n '/^#include/,$p' "$SOURCE/tests/examples/embed.c" | diff -u "$WORK/shown" - ||
    die "the C of README.md and tests/examples/embed.c differ"

# ---- exports
# declared FOLDER...: functions that the headers in these folders declare and a library must define.
declared() {
    (cd "$INCLUDE/quire" && find "$@" -name "*.h" -printf "#include <quire/%p>\n") | sort \
        >"$WORK/all.c"
    [ -s "$WORK/all.c" ] || die "no header in $*"
    echo 'typedef int not_empty;' >>"$WORK/all.c"
    # GCC alone writes down all declarations it meets, with the file of each.
    gcc -std=gnu11 "${flags[@]}" -aux-info "$WORK/prototypes" -c -o "$WORK/all.o" "$WORK/all.c"
    grep -F "$INCLUDE/" "$WORK/prototypes" | grep -v '\*/ static' |
        sed -E 's|^/\*[^*]*\*/ extern [^(]*[ *]([A-Za-z_0-9]+) \(.*|\1|' | sort -u
}

# check_exports LIBRARY PREFIXES FOLDER...
check_exports() {
    local library=$1 prefixes=$2
    shift 2
    declared "$@" >"$WORK/declared"
    nm -D --defined-only --format=posix "$LIBDIR/$library" | cut -d ' ' -f 1 | sort -u \
        >"$WORK/exported"
    [ "$(wc -l <"$WORK/declared")" -gt 50 ] || die "hardly any function is declared in $*"
    diff -u --label "declared in $*" --label "exported by $library" "$WORK/declared" \
        "$WORK/exported" || die "$library does not export what its headers declare"
    if grep -vE "^($prefixes)_" "$WORK/exported"; then
        die "$library exports names with a prefix that is not ours"
    fi
    echo "$library: $(wc -l <"$WORK/exported") functions"
}

for package in "$@"; do
    read -ra flags <<<"$(pkg-config --cflags "$package")"
    case $package in
    quire-memsys) check_exports libquire-memsys.so 'gmm|mm|pgm|mem' memsys ;;
    quire) check_exports libquire.so 'gmm|mm|pgm|mem|emu|x86|dev' memsys emu devices ;;
    *) die "nothing is known of package $package" ;;
    esac
done
