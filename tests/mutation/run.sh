#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh [-n COUNT] [-s SEED] [-j JOBS] [-l]: puts small faults into page state, page-map TLB, overlays and
# walker, one at a time, and runs the tests of that part. A fault that no test notices is a survivor, listed at
# the end. Ends with an error if fewer than 80 % are noticed. Everything happens in copies under TMPDIR.
#
#   -n COUNT   how many, taken at random (200; 0: all there are)
#   -s SEED    which ones (1)
#   -j JOBS    at a time (2)
#   -f FILE    only this file; may be repeated
#   -l         only lists them
set -euo pipefail

HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
ROOT=$(cd -- "$HERE/../.." && pwd -P)
readonly HERE ROOT
readonly ENOUGH=80
readonly MEMSYS_FILES='memsys/page-state.c memsys/page-events.c memsys/page-internal.h
    memsys/tlb.c memsys/tlb-access.h memsys/access.c memsys/range.c memsys/view.c'
readonly WALKER_FILES='emu/x86/paging.c'

count=200 seed=1 jobs=2 only_list='' files=''
while getopts n:s:j:f:l option; do
    case $option in
    n) count=$OPTARG ;;
    s) seed=$OPTARG ;;
    j) jobs=$OPTARG ;;
    f) files+=" $OPTARG" ;;
    l) only_list=yes ;;
    *) sed -n '4,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
    esac
done

work=$(mktemp -d "${TMPDIR:-/tmp}/quire-mutation.XXXXXX")
trap 'rm -rf "$work"' EXIT

# One state of the tree for everything that follows.
mkdir "$work/original"
(cd "$ROOT" && cp -r meson.build meson_options.txt emu devices frontends memsys tests "$work/original")

# ---- which

# shellcheck disable=SC2086 # file names without spaces
(cd "$work/original" && for file in ${files:-$MEMSYS_FILES $WALKER_FILES}; do
    awk -f "$HERE/mutants.awk" "$file"
done) | awk -v seed="$seed" 'BEGIN { srand(seed) } { printf "%.9f\t%s\n", rand(), $0 }' |
    sort -n | cut -f 2- >"$work/every"
if [ "$count" -gt 0 ]; then
    head -n "$count" "$work/every" >"$work/mutants"
else
    mv "$work/every" "$work/mutants"
fi
if [ -n "$only_list" ]; then
    cat "$work/mutants"
    exit 0
fi

# ---- one of them

# names LIST: the tests named in that list of tests/unit/meson.build
names() {
    sed -n "/^$1 = \[/,/^\]/s/^ *'\(.*\)',.*/\1/p" "$work/original/tests/unit/meson.build"
}

# The allocator's own tests see nothing of pages' states: left out.
memsys_tests=$(names memsys_tests | grep -vE '^(gmm.*|mm|status)$' | sed 's,.*,tests/unit/test-&,' | tr '\n' ' ')
readonly memsys_tests

# tests_of FILE: what must notice; the quickest to notice first
tests_of() {
    case $1 in
    emu/*) echo tests/model/test-paging-naive tests/unit/test-paging ;;
    *) echo tests/model/test-memsys-model tests/model/test-page-events-model "$memsys_tests" ;;
    esac
}

# passes DIR TEST: builds and runs it; 0 passed, 1 noticed, 2 does not compile
passes() {
    ninja -C "$1" "$2" >"$1/ninja.log" 2>&1 || return 2
    QUIRE_ITERATIONS=12000 CK_DEFAULT_TIMEOUT=10 CK_VERBOSITY=silent \
        timeout 40 "$1/$2" >"$1/test.log" 2>&1 || return 1
}

# try DIR FILE LINE TEXT: prints "killed", "survived" or "invalid"
try() {
    local tree=$1/tree build=$1/build file=$2 test status
    TEXT=$4 awk -v line="$3" 'NR == line { print ENVIRON["TEXT"]; next } { print }' \
        "$work/original/$file" >"$tree/$file"
    for test in $(tests_of "$file"); do
        status=0
        passes "$build" "$test" || status=$?
        case $status in
        1) echo killed && break ;;
        2) echo invalid && break ;;
        esac
    done
    [ "$status" -ne 0 ] || echo survived
    cp "$work/original/$file" "$tree/$file"
}

# worker NUMBER: every JOBS-th mutant, in a tree and a build of its own
worker() {
    local dir=$work/$1 file line what text result n=0
    while IFS=$'\t' read -r file line what text; do
        n=$((n + 1))
        [ $((n % jobs)) -eq "$1" ] || continue
        result=$(try "$dir" "$file" "$line" "$text")
        printf '%s\t%s\t%s\t%s\t%s\n' "$result" "$file" "$line" "$what" "$text" >>"$work/results"
    done <"$work/mutants"
}

prepare() {
    local dir=$work/$1 machine=false
    ! grep -q ^emu/ "$work/mutants" || machine=true
    mkdir -p "$dir"
    cp -r "$work/original" "$dir/tree"
    meson setup --buildtype=debug "-Dmachine=$machine" "$dir/build" "$dir/tree" >"$dir/setup.log" 2>&1 ||
        { cat "$dir/setup.log" >&2 && return 1; }
    xargs ninja -C "$dir/build" <"$work/tests" >"$dir/setup.log" 2>&1 ||
        { tail -n 30 "$dir/setup.log" >&2 && return 1; }
}

# Without a fault every test must pass, or nothing below means anything.
check_original() {
    local test
    while read -r test; do
        passes "$work/0/build" "$test" || {
            cat "$work/0/build/test.log" >&2
            echo "$test fails without a fault" >&2
            return 1
        }
    done <"$work/tests"
}

cut -f 1 "$work/mutants" | sort -u | while read -r file; do
    tests_of "$file" | tr ' ' '\n'
done | grep . | sort -u >"$work/tests"
for ((i = 0; i < jobs; i++)); do
    prepare "$i" &
    pids[i]=$!
done
for pid in "${pids[@]}"; do
    wait "$pid"
done
check_original
touch "$work/results"
for ((i = 0; i < jobs; i++)); do
    worker "$i" &
    pids[i]=$!
done
for pid in "${pids[@]}"; do
    wait "$pid"
done

# ---- report

echo 'survivors:'
grep '^survived' "$work/results" | sort -t $'\t' -k 2,2 -k 3,3n |
    awk -F '\t' '{ sub(/^ */, "", $5); printf "  %s:%s: %s: %s\n", $2, $3, $4, $5 }' || true
awk -F '\t' -v enough="$ENOUGH" '
    { n[$2, $1]++; total[$1]++; files[$2] = 1 }
    END {
        printf "%-26s %8s %8s %8s\n", "", "noticed", "survived", "invalid"
        for (file in files) {
            printf "%-26s %8d %8d %8d\n", file, n[file, "killed"], n[file, "survived"], n[file, "invalid"]
        }
        tried = total["killed"] + total["survived"]
        percent = tried ? total["killed"] * 100 / tried : 0
        printf "summary: %d of %d mutants noticed, %.1f %%\n", total["killed"], tried, percent
        exit tried == 0 || percent < enough
    }' "$work/results"
