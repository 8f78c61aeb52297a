"""What a language model that reads ECGs keeps of its base's knowledge, and how it takes words that were not trained.

    python benchmarks/language_skills.py --model FOLDER --ptbxl DIR --tokens TOKENS --questions fold9.parquet

Four models are compared: the untouched base, the model with its adapter off, with it on for every text, and as it is
loaded, when its base answers texts without an ECG. Perplexity is of 20,000 words of Python's language reference, which
every Python brings and which has nothing to do with ECGs. General questions (`questions/general.txt`), questions that
no ECG answers (`questions/unanswerable.tsv`) and wordings (`questions/wordings.tsv`) were none of them trained on.
Records are of fold 9. Writes benchmarks/results/language.json.
"""

from __future__ import annotations

import argparse
import csv
import math
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from tqdm import tqdm

import hf_heartllm as hl
from hf_heartllm.arguments import add_options, given_options, settings_of
from hf_heartllm.data.record import Record
from hf_heartllm.data.sources import open_records
from hf_heartllm.evaluation.intervals import Bootstrap, Resampled
from hf_heartllm.evaluation.question_file import read_questions
from hf_heartllm.evaluation.results import Result, current_commit, machine_words, write_results
from hf_heartllm.hashes import sha256_of
from hf_heartllm.inference import Prompt, load_answerer, read_stored_ecgs
from hf_heartllm.labels.scp import SUPERCLASSES
from hf_heartllm.models.base_model import BaseModel, find_base
from hf_heartllm.models.checkpoint_files import find_checkpoint
from hf_heartllm.models.ecg_answerer import TokenAnswerer

HERE = Path(__file__).resolve().parent
QUESTIONS = HERE / "questions"
RESULTS = HERE / "results" / "language.json"
FOLD = 9
WORDS = 20_000
WINDOW = 512
"""Tokens that perplexity is measured on at once."""
ANSWER_TOKENS = 32
REFUSAL = re.compile(r"can(?:'|no)t be answered from an ECG|cannot be answered from an ECG", re.IGNORECASE)
SKILLS = ("text", "refusals", "wordings")
POSITIVE = 0.3
"""Share of records with the finding among those that a wording is asked about, where so many are there."""


@dataclass(frozen=True)
class Settings:
    """What is measured; the options of this program are these fields.

    Attributes:
        model: checkpoint folder, or an embedded checkpoint's name.
        ptbxl: folder of PTB-XL.
        tokens: its ECG tokens, of dataset_builders.ecg_tokens.
        questions: questions on fold 9, of dataset_builders.evaluation_questions.
        base: the untouched language model; where None, where the checkpoint's base lies.
        records: of fold 9, for the questions of its own set; drawn.
        skills: what of it, with commas: text, refusals, wordings.
        wording_records: that each wording is asked about, three tenths of them with the finding.
        dtype: of the weights; half precision is faster on some processors, and is named in the result.
        output: file of results.
    """

    model: Path
    ptbxl: Path
    tokens: Path
    questions: Path
    base: Path | None = None
    records: int = 200
    skills: tuple[str, ...] = SKILLS
    wording_records: int = 200
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    output: Path = RESULTS


def plain_text(words: int = WORDS) -> str:
    """Paragraphs of Python's language reference, without code and headings, up to so many words."""
    from pydoc_data.topics import topics

    kept: list[str] = []
    count = 0
    for name in sorted(topics):
        for paragraph in topics[name].split("\n\n"):
            lines = paragraph.splitlines()
            text = " ".join(line.strip() for line in lines)
            if (
                len(text.split()) < 20
                or any(line.startswith("   ") for line in lines)
                or "::" in text
                or "*" in text[:2]
            ):
                continue
            kept.append(text)
            count += len(text.split())
            if count >= words:
                return "\n\n".join(kept)
    raise ValueError(f"Python's topics hold {count} words of plain text, fewer than {words}")


@torch.no_grad()
def perplexity(model: Any, ids: Sequence[int]) -> float:
    """Perplexity of a text, which is read in windows.

    It is over the model's whole vocabulary: what ECG tokens take from text counts against the model.

    Args:
        model: a causal language model.
        ids: of the text.
    """
    losses = []
    for start in tqdm(range(0, len(ids) - 1, WINDOW), desc="perplexity", unit="window", leave=False):
        window = torch.tensor([list(ids[start : start + WINDOW + 1])])
        logits = model(input_ids=window[:, :-1], use_cache=False).logits[0].float()
        losses.append(torch.nn.functional.cross_entropy(logits, window[0, 1:], reduction="none").numpy())
    return float(math.exp(np.concatenate(losses).mean()))


