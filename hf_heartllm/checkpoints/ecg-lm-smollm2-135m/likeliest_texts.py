"""The likeliest texts behind prompts, with their probabilities or as they are written; that a prompt fits."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any

import torch

PASS_PROMPTS = 16  # prompts that are continued together
HELD_BACK = 16  # characters of a text being written that its next token may still change

Text = tuple[str, list[int], float]
"""A text, its ids, the logarithm of its probability."""


def positions(model: Any) -> int | None:
    """How many tokens the model knows positions for; None: it does not say."""
    known: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return known


def check_room(model: Any, prompt: Sequence[int], new_tokens: int) -> None:
    """That a prompt and what follows fit into the positions that the model knows.

    Raises:
        ValueError: if they do not.
    """
    room = positions(model)
    if room is not None and len(prompt) + new_tokens > room:
        raise ValueError(
            f"recording, question and answer have {len(prompt) + new_tokens} tokens and the model knows {room} "
            "positions: ask a shorter question, or about a shorter recording"
        )


def likeliest_texts(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], max_new_tokens: int, beams: int
) -> list[list[Text]]:
    """For each prompt its likeliest texts: text, its ids, the logarithm of its probability; the best first.

    ECG tokens are suppressed: what is written is text. Prompts of one length go through the model together.
    """
    found: list[list[Text]] = [[] for _ in prompts]
    for length in sorted({len(prompt) for prompt in prompts}):
        same = [place for place, prompt in enumerate(prompts) if len(prompt) == length]
        for first in range(0, len(same), PASS_PROMPTS):
            places = same[first : first + PASS_PROMPTS]
            texts = _together(model, tokenizer, [prompts[place] for place in places], max_new_tokens, beams)
            for place, of_prompt in zip(places, texts, strict=True):
                found[place] = of_prompt
    return found


def _together(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], max_new_tokens: int, beams: int
) -> list[list[Text]]:
    """The same for prompts of one length."""
    check_room(model, prompts[0], max_new_tokens)
    ids = torch.tensor([list(prompt) for prompt in prompts], device=model.device)
    end = tokenizer.eos_token_id
    out = model.generate(
        input_ids=ids,
        num_beams=beams,
        num_return_sequences=beams,
        length_penalty=0.0 if beams > 1 else None,  # sums of log-probabilities, not means over tokens
        **_settings(model, tokenizer, ids, max_new_tokens),
        return_dict_in_generate=True,
        output_scores=beams > 1,
        output_logits=beams == 1,
    )
    found: list[dict[str, Text]] = [{} for _ in prompts]
    for row, sequence in enumerate(out.sequences[:, ids.shape[1] :].tolist()):
        written = sequence[: sequence.index(end) + 1] if end in sequence else sequence
        if beams > 1:
            score = float(out.sequences_scores[row])
        else:
            steps = [step[row].double().log_softmax(-1)[token] for token, step in zip(written, out.logits)]
            score = float(sum(steps))
        text = tokenizer.decode(written, skip_special_tokens=True).strip()
        of_prompt = found[row // beams]
        if text not in of_prompt or of_prompt[text][2] < score:
            of_prompt[text] = (text, written, score)
    return [sorted(one.values(), key=lambda candidate: -candidate[2]) for one in found]


def _settings(model: Any, tokenizer: Any, ids: torch.Tensor, max_new_tokens: int) -> dict[str, Any]:
    """Arguments of `generate`: text and nothing but text, without chance."""
    config = model.config
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    return {
        "attention_mask": torch.ones_like(ids),
        "do_sample": False,
        "max_new_tokens": max_new_tokens,
        "suppress_tokens": list(config.ecg_token_ids) if hasattr(config, "ecg_token_ids") else None,
        "eos_token_id": end,
        "pad_token_id": end if pad is None else pad,
    }


def greedy_pieces(model: Any, tokenizer: Any, prompt: Sequence[int], max_new_tokens: int) -> Generator[str, None, bool]:
    """The text that is written greedily behind a prompt, piece by piece while the model writes it.

    The model runs in a thread of its own. Closing the generator stops it at its next token.

    Yields:
        Pieces that end with a word; joined they are the text of `likeliest_texts` for one beam.

    Returns:
        Whether the text has ended; else it was cut at the longest that was allowed.

    Raises:
        ValueError: if the prompt is too long.
    """
    check_room(model, prompt, 1)
    tokens = _Tokens()

    def write() -> None:
        try:
            with torch.inference_mode():
                ids = torch.tensor([list(prompt)], device=model.device)
                model.generate(
                    input_ids=ids, num_beams=1, streamer=tokens, **_settings(model, tokenizer, ids, max_new_tokens)
                )
            tokens.queue.put(None)
        except _Stopped:
            return
        except BaseException as error:  # raised again by whoever waits for the tokens
            tokens.queue.put(error)

    thread = Thread(target=write, daemon=True)
    thread.start()
    written: list[int] = []
    said = ""
    try:
        for token in tokens:
            written.append(token)
            text = tokenizer.decode(written, skip_special_tokens=True).lstrip()
            ready = _ready(text)
            if len(ready) > len(said):
                yield ready[len(said) :]
                said = ready
        whole = tokenizer.decode(written, skip_special_tokens=True).strip()
        if len(whole) > len(said):
            yield whole[len(said) :]
        return bool(written) and written[-1] == tokenizer.eos_token_id
    finally:
        tokens.stopped.set()
        thread.join()


def _ready(text: str) -> str:
    """What no further token will change of a text: all but the last word, or but the end of a long one."""
    words = text[: max(text.rfind(" "), text.rfind("\n"), 0)]
    return max(words, text[:-HELD_BACK], key=len).rstrip()


class _Stopped(Exception):
    """Nobody reads on."""


class _Tokens:
    """A streamer of `generate`, which hands tokens to the thread that iterates over it."""

    def __init__(self) -> None:
        self.queue: SimpleQueue[int | BaseException | None] = SimpleQueue()
        self.stopped = Event()
        self._begun = False

    def put(self, value: torch.Tensor) -> None:
        """Called by `generate` with the prompt, then with each token."""
        if self.stopped.is_set():
            raise _Stopped
        if self._begun:
            for token in value.flatten().tolist():
                self.queue.put(token)
        self._begun = True

    def end(self) -> None:
        """Called by `generate` when it has ended."""

    def __iter__(self) -> Iterator[int]:
        while (token := self.queue.get()) is not None:
            if isinstance(token, BaseException):
                raise token
            yield token
