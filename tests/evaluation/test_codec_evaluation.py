"""The evaluation of a codec: metrics against values worked out by hand, and the whole path on simulated records."""

from __future__ import annotations

import copy
import json
import math
import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from hf_heartllm.data.record import Record
from hf_heartllm.ecg import STANDARD_LEADS, ECGError, simulate_ecg
from hf_heartllm.ecg.measurements import GlobalMeasurements, LeadMeasurements, Measurements
from hf_heartllm.evaluation.codec.coder import Coder, twelve_leads
from hf_heartllm.evaluation.codec.criteria import (
    cohen_kappa,
    cornell,
    low_limb_voltage,
    matched_beats,
    sokolow_lyon,
    st_verdicts,
)
from hf_heartllm.evaluation.codec.denoising import with_noise
from hf_heartllm.evaluation.codec.distortion import distortion, in_band
from hf_heartllm.evaluation.codec.evaluate import evaluate_codecs
from hf_heartllm.evaluation.codec.fidelity import Changes
from hf_heartllm.evaluation.codec.parts import Part, kept_part
from hf_heartllm.evaluation.codec.probes import ProbeInput, ProbeTraining, probe_scores, random_codec, train_probe
from hf_heartllm.evaluation.codec.rate_distortion import compared, rate_distortion
from hf_heartllm.evaluation.codec.rates import adaptive_bits, code_levels, codebook_bits, perplexity
from hf_heartllm.evaluation.codec.robustness import gain_error, shift_agreement
from hf_heartllm.evaluation.codec.settings import Settings
from hf_heartllm.evaluation.codec.targets import TARGETS, judged_columns, target_matrix
from hf_heartllm.evaluation.intervals import Bootstrap, ranked_area
from hf_heartllm.evaluation.results import Result
from hf_heartllm.models.configuration_ecg_codec import ECGCodecConfig
from hf_heartllm.models.configuration_paper_codec import PaperCodecConfig
from hf_heartllm.models.fsq import FiniteScalarQuantizer
from hf_heartllm.models.modeling_ecg_codec import ECGCodecModel
from hf_heartllm.models.modeling_paper_codec import PaperCodecModel
from tests.simulated_ptbxl import ptbxl_of_simulated
from tests.tiny import tiny_codec


@pytest.fixture(scope="module")
def coder() -> Coder:
    return Coder(tiny_codec(dilations=(1,)), "ours")


def test_distortion_of_a_hand_made_case():
    time = np.arange(1000) / 100
    wave = np.sin(2 * np.pi * time)
    original = np.stack([wave, 2 * wave + 5, np.zeros(1000), wave, np.full(1000, np.nan)])
    decoded = np.stack([0.5 * wave, 2 * wave - 3, wave, np.full(1000, np.nan), wave])
    found = distortion(original, decoded)
    # Half the amplitude leaves a quarter of the variance. An offset does not count. A lead decoded as missing is lost.
    assert found.relative_error == pytest.approx([0.25, 0, np.nan, 1, np.nan], abs=1e-12, nan_ok=True)
    assert found.prdn[0] == pytest.approx(50)
    assert found.snr[0] == pytest.approx(10 * math.log10(4))
    assert found.correlation[[0, 1, 3]] == pytest.approx([1, 1, 0])
    assert found.rmse[0] == pytest.approx(0.5 / math.sqrt(2))


def test_the_band_keeps_ten_hertz_and_removes_drift():
    time = np.arange(3000) / 100
    kept, drift = np.sin(2 * np.pi * 10 * time), np.sin(2 * np.pi * 0.05 * time)
    assert in_band(kept[None], 100)[0, 500:-500] == pytest.approx(kept[500:-500], abs=0.02)
    assert np.abs(in_band(drift[None], 100)[0, 500:-500]).max() < 0.01


def test_adaptive_bits_are_the_sum_over_symbols():
    symbols, contexts = [0, 0, 1, 0, 2, 2], [0, 0, 1, 1, 0, 1]
    for given in (None, contexts):
        seen: dict[tuple[int, int], int] = {}
        bits = 0.0
        for symbol, context in zip(symbols, given or [0] * 6, strict=True):
            total = sum(n for (c, _), n in seen.items() if c == context)
            bits -= math.log2((seen.get((context, symbol), 0) + 0.5) / (total + 1.5))
            seen[context, symbol] = seen.get((context, symbol), 0) + 1
        assert adaptive_bits(np.array(symbols), 3, None if given is None else np.array(given)) == pytest.approx(bits)


