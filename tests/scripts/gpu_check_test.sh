#!/usr/bin/env bash
# What scripts/gpu-check makes of programs that pass, fail, hang, are missing or find no GPU, and what
# it leaves when it is stopped. The programs are stand-ins of a few lines in a folder that looks like an
# unpacked archive, so that no GPU is needed to know what is told of one.
#
#   gpu_check_test.sh SOURCE SCRATCH CASE [PROGRAM]
#
# Nothing here depends on how fast the machine is: what hangs is cut short by a stand-in of timeout, and
# signals are sent by the stand-ins themselves, at the Nth thing that is done. N is drawn; SEED=... draws
# as in a run that printed it.
set -u
source_dir=$1 scratch=$2 case=$3
mkdir -p "$scratch"
scratch=$(cd "$scratch" && pwd)
archive="$scratch/gpu check $case"  # blanks, wherever it lies
out=$archive/results
rm -rf "$archive"
mkdir -p "$archive/bin" "$archive/test-programs" "$archive/scripts" "$archive/data/fashion-mnist" \
  "$archive/tools" "$archive/temporary"
cp "$source_dir"/scripts/gpu-check* "$archive/scripts/"
: >"$archive/data/fashion-mnist/train-images-idx3-ubyte"
printf 'millrace 0\ncommit abc\ncudnn 9.19.0\nglibc 2.36 or newer\n' >"$archive/VERSION"
export TMPDIR=$archive/temporary

fail() {
  echo "gpu_check_test: $*" >&2
  cat "$archive/printed" >&2
  exit 1
}
program() {  # NAME, its lines on standard input
  { echo '#!/bin/sh'; cat; } >"$archive/$1"
  chmod +x "$archive/$1"
}
test_program() { program "test-programs/test_gpu_cuda_$1"; }
check() {  # ARGUMENTS...: runs gpu-check, sets status
  # A signal that whoever started this test ignores could not be caught. The outer redirection is for
  # what bash says of a gpu-check that is killed.
  { (cd / && exec env --default-signal GPU_CHECK_TEST="$archive" GPU_CHECK_PID=$BASHPID PATH="$archive/tools:$PATH" \
    "$archive/scripts/gpu-check" --output "$out" "$@") >"$archive/printed" 2>&1; } 2>/dev/null
  status=$?
  whole_results
}
told() { grep -q -E -- "$1" "$archive/printed" || fail "not told: $1"; }
in_page() { grep -q -F -- "$1" "$out"/*-gpu-*.md || fail "not on the page: $1"; }
in_summary() { grep -q -F -- "$1" "$out/summary.json" || fail "not in summary.json: $1"; }

# JSON becomes v, from the inside out; what is no JSON does not.
is_json() {
  awk '{ text = text $0 " " } END {
    gsub(/"([^"\\]|\\["\\\/bfnrt])*"/, "s", text)
    gsub(/-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?|true|false|null/, "v", text)
    gsub(/[ \t]/, "", text)
    while (gsub(/\{\}|\{s:[sv](,s:[sv])*\}|\[\]|\[[sv](,[sv])*\]/, "v", text)) {}
    exit text != "v"
  }' "$1"
}
whole_results() {
  [ -e "$out" ] || return 0
  is_json "$out/summary.json" || fail "summary.json is no JSON"
  [ "$(find "$out" -type f | wc -l)" -le 8 ] || fail "more than 8 files: $(ls -A "$out")"
  [ -z "$(find "$out" -mindepth 1 -type d)" ] || fail "folders: $(ls -A "$out")"
}
# Processes of this test's gpu-check, whoever their parent is now. The dead have no environment.
processes() { grep -l -s -a -F -- "GPU_CHECK_TEST=$archive" /proc/[0-9]*/environ | sed 's,[^0-9],,g'; }
none_runs() {  # those that are killed may take a moment to go
  for _ in $(seq 600); do
    [ -n "$(processes)" ] || return 0
    sleep 0.05
  done
  return 1
}
gpu_program() {
  program bin/millrace <<'END'
case $1 in
  inspect) printf 'processor  X\ngpu 0: NVIDIA "Test" 1, capability 9.0\n     driver 580, CUDA 13.0, cuDNN 9.15.1, cuBLAS 13.1.0\n     /opt/a wheel/libcudnn.so.9\n     /lib/libcuda.so.1\n' ;;
  evaluate) echo 'accuracy  0.8312  (8312 of 10000)' ;;
  bench)
    while [ $# -gt 1 ]; do [ "$1" != --json ] || file=$2; shift; done
    printf '{\n "devices": [{"batches": [\n {"images_per_s": {\n "median": 123456.5, "min": 1},\n "seconds": {"median": 0.25},\n "overlapped_ms": 0.02,\n "train_images_per_s": 9e4,\n "train_ms": {"median": 0.3}}]}]}\n' >"$file" ;;
esac
END
  program tools/nvidia-smi <<'END'
[ -e "$GPU_CHECK_TEST/results/summary.json" ] || exit 1  # nothing is run before there is one
[ "$1" != -q ] || exit 0
printf 'name, driver_version, clocks.current.sm [MHz]\nNVIDIA Test 1, 580.1, 345 MHz\n'
END
  program tools/python3 <<'END'
while [ $# -gt 1 ]; do [ "$1" != --json ] || file=$2; shift; done
printf '{"torch": "2.9.0", "mlp": {"eager": {"us_a_step": 200.5}}}' >"$file"
END
}
good_suites() {
  for name in device kernels update engine training; do
    test_program $name <<'END'
mkdir -p scratch/gpu && echo '{"deviceVer": 900}' >scratch/gpu/device.json
echo 'wrote scratch/gpu/device.json'
echo 'measured: idle beside the input = 1.5 %'
echo 'measured: memory drift over 10000 steps = 4096 bytes'
echo 'All tests passed (3 assertions in 1 test case)'
echo 'launched on NVIDIA Test 1: 5 kernels, 0 library calls, 2 copies, 0 graphs'
END
  done
}
hangs='exec tail -f /dev/null'
# A timeout with no limit but for the programs that are named, which always reach theirs.
short_timeout() {  # PATTERN of sh, for command lines
  program tools/timeout <<END
shift 2
case "\$*" in
  $1) PATH="$PATH" exec timeout 0.2 "\$@" ;;
esac
exec "\$@"
END
}

