#!/usr/bin/env bash
# ECG-LM, the whole way from PTB-XL: an encoder, then soft tokens before a language model that stays as it is.
#
#     runs/ecg_lm.sh PTB_XL tiny|smollm2 [OUTPUT [SETTING…]]
#
# tiny: before text-tiny, and the checkpoint holds it. smollm2: before SmolLM2-135M-Instruct, and the checkpoint holds
# encoder and projection alone. PTB_XL: the folder of PTB-XL 1.0.3. The encoder is the same for both and made once.
# SETTINGs change every training: training.max_steps=2 tries the way out. What is there is not made again, and an
# interrupted training goes on when this is run again. PROCESSES=1 trains in one process, SIMULATED=11 makes so few
# simulated records, BF16=true computes in bfloat16 (for processors with units for it), EMBED=yes puts the result into the
# package. Each line tells the minutes it took.
#
# ecg-lm-tiny came by these trainings one by one, in about two hours of two cores; in step 5 another 800 steps lay between,
# before an earlier text-tiny. ecg-lm-smollm2-135m came by steps 4 and 5 in one process each, 17 and 84 minutes (eight
# and four recordings a step), with ecg-lm-tiny's encoder, and its soft tokens began as words, which was worth 10 to 20
# steps (training/LOG.md). The script was not run from its first line to its last.
set -euo pipefail
clone=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${1:?folder of PTB-XL}" "${2:?tiny or smollm2}"
from_here() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac }
ptbxl=$(from_here "$1") which=$2 out=$(from_here "${3:-$clone/build/ecg-lm}")
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

case $which in
    tiny)
        base=hf_heartllm/checkpoints/text-tiny name=ecg-lm-tiny named=() general=() tokens=16
        begun="$out/$which-untrained"
        [ -e "$base/config.json" ] || { echo "no $base: EMBED=text-tiny runs/text_tiny.sh makes it" >&2 && exit 2; }
        ;;
    smollm2)
        base=build/smollm2-135m-instruct name=ecg-lm-smollm2-135m
        make base
        named=(--base-name HuggingFaceTB/SmolLM2-135M-Instruct --base-revision 12fd25f77366fa6b3b4b768ec3050bf629380bac
            --base-source "run \`make base\`")
        general=(--general-turns "$out/general_turns.jsonl") tokens=32 begun="$out/$which-begun/model"
        ;;
    *) echo "tiny or smollm2, not $which" >&2 && exit 2 ;;
esac

# 1. The teacher: how probable each statement is, by networks that have not seen the recording; what is measured, on half
#    of the records; questions with answers; and simulated recordings, so that the package's examples are no strangers.
make_once "$out/soft_labels.parquet" \
    "$python" training/soft_labels.py --records "$ptbxl" --folds 1-7 --num-proc 2 --output "$out/soft_labels.parquet"
make_once "$out/measurements.csv" \
    "$python" -m dataset_builders.measurements --ptbxl "$ptbxl" --sampling-rate 100 --folds 1-4 --num-proc 2 \
        --output "$out/measurements.csv"
make_once "$out/rows.parquet" \
    "$python" -m dataset_builders.training_rows --ptbxl "$ptbxl" --measure-beats --output "$out/rows.parquet"
make_once "$out/simulated/ptbxl_database.csv" \
    "$python" -m dataset_builders.simulated --records "${SIMULATED:-1540}" --seed 1 --sampling-rate 500 --first-id 1000001 \
        --output "$out/simulated"
make_once "$out/simulated.parquet" \
    "$python" -m dataset_builders.training_rows --ptbxl "$out/simulated" --measure-beats \
        --output "$out/simulated.parquet"

# 2. The encoder learns statements and measured numbers, from whole and from shorter recordings, of all and of few leads.
make_once "$out/encoder/model/config.json" \
    run training/train_encoder.py --recipe encoder --records "$ptbxl" --soft-labels "$out/soft_labels.parquet" \
        --measurements "$out/measurements.csv" --output "$out/encoder" --set data.folds=1-7 training.max_steps=2000 "${@:4}"

