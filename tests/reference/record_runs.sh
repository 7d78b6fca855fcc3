#!/usr/bin/env bash
# Makes tests/data/runs: small run directories, and what an older program said of their models. Later
# programs must load them and go on with them to the same bits (tests/apps/older_runs_test.cpp).
#
#   tests/reference/record_runs.sh PROGRAM tests/data/runs
#
# Recorded with the program of commit 16dc668, preset no-cuda, g++ 12.2.0, oneDNN 2.6.3, on an AMD EPYC
# with AVX-512. Record again only what a change is meant to change, by the program before that change,
# and beside the old ones: what users have on their disks does not change either.
#
# The pictures are 14 each of three classes of Fashion-MNIST (Zalando, MIT licence), which Debian has in
# dataset-fashion-mnist. So that the same bits come out on other processors:
# - oneDNN is held to SSE4.1 (ONEDNN_MAX_CPU_ISA): newer processors would sum in another order;
# - the model is computed by one thread;
# - where there are several ways to compute a convolution, none is timed. Runs go by the times in their
#   algorithms.json, whoever measured them, and those here are written by this script: of each operation
#   the first way, in blocks of 8 channels, is the fastest. All runs have all operations, since what
#   comes up when layers are unfrozen is not in a run's own file.
# Taken away: checkpoints that no test begins with, trace.json, and the names of machine and process in
# the names of event files.
set -euo pipefail
export LC_ALL=C
program=$(realpath "$1") out=$(realpath -m "$2")
idx=/usr/share/datasets/fashion-mnist
work=/tmp/millrace-recorded # config.ini names it
[ ! -e "$out" ] || { echo "record_runs: $out is there already" >&2; exit 1; }
rm -rf "$work"
mkdir -p "$work" "$out"
cd "$work"
export ONEDNN_MAX_CPU_ISA=SSE41 XDG_CACHE_HOME=$work/cache

