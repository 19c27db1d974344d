#!/usr/bin/env bash
# From the public sets to infinipot_cli/pocket, in order. Safe to kill and start again: every step resumes.
#   DATA: folder with lm/ and qa/ and summaries/ (README.md says what is in them and where to get them)
#   WORK: scratch folder for token arrays, checkpoint and log (about 200 MB)
#   LAYERS, WIDTH: the size dial; MINUTES: stop with a checkpoint after this long
set -euo pipefail
DATA=${DATA:?folder with lm/, qa/ and summaries/}
WORK=${WORK:?scratch folder}
cd "$(dirname "$0")/../.."
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-PASSIVE}

python -m infinipot_cli.recipe.prepare --data "$DATA" --work "$WORK"
train() {
  python -m infinipot_cli.recipe.train_model --work "$WORK" --layers "${LAYERS:-6}" --width "${WIDTH:-256}" \
    --minutes "${MINUTES:-1000000}" "$@"
}
train --stages 4
if [ ! -e "$WORK/leavings.jsonl" ]; then
  python -m infinipot_cli.recipe.export --work "$WORK" --target "$WORK/reader"
  python -m infinipot_cli.recipe.leavings --model "$WORK/reader" --work "$WORK" --n "${READINGS:-800}"
fi
train
python -m infinipot_cli.recipe.export --work "$WORK" --target infinipot_cli/pocket
infinipot bench needle --book tests/data/treasure-island.txt
