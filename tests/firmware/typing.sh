#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --type and --type-at with SeaBIOS's keyboard behind them. Usage: typing.sh QUIRE GUEST-FOLDER
# shellcheck source=../program.sh
. "$(dirname "$0")/../program.sh"
guests=$(realpath -- "$2")
need "$guests/keys.bin"

cp "$guests/keys.bin" "$tmp/keys"
truncate -s 1M "$tmp/keys"
keys=(--drive "$tmp/keys" --timeout 120)

# What the BIOS said, one key a line; the serial console's own words are before them, and a last dot of theirs may come
# late.
heard() { plain | sed '1,/keys:$/d' | grep -xE '[0-9A-F]{4}' | tr '\n' ' '; }

# hears TEXT WORDS
hears() {
    ends 33 'stopped: the guest wrote 0x10 *' "${keys[@]}" --type "$1{F12}"
    check "typing '$1' gives '$2', not '$(heard)'" test "$(heard)" = "$2"
}

# --- every character there is: the low byte is its code
all=''
want=''
for ((c = 32; c < 127; c++)); do
    printf -v char '%b' "\\x$(printf %02x $c)"
    case $char in
    ["{\\"]) all+=$char$char ;;
    *) all+=$char ;;
    esac
    want+=$(printf %02X $c)' '
done
ends 33 'stopped: the guest wrote 0x10 *' "${keys[@]}" --type "$all{F12}"
check "all printable characters" test "$(heard | sed -E 's/[0-9A-F]{2}([0-9A-F]{2}) /\1 /g')" = "$want"
check "nothing is left" test "$(grep -c -- '--type' "$tmp/err")" = 0

# --- keys that are no characters, and others held
hears '\n\t\b\e' '1C0D 0F09 0E08 011B '
hears '{Up}{Down}{Left}{Right}' '48E0 50E0 4BE0 4DE0 '
hears '{Home}{End}{PgUp}{PgDn}{Ins}{Del}' '47E0 4FE0 49E0 51E0 52E0 53E0 '
hears '{F1}{F2}{F3}{F4}{F5}{F6}{F7}{F8}{F9}{F10}{F11}' \
    '3B00 3C00 3D00 3E00 3F00 4000 4100 4200 4300 4400 8500 '
hears '{Shift-F1}{Ctrl-F1}{Alt-F1}' '5400 5E00 6800 '
hears '{Ctrl-C}{Alt-x}{Shift-Tab}{Ctrl-Enter}' '2E03 2D00 0F00 1C0A '
hears '{CapsLock}a{Shift-B}{CapsLock}a' '1E41 3062 1E61 '
hears '{NumLock}{KP7}{NumLock}{KP7}{KP+}' '4737 4700 4E2B '

# --- moments
ends 33 'stopped: the guest wrote 0x10 *' "${keys[@]}" --type a --type-at keys: --type 'b' --type-at 1E61 \
    --type 'c{F12}' --type-at 3062
check "one after the other" test "$(heard)" = '1E61 3062 2E63 '
ends 33 'stopped: the guest wrote 0x10 *' "${keys[@]}" --type 'z{F12}' --type-at time:2 --type 'xy'
check "at once, and at a time" test "$(heard)" = '2D78 1579 2C7A '
ends 33 'stopped: the guest wrote 0x10 *' "${keys[@]}" --type 'p{F12}' --type-at addr:7c00
check "at an address" test "$(heard)" = '1970 '
ends 33 'stopped: the guest wrote 0x10 *' "${keys[@]}" --type 'a{Wait 3}b{F12}' --stats-json "$tmp/json"
check "a rest is rested" grep -qE '"/Run/GuestNs" : (3[0-9]{9}|4[0-9]{9}),?$' "$tmp/json"

# --- what does not come
ends 6 'stopped: limit: --max-time 3' "${keys[@]}" --max-time 3 --type 'a' --type-at never
check "a moment that was not seen is told of" grep -qx \
    'quire: --type-at text:never was not seen: its text was not typed' "$tmp/err"
ends 4 'stopped: text:keys: seen on serial0, before --type-at was seen' "${keys[@]}" --type a --type-at never \
    --until keys:
ends 0 'stopped: text:keys: seen on serial0' "${keys[@]}" --type '{Wait 60}abc' --until keys:
check "what waits is told of" grep -qE '^quire: --type: [34] keys are not typed yet' "$tmp/err"

# --- as firmware takes them
ends 0 'stopped: the guest reset the machine' "${keys[@]}" --type 'a{Ctrl-Alt-Del}b'
ends 33 'stopped: the guest wrote 0x10 *' "${keys[@]}" --type 'a{Ctrl-Alt-Del}b{F12}' --on-reset continue
check "typing goes on behind a reset" test "$(heard)" = '1E61 3062 '

# --- saved in the middle: the state has what is not typed yet, and the run goes on as the other did
ends 33 'stopped: the guest wrote 0x10 *' "${keys[@]}" --type 'Quire types{F12}'
heard >"$tmp/whole"
ends 33 'stopped: the guest wrote 0x10 *' "${keys[@]}" --type 'Quire types{F12}' --save "$tmp/state" --save-at 1769
check "saving changes nothing" test "$(heard)" = "$(cat "$tmp/whole")"
ends 33 'stopped: the guest wrote 0x10 *' --restore "$tmp/state"
check "the rest is typed" test "$(plain | grep -xE '[0-9A-F]{4}' | tr '\n' ' ')" = \
    "$(sed 's/.*1769 //' "$tmp/whole")"

# --- the same with a machine file that serves both runs: its texts come once
rest() { plain | grep -xE '[0-9A-F]{4}' | tr '\n' ' '; }
cat >"$tmp/keys.ini" <<'END'
[drive 1]
file=keys
[run]
timeout=120
END
{
    cat "$tmp/keys.ini"
    echo 'type=Quire types{F12}'
} >"$tmp/once.ini"
ends 33 'stopped: the guest wrote 0x10 *' --machine "$tmp/once.ini" --save "$tmp/state" --save-at 1769
check "typed whole from a file" test "$(heard)" = "$(cat "$tmp/whole")"
ends 33 'stopped: the guest wrote 0x10 *' --machine "$tmp/once.ini" --restore "$tmp/state"
check "the file's text is not typed again" test "$(rest)" = "$(sed 's/.*1769 //' "$tmp/whole")"
check "nor does it wait" test "$(grep -c -- '--type' "$tmp/err")" = 0
ends 33 'stopped: the guest wrote 0x10 *' --machine "$tmp/keys.ini" --restore "$tmp/state" --type x
ends 6 'stopped: limit: --max-time *' --machine "$tmp/keys.ini" --save "$tmp/still" --max-time 1
ends 33 'stopped: the guest wrote 0x10 *' --machine "$tmp/once.ini" --restore "$tmp/still" --type 'x{F12}'
check "the command line's text is" test "$(rest)" = '2D78 '
# Of moments, times that are over are known; others are waited for.
{
    cat "$tmp/keys.ini"
    printf '%s\n' type.1=a type-at.1=time:1 type.2=b type-at.2=time:3 type.3=c type-at.3=3062 type.4=d
    printf '%s\n' type.5='{F12}' type-at.5=time:4
} >"$tmp/times.ini"
ends 33 'stopped: the guest wrote 0x10 *' --machine "$tmp/times.ini" --save "$tmp/state" --save-at time:2
check "five texts" test "$(heard)" = '2064 1E61 3062 2E63 '
ends 33 'stopped: the guest wrote 0x10 *' --machine "$tmp/times.ini" --restore "$tmp/state"
check "those at times to come" test "$(rest)" = '3062 2E63 '
ends 4 'stopped: time:1 reached, before --type-at was seen' --machine "$tmp/times.ini" --save "$tmp/state" --until time:1
ends 33 'stopped: the guest wrote 0x10 *' --machine "$tmp/times.ini" --restore "$tmp/state"
check "at the very moment" test "$(rest)" = '1E61 3062 2E63 '
ends 33 'stopped: the guest wrote 0x10 *' --machine "$tmp/times.ini" --save "$tmp/state" --save-at time:1
ends 33 'stopped: the guest wrote 0x10 *' --machine "$tmp/times.ini" --restore "$tmp/state"
check "at the very moment, going on" test "$(rest)" = '1E61 3062 2E63 '
finish
