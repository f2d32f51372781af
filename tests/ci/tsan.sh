#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tests that use threads under ThreadSanitizer, of the memory system alone. One report fails the
# part, and so does a detector that is silent about a race made for it. Nothing is kept from the
# detector but memsys/host-copy.c, which copies what the guest may write at the same moment.
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

readonly TESTS=(external gmm-threads gmm-pressure gmm-work gmm-content mm-heap machines-threads)
readonly MODELS=(threads-model)

unseen=$(cd "$ROOT" && git grep -lE 'no_sanitize|disable_sanitizer|AnnotateIgnore' -- '*.c' '*.h')
[ "$unseen" = memsys/host-copy.c ] || die "kept from the detector, and should not be:"$'\n'"$unseen"

mkdir -p "$OUT/tsan-control"
# Many times over: a single race was missed once in some hundred runs.
cat >"$OUT/tsan-control/race.c" <<'END'
#include <pthread.h>
#include <sched.h>
static int n;
static void *count(void *user)
{
    for (int i = 0; i < 1000; i++) {
        n++;
        sched_yield();
    }
    return user;
}
int main(void)
{
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], 0, count, 0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], 0);
    }
    return 0;
}
END
gcc -g -fsanitize=thread -o "$OUT/tsan-control/race" "$OUT/tsan-control/race.c"
if said=$("$OUT/tsan-control/race" 2>&1) || ! grep -q 'data race' <<<"$said"; then
    die "the detector does not see a race made for it: $said"
fi

dir=$OUT/tsan
if [ ! -f "$dir/build.ninja" ]; then
    rm -rf "$dir"
    CC=gcc meson setup -Db_sanitize=thread -Db_lundef=false -Dmachine=false "$dir" "$ROOT"
fi
ninja -C "$dir" "${TESTS[@]/#/tests/unit/test-}" "${MODELS[@]/#/tests/model/test-}"

# GLib's own caches hand blocks from thread to thread under locks that the detector does not know.
export G_SLICE=always-malloc
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
export CK_TIMEOUT_MULTIPLIER=5
run_meson_tests tsan --timeout-multiplier 5 "${TESTS[@]}" "${MODELS[@]}"