def test_a_predictable_sequence_costs_less_with_its_past():
    codes = np.tile([0, 5, 10, 15], 200)
    assert codebook_bits([codes], (4, 4), 0) == pytest.approx(2 * 2 * 800, rel=0.02)
    assert codebook_bits([codes], (4, 4), 1) < 110  # what learning eight certain successors costs


def test_levels_are_those_of_the_quantiser():
    levels = (8, 6, 5, 5)
    codes = torch.arange(1200)
    expected = FiniteScalarQuantizer(levels).codes_to_levels(codes).numpy()
    assert np.array_equal(code_levels(codes.numpy(), levels), expected)


def test_perplexity_of_even_and_uneven_use():
    assert perplexity(np.arange(64).repeat(3)) == pytest.approx(64)
    assert perplexity(np.zeros(9)) == pytest.approx(1)
    assert perplexity(np.array([0, 0, 0, 1])) == pytest.approx(4 / 3**0.75)


def measured(**leads: dict[str, float]) -> Measurements:
    return Measurements(GlobalMeasurements(), {name: LeadMeasurements(**values) for name, values in leads.items()})


def test_voltage_criteria():
    zero = {"q_mv": 0.0, "r_mv": 0.0, "s_mv": 0.0}
    large = measured(V1=zero | {"s_mv": -2.0}, V5=zero | {"r_mv": 1.4}, V6=zero | {"r_mv": 1.6})
    assert sokolow_lyon(large) is True
    assert sokolow_lyon(measured(V1=zero | {"s_mv": -2.0}, V5=zero | {"r_mv": 1.4}, V6=zero | {"r_mv": 1.4})) is False
    assert sokolow_lyon(measured(V1=zero | {"q_mv": -2.0}, V5=zero | {"r_mv": 1.4}, V6=zero | {"r_mv": 1.6})) is True
    assert sokolow_lyon(measured(V1=zero, V5=zero)) is None
    between = measured(aVL=zero | {"r_mv": 1.0}, V3=zero | {"s_mv": -1.4})
    assert (cornell(between, "male"), cornell(between, "female"), cornell(between, None)) == (False, True, None)
    limb = {name: zero | {"r_mv": 0.3, "s_mv": -0.15} for name in STANDARD_LEADS[:6]}
    assert low_limb_voltage(measured(**limb)) is True
    assert low_limb_voltage(measured(**limb | {"II": zero | {"r_mv": 0.4, "q_mv": -0.1}})) is False
    assert low_limb_voltage(measured(I=zero)) is None


def test_st_thresholds_differ_by_lead():
    same = {"st_j_mv": 0.15, "st_j60_mv": -0.06}
    assert st_verdicts(measured(II=same, V2=same)) == {"II": (True, True), "V2": (False, True)}


def test_kappa_and_beats():
    assert cohen_kappa([1, 1, 0, 0], [1, 0, 0, 0]) == pytest.approx(0.5)
    assert cohen_kappa([1, 0], [1, 0]) == 1
    assert cohen_kappa([0, 0], [0, 0]) is None
    assert matched_beats([1.0, 2.0, 3.0], [1.04, 2.2, 2.96, 4.0]) == 2
    assert matched_beats([1.0], [0.98, 1.02]) == 1
    assert matched_beats([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]) == 4
    assert matched_beats([1.0, 1.02, 1.04], [1.0, 1.02, 1.04]) == 3


def test_changes_count_what_cannot_be_measured_any_more():
    changes = Changes()
    before = Measurements(GlobalMeasurements(pr_ms=160, qrs_ms=90), {"I": LeadMeasurements(r_mv=1.0, s_mv=-0.5)})
    after = Measurements(GlobalMeasurements(pr_ms=None, qrs_ms=96), {"I": LeadMeasurements(r_mv=0.9, s_mv=-0.5)})
    changes.add(before, after, Record("1", "1", sex="male"))
    assert changes.rows["pr_ms there"] == [(False,)]
    assert changes.rows["qrs_ms there"] == [(True,)]
    assert changes.judged("qrs_ms", np.median).value == 6
    assert changes.judged("pr_ms", np.median) is None
    assert changes.judged("R", np.median).value == pytest.approx(0.1)


