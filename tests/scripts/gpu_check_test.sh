#!/usr/bin/env bash
# What scripts/gpu-check makes of programs that pass, fail, hang, are missing or find no GPU. The
# programs are stand-ins of a few lines in a folder that looks like an unpacked archive, so that no GPU
# is needed to know what is told of one.
#
#   gpu_check_test.sh SOURCE SCRATCH CASE [PROGRAM TESTS]
set -u
source_dir=$1 scratch=$2 case=$3
archive=$scratch/gpu-check-$case
out=$archive/results
rm -rf "$archive"
mkdir -p "$archive/bin" "$archive/test-programs" "$archive/scripts" "$archive/data/fashion-mnist"
cp "$source_dir/scripts/gpu-check" "$archive/scripts/"
: >"$archive/data/fashion-mnist/train-images-idx3-ubyte"
printf 'millrace 0\ncommit abc\ncudnn 9.19.0\nglibc 2.36 or newer\n' >"$archive/VERSION"

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
  (cd / && "$archive/scripts/gpu-check" --output "$out" "$@") >"$archive/printed" 2>&1
  status=$?
}
told() { grep -q -E -- "$1" "$archive/printed" || fail "not told: $1"; }
in_page() { grep -q -F -- "$1" "$out"/*-gpu-*.md || fail "not on the page: $1"; }
whole_json() {
  command -v python3 >/dev/null || return 0
  python3 -c 'import json, sys; json.load(open(sys.argv[1]))' "$out/summary.json" || fail "summary.json is no JSON"
}
gpu_program() {
  program bin/millrace <<'END'
case $1 in
  inspect) printf 'processor  X\ngpu 0: NVIDIA "Test" 1, capability 9.0\n     driver 580, CUDA 13.0, cuDNN 9.15.1, cuBLAS 13.1.0\n' ;;
  evaluate) echo 'accuracy  0.8312  (8312 of 10000)' ;;
  bench)
    while [ $# -gt 1 ]; do [ "$1" != --json ] || file=$2; shift; done
    printf '{\n "devices": [{"batches": [\n {"images_per_s": {\n "median": 123456.5, "min": 1},\n "seconds": {"median": 0.25},\n "overlapped_ms": 0.02,\n "train_images_per_s": 9e4,\n "train_ms": {"median": 0.3}}]}]}\n' >"$file" ;;
esac
END
}
good_suites() {
  for name in device kernels update engine training; do
    test_program $name <<'END'
mkdir -p scratch/gpu && echo '{"deviceVer": 900}' >scratch/gpu/device.json
echo 'measured: idle beside the input = 1.5 %'
echo 'measured: memory drift over 10000 steps = 4096 bytes'
echo 'All tests passed (3 assertions in 1 test case)'
echo 'launched on NVIDIA Test 1: 5 kernels, 0 library calls, 2 copies, 0 graphs'
END
  done
}
few='device,kernels,update,engine,training,fashion,bench-mlp,bench-cnn'

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
    whole_json
    ;;
  passes)
    gpu_program
    good_suites
    check --only device,kernels,update,engine,training,fashion,bench-mlp,bench-vgg16
    [ $status -eq 0 ] || fail "status $status, not 0"
    told '^engine +passed .*5 kernels'
    told '^fashion +passed .*accuracy 0.8312'
    told 'cuDNN 9.15.1 is older than 9.19.0'
    in_page '| 784-500-10, a step, resident | at most 30 us | 20 us | met |'
    in_page '| 784-500-10, batch 100, 5 epochs from IDX, resident | at most 0.5 s | 0.25 s | met |'
    in_page '| GPU idle beside copies, three slots | at most 3 % | 1.5 % | met |'
    in_page '| device memory, drift over 10,000 steps | at most 0 bytes | 4096 bytes | not met |'
    in_page '| VGG16 with frozen base 150x150 | at least 30000 images/s | 123456.5 images/s | met |'
    in_page '| bench-vgg16, step alone | 9e4 | images/s |'
    in_page '| cnn 150x150, batch 32, resident | at least 80000 images/s | - | not measured |'
    grep -q deviceVer "$out/device.json" || fail "no device.json"
    tar tzf "$out/details.tar.gz" | grep -q engine.log || fail "no logs"
    whole_json
    ;;
  failures)
    gpu_program
    good_suites
    test_program kernels <<<'echo "x.cpp:7: FAILED: \"quoted\" | 1 == 2"; exit 1'
    test_program update <<<'echo "All tests passed"; echo "launched on NVIDIA Test 1: 0 kernels, 0 library calls, 0 copies, 0 graphs"'
    rm "$archive/test-programs/test_gpu_cuda_engine"
    test_program training <<<'exec tail -f /dev/null'
    check --only $few --seconds 8
    [ $status -eq 1 ] || fail "status $status, not 1"
    told '^device +passed'
    told '^kernels +failed .*FAILED'
    told '^update +failed .*nothing was launched'
    told '^engine +absent'
    told '^training +failed .*too long'
    told '^fashion +failed .*no time'
    whole_json
    ;;
  *) fail "there is no case $case" ;;
esac
