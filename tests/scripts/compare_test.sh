#!/usr/bin/env bash
# What scripts/compare makes of two programs that are alike, that differ and that fail. The programs are
# stand-ins of a few lines.
#
#   compare_test.sh SOURCE SCRATCH
set -u
source_dir=$1 tree="$2/a tree to compare"
rm -rf "$tree"
mkdir -p "$tree/scripts"
cp "$source_dir/scripts/compare" "$tree/scripts/"
printed=$tree/printed

fail() {
  echo "compare_test: $*" >&2
  cat "$printed" >&2
  exit 1
}
# A program that writes what a run has: weights of three numbers, figures with a clock, checkpoints of
# which a run that is gone on with must have lost the last.
program() { # NAME [WEIGHTS-OF-PRUNED-RUNS [LAST-COMMAND [WHAT-FILES-SAY-OF-THE-MODEL]]]
  {
    echo '#!/usr/bin/env bash'
    printf 'pruned=%q model=%q\n' "${2:-abcdABCDwxyz}" "${4:-}"
    cat <<'END_OF_PROGRAM'
words=" $* "
if [ "$1" = bench ]; then
  while [ $# -gt 1 ]; do [ "$1" != --json ] || file=$2; shift; done
  printf '{\n "train_ms": {\n  "median": 2.5,\n  "min": 1\n },\n "seconds": {\n  "median": 0.25\n }\n}\n' >"$file"
  exit 0
fi
while [ $# -gt 1 ]; do case $1 in --run-dir | --resume) run=$2 ;; esac; shift; done
mkdir -p "$run/checkpoints"
case $words in
  *" --resume "*) [ ! -e "$run/checkpoints/step-3.ckpt" ] || exit 3 ;;
  *) touch "$run/checkpoints/"step-{1,2,3}.ckpt ;;
esac
weights=abcdABCDwxyz
[[ $words != *prune-mlp* && $words != */pruned/* ]] || weights=$pruned
header='{'$model'"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}'
{
  printf "\\x$(printf %x ${#header})"'\0\0\0\0\0\0\0'
  printf '%s' "$header" "$weights"
} | tee "$run/best.safetensors" >"$run/model.safetensors"
printf 'epoch,loss,images_per_s,seconds,val_auc\n1,0.5,%s,%s,0.75\n' "$RANDOM" "$RANDOM" >"$run/metrics.csv"
END_OF_PROGRAM
    echo "${3:-exit 0}"
  } >"$tree/$1"
  chmod +x "$tree/$1"
}
compare() { # STATUS PROGRAM-NAMES ARGUMENTS...: runs it from elsewhere
  local expected=$1
  (cd / && "$tree/scripts/compare" --programs "$tree/$2" "$tree/$3" "${@:4}") >"$printed" 2>&1
  local status=$?
  [ $status -eq "$expected" ] || fail "status $status, not $expected"
}
told() { grep -q -E -- "$1" "$printed" || fail "not told: $1"; }

program old
program same
compare 0 old same --only augmented,pruned,bench-compute-mlp,bench-train-cnn --rounds 2
told '^augmented +equal +equal +equal +equal +-$'
told '^bench-compute-mlp +0\.002500 \(0\.002500-0\.002500\) .* 1\.000 '
told '^bench-train-cnn +0\.2500 '
told 'all that was compared is equal'
[ -f "$tree/build/compare/programs/results/page.txt" ] || fail "no page is kept"
[ ! -e "$tree/build/compare/programs/results.part" ] || fail "something half is left"

program other 'abcdABCDwxy{'
compare 1 old other --only augmented,pruned --rounds 1
told '^augmented +equal +equal +equal +equal '
told '^pruned +differ<[0-9.e+]+ +differ<[0-9.e+]+ +equal +differ<'
told 'NOT all is equal'

# What a newer program says of a model besides is no difference in its weights.
said='"__metadata__":{"model":"{\n \"turned\": true}","b":""},'
program saying abcdABCDwxyz 'exit 0' "$said"
compare 0 old saying --only augmented --rounds 1
told '^augmented +equal +equal +equal +equal '
told '^augmented: equal weights, but the files say other things of the model'
program other-saying 'abcdABCDwxy{' 'exit 0' "$said"
compare 1 old other-saying --only pruned --rounds 1
told '^pruned +differ<[0-9.e+]+ '

program broken abcdABCDwxyz 'echo "millrace: train: what went wrong" >&2; exit 1'
compare 1 old broken --only augmented --rounds 1
told '^augmented +failed '
told '^augmented: new failed: millrace: train: what went wrong'

# Stopped in the middle: the page of before is still there, and nothing half.
mkfifo "$tree/began"
program hanging abcdABCDwxyz "echo >'$tree/began'; exec tail -f /dev/null"
cp "$tree/build/compare/programs/results/page.txt" "$tree/before"
"$tree/scripts/compare" --programs "$tree/hanging" "$tree/same" --only augmented >"$printed" 2>&1 &
read -r <"$tree/began"
kill -TERM $!
wait $!
status=$?
[ $status -eq 143 ] || fail "stopped: status $status, not 143"
[ ! -e "$tree/build/compare/programs/results.part" ] || fail "stopped: something half is left"
cmp -s "$tree/before" "$tree/build/compare/programs/results/page.txt" || fail "stopped: the page of before is gone"

MILLRACE_FASHION_MNIST=$tree/nowhere compare 1 old same --only fashion-idx
told '^fashion-idx +not here: apt-get install dataset-fashion-mnist'

compare 2 old same --only nothing-of-the-kind
told 'there is no nothing-of-the-kind'
(cd "$tree" && scripts/compare) >"$printed" 2>&1
[ $? -eq 2 ] || fail "bad usage is not told by the status"
told 'usage: scripts/compare COMMIT'
rm -rf "$tree"
