#!/usr/bin/env bash
# text-tiny: a decoder on text alone, with which heartllm-tiny begins. It learns the same questions and reports, never with
# an ECG: in most examples what is known of a recording stands in words where the ECG would, in the others nothing does.
# It is written as a plain language model without ECG tokens, and is what ecg-lm-tiny puts its soft tokens before.
#
#     runs/text_tiny.sh TOKENS [OUTPUT [SETTING…]]
#
# TOKENS: ECG tokens of PTB-XL with questions, of dataset_builders.ecg_tokens (docs/datasets.md), by the shipped codec
# or CODEC, a folder; their codes say which records there are and are not shown. SETTINGs change the training:
# training.max_steps=2 tries the way out. What is there is not made again, and an interrupted training goes on when
# this is run again. PROCESSES=1 trains in one process, EMBED=text-tiny puts the result into the package. text-tiny
# came by these trainings one by one; the script was run from its first line to its last in short alone, by
# heartllm_tiny.sh, and what it does otherwise is in training/LOG.md.
set -euo pipefail
clone=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${1:?folder of ECG tokens}"
from_here() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac }
tokens=$(from_here "$1") out=$(from_here "${2:-$clone/build/tiny}")
codec=$(from_here "${CODEC:-$clone/hf_heartllm/checkpoints/heartllm-tiny/codec}")
cd "$clone"
python=${PYTHON:-.venv/bin/python}
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

# 1. The decoder with random weights, and a vocabulary of what will be said.
make_once "$out/text-base/config.json" \
    "$python" training/make_base.py --recipe base_tiny --rows "$tokens" --codec "$codec" --output "$out/text-base"

# 2. Stage 3 without ECGs. Folds 1-7, as there: fold 8 is to choose and calibrate by. The checkpoint that ships learned the
#    choices among letters in the second training and more of them in the third.
make_once "$out/text-questions/model/config.json" \
    run training/finetune.py --recipe finetune_text_tiny --model "$out/text-base" --tokens "$tokens" \
        --output "$out/text-questions" --set data.folds=1-7 data.letters_share=0.0 "${@:3}"
make_once "$out/text-letters/model/config.json" \
    run training/finetune.py --recipe finetune_text_tiny --model "$out/text-questions/model" --tokens "$tokens" \
        --output "$out/text-letters" --set data.folds=1-7 training.max_steps=600 training.learning_rate=0.0008 \
        training.warmup_steps=30 training.seed=43 "${@:3}"
make_once "$out/text/model/config.json" \
    run training/finetune.py --recipe finetune_text_tiny --model "$out/text-letters/model" --tokens "$tokens" \
        --output "$out/text" --set data.folds=1-7 data.letters_share=1.0 data.described_share=0.85 \
        data.report_share=0.15 data.max_questions=3 data.statements.questions=4 training.max_steps=1300 \
        training.learning_rate=0.001 training.warmup_steps=30 training.seed=44 "${@:3}"

# 3. The plain language model: its text tokens alone.
make_once "$out/text-tiny/config.json" \
    "$python" training/text_model.py --model "$out/text/model" --output "$out/text-tiny"

# 4. Into the package, if this was asked for.
if [ -n "${EMBED:-}" ]; then
    "$python" training/embed_checkpoint.py --model "$out/text-tiny" --name "$EMBED"
fi
echo "$out/text-tiny"
