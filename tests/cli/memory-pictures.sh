#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Pictures and films of memory of whole runs: what they say is what the map and the summary say, the guest does not
# notice them, they appear however the run ends, and never over somebody else's file. Usage: memory-pictures.sh QUIRE
# shellcheck source=../program.sh
. "$(dirname "$0")/../program.sh"

# The sum of a number a line.
total() {
    awk '{ sum += $1 } END { print sum + 0 }'
}

is_png() {
    [ "$(head -c 8 "$1" | od -An -tx1)" = ' 89 50 4e 47 0d 0a 1a 0a' ]
}

firmware ram C6 06 00 05 5A B0 00 E6 F4 EB FE # writes to 500, leaves with status 1
firmware loop C6 06 00 05 5A EB FE
firmware triple C6 06 00 05 5A 0F 01 1E 00 00 CC EB FE

# --- SeaBIOS: all four files, and what they say is what the map and the summary say
ends 0 '*' --map --memory-picture "$tmp/p.png" --memory-picture "$tmp/p.json" --memory-film "$tmp/f.png" \
    --memory-film "$tmp/f.json"
check "the picture is a PNG" is_png "$tmp/p.png"
check "the film is a PNG" is_png "$tmp/f.png"
check "the picture is small" test "$(wc -c <"$tmp/p.png")" -lt 100000
check "the picture's JSON parses" python3 -m json.tool "$tmp/p.json" /dev/null
check "the film's JSON parses" python3 -m json.tool "$tmp/f.json" /dev/null

# Of each type and state, how many pages: from the map as text, and from the JSON.
sed -nE 's/^  [0-9a-f]+-[0-9a-f]+ +([0-9]+) pages  (.{11}) (.{15}).*/\1 \2:\3/p' "$tmp/err" | tr -s ' ' |
    sed 's/ :/:/; s/ $//' |
    awk '{ pages = $1; $1 = ""; sum[$0] += pages } END { for (key in sum) print sum[key] key }' | sort >"$tmp/by-map"
sed -nE 's/.*"pages": ([0-9]+), "type": "([^"]*)", "state": "([^"]*)".*/\1 \2:\3/p' "$tmp/p.json" |
    awk '{ pages = $1; $1 = ""; sum[$0] += pages } END { for (key in sum) print sum[key] key }' | sort >"$tmp/by-json"
check "the map has RAM, ROM and shadow" test "$(wc -l <"$tmp/by-map")" -ge 4
check "JSON and map have the same pages" cmp "$tmp/by-map" "$tmp/by-json"
counted=$(sed -nE 's/.*"counted": \{ "all": ([0-9]+), "private": ([0-9]+), "zero": ([0-9]+), "shared": ([0-9]+), "mmio": ([0-9]+).*/\1: \2 private, \3 zero, \4 shared, \5 MMIO/p' "$tmp/p.json")
check "JSON counts" test -n "$counted"
says "quire: pages: $counted;"

# Every page written is in some slice; those of low memory that are not zero now are among them.
low=$(awk '/"kind": "ROM"/ { exit } /"state": "(allocated|write-monitored)"/' "$tmp/p.json" |
    sed -nE 's/.*"pages": ([0-9]+),.*/\1/p' | total)
