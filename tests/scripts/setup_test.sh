#!/usr/bin/env bash
# scripts/setup with stand-ins for apt, sudo and id: however it ends, its last line says what to do.
#
#   setup_test.sh SOURCE SCRATCH CASE
set -u
source=$1 scratch=$2/setup-$3 case=$3
rm -rf "$scratch"
mkdir -p "$scratch/bin" "$scratch/tmp"
export TMPDIR=$scratch/tmp

fail() {
  echo "FAILED: $case: $*" >&2
  cat "$scratch/printed" >&2
  exit 1
}
stand_in() {
  { echo '#!/bin/bash'; cat; } >"$scratch/bin/$1"
  chmod +x "$scratch/bin/$1"
}
# Nothing of the system's, so that a tool that is not named here is not there.
for tool in bash env grep sed awk mktemp rm cat dirname true touch; do
  ln -s "$(type -P $tool)" "$scratch/bin/$tool"
done
stand_in id <<<'echo 1000'
stand_in sudo <<<'exec "$@"'
stand_in dpkg-query <<END
for package; do :; done
if [ "\$package" = git ] || [ -e "$scratch/installed" ]; then printf installed; fi
END
# Says what apt says for want of a network, at length.
stand_in apt-get <<'END'
for ((i = 0; i < 350; ++i)); do echo "Err:$i some package"; done
echo "E: Could not resolve 'debian.example'"
exit 100
END
run() {
  PATH=$scratch/bin "$source/scripts/setup" "$@" >"$scratch/printed" 2>&1
  status=$?
}
last_line() {
  tail -n 1 "$scratch/printed" | grep -q -E -e "$1" || fail "the last line is not '$1'"
}
apt_line='as root, run: apt-get update && apt-get install --no-install-recommends cmake .*dataset-fashion-mnist$'

case $case in
  no-network)
    run
    [ $status -eq 1 ] || fail "status $status, not 1"
    last_line "^setup: apt could not install the packages \(Could not resolve 'debian.example'\); .* check the network; $apt_line"
    [ "$(wc -l <"$scratch/printed")" -le 4 ] || fail "too many lines"
    log=$(sed -n 's/.*its words are in \([^;]*\);.*/\1/p' "$scratch/printed" | tail -n 1)
    grep -q 'Err:1 some package' "$log" || fail "no log in '$log'"
    ;;
  one-source-fails)
    stand_in apt-get <<END
for word; do [ "\$word" != update ] || { echo 'E: The repository of a third party has gone'; exit 100; }; done
touch '$scratch/installed'
echo 'pmstatus:dpkg-exec:50:Running dpkg'
echo 'Setting up cmake'
END
    run
    [ $status -eq 0 ] || fail "status $status, not 0"
    last_line '^setup: done$'
    grep -q 'repository of a third party' "$scratch/printed" || fail "nothing is said of the source that failed"
    ! grep -q 'pmstatus\|Setting up' "$scratch/printed" || fail "apt's own words are printed"
    ;;
  refused)
    stand_in sudo <<<'echo "newcomer is not in the sudoers file." >&2; exit 1'
    run
    [ $status -eq 1 ] || fail "status $status, not 1"
    last_line "^setup: sudo does not let you install packages; $apt_line"
    rm "$scratch/bin/sudo"
    run
    [ $status -eq 1 ] || fail "status $status, not 1"
    last_line "^setup: packages are missing, and only root may install them \(there is no sudo\); $apt_line"
    ;;
  stopped)
    # As Ctrl-C does it: every process of the group gets the signal, and apt ends as if all were well.
    for signal in INT TERM; do
      stand_in apt-get <<END
trap 'exit 0' $signal
kill -$signal 0
exit 0
END
      PATH=$scratch/bin "$(type -P setsid)" --wait "$source/scripts/setup" >"$scratch/printed" 2>&1
      status=$?
      [ $signal = INT ] && expected=130 || expected=143
      [ $status -eq $expected ] || fail "status $status, not $expected"
      last_line "^setup: stopped; $apt_line"
      ! grep -q 'done' "$scratch/printed" || fail "says that it is done"
    done
    ;;
  unfinished)
    stand_in apt-get <<<'exit 0'
    run
    [ $status -eq 1 ] || fail "status $status, not 1"
    last_line "^setup: apt has ended without installing all packages; .*$apt_line"
    ;;
  *) fail "there is no case $case" ;;
esac
[ $case = no-network ] || [ $case = unfinished ] || [ -z "$(ls "$scratch/tmp")" ] || fail "a log is left behind"
