#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh [-n COUNT] [-s SEED] [-j JOBS] [-g GROUP] [-f FILE] [-l]: puts small faults into the code, one at a
# time, and runs the tests that ought to notice. A fault that none of them notices is a survivor, listed
# at the end. Ends with an error if fewer than 90 % are noticed. Survivors that somebody has looked at and found
# to be the same program stand in equivalent.txt with the reason; they do not count. Everything happens
# in copies under TMPDIR.
#
#   -n COUNT   how many of each group, taken at random (25; 0: all there are)
#   -s SEED    which ones (1)
#   -j JOBS    at a time (2)
#   -g GROUP   only this group; may be repeated
#   -f FILE    only this file; may be repeated
#   -l         only lists them
set -euo pipefail

HERE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
ROOT=$(cd -- "$HERE/../.." && pwd -P)
readonly HERE ROOT
readonly ENOUGH=90

# What belongs together, and the tests that must notice, the likeliest and quickest first.
readonly GROUPS_OF_FILES=(pages tlb access overlays snapshot sharing loader state walker vga)
declare -A FILES=(
    [pages]='memsys/page-state.c memsys/page-internal.h'
    [tlb]='memsys/tlb.c memsys/tlb-access.h'
    [access]='memsys/access.c memsys/bulk.c memsys/piece.c'
    [overlays]='memsys/range.c memsys/rom.c memsys/view.c'
    [snapshot]='memsys/snapshot.c memsys/snapshot-check.c memsys/snapshot-edge.c memsys/snapshot-layout.c
        memsys/snapshot-move.c memsys/snapshot-save.c memsys/snapshot-tree.c memsys/tracking.c
        memsys/dirty.c memsys/page-set.c'
    [sharing]='memsys/share-scan.c memsys/gmm-content.c memsys/gmm-offer.c memsys/gmm-share.c'
    [loader]='emu/loader.c emu/loader-elf.c emu/loader-linux.c'
    [state]='memsys/saved-load.c memsys/saved-maps.c memsys/saved-apply.c memsys/state-check.c'
    [walker]='emu/x86/paging.c'
    [vga]='devices/vga.c devices/vga-ports.c devices/vga-retrace.c devices/vga-vbe.c devices/vga-window.c
        devices/vga-layout.c devices/vga-draw-graphics.c devices/vga-draw-text.c devices/screen.c'
)
declare -A TESTS=(
    [pages]='unit/page-state model/page-events-model unit/handler unit/tlb unit/mmio2 unit/balloon unit/rom
        unit/range unit/verify unit/external unit/preallocate unit/large-runs unit/snapshot unit/cpu-port
        unit/saved-state model/memsys-model'
    [tlb]='unit/tlb unit/page-state unit/access unit/cpu-port model/page-events-model unit/range unit/verify
        model/memsys-model'
    [access]='unit/access unit/page-state unit/handler unit/mmio unit/mmio2 unit/rom unit/watch unit/snapshot
        unit/external model/page-events-model model/memsys-model'
    [overlays]='unit/range unit/overlay unit/rom unit/page-state unit/mmio2 unit/mmio unit/map unit/verify
        unit/snapshot unit/saved-state model/page-events-model model/memsys-model'
    [snapshot]='unit/page-set unit/dirty unit/snapshot unit/snapshot-model unit/mmio2 unit/verify
        unit/snapshot-gone unit/snapshot-kept unit/snapshot-stock unit/saved-state unit/info unit/large-runs unit/balloon
        unit/compact model/memsys-model'
    [sharing]='unit/gmm-share unit/gmm-content unit/share-scan unit/defects-gmm unit/defects-access unit/gmm unit/gmm-verify
        unit/gmm-faults unit/gmm-placed unit/gmm-model unit/info unit/gmm-threads unit/saved-state model/memsys-model'
    [loader]='unit/loader unit/loader-linux'
    [state]='unit/saved-state unit/saved-hostile unit/saved-state-more unit/state-file unit/balloon
        unit/snapshot-model model/memsys-model'
    [walker]='model/paging-naive unit/paging'
    [vga]='unit/vga unit/vga-window unit/vga-vbe unit/vga-layout unit/screen model/vga-model'
)