filmed=$(sed -nE 's/.*"start": "0x([0-9a-f]{1,5})", "n": ([0-9]+).*/\1 \2/p' "$tmp/f.json" |
    while read -r start pages; do [ $((16#$start)) -lt $((0xA0000)) ] && echo "$pages"; done | total)
check "SeaBIOS has written low memory" test "$low" -gt 100
check "the film has seen it: $low pages, $filmed filmed" test "$filmed" -ge "$low"

# --- the guest does not notice
what=(--memory 16M --dump "$tmp/dump@0+16M" --stats-json "$tmp/stats")
ends 0 '*' "${what[@]}"
cp "$tmp/out" "$tmp/out.plain"
cp "$tmp/dump" "$tmp/dump.plain"
grep -E '"/(CPU/(Bytes|Interr|Except|Halts)|Bus/|Run/Guest|PGM/Page/c(All|Private|Zero|Shared))' "$tmp/stats" >"$tmp/stats.plain"
for every in '' ,every=0.00001 ,every=0.0000003; do
    ends 0 '*' "${what[@]}" --memory-film "$tmp/f.json$every" --memory-picture "$tmp/p.png"
    check "same words with a film$every" cmp "$tmp/out" "$tmp/out.plain"
    check "same memory with a film$every" cmp "$tmp/dump" "$tmp/dump.plain"
    check "same counts with a film$every" cmp "$tmp/stats.plain" \
        <(grep -E '"/(CPU/(Bytes|Interr|Except|Halts)|Bus/|Run/Guest|PGM/Page/c(All|Private|Zero|Shared))' "$tmp/stats")
done
check "the guest ran" grep -q 'Booting from Hard Disk' "$tmp/out.plain"

# --- nor does one that halts: for good it is at once, whatever is looked at later
firmware halts E6 80 FB F4 EB FD # a port, and no timer
guest_ns() { sed -nE 's|.*"/Run/GuestNs" *: *([0-9]+).*|\1|p' "$tmp/stats"; }
what=(--bios "$tmp/halts" --vga std --memory 2M --stats-json "$tmp/stats")
ends 4 'halted for good*' "${what[@]}" --save "$tmp/state.plain"
plain_ns=$(guest_ns)
check "it halts at once: ${plain_ns:-no time}" test "${plain_ns:-9999}" -lt 2000
for looks in "--memory-film $tmp/f.json" "--memory-film $tmp/f.json,every=0.000000001" "--screen-every 7 $tmp/shots" \
    "--screen-record $tmp/record.png"; do
    rm -rf "$tmp/shots"
    # shellcheck disable=SC2086
    ends 4 'halted for good*' "${what[@]}" --save "$tmp/state" $looks
    check "as early with $looks" test "$(guest_ns)" = "$plain_ns"
    check "the same state with $looks" cmp "$tmp/state" "$tmp/state.plain"
done
for live in '' --save-live; do
    # shellcheck disable=SC2086
    ends 4 'halted for good*' "${what[@]}" --save "$tmp/state" --save-at port:80 $live
    check "as early with --save-at $live" test "$(guest_ns)" = "$plain_ns"
done

# --- films
ends 1 '*' --bios "$tmp/ram" --memory-film "$tmp/f.json,every=0.001"
check "slices are as long as asked" grep -q '"slice_ns": 1000000,' "$tmp/f.json"
check "the one page written is there" grep -q '{ "start": "0x0", "n": 1, "written": \[ \[0, 1\] \] }' "$tmp/f.json"
check "and no other" test "$(grep -c '"start"' "$tmp/f.json")" = 1
ends 6 '*' --bios "$tmp/loop" --max-time 1 --memory-film "$tmp/f.json"
check "a long run has few slices" test "$(grep '"slices"' "$tmp/f.json" | tr -cd , | wc -c)" -le 512
check "and is there to its end" grep -q '"end_ns": 100[0-9]\{7\},' "$tmp/f.json"
ends 0 '*' --bios "$tmp/loop" --until time:0.02 --save "$tmp/state"
ends 0 '*' --restore "$tmp/state" --until time:0.03 --memory-film "$tmp/f.json" --memory-picture "$tmp/p.json"
check "a restored run's film begins there" grep -q '"start_ns": 200[0-9]\{5\},' "$tmp/f.json"

# --- however it ends
for how in "4 --bios $tmp/triple" "6 --bios $tmp/loop --timeout 0.2" "6 --bios $tmp/loop --max-time 0.01"; do
    rm -f "$tmp"/[pf].png
    # shellcheck disable=SC2086
    ends ${how%% *} '*' ${how#* } --memory-picture "$tmp/p.png" --memory-film "$tmp/f.png"
    check "a picture after status ${how%% *}" is_png "$tmp/p.png"
    check "a film after status ${how%% *}" is_png "$tmp/f.png"
done
rm -f "$tmp"/p.png
"$quire" run --bios "$tmp/loop" --timeout 30 --memory-picture "$tmp/p.png" >"$tmp/out" 2>"$tmp/err" </dev/null &
sleep 0.5
kill -TERM $!
wait $!
check "a picture after SIGTERM" is_png "$tmp/p.png"

# --- any size
ends 0 '*' --memory 1T --memory-picture "$tmp/p.png" --memory-picture "$tmp/p.json" --memory-film "$tmp/f.json"
check "1 TiB: a picture" is_png "$tmp/p.png"
check "1 TiB: a small file" test "$(wc -c <"$tmp/p.json")" -lt 100000

# --- nobody else's file
echo keep >"$tmp/in.json"
ends 2 '*' --bios "$tmp/ram" --load "$tmp/in.json@1000" --memory-picture "$tmp/in.json"
says 'is the file of --load too'
check "an input is left alone" grep -q keep "$tmp/in.json"
ends 2 '*' --bios "$tmp/ram" --memory-picture "$tmp/new.png" --memory-film "$tmp/new.png"
says '--memory-film: '
check "nothing is made for a run that cannot start" test ! -e "$tmp/new.png"
ends 2 '*' --bios "$tmp/ram" --memory-picture "$tmp/nowhere/p.png"
says '--memory-picture: '
ends 2 '*' --bios "$tmp/ram" --dump "$tmp/in.json@0+4K" --memory-film "$tmp/nowhere/f.json"
says '--memory-film: '
check "no output is emptied for a run that cannot start" grep -q keep "$tmp/in.json"
ends 2 '*' --bios "$tmp/ram" --memory-film "$tmp/f.json,every=0"
says '--memory-film'
ends 2 '*' --bios "$tmp/ram" --memory-picture "$tmp/p.gif"
says '--memory-picture'

finish
