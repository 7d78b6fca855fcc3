#!/bin/sh
# Every script is read by the shell that it names, to its end, without being run.
#
#   syntax_test.sh SOURCE
set -eu
cd "$1"
count=0
for script in scripts/* .ci/run tests/scripts/*.sh; do
  read -r first <"$script"
  case $first in
    '#!/bin/sh') sh -n "$script" ;;
    '#!/usr/bin/env bash') bash -n "$script" ;;
    *)
      echo "$script: begins with '$first'" >&2
      exit 1
      ;;
  esac
  [ -x "$script" ] || {
    echo "$script: may not be executed" >&2
    exit 1
  }
  count=$((count + 1))
done
[ $count -gt 8 ]
