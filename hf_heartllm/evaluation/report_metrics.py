"""BLEU, METEOR and ROUGE of generated reports, every variant under a name of its own.

Papers print one word, "BLEU-4", for figures that differ by a factor. Here the convention is part of the name: the
HeartLLM authors' (averages over reports, whitespace tokens) and the standard ones (corpus BLEU of sacrebleu, ROUGE of
rouge-score).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..labels.stated_findings import StatedFindings, stated_findings
from .intervals import Bootstrap, Resampled
from .libraries import library
from .metrics import Metric
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
class Reports:
    """Reports beside the true ones, and beside the labels of their records.

    Attributes:
        predictions: the reports of the model; an empty one scores 0.
        references: the true reports.
        labels: SCP codes of each record.
        synonyms: from `hf_heartllm.evaluation.wordnet.find_wordnet`, for METEOR.
    """

    predictions: Sequence[str]
    references: Sequence[str]
    labels: Sequence[Collection[str]]
    synonyms: Synonyms = NO_SYNONYMS

    def __post_init__(self) -> None:
        if not len(self.predictions) == len(self.references) == len(self.labels):
            counts = f"{len(self.references)} references and {len(self.labels)} labels"
            raise ValueError(f"{len(self.predictions)} reports but {counts}")

    @cached_property
    def stated(self) -> list[StatedFindings]:
        """The findings of each report."""
        return [stated_findings(report) for report in self.predictions]

    @cached_property
    def scores(self) -> dict[tuple[str, str], np.ndarray]:
        """`row_scores` of them."""
        return row_scores(self.predictions, self.references, self.synonyms)

    @cached_property
    def bleu_counts(self) -> dict[str, np.ndarray]:
        """What corpus BLEU sums, by convention."""
        return {name: _bleu_counts(self.predictions, self.references, one) for name, one in _CORPUS_BLEU.items()}


def report_metrics(reports: Reports) -> list[Metric[Reports]]:
    """Every variant, its convention in brackets: averages over reports, then corpus BLEU; all between 0 and 1.

    Args:
        reports: any, whose synonyms say which variants of METEOR there are.
    """
    averages = {f"{metric} ({convention})": _mean((metric, convention)) for metric, convention in reports.scores}
    corpus = {
        f"BLEU-{order} ({convention})": _corpus_bleu(convention, order)
        for convention in _CORPUS_BLEU
        for order in range(1, 5)
    }
    return [Metric(name, measure, margins=True) for name, measure in {**averages, **corpus}.items()]


def _mean(name: tuple[str, str]) -> Callable[[Reports, Bootstrap], Resampled]:
    return lambda reports, bootstrap: bootstrap.mean(reports.scores[name])


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


def _bleu_counts(predictions: Sequence[str], references: Sequence[str], options: dict[str, Any]) -> np.ndarray:
    """What corpus BLEU sums: matched and all n-grams of order 1 to 4, the two lengths; float64 (reports, 10)."""
    bleu = library("sacrebleu").BLEU(force=True, **options)
    scores = [
        bleu.corpus_score([prediction], [[reference]])
        for prediction, reference in zip(predictions, references, strict=True)
    ]
    return np.array([[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in scores], dtype=float)


def _corpus_bleu(convention: str, order: int) -> Callable[[Reports, Bootstrap], Resampled]:
    bleu, method = library("sacrebleu").BLEU, _CORPUS_BLEU[convention].get("smooth_method", "exp")

    def values(sums: np.ndarray) -> np.ndarray:
        return np.array(
            [
                bleu.compute_bleu(
                    row[:order], row[4 : 4 + order], row[8], row[9], smooth_method=method, max_ngram_order=order
                ).score
                / 100
                for row in np.rint(sums).astype(int).tolist()
            ]
        )[:, None]

    return lambda reports, bootstrap: bootstrap.sums(reports.bleu_counts[convention], values)[0]
