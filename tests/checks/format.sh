#!/bin/bash
# Every C++ source is formatted as .clang-format says. With --fix, formats them.
set -euo pipefail
cd "$(dirname "$0")/../.."
formatter=$(command -v clang-format-19) || { echo "format: needs clang-format-19 (deploy/install-deps.sh --clang)" >&2; exit 1; }
mapfile -t sources < <(/usr/bin/python3 -c '
import sys
sys.path.insert(0, "tests/checks")
import sources
print("\n".join(name for name in sources.tracked_files() if name.endswith((".cc", ".h", ".c", ".inc"))))')
[ ${#sources[@]} -gt 0 ] || { echo "format: found no sources" >&2; exit 1; }
if [ "${1:-}" = --fix ]; then exec "$formatter" -i "${sources[@]}"; fi
printf '%s\0' "${sources[@]}" | xargs -0 -n 40 -P "$(nproc)" "$formatter" --dry-run -Werror
# The check sees: a badly formatted line must be refused.
if printf 'int  f( ){return 1 ;}\n' | "$formatter" --assume-filename=planted.cc --dry-run -Werror 2>/dev/null; then
  echo "format: a planted bad line was not found" >&2
  exit 1
fi
echo "format: ${#sources[@]} files"
