#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Pictures of the screen, with the distribution's SeaBIOS and video BIOS: as characters, as pixels, in a series and as an
# animation, of text and of graphics; whatever way a run ends; files that cannot be written.
# Usage: screens.sh QUIRE PNG.PY
# shellcheck source=../program.sh
. "$(dirname "$0")/../program.sh"
png=$(realpath -- "$2") && cd "$tmp" || exit 1

# refuse GLOB ARG...: not run at all, for a reason in one line
refuse() {
    ends 2 "$@"
    check "one line for: ${*:2}" test "$(wc -l <err)" = 1
}

info() { python3 "$png" info "$1"; }

frame() { python3 "$png" ppm "$1" "${2-0}"; }

# same A FRAME B FRAME: whether two PNG files show the same
same() {
    frame "$1" "$2" >same.a && frame "$3" "$4" >same.b && cmp -s same.a same.b
}

exit0=(B0 00 E6 F4 EB FE) # isa-debug-exit, value 0
# Mode 101h (640x480, 256 colours), then the colours in turn through the window
graphics=(B8 02 4F BB 01 01 CD 10 B8 00 A0 8E C0 31 FF B9 00 80 89 F8 AA E2 FB)
boot_sector graphics.disk "${graphics[@]}" "${exit0[@]}"
boot_sector loop.disk EB FE
boot_sector triple.disk 0F 01 1E 00 00 CC
# The screen off: the attribute controller no longer given to it
boot_sector off.disk BA DA 03 EC B2 C0 B0 00 EE "${exit0[@]}"

# --- characters: what the guest said on its serial port as well
ends 0 'stopped: *reset*' --screen screen.txt --screen screen.png
sed -E 's/\x1b(c|\[[?0-9;]*[A-Za-z])//g; s/\r//g' out | sed '/^$/d' >serial
sed '/^$/d' screen.txt >shown
check "there is text" test "$(wc -l <serial)" -ge 4
check "25 lines" test "$(wc -l <screen.txt)" = 25
check "all lines but the last are the same" cmp -s <(head -n -1 serial) <(head -n -1 shown)
# The port is behind by what its buffer held at the reset.
last=$(tail -n 1 shown)
check "the last line too, as far as it got" test "${last#"$(tail -n 1 serial)"}" != "$last"
check "the picture is one of text" test "$(frame screen.png | head -c 14)" = 'P6 720 400 255'

# --- a series: at multiples of the time and at the end
ends 6 'stopped: limit: --max-time 0.02' --max-time 0.02 --screen-every 0.004 shots --screen end.png
check "a line for each time" test "$(grep -vc '^#' shots/index.txt)" = 5
grep -v '^#' shots/index.txt | while read -r time file _; do
    echo "${time:0:5} $file"
