#!/bin/bash
# Proves the README's two commands on a bare Debian 12: bootstraps one into a folder, copies the last commit in, and runs
# them there, in a chroot, as root, timing each. Needs root, debootstrap and an apt mirror (this machine's own settings
# are taken over). Not part of tests/run.sh: it downloads half a gigabyte and builds everything anew.
#   tests/checks/bare-debian.sh [--root DIR] [--keep] [COMMAND...]
# --root DIR  where the system goes (default: a temporary folder); one that is there already is used as it stands
# --keep      leave it there afterwards
# COMMAND     instead of the two commands, e.g. 'cmake --preset release'
set -euo pipefail
cd "$(dirname "$0")/../.."

root= keep=
while [ $# -gt 0 ]; do
  case $1 in
    --root) root=$2; keep=1; shift 2 ;;
    --keep) keep=1; shift ;;
    -*) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || set -- 'deploy/quickstart.sh --smoke' 'tests/run.sh'
[ "$(id -u)" -eq 0 ] || { echo "bare-debian: needs root (debootstrap and chroot)" >&2; exit 1; }
command -v debootstrap >/dev/null || { echo "bare-debian: needs the package debootstrap" >&2; exit 1; }

[ -n "$root" ] || root=$(mktemp -d /tmp/tidemark-bare.XXXXXX)
unmount() {
  local folder
  for folder in dev/shm dev proc; do
    if mountpoint -q "$root/$folder"; then umount "$root/$folder"; fi
  done
}
finish() { unmount; [ -n "$keep" ] || rm -rf --one-file-system "$root"; }
trap finish EXIT

mirror=$(awk '/^URIs:/ { print $2; exit } /^deb / { for (i = 2; i <= NF; i++) if ($i ~ /^https?:/) { print $i; exit } }' \
  $(ls /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null) /dev/null)
if [ ! -x "$root/bin/bash" ]; then
  debootstrap --variant=minbase bookworm "$root" "${mirror:-http://deb.debian.org/debian}" >"$root.bootstrap.log" 2>&1 ||
    { tail -5 "$root.bootstrap.log" >&2; exit 1; }
  rm -f "$root.bootstrap.log"
fi
if [ -f /etc/apt/sources.list.d/debian.sources ]; then
  cp /etc/apt/sources.list.d/debian.sources "$root/etc/apt/sources.list.d/"
  : >"$root/etc/apt/sources.list"
fi
for settings in $(grep -lsE 'Acquire::(https?::)?(Proxy|Check-Valid-Until)' /etc/apt/apt.conf.d/* || true); do
  cp "$settings" "$root/etc/apt/apt.conf.d/"
done
cp /etc/resolv.conf /etc/hosts "$root/etc/"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
if [ -d /dev/shm ]; then mount --bind /dev/shm "$root/dev/shm"; fi

rm -rf "$root/src"
mkdir "$root/src"
git archive HEAD | tar -x -C "$root/src"
echo "bare-debian: $(cat "$root/etc/debian_version"), commit $(git rev-parse --short HEAD)," \
  "$(chroot "$root" dpkg-query -W | wc -l) packages installed before"
for command in "$@"; do
  echo "bare-debian: \$ $command"
  start=$SECONDS
  chroot "$root" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
    bash -c "cd /src && $command"
  echo "bare-debian: '$command' took $((SECONDS - start)) s"
done
echo "bare-debian: all passed"
