#!/usr/bin/env bash
# From the public sets to infinipot_cli/pocket, in order. Safe to kill at any moment and start again: every step goes on
# where it was, or begins anew if nothing of it was whole.
#   DATA      folder with lm/, qa/ and summaries/ (README.md says what is in them and where to get them)
#   WORK      scratch folder for token arrays, checkpoint and log (about 200 MB)
#   SIZE      the dial: attention heads of 64 and, for each two, three layers; 4 (6.5 M parameters) is what ships,
#             6 gives about 18 M, the most that stays under 40 MB
#   TARGET    where the finished model goes, infinipot_cli/pocket unless given
#   MINUTES   end with a checkpoint, and leave TARGET alone, if training is not done so long after the start; the same
#             command goes on. LAYERS, WIDTH set the shape by hand
#   READINGS  recordings of real pots for the last stage; MEASURE=0 leaves out the scores at the end
#   FLAGS     more words for train_model, such as "--scale 0.1 --no-compile"
# A GPU is used (bf16) where there is one, else the processor (bf16 where it has it, fp32 where not). Steps are compiled where
# there is a compiler of C++.
set -euo pipefail
readonly STOPPED=75 # exit code of train_model where its time was up
fail() { printf 'error: %s\n' "$1" >&2 && exit 2; }
absolute() { case $1 in /*) printf '%s' "$1" ;; *) printf '%s' "$PWD/$1" ;; esac }
HERE=$(cd "$(dirname "$0")" && pwd)
DATA=$(absolute "${DATA:?folder with lm/, qa/ and summaries/}")
WORK=$(absolute "${WORK:?scratch folder}")
TARGET=$(absolute "${TARGET:-$HERE/../pocket}")
SIZE=${SIZE:-4} READINGS=${READINGS:-800}
MEASURE=${MEASURE:-20} MINUTES=${MINUTES:-1000000}
[[ $SIZE =~ ^[1-9][0-9]*$ ]] || fail "SIZE is a whole number from 1, not $SIZE"
[[ $MINUTES =~ ^[0-9]+(\.[0-9]+)?$ ]] || fail "MINUTES is a number such as 90, not $MINUTES"
[[ $MEASURE =~ ^[0-9]+$ ]] || fail "MEASURE is a whole number, not $MEASURE"
[ -d "$DATA" ] || fail "DATA names no folder: $DATA"
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}
# Each step asks for the same memory again, so it is kept, in large pages (glibc; others ignore this). Given back and taken
# anew it costs a processor a tenth of its time.
export MALLOC_MMAP_MAX_=${MALLOC_MMAP_MAX_:-0} MALLOC_TRIM_THRESHOLD_=${MALLOC_TRIM_THRESHOLD_:-8000000000}
export GLIBC_TUNABLES=${GLIBC_TUNABLES:-glibc.malloc.hugetlb=1}
PYTHON=${PYTHON:-python}
case $PYTHON in */*) PYTHON=$(absolute "$PYTHON") ;; esac
cd "$HERE/../.."

mkdir -p "$WORK"
if command -v flock > /dev/null; then # two runs in one folder would write the same files
  exec 9> "$WORK/lock"
  if ! flock -n 9; then
    echo "waiting for another run in $WORK, or for what one that was killed has left at work" >&2
    flock 9
  fi
fi
"$PYTHON" -m infinipot_cli.recipe.prepare --data "$DATA" --work "$WORK"
train() {
  local left status=0
  left=$(LC_ALL=C awk -v minutes="$MINUTES" -v spent="$SECONDS" 'BEGIN { print minutes - spent / 60 }')
  # shellcheck disable=SC2086 # FLAGS are words
  "$PYTHON" -m infinipot_cli.recipe.train_model --work "$WORK" --layers "${LAYERS:-$(((SIZE * 3 + 1) / 2))}" \
    --width "${WIDTH:-$((SIZE * 64))}" --minutes "$left" ${FLAGS:-} "$@" || status=$?
  if [ "$status" = "$STOPPED" ]; then
    echo "stopped after $MINUTES minutes, with a checkpoint in $WORK; the same command goes on"
    exit 0
  fi
  return "$status"
}
train --stages 4
if ! "$PYTHON" -m infinipot_cli.recipe.leavings --work "$WORK" --n "$READINGS" --is-done; then
  "$PYTHON" -m infinipot_cli.recipe.export --work "$WORK" --target "$WORK/reader"
  "$PYTHON" -m infinipot_cli.recipe.leavings --model "$WORK/reader" --work "$WORK" --n "$READINGS"
fi
train
"$PYTHON" -m infinipot_cli.recipe.export --work "$WORK" --target "$TARGET"
if [ "$MEASURE" != 0 ] && [ -d "$DATA/evaluation" ]; then
  scores=$WORK/scores-$MEASURE.jsonl
  if [ "$WORK/checkpoint.pt" -nt "$scores" ]; then rm -f "$scores"; fi # they are of weights before these
  "$PYTHON" -m infinipot_cli bench pocket --data "$DATA" -m "$TARGET" --n "$MEASURE" --record "$scores"
fi
