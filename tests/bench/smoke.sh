#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# smoke.sh PROGRAM: every row of quire-bench runs, in tiny sizes, and the JSON tells of each. No time
# is judged here.
set -euo pipefail

readonly BENCH=$1
place=$(mktemp -d)
readonly place
trap 'rm -rf "$place"' EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

"$BENCH" --list >"$place/list"
"$BENCH" --quick --json "$place/all.json" >"$place/table" || {
    cat "$place/table" >&2
    fail "quire-bench --quick ended with status $?"
}
n_rows=$(wc -l <"$place/list")
[ "$n_rows" -ge 20 ] || fail "only $n_rows rows are listed"

cat >"$place/check.py" <<'END'
import json, math, sys
listed = [line.split()[0] for line in open(sys.argv[2])]
rows = json.load(open(sys.argv[1]))["rows"]
assert [row["name"] for row in rows] == listed, "rows and list differ"
for row in rows:
    assert row["ran"], row
    for side in ("ours", "theirs"):
        if side in row:
            assert math.isfinite(row[side]["value"]) and row[side]["value"] > 0, row
            assert row[side]["what"], row
    assert ("ratio" in row) == ("theirs" in row), row
    if "theirs" in row:
        want = row["theirs"]["value"] / row["ours"]["value"]
        assert abs(row["ratio"] / want - 1) < 1e-6, row
    if "target" in row:
        ours, theirs = row["ours"]["value"], row.get("theirs", {}).get("value")
        reached = {"ratio at least": lambda at: theirs / ours >= at,
                   "ours at most": lambda at: ours <= at,
                   "difference at most": lambda at: ours - theirs <= at}
        target = row["target"]
        assert target["reached"] == reached[target["kind"]](target["value"]), row
assert any("target" in row for row in rows)
END
python3 "$place/check.py" "$place/all.json" "$place/list" || fail "the JSON is wrong"

"$BENCH" --quick --only 'read-64k' --json "$place/one.json" >"$place/table"
[ "$(grep -c '"name"' "$place/one.json")" -eq 1 ] || fail "--only ran other rows too"
grep -q '^read-64k' "$place/table" || fail "the table lacks the row"

for wrong in '--only nothing-is-called-so' '--no-such-option' 'surplus'; do
    status=0
    # shellcheck disable=SC2086 # an option and its value
    "$BENCH" --quick $wrong >"$place/table" 2>"$place/errors" || status=$?
    [ "$status" -eq 2 ] || fail "$wrong ends with status $status, not 2"
    [ -s "$place/errors" ] || fail "$wrong says nothing"
done
status=0
"$BENCH" --quick --only read-64k --json /nonexistent/file >/dev/null 2>"$place/errors" || status=$?
[ "$status" -eq 1 ] || fail "an unwritable file ends with status $status, not 1"
grep -q /nonexistent "$place/errors" || fail "an unwritable file is not named"
echo "$n_rows rows"
