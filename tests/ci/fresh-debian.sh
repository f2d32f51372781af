#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# fresh-debian.sh bookworm|trixie: what somebody with a new machine sees.
#
# Makes a minimal system of that release, carries the host's apt settings in, clones this tree into it
# and calls ./bootstrap run twice. The first call must install, build and boot to "Booting from Hard
# Disk"; the second must do so again with nothing left to set up and no network. Needs root, and the
# network for the first.
# FRESH_COMMAND replaces "run" (for example by "test").
set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly ROOT COMMAND=${FRESH_COMMAND:-run} KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

die() {
    echo "fresh-debian: $*" >&2
    exit 1
}

case ${1-} in
bookworm | trixie) suite=$1 ;;
*) die "name one release: bookworm or trixie" ;;
esac
[ "$(id -u)" -eq 0 ] || die "debootstrap and chroot need root: sudo $0 $suite"

# In a mount namespace of its own, so that no mount outlives this script however it ends.
if [ -z "${FRESH_UNSHARED-}" ]; then
    FRESH_UNSHARED=1 exec unshare --mount --propagation private "$0" "$suite"
fi

place=$(mktemp -d "${TMPDIR:-/tmp}/quire-fresh.XXXXXX")
readonly place system=$place/system
clean_up() {
    umount "$system/proc" 2>/dev/null || true
    if ! mountpoint -q "$system/proc"; then
        rm -rf --one-file-system "$place"
    fi
}
trap clean_up EXIT

# The mirror that this host takes its own release from.
host_mirror() {
    local release
    # shellcheck source=/dev/null
    release=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
    apt-get update --print-uris | sed -nE "s,^'(.*)/dists/$release/InRelease'.*,\1,p" | head -n 1
}

# Debian 12 is installed with one-line sources, Debian 13 with stanzas: bootstrap must read both.
carry_apt_settings() {
    local mirror=$1
    cp -a /etc/apt/apt.conf.d/. "$system/etc/apt/apt.conf.d/"
    cp "$KEYRING" "$system$KEYRING.host"
    cp /etc/resolv.conf /etc/hosts "$system/etc/"
    rm -f "$system"/etc/apt/sources.list "$system"/etc/apt/sources.list.d/*
    if [ "$suite" = bookworm ]; then
        echo "deb [signed-by=$KEYRING.host] $mirror $suite main" >"$system/etc/apt/sources.list"
    else
        printf '%s\n' 'Types: deb' "URIs: $mirror" "Suites: $suite $suite-updates" \
            'Components: main' "Signed-By: $KEYRING.host" \
            >"$system/etc/apt/sources.list.d/debian.sources"
    fi
}

network=()
in_system() {
    "${network[@]}" chroot "$system" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        http_proxy="${http_proxy-}" https_proxy="${https_proxy-}" "$@" </dev/null
}

# One call of bootstrap; its output goes to stdout.txt and stderr.txt.
call() {
    local status=0 start=$SECONDS
    in_system timeout 900 /quire/bootstrap "$COMMAND" >"$place/stdout.txt" 2>"$place/stderr.txt" ||
        status=$?
    cat "$place/stderr.txt" >&2
    [ $status -eq 0 ] || tail -n 200 "$place/stdout.txt" >&2
    [ $status -eq 0 ] || die "$suite: $1 call: ./bootstrap $COMMAND ended with status $status"
    if [ "$COMMAND" = run ]; then
        grep -aq 'Booting from Hard Disk' "$place/stdout.txt" ||
            die "$suite: $1 call: no 'Booting from Hard Disk' on standard output"
    fi
    echo "fresh-debian: $suite: $1 call: status 0 after $((SECONDS - start)) s"
}

eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
export http_proxy https_proxy
mirror=$(host_mirror)
[ -n "$mirror" ] || die "cannot tell the Debian mirror from the apt settings of this host"
debootstrap --variant=minbase --keyring="$KEYRING" "$suite" "$system" "$mirror" \
    >"$place/debootstrap.log" 2>&1 || die "debootstrap failed: $(tail -n 5 "$place/debootstrap.log")"
carry_apt_settings "$mirror"
git clone --quiet --no-hardlinks "$ROOT" "$system/quire"
mount -t proc proc "$system/proc"

call first
grep -q '^bootstrap: installing' "$place/stderr.txt" || die "$suite: nothing was installed: not fresh"
network=(unshare --net)
call second
if grep -q '^bootstrap:' "$place/stderr.txt"; then
    die "$suite: the second call found something left to do"
fi
