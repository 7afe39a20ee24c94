#!/bin/bash
# Installs the Debian 12 packages that building and testing need; whatever is there already is left alone, so that a
# second run takes a fraction of a second and needs neither root nor network.
#   deploy/install-deps.sh [--build-only] [--clang] [--list]
# --build-only  only what the build needs, not what the tests use
# --clang       also clang 19: the fuzz targets and the format check
# --list        print the packages and stop
set -euo pipefail
export LC_ALL=C

build=(
  g++ cmake ninja-build ccache pkg-config git
  libboost1.81-dev                                                # Asio
  librocksdb-dev zlib1g-dev libbz2-dev libsnappy-dev liblz4-dev libzstd-dev   # RocksDB, linked statically; our codecs
  libyaml-cpp-dev libfmt-dev libspdlog-dev libcli11-dev nlohmann-json3-dev
  prometheus-cpp-dev libisal-dev libjemalloc-dev
  catch2
)
test=(
  kcat librdkafka-dev
  python3 python3-kafka python3-confluent-kafka python3-snappy python3-lz4 python3-zstandard
  strace curl procps
  zsh fish                                                        # the command completes in them, as in bash
  prometheus                                                      # and promtool: deploy's alert rules and dashboards
)
clang=(clang-19 clang-format-19 libclang-rt-19-dev)

packages=("${build[@]}" "${test[@]}")
list=
for argument in "$@"; do
  case $argument in
    --build-only) packages=("${build[@]}") ;;
    --clang) packages+=("${clang[@]}") ;;
    --list) list=1 ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done
if [ -n "$list" ]; then printf '%s\n' "${packages[@]}"; exit 0; fi

command -v dpkg-query >/dev/null || { echo "install-deps: this needs Debian 12 (no dpkg here)" >&2; exit 1; }
missing=()
while read -r package; do missing+=("$package"); done < <(
  dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null |
    awk '$2 == "installed" { print $1 }' | sort -u | comm -13 - <(printf '%s\n' "${packages[@]}" | sort -u))
[ ${#missing[@]} -gt 0 ] || exit 0

echo "install-deps: installing ${missing[*]}" >&2
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install-deps: run this as root, or install sudo" >&2; exit 1; }
  as_root=(sudo)
fi
"${as_root[@]}" apt-get update -qq
# The package `prometheus` would start a service on port 9090 of every address, now and at every boot; the tests start one of
# their own. A policy that somebody has is left as it is.
policy=/usr/sbin/policy-rc.d
own_policy=
remove_policy() { [ -z "$own_policy" ] || "${as_root[@]}" rm -f "$policy"; }
case " ${missing[*]} " in *" prometheus "*)
  if [ ! -e "$policy" ]; then
    trap remove_policy EXIT
    own_policy=1
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod 755 "$policy"
  fi ;;
esac
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
case " ${missing[*]} " in *" prometheus "*) "${as_root[@]}" update-rc.d prometheus disable >&2 ;; esac
