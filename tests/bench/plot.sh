#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# plot.sh CURVES.json FOLDER: one PNG a curve that `quire-bench --curves CURVES.json` measured. Both
# axes are logarithmic: a cost that does not grow is a level line, one that grows in proportion a
# line of slope one.
set -euo pipefail

[ $# -eq 2 ] || { echo "usage: plot.sh CURVES.json FOLDER" >&2; exit 2; }
for tool in gnuplot python3; do
    command -v $tool >/dev/null || { echo "plot.sh: no $tool; install gnuplot-nox and python3" >&2; exit 2; }
done
[ -r "$1" ] || { echo "plot.sh: cannot read $1" >&2; exit 2; }
mkdir -p "$2"

python3 - "$1" <<'END' | (cd "$2" && gnuplot)
import json
import sys

with open(sys.argv[1]) as file:
    curves = json.load(file)["curves"]
print("set terminal png size 800,500\nset grid\nset logscale xy\nset yrange [*:*]")
for curve in curves:
    points = "".join(f"{x} {y}\n" for x, y in curve["points"])
    top = 2 * max(y for _, y in curve["points"])
    bottom = min(y for _, y in curve["points"]) / 2
    print(f'set output "{curve["name"]}.png"\nset title "{curve["title"]}"')
    print(f'set xlabel "{curve["x"]}"\nset ylabel "{curve["y"]}"\nset yrange [{bottom}:{top}]')
    print(f'$data << END\n{points}END\nplot $data with linespoints linewidth 2 pointtype 7 notitle')
END
ls "$2"/*.png
