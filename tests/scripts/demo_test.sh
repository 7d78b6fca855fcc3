#!/usr/bin/env bash
# scripts/demo with stand-ins for cmake and the program: a demo that was stopped goes on, one that has ended
# begins anew, and what it makes can go elsewhere.
#
#   demo_test.sh SOURCE SCRATCH CASE
set -u
source=$1 scratch=$2/demo-$3 case=$3
chmod -R u+w "$scratch" 2>/dev/null
rm -rf "$scratch"
tree="$scratch/a tree"
mkdir -p "$tree/scripts" "$scratch/bin" "$scratch/elsewhere"
cp "$source/scripts/demo" "$tree/scripts"

fail() {
  echo "FAILED: $case: $*" >&2
  cat "$scratch/printed" "$scratch/calls" >&2
  exit 1
}
printf '#!/bin/sh\n' >"$tree/scripts/setup"
# Configures by putting the program where the real one would be built.
cat >"$scratch/bin/cmake" <<'END'
#!/usr/bin/env bash
[ "$1" = --preset ] || exit 0
mkdir -p "$4/apps" && cp "$(dirname "$0")/millrace" "$4/apps/"
END
cat >"$scratch/bin/millrace" <<END
#!/usr/bin/env bash
echo "\$*" >>"$scratch/calls"
case \$1 in
  convert) mkdir -p "\$4/train" "\$4/test" ;;
  train)
    for word; do [ "\$last" = --run-dir ] || [ "\$last" = --resume ] && run=\$word; last=\$word; done
    mkdir -p "\$run/checkpoints" && touch "\$run/checkpoints/1.ckpt"
    touch "\$run/model.safetensors"
    [ ! -e "$scratch/stop" ] || { rm "$scratch/stop"; exit 130; } ;;
  evaluate) echo 'accuracy  0.8321  (8321 of 10000)' ;;
esac
END
chmod +x "$scratch/bin/"* "$tree/scripts/"*
demo() {
  : >"$scratch/calls"
  PATH=$scratch/bin:$PATH "$tree/scripts/demo" "$@" >"$scratch/printed" 2>&1
  status=$?
}
called() { grep -q -E -e "$1" "$scratch/calls" || fail "the program was not called with '$1'"; }

case $case in
  goes-on)
    touch "$scratch/stop"
    demo
    [ $status -eq 130 ] || fail "status $status, not 130"
    demo
    [ $status -eq 0 ] || fail "status $status, not 0"
    called "^train --resume $tree/runs/demo$"
    ! grep -q -e --overwrite "$scratch/calls" || fail "the run that was stopped is thrown away"
    demo
    [ $status -eq 0 ] || fail "status $status, not 0"
    called '^train .* --run-dir .*/runs/demo --overwrite$'
    ! grep -q '^convert' "$scratch/calls" || fail "the images are made twice"
    touch "$scratch/stop"
    demo
    [ $status -eq 130 ] || fail "status $status, not 130"
    demo
    called "^train --resume $tree/runs/demo$"
    ;;
  elsewhere)
    [ "$(id -u)" -ne 0 ] || run_as='setpriv --reuid=65534 --regid=65534 --clear-groups'
    chmod -R a+rX,a-w "$tree"
    chmod -R a+rwX "$scratch/elsewhere" && touch "$scratch/calls" && chmod a+rw "$scratch/calls" "$scratch"
    cd "$scratch/elsewhere" || exit 1
    demo() {
      PATH=$scratch/bin:$PATH ${run_as:-} "$tree/scripts/demo" "$@" >"$scratch/printed" 2>&1
      status=$?
    }
    demo
    [ $status -eq 1 ] || fail "status $status, not 1"
    [ "$(cat "$scratch/printed")" = "demo: $tree/build/release cannot be made; name another folder: scripts/demo --build-dir DIR" ] ||
      fail "the line is another"
    demo --build-dir 'made here'
    [ $status -eq 0 ] || fail "status $status, not 0"
    called "^train .* --run-dir $scratch/elsewhere/made here/runs/demo --overwrite$"
    [ -x "$scratch/elsewhere/made here/release/apps/millrace" ] || fail "the program is not in the folder that was named"
    ;;
  *) fail "there is no case $case" ;;
esac