count=25 seed=1 jobs=2 only_list='' groups='' files=''
while getopts n:s:j:g:f:l option; do
    case $option in
    n) count=$OPTARG ;;
    s) seed=$OPTARG ;;
    j) jobs=$OPTARG ;;
    g) groups+=" $OPTARG" ;;
    f) files+=" $OPTARG" ;;
    l) only_list=yes ;;
    *) sed -n '4,17s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
    esac
done

work=$(mktemp -d "${TMPDIR:-/tmp}/quire-mutation.XXXXXX")
trap 'rm -rf "$work"' EXIT

# One state of the tree for everything that follows.
mkdir "$work/original"
(cd "$ROOT" && cp -r meson.build meson_options.txt emu devices frontends memsys tests "$work/original")

# ---- which

# group_of FILE: the group it is in
group_of() {
    local group
    for group in "${GROUPS_OF_FILES[@]}"; do
        if grep -qwF -- "$1" <<<"${FILES[$group]}"; then
            echo "$group"
            return
        fi
    done
    echo "$1 is in no group" >&2
    return 1
}

# mutants_of FILE...: as many of them as wanted, which ones the seed decides
mutants_of() {
    (cd "$work/original" && for file in "$@"; do awk -f "$HERE/mutants.awk" "$file"; done) |
        awk -v seed="$seed" 'BEGIN { srand(seed) } { printf "%.9f\t%s\n", rand(), $0 }' | sort -n | cut -f 2- |
        awk -v count="$count" 'count == 0 || NR <= count'
}

# shellcheck disable=SC2086 # file names without spaces
if [ -n "$files" ]; then
    mutants_of $files
else
    for group in ${groups:-${GROUPS_OF_FILES[@]}}; do
        [ -n "${FILES[$group]-}" ] || { echo "no group $group" >&2 && exit 2; }
        mutants_of ${FILES[$group]}
    done
fi >"$work/mutants"
if [ -n "$only_list" ]; then
    cat "$work/mutants"
    exit 0
fi

# ---- one of them

# is_equivalent FILE WHAT TEXT: does equivalent.txt say so?
is_equivalent() {
    local text=$3
    grep -qxF -- "$1: $2: ${text#"${text%%[! ]*}"}" "$HERE/equivalent.txt"
}

# tests_of FILE: what must notice
tests_of() {
    local test
    for test in ${TESTS[$(group_of "$1")]}; do
        echo "tests/${test%/*}/test-${test#*/}"
    done
}

# passes DIR TEST: builds and runs it; 0 passed, 1 noticed, 2 does not compile
passes() {
    ninja -C "$1" "$2" >"$1/ninja.log" 2>&1 || return 2
    # What a test that fails leaves behind goes with everything else.
    mkdir -p "$1/tmp"
    TMPDIR=$1/tmp QUIRE_ITERATIONS=12000 CK_DEFAULT_TIMEOUT=20 CK_VERBOSITY=silent \
        timeout 120 "$1/$2" >"$1/test.log" 2>&1 || return 1
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
        if is_equivalent "$file" "$what" "$text"; then
            result=equivalent
        else
            result=$(try "$dir" "$file" "$line" "$text")
        fi
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
    tests_of "$file"
done | sort -u >"$work/tests"
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
while IFS=$'\t' read -r result file rest; do
    printf '%s\t%s\t%s\n' "$result" "$(group_of "$file")" "$rest"
done <"$work/results" | awk -F '\t' -v enough="$ENOUGH" '
    { n[$2, $1]++; total[$1]++; groups[$2] = 1 }
    END {
        printf "%-12s %8s %8s %10s %8s %8s\n", "", "noticed", "survived", "equivalent", "invalid", "%"
        for (group in groups) {
            tried = n[group, "killed"] + n[group, "survived"]
            printf "%-12s %8d %8d %10d %8d %8.1f\n", group, n[group, "killed"], n[group, "survived"],
                n[group, "equivalent"], n[group, "invalid"], tried ? n[group, "killed"] * 100 / tried : 0
        }
        tried = total["killed"] + total["survived"]
        percent = tried ? total["killed"] * 100 / tried : 0
        printf "summary: %d of %d mutants noticed, %.1f %%\n", total["killed"], tried, percent
        exit tried == 0 || percent < enough
    }'