def test_noise_has_the_stated_strength():
    record = simulate_ecg(seed=1)[0]
    noisy = with_noise(record, "muscle noise", 10, seed=2)
    for lead in ("I", "V3"):
        clean, added = record.lead(lead), noisy.lead(lead) - record.lead(lead)
        assert 20 * math.log10(clean.std() / added.std()) == pytest.approx(10, abs=0.05)
    assert noisy.lead("III") == pytest.approx(noisy.lead("II") - noisy.lead("I"), abs=1e-5)


@pytest.mark.parametrize("codebooks", [1, 2])
def test_without_rounding_is_what_rounding_approximates(coder, codebooks):
    """With very many levels the quantised way comes near the unquantised one of its first codebook."""
    fine = Coder(
        ECGCodecModel(ECGCodecConfig(hidden_sizes=(8, 16), num_refinements=0, levels=(1023, 1023), dilations=(1,)))
    )
    features = coder.features(simulate_ecg(sampling_rate=100, seed=1)[0])
    with torch.no_grad():
        plain = fine.codec.reconstruct_unrounded(features, 1)
        shape = coder.codec.reconstruct_unrounded(features, codebooks).shape
    rounded = fine.codec(features).reconstruction
    assert (plain - rounded).abs().max() < 0.02 * rounded.std() + 1e-3
    assert shape == features.shape


def test_the_paper_preset_gets_the_amplitude_back():
    torch.manual_seed(0)
    sizes = {"encoder_hidden_size": 8, "decoder_hidden_size": 8}
    paper = Coder(PaperCodecModel(PaperCodecConfig(**sizes)), "paper")
    record = simulate_ecg(sampling_rate=100, seed=4)[0]
    shapes = torch.from_numpy(paper.extractor.extract(record))
    decoded = paper.to_record(shapes, record)  # as if the codec were perfect
    assert decoded.sampling_rate == 100
    middle = slice(50, -50)
    assert twelve_leads(decoded)[:, middle] == pytest.approx(twelve_leads(record)[:, middle], abs=0.05)


def test_the_local_codec_obeys_einthoven(coder):
    record = simulate_ecg(sampling_rate=250, seed=5)[0]
    decoded = coder.decode(coder.encode(record), record, 250)
    assert decoded.leads == STANDARD_LEADS
    assert decoded.lead("I") + decoded.lead("III") == pytest.approx(decoded.lead("II"), abs=1e-5)


def test_a_moved_window_keeps_its_codes_and_gain_error_is_relative(coder):
    assert shift_agreement(coder, 5) == 1
    record = simulate_ecg(sampling_rate=100, seed=6)[0]
    assert gain_error(coder, record, 1.0) == pytest.approx(0, abs=1e-6)
    as_it_is = SimpleNamespace(encode=lambda record: None, decode=lambda codes, record: record)
    assert gain_error(as_it_is, record, 0.5) == pytest.approx(0, abs=1e-6)


def test_a_weighted_area_is_the_area_of_the_repeated_rows():
    labels, scores = np.array([1, 0, 1, 0, 0], dtype=bool), np.array([0.9, 0.8, 0.4, 0.4, 0.1])
    area = ranked_area(labels, ~labels, scores)
    assert area(np.ones((1, 5)))[0] == pytest.approx((3 + 1.5) / 6)
    assert area(np.array([[1, 2, 1, 1, 0]]))[0] == pytest.approx((3 + 0.5) / 6)
    assert np.isnan(area(np.array([[0, 1, 0, 1, 1]]))[0])
    two = labels[:, None].repeat(2, 1) * [1, 0]
    found = Bootstrap([1, 1, 2, 2, 3], resamples=50).auroc(two, np.stack([scores, scores], axis=1)[None])
    assert judged_columns(two, [0, 1]) == 1
    assert found.value == pytest.approx(0.75)


