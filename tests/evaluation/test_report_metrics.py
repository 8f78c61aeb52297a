from __future__ import annotations

import json
from pathlib import Path

import pytest
import sacrebleu
from nltk.translate.bleu_score import corpus_bleu

from hf_heartllm.evaluation import libraries
from hf_heartllm.evaluation.intervals import Bootstrap, Interval
from hf_heartllm.evaluation.libraries import MissingLibraryError
from hf_heartllm.evaluation.report_metrics import Reports, report_metrics, row_scores
from hf_heartllm.evaluation.wordnet import NO_SYNONYMS, find_wordnet

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "heartllm_metrics.json").read_text(encoding="utf-8"))
PAIRS = GOLDEN["text_metrics"]["pairs"]
PREDICTIONS, REFERENCES = [pair["prediction"] for pair in PAIRS], [pair["reference"] for pair in PAIRS]
EXACT_AND_STEM = "authors; matches: exact, stem"


def little_wordnet(folder: Path) -> Path:
    """A WordNet of two sets of synonyms, in the format of the real one, without `lexnames` as Debian has it."""
    header = "  1 WordNet 3.0 Copyright: of four words, written for this test\n"
    lines = {"quick": "fast 0 quick 0", "large": "big 0 large 0"}
    data, index = header, header
    for words in lines.values():
        offset = len(data)
        data += f"{offset:08} 00 a 02 {words} 000 | a gloss\n"
        names = words.split()[::2]
        index += "".join(f"{name} a 1 0 1 0 {offset:08}\n" for name in sorted(names))
    for part in ("noun", "verb", "adj", "adv"):
        (folder / f"data.{part}").write_text(data if part == "adj" else header, encoding="utf-8")
        (folder / f"index.{part}").write_text(index if part == "adj" else header, encoding="utf-8")
        (folder / f"{part}.exc").touch()
    return folder


def measured(predictions, references, resamples: int = 20) -> dict[str, Interval]:
    reports = Reports(predictions, references, [()] * len(predictions))
    bootstrap = Bootstrap(range(len(predictions)), resamples=resamples)
    return {metric.name: metric.measure(reports, bootstrap).interval() for metric in report_metrics(reports)}


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    return row_scores(PREDICTIONS, REFERENCES, find_wordnet(little_wordnet(tmp_path_factory.mktemp("wordnet"))))


def test_the_authors_convention_is_the_golden_one_pair_by_pair(scores):
    for index, pair in enumerate(PAIRS):
        for order in range(1, 5):
            assert scores[f"BLEU-{order}", "authors"][index] == pytest.approx(pair[f"bleu{order}"], abs=1e-6)
        for kind, values in pair["rouge"].items():
            for key, word in (("f", "F"), ("p", "precision"), ("r", "recall")):
                assert scores[f"{kind.upper()} {word}", "authors"][index] == pytest.approx(values[key], abs=1e-6)
        assert scores["METEOR", EXACT_AND_STEM][index] == pytest.approx(pair["meteor_without_synonyms"], abs=1e-6)
        # The only synonyms of the golden pairs are the four words of the little WordNet.
        assert scores["METEOR", f"{EXACT_AND_STEM}, WordNet 3.0"][index] == pytest.approx(pair["meteor"], abs=1e-6)


def test_the_golden_means(scores):
    mean = GOLDEN["text_metrics"]["mean"]
    assert scores["BLEU-4", "authors"].mean() == pytest.approx(mean["bleu4"], abs=1e-6)
    assert scores["ROUGE-L F", "authors"].mean() == pytest.approx(mean["rouge"]["rouge-l"]["f"], abs=1e-6)
    assert scores["METEOR", f"{EXACT_AND_STEM}, WordNet 3.0"].mean() == pytest.approx(mean["meteor"], abs=1e-6)


def test_meteor_with_the_wordnet_of_this_machine():
    synonyms = find_wordnet()
    if not synonyms.name:
        pytest.skip("no WordNet on this machine (set WNSEARCHDIR)")
    found = row_scores(PREDICTIONS, REFERENCES, synonyms)["METEOR", f"{EXACT_AND_STEM}, {synonyms.name}"]
    assert found == pytest.approx([pair["meteor"] for pair in PAIRS], abs=1e-6)


def test_without_wordnet_meteor_says_so(monkeypatch, tmp_path):
    with pytest.raises(FileNotFoundError, match="no WordNet"):
        find_wordnet(tmp_path)
    names = [convention for metric, convention in row_scores(["a"], ["a"], NO_SYNONYMS) if metric == "METEOR"]
    assert names == [EXACT_AND_STEM, "wordpunct tokens; matches: exact, stem"]


def test_corpus_bleu_is_that_of_the_libraries():
    # Reports of four words and more: of shorter ones nltk counts one n-gram too many.
    long = [(p, r) for p, r in zip(PREDICTIONS, REFERENCES, strict=True) if len(p.split()) >= 4]
    assert len(long) >= 9
    predictions, references = zip(*long, strict=True)
    found = measured(predictions, references)
    for order in range(1, 5):
        for name, lower in (("sacrebleu", False), ("sacrebleu, lower case", True)):
            bleu = sacrebleu.BLEU(max_ngram_order=order, lowercase=lower)
            expected = bleu.corpus_score(predictions, [references]).score / 100
            assert found[f"BLEU-{order} ({name})"].value == pytest.approx(expected)
        tokens = [[reference.split()] for reference in references], [prediction.split() for prediction in predictions]
        expected = corpus_bleu(*tokens, weights=[1 / order] * order)
        assert found[f"BLEU-{order} (corpus, whitespace tokens, unsmoothed)"].value == pytest.approx(expected)
    interval = found["BLEU-4 (authors)"]
    assert interval.low < interval.value < interval.high


def test_rouge_score_by_hand():
    found = row_scores(["normal rhythms"], ["normal rhythm"])
    assert found["ROUGE-1 F", "rouge-score"][0] == 0.5
    assert found["ROUGE-1 F", "rouge-score, stemmed"][0] == 1


def test_degenerate_input_is_defined():
    found = measured(["", "."], ["sinus rhythm", "normal ecg"], 10)
    assert {interval.value for interval in found.values()} == {0}
    for predictions, references in ((["a"], [" "]), (["a", "b"], ["a"])):
        with pytest.raises(ValueError, match="reference"):
            row_scores(predictions, references)


def test_a_missing_library_is_one_clear_line(monkeypatch):
    def absent(name):
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(libraries, "import_module", absent)
    with pytest.raises(MissingLibraryError, match=r"rouge-score is not installed: pip install 'hf_heartllm\[eval\]'"):
        row_scores(["a"], ["a"])
