#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh short|long [MINUTES] [TARGET...]: the fuzz targets under libFuzzer, with AddressSanitizer and
# UndefinedBehaviorSanitizer, two at a time.
#
#   short   each runs 15 s without a finding, then finds its planted bug (-Dplanted_bugs=true) from
#           its seeds within 20 s of processor time; then two targets run under AFL++, where elf
#           must find it too
#   long    each runs MINUTES (default 60) without a finding and covers at least 80 % of the lines of
#           the files it is for
#
# Prints for each target executions, executions a second and the line coverage of its files, which
# the seeds and everything found make together. Findings are left in build-ci/fuzz/TARGET.
# shellcheck source-path=SCRIPTDIR/../ci
source "$(dirname -- "${BASH_SOURCE[0]}")/../ci/lib.sh"

readonly SHORT_SECONDS=15 PLANTED_SECONDS=20 AFL_SECONDS=20 WANTED_PERCENT=80 AFL_TARGETS=(elf fw-cfg) AFL_FINDS=elf
readonly WORK=$OUT/fuzz
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

# What each target is for: coverage is counted in these files.
declare -A FILES=(
    [elf]='emu/loader-elf.c emu/loader.c emu/symbols.c'
    [fw-cfg]='devices/fw_cfg.c'
    [ide]='devices/ata.c devices/ata-command.c devices/ide.c'
    [linux]='emu/loader-linux.c'
    [memory]='memsys/access.c memsys/balloon.c memsys/bulk.c memsys/compact.c memsys/dirty.c memsys/handler.c
        memsys/large-run.c memsys/load-image.c memsys/map.c memsys/mmio.c memsys/mmio2.c memsys/page-state.c
        memsys/peek.c memsys/piece.c memsys/preallocate.c memsys/range.c memsys/reset.c memsys/rom.c memsys/share-scan.c
        memsys/snapshot.c memsys/snapshot-edge.c memsys/snapshot-layout.c memsys/snapshot-move.c
        memsys/snapshot-save.c memsys/snapshot-tree.c memsys/view.c'
    [pci]='devices/pci.c devices/i440fx.c devices/piix3.c devices/piix3_ide.c devices/piix4_pm.c'
    [state]='memsys/state-read.c memsys/state-check.c memsys/saved-load.c memsys/saved-maps.c memsys/saved-apply.c memsys/saved-table.c'
    [vga]='devices/vga.c devices/vga-ports.c devices/vga-retrace.c devices/vga-vbe.c devices/vga-window.c'
)

# build NAME TARGETS... -- OPTIONS...: the programs and seeds of the targets in build-ci/NAME.
build() {
    local name=$1 dir=$OUT/$1 programs=()
    shift
    while [ "$1" != -- ]; do
        programs+=("tests/fuzz/fuzz-$1" "tests/fuzz/seeds-$1")
        shift
    done
    shift
    [ -f "$dir/build.ninja" ] || meson setup "$@" "$dir" "$ROOT" >"$WORK/setup-$name.log"
    ninja -C "$dir" "${programs[@]}" >"$WORK/build-$name.log" ||
        die "cannot build; see $WORK/build-$name.log"
}

# run_fuzzer BUILD TARGET SECONDS FOLDER: its status is the fuzzer's; 0 is no finding.
run_fuzzer() {
    local program=$OUT/$1/tests/fuzz/fuzz-$2 seeds=$OUT/$1/tests/fuzz/seeds-$2 folder=$4
    local max_len=4096
    [ "$2" = state ] && max_len=32768 # a page of memory in it is 4096 bytes alone
    mkdir -p "$folder/corpus"
    # -entropic=0: its bookkeeping costs more than these targets do.
    "$program" -max_total_time="$3" -timeout=10 -max_len="$max_len" -entropic=0 -print_final_stats=1 \
        -artifact_prefix="$folder/" "$folder/corpus" "$seeds" >"$folder/log" 2>&1
}

number_of() { sed -n "s/^stat::$1: *//p" "$2" | tail -n 1; }

fuzz_clean() {
    local target=$1 seconds=$2 folder=$WORK/$1/clean
    rm -rf "$folder"
    mkdir -p "$folder"
    if ! run_fuzzer fuzz-clean "$target" "$seconds" "$folder"; then
        echo "$target: FINDING in $folder:"
        tail -n 40 "$folder/log"
        return 1
    fi
    printf '%-8s %9s executions, %6s/s, no finding\n' "$target" \
        "$(number_of number_of_executed_units "$folder/log")" "$(number_of average_exec_per_sec "$folder/log")"
}

fuzz_planted() {
    local target=$1 folder=$WORK/$1/planted build=$OUT/fuzz-planted/tests/fuzz start
    rm -rf "$folder"
    mkdir -p "$folder"
    # Else the fuzzer would have nothing to do.
    if ! "$build/fuzz-$target" -runs=0 "$build/seeds-$target" >"$folder/seeds.log" 2>&1; then
        echo "$target: a seed meets its planted bug already; see $folder/seeds.log"
        return 1
    fi
    start=$EPOCHREALTIME
    # Processor time, so that a busy host changes nothing but the wait.
    (
        ulimit -t "$PLANTED_SECONDS"
        run_fuzzer fuzz-planted "$target" $((10 * PLANTED_SECONDS)) "$folder"
    ) || true
    if [ -z "$(find "$folder" -maxdepth 1 -name 'crash-*' -print -quit)" ]; then
        echo "$target: did NOT find its planted bug in $PLANTED_SECONDS s; see $folder/log"
        return 1
    fi
    awk -v target="$target" -v from="$start" -v to="$EPOCHREALTIME" \
        'BEGIN { printf "%-8s planted bug found after %.1f s\n", target, to - from }'
}

