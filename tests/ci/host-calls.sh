#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# host-calls.sh [TREE]: whatever can fail on the host and depends on a guest, a file or a user
# (memory, address space, files) is asked for through the table of memsys/os.h, so that a test can
# make it fail. Fails with a line for each call that goes around it.
set -euo pipefail

tree=${1:-$(dirname -- "${BASH_SOURCE[0]}")/../..}
cd -- "$tree"

# As calls: a name that is no member (->read, .read, sync_read) and is followed by a bracket.
names='g_try_[a-z0-9_]+|mmap(64)?|munmap|mremap|madvise|posix_madvise|mprotect|memfd_create'
names+='|open(at|64)?|creat|read(v)?|write(v)?|pread(64|v)?|pwrite(64|v)?|lseek(64)?|f?truncate(64)?'
names+='|fsync|fdatasync|sync_file_range|l?stat(64)?|fstat(at|64)?|close|rename(at|at2)?|unlink(at)?'
names+='|mkstemp|remove|fopen|freopen|fdopen|tmpfile|fread|fclose|malloc|calloc|realloc|posix_memalign'
names+='|aligned_alloc|g_file_(get|set|open|test)[a-z_]*|g_mapped_file_[a-z_]+|g_fopen|g_open|g_stat'
names+='|g_close|g_unlink|g_rename|g_io_channel_[a-z_]+'

# File, call, and why that call may stay. Each line must still be needed.
allowed=$(
    cat <<'END'
frontends/main.c open before anything else: a closed standard file is given /dev/null, or the program ends
frontends/terminal.c read what the user types; its failure is the end of the input, seen by tests/cli/terminal.c
frontends/run.c fstat of stdout and stderr, for the look of the output alone; its failure changes nothing else
frontends/run.c fclose of a stream whose bytes go through frontends/output.c
memsys/os.c * the table itself
END
)

# FILE:LINE:CALL of each. A comment's line is no call.
find_calls() {
    grep -rnoP --include='*.[ch]' "^(?!\s*(/?\*|//)).*?\K(?<![\w.>])($names)(?=\s*\()(?!\s*\(\*)" "$@" || true
}

calls=$(find_calls emu devices frontends memsys)
bad=$(
    while IFS=: read -r file line call; do
        [ -n "$file" ] || continue
        if ! grep -qE "^$file ($call|\*) " <<<"$allowed"; then
            echo "$file:$line: $call() goes around mem_os()"
        fi
    done <<<"$calls"
)
while read -r file call _; do
    if [ "$call" != '*' ] && ! grep -qE "^$file:[0-9]+:$call\$" <<<"$calls"; then
        bad+=${bad:+$'\n'}"$file: allowed to call $call(), but does not: strike the line in $0"
    fi
done <<<"$allowed"

if [ -n "$bad" ]; then
    printf '%s\n' "$bad" >&2
    echo "use the table of memsys/os.h, or add a line with a reason to tests/ci/host-calls.sh" >&2
    exit 1
fi

# Would a call that goes around be seen at all?
probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
cat >"$probe/probe.c" <<'END'
    /* open() is not called here */
    if (os->fstat(fd, &info) != 0 || read(fd, buffer, 1) != 1) {
        uint8_t *bytes = g_try_malloc(len);
        (void)madvise(bytes, len, MADV_DONTNEED);
        range->ops->write(range->user, port, size);
END
found=$(find_calls "$probe" | cut -d: -f3 | tr '\n' ' ')
if [ "$found" != 'read g_try_malloc madvise ' ]; then
    echo "the search is broken: it found '$found' in its probe" >&2
    exit 1
fi
echo "summary: $(wc -l <<<"$allowed") exceptions, nothing else goes around mem_os()"