def test_a_probe_reads_a_rule_from_codes():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 40, (256, 30))
    codes[:, ::2] -= codes[:, ::2] % 8  # level 0 of the first dimension, in half of the tokens
    labels = (rng.random(256) < 0.5).astype(np.float32)
    codes[labels == 1, ::3] = 39
    data = ProbeInput(codes, (8, 5))
    assert data.batch(np.array([0, 1])).sum(dim=1).eq(2).all()  # one level a dimension
    probe = train_probe(data, labels[:, None], seed=0, training=ProbeTraining(passes=3))
    scores = probe_scores(probe, data)[:, 0]
    assert roc_auc_score(labels, scores) > 0.95


def test_random_weights_are_those_of_their_seed(coder):
    features = [coder.features(simulate_ecg(seed=1)[0])]
    weights = {seed: next(random_codec(coder.config, features, seed).parameters()) for seed in (0, 1)}
    assert torch.equal(next(random_codec(coder.config, features).parameters()), weights[0])
    assert not torch.equal(weights[0], weights[1])


def test_parts_are_kept_and_made_anew_for_another_key(tmp_path):
    made = []

    def make() -> Part:
        made.append(1)
        return Part([Result("a", 1.5, (1.0, 2.0), "<= 2", "mV")], {"x": np.arange(3)})

    first = kept_part(tmp_path, "part", {"records": [1]}, make)
    again = kept_part(tmp_path, "part", {"records": [1]}, make)
    assert len(made) == 1
    assert again.figures == first.figures
    assert again.arrays["x"].tolist() == [0, 1, 2]
    kept_part(tmp_path, "part", {"records": [2]}, make)
    assert len(made) == 2
    (tmp_path / "part.json").unlink()  # as after a kill between the two files
    kept_part(tmp_path, "part", {"records": [2]}, make)
    assert len(made) == 3
    assert sorted(os.listdir(tmp_path)) == ["part.json", "part.npz"]


def test_records_and_targets_of_a_table(tmp_path):
    folder = ptbxl_of_simulated(tmp_path, 8)
    records = Settings(folder).records()
    assert [one.record_id for one in records] == ["1", "4", "5", "8"]
    assert [one.sex for one in records] == ["male", "female", "male", None]
    assert [bool(one.stated("noise")) for one in records] == [True, True, False, False]
    assert [one.record_id for one in Settings(folder, max_records=2).records()] == ["1", "5"]
    matrix = target_matrix(records)
    assert matrix[:, TARGETS.index("superclass NORM")].tolist() == [1, 0, 1, 0]
    assert matrix[:, TARGETS.index("listed atrial fibrillation")].tolist() == [0, 1, 0, 1]
    assert matrix[:, TARGETS.index("listed complete right bundle branch block")].tolist() == [0, 1, 0, 1]


def test_rate_distortion_adds_up(coder, tmp_path):
    records = Settings(ptbxl_of_simulated(tmp_path, 4)).records()
    part = rate_distortion(coder, records)
    found = {figure.name: figure.value for figure in part.figures}
    assert part.arrays["codes"].shape == (2, 2 * 125)
    assert found["1 codebook (128 bit/s): rate, fixed length"] == pytest.approx(127.9, abs=0.05)
    errors = part.arrays["relative_error 2"]
    assert found["2 codebooks (323 bit/s): relative squared error"] == pytest.approx(errors.mean())
    assert found["codebook 1 of 1200 codes: share in use"] == len(np.unique(part.arrays["codes"][0])) / 1200
    levels = coder.config.codebook_levels
    for order in (0, 1):
        bits = 0.0
        for count, label in enumerate(("1 codebook (128 bit/s)", "2 codebooks (323 bit/s)")):
            bits += codebook_bits(np.split(part.arrays["codes"][count], 2), levels[count], order)
            name = f"{label}: rate, entropy-coded, order {order}"
            assert found[name] == pytest.approx(bits / 20)  # two recordings of 10 s
            (told,) = [figure.data for figure in part.figures if figure.name == name]
            assert ("one token before" in told) == (order == 1)
    for count, size in enumerate(map(math.prod, levels)):
        used = perplexity(part.arrays["codes"][count])
        assert found[f"codebook {count + 1} of {size} codes: perplexity"] == pytest.approx(used)
        assert found[f"codebook {count + 1} of {size} codes: perplexity over size"] == pytest.approx(used / size)
    targets = {figure.name: figure.target for figure in part.figures if figure.target}
    assert targets == {"codebook 1 of 1200 codes: perplexity over size": ">= 0.6"}  # refinements may be uneven