case $case in
  no-gpu)
    # The real program, where there is one: it must have been skipped for want of a GPU, not passed.
    real=${4:-}
    program bin/millrace <<END
[ -z "$real" ] || exec env CUDA_VISIBLE_DEVICES= "$real" "\$@"
echo 'gpu: none; no NVIDIA driver'
END
    check
    [ $status -eq 77 ] || fail "status $status, not 77"
    for name in $("$archive/scripts/gpu-check" --list); do told "^$name +skipped .*none; "; done
    ! grep -q -w -E 'passed|failed' "$archive/printed" "$out/summary.json" || fail "something was not skipped"
    [ "$(grep -c '"status": "skipped"' "$out/summary.json")" -eq $(($("$archive/scripts/gpu-check" --list | wc -w) + 1)) ] ||
      fail "summary.json tells of other checks"
    ;;
  passes)
    gpu_program
    good_suites
    mkdir "$out"
    touch "$out/.gpu-check.part" "$out/device.json"  # of a run that was killed, and of another card
    check --only device,kernels,update,engine,training,fashion,bench-mlp,bench-vgg16,peers
    [ $status -eq 0 ] || fail "status $status, not 0"
    told '^engine +passed .*5 kernels'
    told '^fashion +passed .*accuracy 0.8312'
    told '^peers +passed .*PyTorch 2.9.0'
    told 'cuDNN 9.15.1 is older than 9.19.0'
    [ "$(sed -n 's/^\([a-z0-9-]*\)  *passed .*/\1/p' "$archive/printed" | paste -s -d ' ')" = \
      'device kernels update fashion bench-mlp bench-vgg16 peers training engine' ] || fail "another order"
    in_page '- /opt/a wheel/libcudnn.so.9'
    in_page '- nvidia-smi: NVIDIA Test 1, driver_version 580.1, clocks.current.sm 345 MHz'
    in_page '| 784-500-10, a step, resident | at most 30 us | 20 us | met |'
    in_page '| 784-500-10, times PyTorch eager | at least 8 x | 10.03 x | met |'
    in_page '| 784-500-10, batch 100, 5 epochs from IDX, resident | at most 0.5 s | 0.25 s | met |'
    in_page '| GPU idle beside copies, three slots | at most 3 % | 1.5 % | met |'
    in_page '| device memory, drift over 10,000 steps | at most 0 bytes | 4096 bytes | not met |'
    in_page '| VGG16 with frozen base 150x150 | at least 30000 images/s | 123456.5 images/s | met |'
    in_page '| bench-vgg16, step alone | 9e4 | images/s |'
    in_page '| cnn 150x150, batch 32, resident | at least 80000 images/s | - | not measured |'
    in_summary '"library_paths": ["/opt/a wheel/libcudnn.so.9", "/lib/libcuda.so.1"]'
    grep -q deviceVer "$out/device.json" || fail "no device.json"
    tar tzf "$out/details.tar.gz" | grep -q engine.log || fail "no logs"
    [ ! -e "$out/.gpu-check.part" ] || fail "a part is left"
    [ -z "$(ls -A "$TMPDIR")" ] || fail "left in TMPDIR: $(ls -A "$TMPDIR")"
    ! command -v python3 >/dev/null ||
      python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$out/summary.json" || fail "Python reads no JSON"
    # A suite that dies before it describes the card leaves no description, of whatever card.
    test_program device <<<'exit 1'
    check --only device
    [ ! -e "$out/device.json" ] || fail "an older device.json is taken"
    check --only device,sanitiser
    [ $status -eq 2 ] || fail "status $status, not 2"
    told 'there is no check sanitiser'
    ;;
  failures)
    gpu_program
    good_suites
    test_program kernels <<<'echo "x.cpp:7: FAILED: \"quoted\" | \\1 == 2 µ"; exit 1'
    test_program update <<<'echo "All tests passed"; echo "launched on NVIDIA Test 1: 0 kernels, 0 library calls, 0 copies, 0 graphs"'
    rm "$archive/test-programs/test_gpu_cuda_engine"
    program tools/python3 <<<'echo "gpu_peers: python3 has no torch here" >&2; exit 3'
    check --only device,kernels,update,engine,training,fashion,peers
    [ $status -eq 1 ] || fail "status $status, not 1"
    told '^device +passed'
    told '^kernels +failed .*FAILED'
    told '^update +failed .*nothing was launched'
    told '^engine +absent'
    told '^peers +absent .*no torch'
    told '^training +passed'
    told '^fashion +passed'
    check --only device,sanitizer --seconds 0
    [ $status -eq 1 ] || fail "status $status, not 1"
    told '^device +not run .*no time'
    program bin/millrace <<<'echo "error while loading shared libraries"; exit 127'
    check
    [ $status -eq 1 ] || fail "status $status, not 1"
    told 'the program does not run here: error while'
    in_summary '"status": "not run"'
    ;;
  time-outs)
    # A GPU that still works after a check took too long, and then one that does not.
    gpu_program
    good_suites
    program tools/compute-sanitizer <<<"$hangs"
    test_program training <<<"$hangs"
    short_timeout '*_training | *memcheck*'
    check --only device,training,engine,sanitizer
    [ $status -eq 1 ] || fail "status $status, not 1"
    told '^training +failed .*too long'
    told '^engine +passed'
    told '^sanitizer +absent .*too long'
    none_runs || fail "what took too long still runs"
    test_program device <<END
