#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run-parts.sh all|long: the parts one after the other, cheap ones first, each with its time; what a
# failed part said is shown. Called by ./bootstrap test --all and --long, which install the tools.
#
# The last line counts the parts and the Meson tests within them: "N passed, N failed".
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

readonly ALL_PARTS=(scripts format gcc headers install clang sanitizers tsan coverage 'model 1000000'
    firmware bench exactness crash-safety valgrind 'fuzz short')
readonly LONG_PARTS=('fresh-debian bookworm' 'fresh-debian trixie' 'model 10000000' 'crash-safety 200' mutation 'fuzz long')

n_passed=0
n_failed=0
cpu_before=0

# Sets cpu: what the finished parts have used of processors, on a host that does other things besides.
# Not for a subshell, which would count for itself.
count_cpu() {
    times >"$OUT/times"
    cpu=$(awk 'NR == 2 { gsub(/[ms]/, " "); print int($1 * 60 + $2 + $3 * 60 + $4) }' "$OUT/times")
}

run_part() {
    local part=$1 start=$SECONDS log command limit=1800 cpu
    case $part in
    'fuzz long') limit=18000 ;; # an hour for each two targets
    mutation) limit=5400 ;;
    esac
    log=$OUT/logs/${part// /-}.log
    read -r -a command <<<"$part"
    : >"$OUT/results"
    printf '%-24s' "$part"
    if CI_RESULTS=$OUT/results timeout --kill-after=10 "$limit" \
        "$ROOT/tests/ci/${command[0]}.sh" "${command[@]:1}" >"$log" 2>&1 </dev/null; then
        n_passed=$((n_passed + 1))
        count_cpu
        printf 'ok      %4d s  %4d s CPU  %s\n' $((SECONDS - start)) $((cpu - cpu_before)) \
            "$(sed -n 's,^summary: ,,p' "$log" | tail -n 1)"
    else
        n_failed=$((n_failed + 1))
        count_cpu
        printf 'FAILED  %4d s  %4d s CPU  the end of %s:\n' $((SECONDS - start)) $((cpu - cpu_before)) \
            "$log"
        tail -n 200 "$log" | sed 's/^/    /'
    fi
    cpu_before=$cpu
    n_passed=$((n_passed + $(grep -cE '^(OK|EXPECTEDFAIL) ' "$OUT/results" || true)))
    n_failed=$((n_failed + $(grep -cvE '^(OK|EXPECTEDFAIL) ' "$OUT/results" || true)))
}

case ${1-} in
all) parts=("${ALL_PARTS[@]}") ;;
long) parts=("${LONG_PARTS[@]}") ;;
*) die "say which parts: all or long" ;;
esac

mkdir -p "$OUT/logs"
for part in "${parts[@]}"; do
    run_part "$part"
done
printf 'all parts: %d s\n' "$SECONDS"
printf '%d passed, %d failed\n' "$n_passed" "$n_failed"
[ "$n_failed" -eq 0 ]
