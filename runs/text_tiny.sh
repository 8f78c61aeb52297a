#!/usr/bin/env bash
# text-tiny: the decoder of heartllm-tiny on text alone. It learns the same questions and reports, never with an ECG,
# and is written as a plain language model without ECG tokens.
#
#     runs/text_tiny.sh TOKENS [OUTPUT [SETTING…]]
#
# TOKENS: ECG tokens of PTB-XL with questions, of dataset_builders.ecg_tokens (docs/datasets.md), by the codec below;
# their codes say which records there are and are not shown. OUTPUT may be that of runs/heartllm_tiny.sh, whose decoder
# with random weights is then taken. SETTINGs change the training: training.max_steps=2 tries the way out. What is there
# is not made again, and an interrupted training goes on when this is run again. PROCESSES=1 trains in one process,
# EMBED=text-tiny puts the result into the package. This way has not been run to its end yet.
set -euo pipefail
clone=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${1:?folder of ECG tokens}"
from_here() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac }
tokens=$(from_here "$1") out=$(from_here "${2:-$clone/build/tiny}")
cd "$clone"
python=${PYTHON:-.venv/bin/python}
codec=hf_heartllm/checkpoints/heartllm-tiny/codec
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} HF_HUB_OFFLINE=1
mkdir -p "$out"

make_once() {  # FILE COMMAND…: unless the command has made FILE already
    local made=$1 begun=$SECONDS
    shift
    if [ -e "$made" ]; then return; fi
    "$@"
    echo "$made: $(((SECONDS - begun + 30) / 60)) minutes"
}
run() { "$python" -m torch.distributed.run --standalone --nproc_per_node "${PROCESSES:-2}" "$@"; }

# 1. The decoder with random weights, and a vocabulary of what will be said: that of runs/heartllm_tiny.sh.
make_once "$out/base/config.json" \
    "$python" training/make_base.py --recipe base_tiny --rows "$tokens" --codec "$codec" --output "$out/base" \
        --set decoder.hidden_size=256 decoder.intermediate_size=688 \
        decoder.num_attention_heads=8 decoder.num_key_value_heads=8

# 2. Stage 3 without the ECGs: what questions and reports tell by themselves. Folds 1-7, as there.
make_once "$out/text/model/config.json" \
    run training/finetune.py --recipe finetune_tiny --model "$out/base" --tokens "$tokens" --output "$out/text" \
        --set data.ecg=none data.folds=1-7 data.max_questions=6 \
        "data.statements={questions: 6, plain_share: 1.0, soft_label_share: 0.0}" \
        training.max_steps=4000 "${@:3}"

# 3. The plain language model: its text tokens alone.
make_once "$out/text-tiny/config.json" \
    "$python" training/text_model.py --model "$out/text/model" --output "$out/text-tiny"

# 4. Into the package, if this was asked for.
if [ -n "${EMBED:-}" ]; then
    "$python" training/embed_checkpoint.py --model "$out/text-tiny" --name "$EMBED"
fi
echo "$out/text-tiny"
