#!/bin/sh
# The manual, public headers, --help and messages say the same word for the same thing, and none of the
# phrases of words.txt. Of pages all is read but code in backquotes, of headers and examples comments and
# texts, of other sources the texts, which hold --help and messages.
#
#   words_test.sh SOURCE
set -eu
export LC_ALL=C
list=$(cd "$(dirname "$0")" && pwd)/words.txt
cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A line "FILE:LINE:text" for each line of prose, and one for the words on both sides of each line's end.
extract='
  function words(text, first, last,   i, n, part, result) {
    n = split(text, part)
    if (first < 1) { first += n; last = n }
    for (i = first < 1 ? 1 : first; i <= last && i <= n; ++i) result = result " " part[i]
    return result
  }
  function prose(line,   text, piece) {
    if (FILENAME ~ /\.md$/) { gsub(/`[^`]*`/, "`", line); return line }
    if (FILENAME !~ /\.(h|cpp|cu|cuh)$/) return line
    while (match(line, /"([^"\\]|\\.)*"|\/\/.*/)) {
      piece = substr(line, RSTART, RLENGTH)
      line = substr(line, RSTART + RLENGTH)
      if (piece ~ /^"/) text = text substr(piece, 2, length(piece) - 2)
      else if (FILENAME ~ /\.(h|cuh)$|^examples\//) { sub(/^\/\/[\/<!]*/, "", piece); text = text piece }
    }
    gsub(/`[^`]*`/, "`", text)
    return text
  }
  /^ *# *include/ { before = ""; next }
  {
    text = prose($0)
    if (text != "") print FILENAME ":" FNR ":" text
    if (FNR > 1 && before != "" && text != "")
      print FILENAME ":" FNR - 1 ":" words(before, -3, 0) words(text, 1, 4)
    before = text
  }'
{
  ls README.md CONTRIBUTING.md docs/*.md | grep -v '^docs/decisions.md$'
  find core pipeline image io nn cpu gpu nodes training apps examples scripts -type f \
    \( -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.ini' -o -path 'scripts/*' \)
} | sort | xargs awk "$extract" >"$work/prose"
[ "$(wc -l <"$work/prose")" -gt 10000 ]

tab=$(printf '\t')
sed '/^#/d; /^$/d' "$list" >"$work/list"
cut -f 1 "$work/list" >"$work/patterns"
grep -i -E -f "$work/patterns" "$work/prose" >"$work/suspects" || true
while IFS=$tab read -r pattern instead; do
  [ -n "$instead" ] || { echo "$list: no word in place of $pattern" >&2; exit 1; }
  # Not in the names of files, which stand before the second colon.
  grep -i -E "^[^:]*:[^:]*:.*($pattern)" "$work/suspects" | sort -t : -k 1,1 -k 2,2n -u |
    while IFS=: read -r file line text; do
      found=$(printf '%s\n' "$text" | grep -o -i -E -m 1 -e "$pattern" | head -n 1)
      echo "$file:$line: \"$found\"; better: $instead"
    done
done <"$work/list" >"$work/found"
cat "$work/found"
[ ! -s "$work/found" ]