[ \$# -eq 0 ] || $hangs
echo 'launched on NVIDIA Test 1: 5 kernels'
END
    short_timeout '*_training | *copied*'
    check --only device,training,engine,fashion-fp16,sanitizer
    [ $status -eq 1 ] || fail "status $status, not 1"
    told '^device +passed'
    told '^training +failed .*too long'
    for name in engine fashion-fp16 sanitizer; do told "^$name +not run .*the GPU does not answer"; done
    in_page '| engine | not run | 0 | the GPU does not answer |'
    # The case with which gpu-check asks is one that there is.
    grep -q -F 'TEST_CASE("What is copied to a device' "$source_dir/tests/gpu/device_test.cpp" ||
      fail "tests/gpu/device_test.cpp has no case 'What is copied to a device'"
    ;;
  stopped-at-once)
    # What was done is told, even if the program that is stopped does not listen.
    gpu_program
    good_suites
    for signal in TERM.143 INT.130 HUP.129; do
      test_program training <<END
[ ${signal%.*} != TERM ] || trap '' TERM
kill -${signal%.*} \$GPU_CHECK_PID
while :; do sleep 1; done
END
      check --only device,training,engine
      [ $status -eq ${signal#*.} ] || fail "status $status, not ${signal#*.}"
      none_runs || fail "a process of it still runs"
      told '^device +passed'
      told "^training +stopped .*by SIG${signal%.*}"
      in_summary '"status": "stopped"'
      in_summary "{\"name\": \"engine\", \"status\": \"not run\", \"seconds\": 0, \"detail\": \"stopped by SIG${signal%.*}\"}"
      in_page '| device | passed |'
      tar tzf "$out/details.tar.gz" | grep -q device.log || fail "no logs"
      [ -z "$(ls -A "$TMPDIR")" ] || fail "left in TMPDIR: $(ls -A "$TMPDIR")"
    done
    ;;
  stopped-by-*)
    # From the first summary on, a moment is where a tool begins, is in the middle of its output or has
    # ended, or where a program begins or ends. Whoever comes to the moment that was drawn sends the
    # signal; a program then hangs.
    gpu_program
    good_suites
    cat >"$archive/moment" <<END
moment() {
  [ -e "$out/summary.json" ] || return 0
  echo "\$*" >>"$archive/moments"
  [ \$(PATH="$PATH" wc -l <"$archive/moments") -ge \$MOMENT ] || return 0
  PATH="$PATH" mkdir "$archive/sent" 2>/dev/null || return 0  # two may come at once
  echo "\$*" >"$archive/sent/by"
  kill -${case##*-} \$GPU_CHECK_PID
  [ "\$1" != program ] || $hangs
}
END
    program tools/mv <<END
. "$archive/moment"
PATH="$PATH"
moment mv begins
mv "\$@" || exit
moment mv has ended
END
    for tool in awk tar; do
      program tools/$tool <<END
. "$archive/moment"
PATH="$PATH"
moment $tool begins
exec 4>&1
rc=\$({ { $tool "\$@" 3>&- 4>&-; echo \$? >&3; } | { head -c 99; moment $tool writes; cat; } >&4; } 3>&1)
moment $tool has ended
exit \$rc
END
    done
    for name in bin/millrace test-programs/test_gpu_cuda_device; do
      program part <<END
. "$archive/moment"
moment program "begins: \$*"
$(cat "$archive/$name")
moment program ends
END
      mv "$archive/part" "$archive/$name"
    done
    run_to() {  # MOMENT
      rm -rf "$out" "$archive/sent" "$archive/moments"
      MOMENT=$1 check --only device,bench-mlp
    }
    run_to 9999
    [ $status -eq 0 ] || fail "status $status, not 0"
    all=$(wc -l <"$archive/moments")
    seed=${SEED:-$RANDOM}
    RANDOM=$seed
    echo "seed $seed, $all moments"
    [ "$all" -ge 40 ] || fail "only $all moments"
    for ((i = 0; i < 20; ++i)); do
      moment=$((1 + all * (32768 * i + RANDOM) / 32768 / 20))
      run_to $moment
      echo "moment $moment: $(cat "$archive/sent/by")"
      if [ "${case##*-}" = TERM ]; then
        [ $status -eq 143 ] || fail "status $status, not 143"
        none_runs || fail "a process of it still runs"
        in_summary '"status": "stopped"'
        [ -z "$(ls -A "$TMPDIR")" ] || fail "left in TMPDIR: $(ls -A "$TMPDIR")"
      else
        [ $status -eq 137 ] || fail "status $status, not 137"
        # Nobody ends the program of a shell that was killed, nor what it was about to write.
        while [ -n "$(processes)" ]; do processes | xargs kill -KILL 2>/dev/null; done
        whole_results
        if grep -q 'program begins: bench' "$archive/moments"; then
          in_summary '{"name": "device", "status": "passed"'
          in_page '| device | passed |'
          tar tzf "$out/details.tar.gz" | grep -q device.log || fail "no logs"
        fi
        rm -rf "${TMPDIR:?}"/*
      fi
    done
    ;;
  *) fail "there is no case $case" ;;
esac