"$program" convert idx "$idx" all >/dev/null
for class in 0:shirt 1:trouser 9:boot; do
  mkdir -p "$out/pictures/${class#*:}"
  # Not into a pipe that ends early.
  files=("all/train/${class%:*}"/*.png)
  cp "${files[@]:0:14}" "$out/pictures/${class#*:}/"
done
rm -rf all
cat >"$out/convnet.json" <<'JSON'
{
  "name": "older",
  "input": [28, 28, 1],
  "layers": [
    {"name": "conv1", "kind": "conv2d", "filters": 4, "rows": 3, "columns": 3},
    {"name": "norm1", "kind": "batch_norm"},
    {"name": "relu1", "kind": "relu"},
    {"name": "pool1", "kind": "max_pool2d", "size": 2, "stride": 2},
    {"name": "conv2", "kind": "conv2d", "filters": 6, "rows": 3, "columns": 3},
    {"name": "relu2", "kind": "relu"},
    {"name": "pool2", "kind": "max_pool2d", "size": 2, "stride": 2},
    {"name": "flatten1", "kind": "flatten"},
    {"name": "dropout1", "kind": "dropout", "rate": 0.3},
    {"name": "dense1", "kind": "dense", "units": 12},
    {"name": "relu3", "kind": "relu"},
    {"name": "dense2", "kind": "dense", "units": 3},
    {"name": "softmax1", "kind": "softmax"}
  ]
}
JSON
cat >"$out/keras.json" <<'JSON'
{
  "name": "keras",
  "input": [8, 8, 3],
  "layers": [
    {"name": "conv1", "kind": "conv2d", "filters": 4, "rows": 3, "columns": 3, "padding": "same"},
    {"name": "relu1", "kind": "relu"},
    {"name": "norm1", "kind": "batch_norm"},
    {"name": "pool1", "kind": "max_pool2d", "size": 2, "stride": 2},
    {"name": "conv2", "kind": "conv2d", "filters": 5, "rows": 3, "columns": 3},
    {"name": "flatten1", "kind": "flatten"},
    {"name": "dense1", "kind": "dense", "units": 6},
    {"name": "relu2", "kind": "relu"},
    {"name": "dense2", "kind": "dense", "units": 3},
    {"name": "softmax1", "kind": "softmax"}
  ]
}
JSON
cp -r "$out/pictures" "$out/convnet.json" .

train() { # NAME WORDS...
  "$program" train "${@:2}" --device cpu --threads 2 --compute-threads 1 --memory-budget 1GiB \
    --keep-checkpoints 0 --quiet --run-dir "$1"
}
all_runs() {
  train dense generated:240x10x10x1:4 --seed 3 --model mlp:16,12 --optimizer sgd --momentum 0.9 --learning-rate 0.004 \
    --epochs 6 --batch 16 --checkpoint-every 8
  train pruned generated:200x30:2 --seed 3 --model mlp:24 --optimizer keras_adam --epochs 6 --batch 20 --metrics auc \
    --prune polynomial --prune-begin 5 --prune-end 40 --prune-frequency 5 --prune-final-sparsity 0.7 --checkpoint-every 7
  train convnet pictures --seed 1 --model convnet.json --optimizer adam --learning-rate 0.03 --epochs 20 --batch 6 \
    --validation-share 0.4 --flip --rotation-range 15 --zoom-range 0.1 --crop-padding 2 --brightness-range 0.8,1.2 \
    --featurewise-center --metrics f1,auc --plateau-patience 1 --plateau-factor 0.5 --patience 3 --restore-best \
    --checkpoint-every 4
  train frozen pictures --seed 3 --model convnet.json --weights convnet/model.safetensors --freeze conv --unfreeze-at 4 \
    --unfreeze-factor 0.5 --optimizer adam --schedule cosine --learning-rate 0.01 --epochs 6 --batch 6 \
    --validation-share 0.2 --label-smoothing 0.1 --clip-global-norm 1 --checkpoint-every 4
}
all_runs
timed=cache/millrace/onednn-timings.json
awk '/^   "/ { first = 1 }
  /^    "/ { sub(/: [0-9.e+]+/, first ? ": 0.001" : ": 1000000.0"); first = 0 }
  { print }' "$timed" >chosen.json
rm -r dense pruned convnet frozen
cp chosen.json "$timed"
all_runs
cmp chosen.json "$timed"

keep() { # NAME STEPS...: with these checkpoints, the best and the last
  local name=$1 last best file
  shift
  local files=("$name"/checkpoints/step-*.ckpt)
  last=${files[-1]} best=$(realpath "$name/checkpoints/best.ckpt")
  for file in "${files[@]}"; do
    local step=${file##*step-}
    step=$((10#${step%.ckpt}))
    [[ " $* " == *" $step "* ]] || [ "$file" = "$last" ] || [ "$(realpath "$file")" = "$best" ] || rm "$file"
  done
  rm "$name/trace.json"
  [ ! -f "$name/algorithms.json" ] || cp chosen.json "$name/algorithms.json"
  for file in "$name"/events/*/*; do mv "$file" "${file%/*}/events.out.tfevents.0.recorded.v2"; done
  cp -a "$name" "$out/"
}
keep dense 40
keep pruned 28
keep convnet 28 36
keep frozen 16 28

# What the older program said of the models: without the clock, the machine and its memory.
cd "$out"
mkdir said
evaluation() { # NAME DATA
  "$program" evaluate "$1/model.safetensors" "$2" --threads 1 --compute-threads 1 --json |
    sed -E '/^  "(seconds|images_per_s|device)"/d' >"said/$1.evaluation.json"
}
evaluation dense generated:240x10x10x1:4
evaluation pruned generated:200x30:2
evaluation convnet pictures
evaluation frozen pictures
for name in convnet frozen; do
  "$program" predict $name pictures --top 3 --threads 1 --compute-threads 1 --json >said/$name.predictions.json
done
for name in dense pruned convnet frozen; do
  "$program" inspect "$name/model.safetensors" | sed '/^memory/,/^$/d' >said/$name.model.txt
done
"$program" convert weights "$(dirname "$out")/io/weights/saved.h5" saved.safetensors --model keras.json --quiet
rm -rf "$work"
du -sh "$out"
