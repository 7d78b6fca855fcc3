#!/usr/bin/env bash
# Checks pages of the manual.
#
#   docs_test.sh SOURCE docs/PAGE.md
#     Blocks of C++ and JSON stand word for word in the files that the page names: the last `path` at the
#     beginning of a line before each block. What is read is what is compiled.
#   docs_test.sh SOURCE --links
#     Links between pages lead to files that exist and, after a #, to headings that these pages have. A page
#     that begins with a list of links to its own sections leaves none of them out.
#   docs_test.sh SOURCE --examples
#     Every program of examples/ begins with a comment that says what you learn from it, and is in the
#     README's table.
set -euo pipefail
export LC_ALL=C
cd "$1"

# Lines "PAGE:LINE: link" of links that lead nowhere or are missing. A heading's anchor is GitHub's: in lower case, spaces as
# hyphens, without other signs; the second of a name ends in -1.
broken_links() {
  local page pages=(README.md CONTRIBUTING.md CHANGELOG.md)
  while IFS= read -r page; do pages+=("$page"); done < <(find docs -name '*.md' | sort)
  awk '
    function anchor_of(text) {
      gsub(/`/, "", text)
      text = tolower(text)
      gsub(/[^a-z0-9 _\200-\377-]/, "", text)
      gsub(/ /, "-", text)
      return text
    }
    function directory_of(page) { return page ~ /\// ? substr(page, 1, match(page, /[^\/]*$/) - 1) : "" }
    function without_dots(path) {
      while (path ~ /[^\/.]+\/\.\.\//) sub(/[^\/.]+\/\.\.\//, "", path)
      return path
    }
    FNR == 1 { inside = 0; is_beginning = 1 }
    /^- / { in_list = 1 }
    /^$/ { in_list = 0 }
    /^ *```/ { inside = !inside; next }
    inside { next }
    /^#+ / {
      name = anchor_of(substr($0, match($0, / /) + 1))
      times = seen[FILENAME, name]++
      name = times ? name "-" times : name
      anchors[FILENAME, name] = 1
      if (/^## /) { is_beginning = 0; section[++sections] = name; of[sections] = FILENAME; begins[sections] = FNR }
    }
    {
      line = $0
      gsub(/`[^`]*`/, "", line)
      while (match(line, /\]\([^) ]+\)/)) {
        link = substr(line, RSTART + 2, RLENGTH - 3)
        line = substr(line, RSTART + RLENGTH)
        if (link ~ /^[a-z]+:/) continue
        from[++count] = FILENAME; at[count] = FNR; to[count] = link
        if (is_beginning && in_list && link ~ /^#/) { has_contents[FILENAME] = 1; contents[FILENAME, substr(link, 2)] = 1 }
      }
    }
    END {
      for (i = 1; i <= count; ++i) {
        hash = index(to[i], "#")
        path = hash ? substr(to[i], 1, hash - 1) : to[i]
        page = path == "" ? from[i] : without_dots(directory_of(from[i]) path)
        is_there = path == "" || system("test -e \"" page "\"") == 0
        if (is_there && hash && page ~ /\.md$/) is_there = ((page, substr(to[i], hash + 1)) in anchors)
        if (!is_there) print from[i] ":" at[i] ": " to[i]
      }
      for (i = 1; i <= sections; ++i) {
        if ((of[i] in has_contents) && !((of[i], section[i]) in contents))
          print of[i] ":" begins[i] ": #" section[i] " is not among the links at the beginning of the page"
      }
      if (count < 100) print "docs: only " count " links were found"
    }' "${pages[@]}"
}

if [[ $2 == --links ]]; then
  broken=$(broken_links)
  [[ -z $broken ]] || { printf 'links that lead nowhere or are missing:\n%s\n' "$broken" >&2; exit 1; }
  exit 0
fi

if [[ $2 == --examples ]]; then
  for example in examples/*/; do
    name=$(basename "$example")
    sed '/^$/q' "${example}main.cpp" | tr '\n' ' ' | grep -q -E '^//.*What (// )?you (// )?learn' ||
      { echo "${example}main.cpp: the first comment does not say 'What you learn: ...'" >&2; exit 1; }
    grep -q -F "[$name](examples/$name)" README.md ||
      { echo "README.md: $name is not in the table of examples" >&2; exit 1; }
  done
  exit 0
fi

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
