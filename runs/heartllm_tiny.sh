#!/usr/bin/env bash
# heartllm-tiny, the whole way from ECG tokens: text-tiny, which looks answers up, gets three layers below its own that
# read ECGs.
#
#     runs/heartllm_tiny.sh PTB_XL TOKENS [OUTPUT [SETTING…]]
#
# PTB_XL: the folder of PTB-XL 1.0.3. TOKENS: its ECG tokens with questions, of dataset_builders.ecg_tokens
# (docs/datasets.md), by the shipped codec or CODEC, a folder. SETTINGs change every training: training.max_steps=2
# tries the way out. What is there is not made again, and an interrupted training goes on when this is run again.
# PROCESSES=1 trains in one process, SIMULATED=11 makes so few simulated records, EMBED=heartllm-tiny puts the result
# into the package, in the place of what is there.
#
# The checkpoint that ships came by these trainings one by one, in about two hours of two cores that had other work
# too; training/LOG.md tells what was otherwise. The script was run from its first line to its last in short alone: 990
# recordings, 110 of each of folds 1 to 9, SIMULATED=22 and training.max_steps=2, in 10 minutes beside other work.
set -euo pipefail
clone=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${1:?folder of PTB-XL}" "${2:?folder of its ECG tokens}"
from_here() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac }
ptbxl=$(from_here "$1") tokens=$(from_here "$2") out=$(from_here "${3:-$clone/build/tiny}")
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

# 1. The teacher: how probable each statement is, by networks that have not seen the recording; and what is measured.
#    Folds 1-7 in all that follows, so that fold 8 can calibrate.
make_once "$out/soft_labels.parquet" \
    "$python" training/soft_labels.py --records "$ptbxl" --folds 1-7 --num-proc 2 --output "$out/soft_labels.parquet"
make_once "$out/measurements.csv" \
    "$python" -m dataset_builders.measurements --ptbxl "$ptbxl" --sampling-rate 100 --folds 1-4 --num-proc 2 \
        --output "$out/measurements.csv"

# 2. The same records without some of their chest leads, so that a missing lead is no stranger.
make_once "$out/incomplete/README.md" \
    "$python" -m dataset_builders.ecg_tokens --records "$ptbxl" --codec "$codec" --missing-leads \
        --train 1-7 --validation "" --test "" --num-proc 2 --output "$out/incomplete"

# 3. Simulated recordings with their questions, so that the package's examples are no strangers either.
make_once "$out/simulated/ptbxl_database.csv" \
    "$python" -m dataset_builders.simulated --records "${SIMULATED:-1540}" --seed 1 --sampling-rate 500 --first-id 1000001 \
        --output "$out/simulated"
make_once "$out/simulated.parquet" \
    "$python" -m dataset_builders.training_rows --ptbxl "$out/simulated" --measure-beats \
        --output "$out/simulated.parquet"
make_once "$out/simulated-tokens/README.md" \
    "$python" -m dataset_builders.ecg_tokens --records "$out/simulated" --codec "$codec" \
        --rows "$out/simulated.parquet" --output "$out/simulated-tokens"

# 4. The decoder that looks answers up, trained on text alone.
make_once "$out/text/model/config.json" \
    env EMBED= runs/text_tiny.sh "$tokens" "$out" "${@:4}"

# 5. New lowest layers learn to read an ECG: all of its statements, what is measured, and stage 2's next code.
make_once "$out/grounded/model/config.json" \
    run training/ground.py --recipe ground_tiny --model "$out/text/model" --tokens "$tokens" "$out/simulated-tokens" \
        --incomplete "$out/incomplete" --soft-labels "$out/soft_labels.parquet" \
        --measurements "$out/measurements.csv" --output "$out/grounded" --set data.folds=1-7 "${@:4}"

# 6. Stage 3: questions and reports, with soft answers and a probe of all statements beside them. Asked for any statement,
#    the answer is "no" nine times in ten; a second, shorter training asks a record's own questions alone, which have
#    "yes" and "no" equally often.
stage3() { run training/finetune.py --recipe finetune_tiny --tokens "$tokens" "$out/simulated-tokens" \
    --incomplete "$out/incomplete" --soft-labels "$out/soft_labels.parquet" "$@"; }
shared=(data.folds=1-7 data.incomplete_share=0.15 data.report_share=0.25 data.letters_share=0.15
    probe.soft_label_share=0.75 probe.measured=true "seen_in_training=[labels, report text, yes/no, letter choice]")
make_once "$out/asked/model/config.json" \
    stage3 --model "$out/grounded/model" --output "$out/asked" --set "${shared[@]}" data.max_questions=6 \
        "data.statements={questions: 6, plain_share: 1.0, soft_label_share: 0.75}" \
        training.learning_rate=0.001 training.max_steps=2750 save_dtype=null "${@:4}"
make_once "$out/tuned/model/config.json" \
    stage3 --model "$out/asked/model" --output "$out/tuned" --set "${shared[@]}" data.max_questions=10 \
        training.learning_rate=0.0004 training.warmup_steps=20 training.seed=43 training.max_steps=600 "${@:4}"

# 7. Temperatures and operating points, on fold 8; what the points are worth, on fold 9.
make_once "$out/fold8.parquet" \
    "$python" -m dataset_builders.evaluation_questions --ptbxl "$ptbxl" --folds 8 --output "$out/fold8.parquet"
make_once "$out/tuned/model/calibration.json" \
    "$python" training/calibrate.py --records "$ptbxl" --questions "$out/fold8.parquet" \
        --model "$out/tuned/model" --training-folds 1-7 --checkpoint "$out/tuned/model" --output "$out/calibration"

# 8. Into the package, if this was asked for.
if [ -n "${EMBED:-}" ]; then
    "$python" training/embed_checkpoint.py --model "$out/tuned/model" --name "$EMBED"
fi
echo "$out/tuned/model"
