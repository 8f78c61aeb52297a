"""`decision.json` of the plain export: how transformers' decision pipeline asks about an ECG in its text form.

`pipeline("decision")` and `/v1/systemone` of `transformers serve` read a yes or no from the first token of the answer.
Left to their own settings they spell every special token of a request, those of ECGs too, and ask in words that the
model was not trained on.
"""

from __future__ import annotations

import os
from pathlib import Path

SENTINELS = frozenset({"<|mark|>", "<|split|>"})
"""Tokens that the pipeline adds to a tokenizer that does not have them."""

# The first line of each kind of question that it refuses; a set of labels that is too short is refused before that.
_ASKED = """\
{#- One yes/no question about one ECG, as the chat template shows it: the state is the ECG in its text form. -#}
{%- if question.type != 'noul' -%}
  {{- raise_exception('this model answers yes/no questions (type noul) alone') -}}
{%- endif -%}
{%- if question.instructions is not string or not question.instructions.strip() -%}
  {{- raise_exception('the question is missing: it stands in instructions, as text') -}}
{%- endif -%}
{%- if question.descriptions | select('string') | list -%}
  {{- raise_exception('criteria of a yes/no question are not read: put all of the question into instructions') -}}
{%- endif -%}
{%- if '<|start_ecg|>' in question.instructions or '<ecg_' in question.instructions -%}
  {{- raise_exception('the ECG stands in state, not in instructions') -}}
{%- endif -%}
{%- if state is not string or '<|start_ecg|>' not in state or '<|end_ecg|>' not in state -%}
  {{- raise_exception('the state holds no ECG in its text form, <|start_ecg|><ecg_...>...<|end_ecg|>') -}}
{%- endif -%}
{%- set messages = [{'role': 'user', 'content': state.strip() ~ ' ' ~ question.instructions.strip()}] -%}
"""


def write_decision_settings(chat_template: str, save_directory: str | os.PathLike[str]) -> tuple[str, ...]:
    """Write `decision.json` and `decision_template.jinja`.

    Args:
        chat_template: of the plain tokenizer, which shows the question as it shows any.
        save_directory: folder with the plain tokenizer.

    Returns:
        The files.
    """
    from transformers.decision import DecisionConfig

    config = DecisionConfig(
        labels={"noul": ["yes", "no"], "choice": ["yes"], "score": ["yes"]},  # of two options and more none are read
        chat_template=_ASKED + chat_template,
        sanitize_control_tokens=False,
    )
    config.save_pretrained(save_directory)
    return tuple(str(Path(save_directory) / name) for name in ("decision.json", "decision_template.jinja"))