afl_planted() {
    local target=$1 folder=$WORK/$1/afl build=$OUT/fuzz-afl/tests/fuzz start=$EPOCHREALTIME executions
    rm -rf "$folder"
    mkdir -p "$folder"
    AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_BENCH_UNTIL_CRASH=1 AFL_NO_UI=1 \
        AFL_NO_AFFINITY=1 ASAN_OPTIONS=abort_on_error=1:detect_leaks=0:symbolize=0 \
        timeout $((AFL_SECONDS + 30)) afl-fuzz -V "$AFL_SECONDS" -m none -t 5000 \
        -i "$build/seeds-$target" -o "$folder/out" "$build/fuzz-$target" >"$folder/log" 2>&1 || true
    executions=$(sed -n 's/^execs_done *: *//p' "$folder/out/default/fuzzer_stats" 2>/dev/null || true)
    if [ "${executions:-0}" -eq 0 ]; then
        echo "$target: AFL++ did not run; see $folder/log"
        return 1
    fi
    if [ -z "$(find "$folder/out/default/crashes" -name 'id:*' -print -quit 2>/dev/null)" ]; then
        echo "$target: $executions executions under AFL++ in $AFL_SECONDS s, planted bug not found"
        [ "$target" != "$AFL_FINDS" ]
        return
    fi
    awk -v target="$target" -v from="$start" -v to="$EPOCHREALTIME" \
        'BEGIN { printf "%-8s planted bug found by AFL++ after %.1f s\n", target, to - from }'
}

# Replays seeds and corpus in a build that counts lines.
coverage() {
    local target=$1 wanted=$2 dir=$OUT/fuzz-coverage file percent low=0 filters=()
    find "$dir" -name '*.gcda' -delete
    "$dir/tests/fuzz/fuzz-$target" "$dir/tests/fuzz/seeds-$target" "$WORK/$target/clean/corpus" \
        >"$WORK/$target/replay.log" 2>&1 || die "$target: the replay failed; see $WORK/$target/replay.log"
    for file in ${FILES[$target]}; do
        filters+=(--filter "$ROOT/$file")
    done
    gcovr --root "$ROOT" "${filters[@]}" "$dir" --csv >"$WORK/$target/coverage.csv"
    percent=$(awk -F, 'NR > 1 { total += $2; covered += $3 } END { printf "%.1f", 100 * covered / total }' \
        "$WORK/$target/coverage.csv")
    awk -v got="$percent" -v wanted="$wanted" 'BEGIN { exit !(got < wanted) }' && low=1
    printf '%-8s %5s %% of the lines of %s%s\n' "$target" "$percent" "$(echo "${FILES[$target]}" | xargs)" \
        "$([ "$low" = 0 ] || echo ": fewer than $wanted %")"
    [ "$low" = 0 ]
}

# each FUNCTION ARGUMENT... : for all targets, two at a time; fails if one did.
each() {
    local function=$1 failed=0 target pid pids=()
    shift
    for target in "${targets[@]}"; do
        if [ ${#pids[@]} -ge 2 ]; then
            wait "${pids[0]}" || failed=1
            pids=("${pids[@]:1}")
        fi
        "$function" "$target" "$@" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || failed=1
    done
    [ "$failed" = 0 ]
}

mode=${1-}
seconds=$SHORT_SECONDS
case $mode in
short) shift ;;
long)
    shift
    minutes=60
    if [[ ${1-} =~ ^[0-9]+$ ]]; then
        minutes=$1
        shift
    fi
    seconds=$((minutes * 60))
    ;;
*) die "say short or long" ;;
esac
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    mapfile -t targets < <(printf '%s\n' "${!FILES[@]}" | sort)
fi

mkdir -p "$WORK"
CC=clang build fuzz-clean "${targets[@]}" -- -Dfuzz=libfuzzer -Db_sanitize=address,undefined
CC=gcc build fuzz-coverage "${targets[@]}" -- -Db_coverage=true -Dbuildtype=debug

failed=0
each fuzz_clean "$seconds" || failed=1
for target in "${targets[@]}"; do
    # Twenty seconds need not reach everything.
    coverage "$target" "$([ "$mode" = long ] && echo "$WANTED_PERCENT" || echo 0)" || failed=1
done
if [ "$mode" = short ]; then
    CC=clang build fuzz-planted "${targets[@]}" -- -Dfuzz=libfuzzer -Dplanted_bugs=true -Db_sanitize=address,undefined
    each fuzz_planted || failed=1
    mapfile -t targets < <(printf '%s\n' "${AFL_TARGETS[@]}" | grep -xF "$(printf '%s\n' "${targets[@]}")" || true)
    if [ ${#targets[@]} -gt 0 ]; then
        CC=afl-clang-fast AFL_USE_ASAN=1 build fuzz-afl "${targets[@]}" -- -Dfuzz=afl -Dplanted_bugs=true
        each afl_planted || failed=1
    fi
fi
[ "$failed" = 0 ] || die "not all went well"
echo "summary: ${#FILES[@]} fuzz targets"
