#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# fuzz.sh short|long [MINUTES]: the fuzz targets; see tests/fuzz/run.sh.
exec "$(dirname -- "${BASH_SOURCE[0]}")/../fuzz/run.sh" "$@"