@torch.no_grad()
def greedy(model: Any, rows: Sequence[Sequence[int]], end: int, tokens: int = ANSWER_TOKENS) -> list[list[int]]:
    """Greedy continuations, one row at a time, without the end token."""
    written = []
    for row in tqdm(rows, desc="answers", unit="question", leave=False):
        ids = torch.tensor([list(row)])
        out = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False, pad_token_id=end
        )
        answer = out[0, len(row) :].tolist()
        written.append(answer[: answer.index(end)] if end in answer else answer)
    return written


def chat_ids(tokenizer: Any, question: str, ecg: Sequence[int] | None = None) -> list[int]:
    """A question by the chat template, behind an ECG or without one."""
    content: Any = question
    if ecg is not None:
        content = [{"type": "ecg", "ecg": list(ecg)}, {"type": "text", "text": f" {question}"}]
    chat = [{"role": "user", "content": content}]
    return list(tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"])


def answered(name: str, hits: Sequence[bool], data: str) -> tuple[str, Resampled, str]:
    """A share of questions with its interval over them."""
    return name, Bootstrap(np.arange(len(hits))).mean(np.array(hits, dtype=float)), data


class Measured:
    """The models and fold 9's records.

    Args:
        settings: what is measured.
    """

    def __init__(self, settings: Settings) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        folder, dtype = find_checkpoint(settings.model), getattr(torch, settings.dtype)
        config = hl.HeartLLMConfig.from_pretrained(folder)
        reference = config.base_model
        if reference is None and settings.base is None:
            raise ValueError(f"{settings.model} holds whole weights: name its base with --base")
        base = find_base(BaseModel(**reference), settings.base) if reference else str(settings.base)
        self.answerer = load_answerer(settings.model, dtype=dtype)
        self.base = AutoModelForCausalLM.from_pretrained(base, dtype=dtype).eval()
        self.base_tokenizer = AutoTokenizer.from_pretrained(base)
        if not isinstance(self.answerer, TokenAnswerer):
            raise ValueError(f"{settings.model}: a checkpoint that reads ECG tokens is measured here")
        self.model, self.tokenizer = self.answerer.model, self.answerer.tokenizer
        self.always = self.model.reading_alone()
        self.off = self.model
        if reference:
            self.off = hl.HeartLLMForCausalLM.base_of(folder, base_model=base, dtype=dtype)
        self.ecgs = read_stored_ecgs(self.answerer, settings.tokens)
        records = [one for one in open_records(settings.ptbxl) if one.fold == FOLD]
        asked = read_questions(settings.questions, records).asked
        self.asked = [one for one in asked if one.record_id in self.ecgs]
        if not self.asked:
            raise ValueError(f"{settings.questions}: no question is about a record of fold {FOLD} in {settings.tokens}")
        self.wording_records = settings.wording_records
        drawn = np.random.default_rng(0).permutation(len(self.asked))[: settings.records]
        self.drawn = [self.asked[index] for index in sorted(drawn)]

    def ecg_ids(self, record_id: str) -> list[int]:
        """The ECG tokens of a record, with start and end."""
        (window,) = self.ecgs[record_id].readable
        return [self.tokenizer.ecg_start_token_id, *window.ecg, self.tokenizer.ecg_end_token_id]

    def text_skills(self) -> Iterator[tuple[str, Resampled, str]]:
        """Perplexity and answers of the untouched base, with the adapter off and on, and of the model as loaded."""
        text = plain_text()
        ids = self.base_tokenizer(text)["input_ids"]
        data = f"{len(text.split())} words of Python's language reference, sha256 {sha256_of(text)[:12]}"
        models = {
            "untouched base": self.base, "adapter off": self.off, "adapter on": self.always, "as loaded": self.model,
        }  # fmt: skip
        found = {name: perplexity(model, ids) for name, model in models.items()}
        windows = Bootstrap(np.arange(math.ceil(len(ids) / WINDOW)))
        for name, value in found.items():
            yield f"perplexity of plain English, {name}", windows.without_samples(value), data
        for name, words in (("adapter on", "with the adapter"), ("as loaded", "as loaded")):
            rise = found[name] / found["untouched base"] - 1
            yield f"perplexity {words} over the base's, less 1", windows.without_samples(rise), data
        general = (QUESTIONS / "general.txt").read_text(encoding="utf-8").splitlines()
        end = self.tokenizer.eos_token_id
        asked = [chat_ids(self.tokenizer, question) for question in general]
        answers = {name: greedy(model, asked, end) for name, model in models.items()}
        words = f"{len(general)} general questions, greedy, the first {ANSWER_TOKENS} tokens"
        for name in ("adapter off", "adapter on", "as loaded"):
            same = [one == two for one, two in zip(answers["untouched base"], answers[name], strict=True)]
            yield answered(f"answers equal to the base's to the letter, no ECG, {name}", same, words)
        shared = [_shared(one, two) for one, two in zip(answers["untouched base"], answers["adapter on"], strict=True)]
        yield "tokens before the first difference, share, no ECG, adapter on", _mean(shared), words
        behind = [self.ecg_ids(self.drawn[i % len(self.drawn)].record_id) for i in range(len(general))]
        with_ecg = [chat_ids(self.tokenizer, question, ecg) for question, ecg in zip(general, behind, strict=True)]
        written = greedy(self.model, with_ecg, end)
        same = [one == two for one, two in zip(answers["untouched base"], written, strict=True)]
        yield answered("answers equal to the base's to the letter, behind an ECG", same, words)
        same_words = [
            _same_words(self.tokenizer.decode(one), self.tokenizer.decode(two))
            for one, two in zip(answers["untouched base"], written, strict=True)
        ]
        yield "words in common with the base's answer (F1), behind an ECG", _mean(same_words), words
        for question, one, two in list(zip(general, answers["untouched base"], written, strict=True))[:8]:
            print(f"  {question}\n    base: {self.tokenizer.decode(one)!r}\n    ours: {self.tokenizer.decode(two)!r}")

    def refusals(self) -> Iterator[tuple[str, Resampled, str]]:
        """Questions that no ECG answers, and those of fold 9 that were declined all the same."""
        end = self.tokenizer.eos_token_id
        path = QUESTIONS / "unanswerable.tsv"
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"))
        behind = [self.ecg_ids(self.drawn[i % len(self.drawn)].record_id) for i in range(len(rows))]
        asked = [chat_ids(self.tokenizer, row["question"], ecg) for row, ecg in zip(rows, behind, strict=True)]
        said = [self.tokenizer.decode(one) for one in greedy(self.model, asked, end)]
        refused = [bool(REFUSAL.search(text)) for text in said]
        for row, text, right in zip(rows, said, refused, strict=True):
            if not right:
                print(f"  not declined: {row['question']!r}: {text!r}")
        yield answered(
            "declined what no ECG answers", refused, f"{len(rows)} questions of topics that were not trained"
        )
        drawn = np.random.default_rng(1)
        pairs = [(one, one.questions[drawn.integers(len(one.questions))]) for one in self.drawn]
        asked = [chat_ids(self.tokenizer, question.text, self.ecg_ids(one.record_id)) for one, question in pairs]
        said = [self.tokenizer.decode(one) for one in greedy(self.model, asked, end, 16)]
        false = [bool(REFUSAL.search(text)) for text in said]
        yield answered("declined what an ECG answers", false, f"a question each of {len(pairs)} records of fold {FOLD}")

    def wordings(self) -> Iterator[tuple[str, Resampled, str]]:
        """AUROC of each wording of six questions."""
        path = QUESTIONS / "wordings.tsv"
        by_topic: dict[str, list[tuple[str, bool]]] = defaultdict(list)
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"):
            by_topic[row["attribute"]].append((row["question"], row["negated"] == "1"))
        for topic, wordings in by_topic.items():
            records, holds = self._judged(topic)
            scores = np.zeros((len(records), len(wordings)))
            for place, record_id in enumerate(tqdm(records, desc=topic, unit="record", leave=False)):
                reading = self.ecgs[record_id]
                prompts = [Prompt(reading, text) for text, _ in wordings]
                for column, found in enumerate(self.answerer.score(prompts, [("yes", "no")] * len(prompts))):
                    margin = found.log_likelihoods[0] - found.log_likelihoods[1]
                    scores[place, column] = -margin if wordings[column][1] else margin
            patients = {one.record_id: one.record.patient_id for one in self.asked}
            bootstrap = Bootstrap(np.array([patients[one] for one in records]))
            areas = [bootstrap.auroc(holds, scores[:, column]) for column in range(len(wordings))]
            order = np.argsort([area.value for area in areas])
            data = f"{int(holds.sum())} records with it and {int((~holds).sum())} without, fold {FOLD}, 20 wordings"
            yield f"{topic}, best wording", areas[order[-1]], f"{data}: {wordings[order[-1]][0]!r}"
            yield f"{topic}, worst wording", areas[order[0]], f"{data}: {wordings[order[0]][0]!r}"
            yield f"{topic}, best less worst wording", areas[order[-1]].minus(areas[order[0]]), data
            asked = np.array([not is_denied for _, is_denied in wordings])
            plain = [area.value for area, present in zip(areas, asked) if present]
            words = f"{data}, {int(asked.sum())} of which ask for its presence"
            yield (
                f"{topic}, median of what asks for its presence",
                bootstrap.without_samples(float(np.median(plain))),
                words,
            )
            denied = [(area.value > 0.5, text) for area, (text, is_denied) in zip(areas, wordings) if is_denied]
            wrong = "; ".join(text for right, text in denied if not right)
            yield answered(f"{topic}, denials the right way round", [right for right, _ in denied], wrong or "all")
            for i in order:
                print(f"  {topic}: {areas[i].value:.3f} {'denied ' if wordings[i][1] else ''}{wordings[i][0]!r}")

    def _judged(self, topic: str) -> tuple[list[str], np.ndarray]:
        """Records with and without a finding, drawn."""
        holding = {one.record_id: _holds(topic, one.record) for one in self.asked}
        rng = np.random.default_rng(0)
        chosen: list[str] = []
        positive = round(POSITIVE * self.wording_records)
        for wanted, most in ((True, positive), (False, self.wording_records - positive)):
            there = sorted(record_id for record_id, holds in holding.items() if holds is wanted)
            chosen += [there[index] for index in sorted(rng.permutation(len(there))[:most])]
        return chosen, np.array([bool(holding[record_id]) for record_id in chosen])


def _holds(topic: str, record: Record) -> bool | None:
    """Whether the labels state a finding.

    Tachycardia is that of sinus or supraventricular origin; None of atrial fibrillation and flutter, whose labels say
    nothing of their rate.
    """
    if topic != "TACHYCARDIA":
        return record.says("superclass" if topic in SUPERCLASSES else "rhythm", topic)
    if {"AFIB", "AFLT"} & record.codes:
        return None
    return bool({"STACH", "SVTAC", "PSVT"} & record.codes)


def _mean(values: Sequence[float]) -> Resampled:
    return Bootstrap(np.arange(len(values))).mean(np.array(values))


def _shared(one: Sequence[int], two: Sequence[int]) -> float:
    """The share of a continuation before it differs from another."""
    first = next((i for i, (a, b) in enumerate(zip(one, two)) if a != b), min(len(one), len(two)))
    return first / max(len(one), len(two), 1)


def _same_words(one: str, two: str) -> float:
    """F1 of the words of two texts."""
    first, second = (set(re.findall(r"\w+", text.lower())) for text in (one, two))
    both = len(first & second)
    return 2 * both / (len(first) + len(second)) if first or second else 1.0


def main() -> int:
    """Measure, print and write. Returns the exit code: 2 for bad input, with one line on stderr."""
    parser = argparse.ArgumentParser(prog="python benchmarks/language_skills.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_options(parser, Settings)
    settings = settings_of(Settings, parser.parse_args())
    try:
        if unknown := set(settings.skills) - set(SKILLS):
            raise ValueError(f"--skills: no skill {', '.join(sorted(unknown))}; there are {', '.join(SKILLS)}")
        measured = Measured(settings)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    name = settings.model.resolve().name
    command = f"python benchmarks/language_skills.py --model {name} --ptbxl DIR --tokens TOKENS --questions FILE"
    told = given_options(settings, ("skills", "records", "wording_records", "dtype"))
    command = f"{command} {told}".rstrip()
    facts = {"command": command, "commit": current_commit(), "machine": machine_words()}
    parts = dict(zip(SKILLS, (measured.text_skills, measured.refusals, measured.wordings), strict=True))
    for skill in settings.skills:
        results = []
        for what, value, data in parts[skill]():
            results.append(Result.of(f"{name}, {what}", value, data=data, **facts))
            print(f"{value.value:.4f}  {what}  ({data})", flush=True)
        write_results(settings.output, results)
    return 0


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "language_skills"))
