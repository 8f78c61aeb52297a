"""BLEU, METEOR and ROUGE of generated reports, every variant under a name of its own.

Papers print one word, "BLEU-4", for figures that differ by a factor. Here the convention is part of the name: the
HeartLLM authors' (averages over reports, whitespace tokens) and the standard ones (corpus BLEU of sacrebleu, ROUGE of
rouge-score).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .intervals import Interval, Resampled, resample_sums
from .libraries import library
from .wordnet import NO_SYNONYMS, Synonyms

AUTHORS = "authors"
"""The convention of the public HeartLLM code."""

_BLEU_WEIGHTS = ((1.0,), (0.5, 0.5), (0.33, 0.33, 0.33), (0.25, 0.25, 0.25, 0.25))  # the third sums to 0.99, as there
_CORPUS_BLEU: dict[str, dict[str, Any]] = {
    "sacrebleu": {},
    "sacrebleu, lower case": {"lowercase": True},
    "corpus, whitespace tokens, unsmoothed": {"tokenize": "none", "smooth_method": "none"},
}


@dataclass(frozen=True)
class ReportFigure:
    """One metric over all reports, between 0 and 1.

    Attributes:
        metric: such as `"BLEU-4"`.
        convention: how it was computed, such as `"authors"` or `"sacrebleu"`.
        interval: its value with the interval by patient.
    """

    metric: str
    convention: str
    interval: Interval

    @property
    def name(self) -> str:
        """Metric and convention, which belong together."""
        return f"{self.metric} ({self.convention})"


def authors_bleu(prediction: str, reference: str) -> tuple[float, ...]:
    """BLEU-1 to BLEU-4 of one report: nltk's sentence BLEU, smoothing method 1, tokens split at whitespace."""
    bleu = library("nltk.translate.bleu_score")
    smoothing = bleu.SmoothingFunction().method1
    references, tokens = [reference.split()], prediction.split()
    return tuple(
        float(bleu.sentence_bleu(references, tokens, weights=weights, smoothing_function=smoothing))
        for weights in _BLEU_WEIGHTS
    )


def meteor(prediction: Sequence[str], reference: Sequence[str], synonyms: Synonyms = NO_SYNONYMS) -> float:
    """METEOR of one report's tokens with nltk's settings: lower case, exact and Porter-stem matches, then synonyms."""
    score = library("nltk.translate.meteor_score").single_meteor_score
    return float(score(reference, prediction, wordnet=synonyms.reader)) if prediction else 0.0


def authors_rouge(prediction: str, reference: str) -> dict[str, float]:
    """ROUGE-1, -2 and -L of one report with the package `rouge`: F, precision and recall; zeros for an empty one.

    The package takes what full stops part for sentences, and it cares for case.
    """
    rouge = library("rouge")
    words = {"f": "F", "p": "precision", "r": "recall"}
    kinds = ("rouge-1", "rouge-2", "rouge-l")
    if not prediction.replace(".", " ").strip() or not reference.replace(".", " ").strip():
        return {f"{kind.upper()} {word}": 0.0 for kind in kinds for word in words.values()}
    try:
        found = rouge.Rouge().get_scores(prediction, reference)[0]
    except RecursionError:
        raise ValueError("the package rouge cannot compare reports of many hundred words") from None
    return {f"{kind.upper()} {word}": float(found[kind][key]) for kind in kinds for key, word in words.items()}


