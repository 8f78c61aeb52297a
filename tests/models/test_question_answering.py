"""What becomes of a yes/no question that no ECG answers, where the model was trained to say so."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from hf_heartllm.models.answer_scores import summarise
from hf_heartllm.models.ecg_answerer import WrittenText
from hf_heartllm.models.ecg_reading import Reading, ReadWindow
from hf_heartllm.models.question_answering import QuestionAnswerer, Wishes

DECLINED = "That can't be answered from an ECG."


def answerer() -> SimpleNamespace:
    """Says yes or no to whatever names the ECG, and something else to the rest."""

    def score(prompts, answer_sets):
        shares = [(0.7, 0.2) if "ECG" in one.text else (0.02, 0.01) for one in prompts]
        return [summarise(those, np.log(share).tolist()) for share, those in zip(shares, answer_sets, strict=True)]

    def generate(prompts, max_new_tokens, beams):
        return [[WrittenText(DECLINED, -0.1, 9, True)] for _ in prompts]

    reading = Reading((ReadWindow(0.0, 10.0, [1, 2]),))
    return SimpleNamespace(read=lambda record: reading, score=score, generate=generate, max_duration=10.0)


@pytest.mark.parametrize("may_decline", [True, False])
def test_a_model_that_may_decline_is_not_held_to_yes_and_no(may_decline):
    model = QuestionAnswerer(answerer(), None, None, 32, 64, may_decline=may_decline)
    questions = ["Does this ECG show PVC?", "Is the patient married?", "Is this ECG normal?"]
    texts = [one.text for one in model.answer(model.ask(None, questions, Wishes()))]
    assert texts == ["yes", DECLINED if may_decline else "yes", "yes"]
    closed = model.answer(model.ask(None, questions, Wishes(answers=("yes", "no"))))
    assert [one.text for one in closed] == ["yes"] * 3  # whoever names the answers gets one of them