# 3. Encoder and projection before the language model, and what SmolLM2 answers to general questions by itself.
[ "$which" = tiny ] ||
    make_once "$out/general_turns.jsonl" \
        "$python" training/general_turns.py --base "$base" --output "$out/general_turns.jsonl"
make_once "$out/$which-untrained/config.json" \
    "$python" training/make_ecg_lm.py --base "$base" --encoder "$out/encoder/model" --projector record \
        --ecg-tokens "$tokens" "${named[@]}" --output "$out/$which-untrained"

# 4. SmolLM2 was never told how to look an answer up: first yes or no in one wording, and nothing else.
[ "$which" = tiny ] ||
    make_once "$begun/config.json" \
        run training/finetune_ecg_lm.py --recipe "finetune_ecg_lm_$which" --model "$out/$which-untrained" \
            --records "$ptbxl" "$out/simulated" --rows "$out/rows.parquet" "$out/simulated.parquet" \
            --soft-labels "$out/soft_labels.parquet" --output "$out/$which-begun" \
            --set data.folds=1-7 data.others=null data.report_share=0 data.letters_share=0 data.incomplete_share=0 \
            data.max_questions=1 data.statements.questions=10 data.statements.plain_share=1.0 data.statements.terse=0 \
            data.statements.explained_share=0 training.max_steps=250 training.warmup_steps=10 \
            training.per_device_train_batch_size=4 training.bf16="${BF16:-false}" "${@:4}"

# 5. Questions and reports; before text-tiny more of it, with rare forms more often.
make_once "$out/$which-asked/model/config.json" \
    run training/finetune_ecg_lm.py --recipe "finetune_ecg_lm_$which" --model "$begun" \
        --records "$ptbxl" "$out/simulated" --rows "$out/rows.parquet" "$out/simulated.parquet" \
        --soft-labels "$out/soft_labels.parquet" "${general[@]}" --output "$out/$which-asked" \
        --set data.folds=1-7 training.bf16="${BF16:-false}" "${@:4}"
tuned="$out/$which-asked/model"
if [ "$which" = tiny ]; then
    tuned="$out/$which-tuned/model"
    make_once "$tuned/config.json" \
        run training/finetune_ecg_lm.py --recipe "finetune_ecg_lm_$which" --model "$out/$which-asked/model" \
            --records "$ptbxl" "$out/simulated" --rows "$out/rows.parquet" "$out/simulated.parquet" \
            --soft-labels "$out/soft_labels.parquet" --output "$out/$which-tuned" --set data.folds=1-7 \
            training.max_steps=1300 training.learning_rate=0.0007 training.warmup_steps=50 training.seed=44 \
            data.max_questions=9 data.statements.questions=5 data.letters_share=0.6 \
            "data.repeat={LNGQT: 6, DIG: 6, NST_: 3, NDT: 2, AFIB: 2, AFLT: 3, SARRH: 2, PVC: 2, PAC: 2, SVARR: 2, BIGU: 3, TRIGU: 3, STACH: 2, SBRAD: 2, PACE: 2}" "${@:4}"
fi

# 6. Temperatures and operating points, on fold 8; what the points are worth, on fold 9. Before SmolLM2 on 400 recordings
#    of each.
few=() half=float32
if [ "$which" = smollm2 ]; then
    few=(--max-records 400)
    [ "${BF16:-false}" = false ] || half=bfloat16
fi
make_once "$out/fold8.parquet" \
    "$python" -m dataset_builders.evaluation_questions --ptbxl "$ptbxl" --folds 8 --output "$out/fold8.parquet"
make_once "$tuned/calibration.json" \
    "$python" training/calibrate.py --records "$ptbxl" --questions "$out/fold8.parquet" --training-folds 1-7 \
        --model "$tuned" --checkpoint "$tuned" "${few[@]}" --dtype "$half" --output "$out/$which-calibration"

# 7. Into the package, if this was asked for.
if [ -n "${EMBED:-}" ]; then
    "$python" training/embed_checkpoint.py --model "$tuned" --name "$name"
fi
echo "$tuned"