def test_recordings_that_cannot_be_encoded_are_counted(coder):
    short = simulate_ecg(sampling_rate=100, seed=1)[0]
    short = replace(short, signal=short.signal[:, :20])
    whole = [Record(str(seed), "1", signal=simulate_ecg(sampling_rate=100, seed=seed)[0]) for seed in (2, 3)]
    part = rate_distortion(coder, [Record("a", "2", signal=short), *whole, Record("b", "2", signal=short)])
    assert (part.figures[0].name, part.figures[0].value) == ("recordings that could not be encoded", 2)
    assert part.arrays["record_id"].tolist() == ["2", "3"]
    assert not any("could not" in figure.name for figure in rate_distortion(coder, whole).figures)
    with pytest.raises(ECGError, match="none of 1 recordings"):
        rate_distortion(coder, [Record("a", "2", signal=short)])


def test_two_codecs_are_compared_on_the_recordings_of_both():
    def part(errors: dict[str, float], codebooks: int) -> Part:
        values = np.array(list(errors.values()))
        measures = {f"relative_error {codebooks}": values, f"prdn {codebooks}": 10 * values**0.5}
        return Part([], {"record_id": np.array(list(errors)), "patient": np.arange(len(errors)), **measures})

    ours, other = part({"a": 0.1, "b": 0.3, "c": 9.0}, 2), part({"d": 7.0, "b": 0.6, "a": 0.2}, 1)
    error, prdn = compared(ours, other, 2)
    assert error.value == pytest.approx(0.5)
    assert prdn.value == pytest.approx(0.5**0.5)
    assert error.interval == pytest.approx((0.5, 0.5))
    assert error.name == "relative squared error, 2 codebooks over the other codec's"
    with pytest.raises(ValueError, match="different recordings"):
        compared(ours, part({"d": 7.0}, 1), 2)


@pytest.mark.slow
def test_the_whole_evaluation_on_simulated_records(coder, tmp_path):
    folder = ptbxl_of_simulated(tmp_path / "data", 12)
    table = pd.read_csv(folder / "ptbxl_database.csv", dtype=str)
    table["patient_id"] = table["ecg_id"]  # no patient crosses folds
    table.to_csv(folder / "ptbxl_database.csv", index=False)
    other = Coder(tiny_codec(dilations=(1,)), "other")
    settings = Settings(
        folder, training_folds=(1,), measured_records=2, tried_records=2, probe_passes=1, probe_seeds=1, progress=False
    )
    figures = evaluate_codecs(coder, other, settings, tmp_path / "parts").figures
    names = [figure.name for figure in figures]
    assert len(set(names)) == len(names)
    assert all(math.isfinite(figure.value) for figure in figures)
    values = {figure.name: figure.value for figure in figures}
    assert values["ours against other: relative squared error, 2 codebooks over the other codec's"] == pytest.approx(1)
    assert values["ours: robustness: moved by 10 tokens: codes that stay"] == 1
    assert values["ours: robustness: two threads: codes that change"] == 0
    kept = sorted((tmp_path / "parts").rglob("*.json"))
    stamps = [os.stat(path).st_mtime_ns for path in kept]
    again = evaluate_codecs(coder, other, settings, tmp_path / "parts").figures
    assert repr(again) == repr(figures)  # an interval of one patient is not a number, which equals nothing
    assert [os.stat(path).st_mtime_ns for path in kept] == stamps
    assert all("key" in json.loads(path.read_text()) for path in kept)

    other_weights = copy.deepcopy(coder.codec)  # the same layers: what stands beside its codes is measured already
    with torch.no_grad():
        next(other_weights.encoder.parameters()).mul_(1.5)
    settings = replace(settings, skip=("rate-distortion", "fidelity", "robustness", "denoising"))
    evaluate_codecs(Coder(other_weights, "ours"), None, settings, tmp_path / "parts")
    assert {
        path.parent.name
        for path, stamp in zip(kept, stamps, strict=True)
        if os.stat(path).st_mtime_ns != stamp and path.name.startswith(("probe", "codes"))
    } == {"ours"}
