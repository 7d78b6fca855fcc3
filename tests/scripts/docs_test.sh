#!/usr/bin/env bash
# Blocks of C++ and JSON in a page of the manual stand word for word in the files that the page names:
# the last `path` at the beginning of a line before each block. What is read is what is compiled.
#
#   docs_test.sh SOURCE docs/PAGE.md
set -euo pipefail
cd "$1"
page=$2
path='' block='' count=0 inside=no
while IFS= read -r line; do
  if [[ $inside == no && $line =~ ^\`([^\`]+)\` ]]; then
    path=${BASH_REMATCH[1]}
  elif [[ $line == '```cpp' || $line == '```json' ]]; then
    inside=yes block=''
  elif [[ $inside == yes && $line == '```' ]]; then
    inside=no count=$((count + 1))
    [[ -f $path ]] || { echo "$page: block $count: no file '$path'" >&2; exit 1; }
    source=$(<"$path")
    if [[ $source != *"${block%$'\n'}"* ]]; then
      printf '%s: block %d is not in %s:\n%s' "$page" "$count" "$path" "$block" >&2
      exit 1
    fi
  elif [[ $inside == yes ]]; then
    block+=$line$'\n'
  fi
done <"$page"
[[ $count -gt 0 && $inside == no ]] || { echo "$page: $count blocks of code" >&2; exit 1; }