def row_scores(
    predictions: Sequence[str], references: Sequence[str], synonyms: Synonyms = NO_SYNONYMS
) -> dict[tuple[str, str], np.ndarray]:
    """All metrics that are averages over reports: (metric, convention) → float64 (reports,).

    METEOR's convention names its matchers; with synonyms it stands there with and without them.

    Raises:
        ValueError: if the lengths differ or a reference is empty.
        MissingLibraryError: without the libraries of the extra `eval`.
    """
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} reports but {len(references)} references")
    scorers = {
        stemmed: library("rouge_score.rouge_scorer").RougeScorer(
            ["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=stemmed
        )
        for stemmed in (False, True)
    }
    split_punctuation = library("nltk.tokenize").wordpunct_tokenize
    tokenizers: dict[str, Callable[[str], list[str]]] = {AUTHORS: str.split, "wordpunct tokens": split_punctuation}
    sources = [NO_SYNONYMS, synonyms] if synonyms.name else [NO_SYNONYMS]
    rows: list[dict[tuple[str, str], float]] = []
    for index, (prediction, reference) in enumerate(zip(predictions, references, strict=True)):
        if not reference.strip():
            raise ValueError(f"report {index + 1}: its reference is empty")
        row = {
            (f"BLEU-{order}", AUTHORS): value
            for order, value in enumerate(authors_bleu(prediction, reference), start=1)
        }
        for words, tokenize in tokenizers.items():
            for source in sources:
                matchers = ", ".join(filter(None, ["exact", "stem", source.name]))
                tokens = tokenize(prediction), tokenize(reference)
                row["METEOR", f"{words}; matches: {matchers}"] = meteor(*tokens, source)
        row.update({(metric, AUTHORS): value for metric, value in authors_rouge(prediction, reference).items()})
        for stemmed, scorer in scorers.items():
            convention = "rouge-score, stemmed" if stemmed else "rouge-score"
            for kind, score in scorer.score(reference, prediction).items():
                row[f"{kind.replace('rouge', 'ROUGE-')} F", convention] = float(score.fmeasure)
        rows.append(row)
    return {name: np.array([row[name] for row in rows]) for name in (rows[0] if rows else ())}


def report_figures(
    predictions: Sequence[str],
    references: Sequence[str],
    patients: Sequence[str],
    *,
    synonyms: Synonyms = NO_SYNONYMS,
    resamples: int = 2000,
    seed: int = 0,
) -> list[ReportFigure]:
    """Every variant with its interval by patient: the figures of `resampled_reports`.

    Raises:
        ValueError: if there are no reports, the lengths differ or a reference is empty.
        MissingLibraryError: without the libraries of the extra `eval`.
    """
    found = resampled_reports(predictions, references, patients, synonyms=synonyms, resamples=resamples, seed=seed)
    return [ReportFigure(*name, one.interval()) for name, one in found.items()]


def resampled_reports(
    predictions: Sequence[str],
    references: Sequence[str],
    patients: Sequence[str],
    *,
    synonyms: Synonyms = NO_SYNONYMS,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[tuple[str, str], Resampled]:
    """Every variant by metric and convention: averages over reports, then corpus BLEU.

    Args:
        predictions: the reports of the model; an empty one scores 0.
        references: the true reports.
        patients: of each report; the reports of one patient are resampled together.
        synonyms: from `hf_heartllm.evaluation.wordnet.find_wordnet`.
        resamples: number of bootstrap samples.
        seed: of the draws.

    Raises:
        ValueError: if there are no reports, the lengths differ or a reference is empty.
        MissingLibraryError: without the libraries of the extra `eval`.
    """
    scores = row_scores(predictions, references, synonyms)
    columns = np.column_stack([np.ones(len(predictions)), *scores.values()])
    settings = {"resamples": resamples, "seed": seed}
    means = resample_sums(columns, patients, lambda sums: sums[:, 1:] / sums[:, :1], **settings)
    found = dict(zip(scores, means, strict=True))
    for convention, options in _CORPUS_BLEU.items():
        counts = _bleu_counts(predictions, references, options)
        orders = resample_sums(counts, patients, _corpus_bleu(options), **settings)
        found |= {(f"BLEU-{order}", convention): one for order, one in enumerate(orders, start=1)}
    return found


def _bleu_counts(predictions: Sequence[str], references: Sequence[str], options: dict[str, Any]) -> np.ndarray:
    """What corpus BLEU sums: matched and all n-grams of order 1 to 4, the two lengths; float64 (reports, 10)."""
    bleu = library("sacrebleu").BLEU(force=True, **options)
    scores = [
        bleu.corpus_score([prediction], [[reference]])
        for prediction, reference in zip(predictions, references, strict=True)
    ]
    return np.array([[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in scores], dtype=float)


def _corpus_bleu(options: dict[str, Any]) -> Callable[[np.ndarray], np.ndarray]:
    bleu = library("sacrebleu").BLEU
    method = options.get("smooth_method", "exp")

    def values(sums: np.ndarray) -> np.ndarray:
        rows = np.rint(sums).astype(int).tolist()
        return np.array(
            [
                [
                    bleu.compute_bleu(
                        row[:order], row[4 : 4 + order], row[8], row[9], smooth_method=method, max_ngram_order=order
                    ).score
                    / 100
                    for order in range(1, 5)
                ]
                for row in rows
            ]
        )

    return values