done >lines
check "times are multiples" cmp -s <(cut -d ' ' -f 1 lines) <(printf '%s\n' 0.004 0.008 0.012 0.016 0.020)
check "every picture is in the index" cmp -s <(cut -d ' ' -f 2 lines | sort -u) <(cd shots && ls -- *.png)
check "pictures differ from those before" test "$(uniq -f 1 lines | wc -l)" = "$(find shots -name '*.png' | wc -l)"
previous=
for file in shots/*.png; do
    [ -z "$previous" ] || check "$previous is not $file" test "$(cmp -s "$previous" "$file"; echo $?)" = 1
    previous=$file
done
check "more than one picture" test "$previous" != shots/000001.png
check "the last is that of --screen" cmp -s "$previous" end.png
ends 0 'stopped: *' --screen-every 100 late
check "a short run has its last picture" test "$(grep -vc '^#' late/index.txt) $(ls late)" = "1 000001.png
index.txt"
mkdir empty
ends 0 'stopped: *' --screen-every 1 empty
check "an empty folder will do" test -f empty/000001.png

# --- an animation
ends 0 'stopped: *reset*' --screen-record boot.png --screen screen.png
info boot.png >frames || fail "boot.png is not as it should be"
read -r width height n_frames <frames
check "as large as the screen" test "$width $height" = '720 400'
check "several frames" test "$n_frames" -ge 5
check "ends with what --screen shows" same boot.png -1 screen.png 0
check "no frame shorter than 40 ms or longer than 2 s" test "$(awk 'NR > 1 && ($5 < 40 || $5 > 2000)' frames | wc -l)" = 0
ends 0 'stopped: *reset*' --screen-record once.png,every=1000
check "every=: the first picture and the last" test "$(info once.png | sed -n 1p)" = '720 400 2'
check "it ends the same" same once.png -1 screen.png 0
ends 0 'stopped: *reset*' --screen-record again.png
check "the same run makes the same file" cmp -s boot.png again.png

# --- the guest does not notice
ends 0 'stopped: *' --vga std --save plain.state --until Booting
ends 0 'stopped: *' --save looked.state --until Booting --screen-every 0.0003 often --screen-record often.png
check "the same state" cmp -s plain.state looked.state
ends 0 'stopped: *' --restore plain.state --until time:0 --screen restored.png
check "a restored screen shows what it did" same restored.png 0 often.png -1

# --- graphics
ends 1 'stopped: *' --drive graphics.disk --screen graphics.png --screen-record modes.png --screen-every 10 modes
frame graphics.png >graphics.ppm
check "the size of the mode" test "$(head -c 14 graphics.ppm)" = 'P6 640 480 255'
check "colours 1 to 4" test "$(od -An -tx1 -j 18 -N 12 graphics.ppm | tr -d ' ')" = 0000a800a80000a8a8a80000
check "the index knows the mode" grep -q ' 640x480 graphics$' modes/index.txt
check "a canvas for both modes" test "$(info modes.png | sed -n 1p | cut -d ' ' -f 1,2)" = '720 480'
ends 2 'stopped: *' --drive graphics.disk --screen a.txt --screen graphics2.png --until time:5 --until port:F4
says '--screen: cannot write a.txt: the screen shows no text (640x480 graphics); say FILE.png'
check "the others are written" cmp -s graphics.png graphics2.png
check "no text, no file" test ! -e a.txt
ends 1 'stopped: *' --drive off.disk --screen off.txt --screen off.png
says 'off.txt: the screen is off and shows no text'
frame off.png >off.ppm
read -r _ off_width off_height _ < <(head -c 15 off.ppm)
check "off is a picture" test "$(wc -c <off.ppm)" = $((15 + 3 * off_width * off_height))
check "off is black" test "$(tail -c +16 off.ppm | tr -d '\0' | wc -c)" = 0

ends 6 'stopped: *' --max-time 0.001 --screen-record dark.png --screen dark-end.png
check "a record of a screen that was never on" same dark.png 0 dark-end.png 0

# --- whatever way it ends
ends 4 'stopped: *' --drive triple.disk --screen triple.txt
check "after a triple fault" grep -q Booting triple.txt
ends 6 'stopped: limit: --timeout *' --drive loop.disk --screen timeout.txt --timeout 2
check "after --timeout" grep -q Booting timeout.txt
n=$((n + 1))
"$quire" run --drive loop.disk --timeout 30 --screen int.txt --screen-record int.png >out 2>err </dev/null &
pid=$!
until grep -q 'from Hard Disk' out || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
kill -INT $pid
wait $pid
status=$?
[ $status = 130 ] || fail "SIGINT: status $status"
check "after Ctrl-C" grep -q 'from Hard Disk' int.txt
check "the record as well" info int.png >frames

# --- what cannot be written
ln -s /dev/full full.png
ln -s /dev/full full.txt
ends 2 'stopped: *reset*' --screen full.png --screen full.txt --screen good.png
says '--screen: cannot write full.png: No space left on device'
says '--screen: cannot write full.txt: No space left on device'
check "the rest is written" test -s good.png
ends 2 'stopped: *reset*' --screen-record full.png
says '--screen-record: cannot write full.png: No space left on device'
ends 4 'stopped: *' --drive triple.disk --screen full.png
# Room for a picture with little in it alone
trap '' XFSZ
ulimit -S -f 2
ends 2 'stopped: --screen-every: cannot write stuck/00000*.png: File too large' --screen-every 0.001 stuck
ulimit -S -f hard
check "it is said once" test "$(grep -c 'File too large' err)" = 1
check "nothing of ours is left over" test -z "$(find . -name '*.tmp')"
: >file
refuse '--screen: cannot write *missing/a.png*No such file*name another file' --screen missing/a.png
mkdir folder.png
refuse '--screen: cannot write *folder.png*Is a directory*' --screen folder.png
refuse '--screen: cannot write *file/a.png*Not a directory*' --screen file/a.png
refuse '--screen:*a.jpg*say FILE.png*' --screen a.jpg
refuse '--screen:*the file of --screen too*' --screen a.png --screen ./a.png
refuse '--screen-record:*the file of --screen too*' --screen a.png --screen-record a.png
refuse '*the file of --screen too*' --screen a.txt --dump a.txt@0+1K
cp loop.disk disk.png
refuse '--screen:*the file of --drive too*' --drive disk.png --screen disk.png
check "the disk is as it was" cmp -s loop.disk disk.png
refuse '--screen-every*shots*pictures of another run (*)*name another folder*' --screen-every 1 shots
for name in index.txt 000001.png 000002.png 999999.png 1000000.png; do
    mkdir "with-$name"
    : >"with-$name/$name"
    refuse "--screen-every*with-$name*pictures of another run ($name)*" --screen-every 1 "with-$name"
done
mkdir others
touch others/00001.png others/a.png others/000001.png.txt
ends 0 'stopped: *' --screen-every 1 others
check "files of other kinds stay" test "$(find others -type f -printf '%f\n' | LC_ALL=C sort | tr '\n' ' ')" = '000001.png 000001.png.txt 00001.png a.png index.txt '
refuse '--screen-every: cannot write *missing/shots*No such file*' --screen-every 1 missing/shots
refuse '--screen-every: cannot write *file*Not a directory*' --screen-every 1 file
refuse '--screen-every*no time at all*' --screen-every 0 new
refuse '--screen-record*no time at all*' --screen-record a.png,every=0
refuse '--screen-record*a.gif*animated PNG*' --screen-record a.gif
check "what is refused leaves no file" test ! -e a.png -a ! -e a.txt -a ! -e new

finish
