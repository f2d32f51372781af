#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Small faults are put into the code, one at a time; the tests must notice at least 90 % of them.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

exec "$ROOT/tests/mutation/run.sh"
