#!/bin/bash
# Installs what is missing, builds, and runs every test that needs only Debian packages; ends with ctest's summary.
#   tests/run.sh [LABEL...]     labels: checks unit simulation interop chaos fuzz; without one, all of them
# A label that no test carries is an error, so that a misspelt one cannot pass.
set -euo pipefail
cd "$(dirname "$0")/.."

labels=(checks unit simulation interop chaos fuzz)
for label in "$@"; do
  case " ${labels[*]} " in
    *" $label "*) ;;
    *) echo "tests/run.sh: no label '$label'; there are: ${labels[*]}" >&2; exit 2 ;;
  esac
done

deploy/install-deps.sh --clang
configured=$(cmake --preset release 2>&1) || { echo "$configured" >&2; exit 1; }
cmake --build --preset release

select=()
[ $# -eq 0 ] || select=(-L "^($(IFS='|'; echo "$*"))\$")
exec ctest --test-dir build/release --output-on-failure --no-tests=error -j "$(nproc)" ${select[@]+"${select[@]}"}
