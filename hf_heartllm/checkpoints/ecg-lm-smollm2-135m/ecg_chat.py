"""How a conversation is shown to a model: where ECGs stand among the text, and which of the turns.

A model answers well only what looks like its training. One that was trained on a single question behind an ECG misses
most findings when the ECG stands behind the question, and answers worse after an earlier turn or a system message. So a
tokenizer says how conversations are shown (`ECGTokenizer.ecg_chat`), and Jinja lines in front of its chat template
arrange them. A server with the plain export runs the same lines, on ECGs in their text form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

AS_WRITTEN = "as written"
ECGS_FIRST = "ecgs first"
ONE_QUESTION = "one question"
ECG_CHATS = (AS_WRITTEN, ECGS_FIRST, ONE_QUESTION)
"""What `ecg_chat` may be.

* as written: nothing is arranged; the base's own template alone decides.
* ecgs first: in each message of the user the ECGs stand before the text, wherever they were written.
* one question: the last message of the user alone, behind its ECGs or, where it has none, those of the latest message
  that has; an answer behind it stays. System messages and earlier turns are left out.
"""

_READ = """\
{%- set ecg_open = ecg_start if ecg_start is defined else '<|start_ecg|>' -%}
{%- set ecg_close = ecg_end if ecg_end is defined else '<|end_ecg|>' -%}
{%- set ecg_chat = namespace(messages=[], ecgs='') -%}
{%- for message in messages -%}
  {%- set ecg_chat.found = '' -%}
  {%- set ecg_chat.text = '' -%}
  {%- set ecg_chat.content = '' -%}
  {%- set ecg_chat.readable = true -%}
  {%- if message['content'] is string -%}
    {%- set ecg_chat.content = message['content'] -%}
  {%- elif message['content'] -%}
    {%- for part in message['content'] -%}
      {%- if part['type'] == 'text' -%}
        {%- set ecg_chat.content = ecg_chat.content + part['text'] -%}
      {%- else -%}
        {%- set ecg_chat.readable = false -%}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
  {%- for piece in ecg_chat.content.split(ecg_open) -%}
    {%- if loop.first -%}
      {%- set ecg_chat.text = piece -%}
    {%- elif ecg_close in piece -%}
      {%- set codes = piece.split(ecg_close)[0] -%}
      {%- set after = piece[(codes + ecg_close)|length:] -%}
      {%- set ecg_chat.found = ecg_chat.found + ecg_open + codes + ecg_close -%}
      {%- if not ecg_chat.text.strip() -%}
        {%- set ecg_chat.text = after -%}
      {%- elif after.strip() -%}
        {%- set ecg_chat.text = ecg_chat.text.rstrip() + ' ' + after.lstrip() -%}
      {%- else -%}
        {%- set ecg_chat.text = ecg_chat.text.rstrip() -%}
      {%- endif -%}
    {%- else -%}
      {%- set ecg_chat.text = ecg_chat.text + ecg_open + piece -%}
    {%- endif -%}
  {%- endfor -%}
"""
_PART = """\
  {%- if ECGS and ecg_chat.text.strip() and ecg_chat.text.lstrip() == ecg_chat.text -%}
    {%- set ecg_chat.text = ' ' + ecg_chat.text -%}
  {%- endif -%}
"""
_SHOW = {
    ECGS_FIRST: "{#- The ECGs of a message stand before its text. -#}\n"
    + _READ
    + _PART.replace("ECGS", "ecg_chat.found")
    + """\
  {%- if message['role'] == 'user' and ecg_chat.found and ecg_chat.readable -%}
    {%- set shown = {'role': 'user', 'content': ecg_chat.found + ecg_chat.text} -%}
    {%- set ecg_chat.messages = ecg_chat.messages + [shown] -%}
  {%- else -%}
    {%- set ecg_chat.messages = ecg_chat.messages + [message] -%}
  {%- endif -%}
""",
    ONE_QUESTION: "{#- The last question alone, behind its ECGs or those of the latest message that has any. -#}\n"
    + _READ
    + """\
  {%- if ecg_chat.found -%}
    {%- set ecg_chat.ecgs = ecg_chat.found -%}
  {%- endif -%}
"""
    + _PART.replace("ECGS", "ecg_chat.ecgs")
    + """\
  {%- if message['role'] == 'user' and ecg_chat.readable -%}
    {%- set ecg_chat.messages = [{'role': 'user', 'content': ecg_chat.ecgs + ecg_chat.text}] -%}
  {%- elif message['role'] not in ['system', 'developer'] -%}
    {%- set ecg_chat.messages = ecg_chat.messages + [message] -%}
  {%- endif -%}
""",
}
_END = """\
{%- endfor -%}
{%- set messages = ecg_chat.messages -%}
"""
# transformers' `sanitize_control_tokens` marks special tokens of a message and then spells them: an ECG becomes letters
# that the model was never shown, and it answers all the same.
_NOT_SPELT = """\
{#- An ECG is tokens, never their letters. -#}
{%- for message in messages -%}
  {%- set ecg_parts = message['content'] or [] -%}
  {%- if message['content'] is string -%}
    {%- set ecg_parts = [{'type': 'text', 'text': message['content']}] -%}
  {%- endif -%}
  {%- for part in ecg_parts if part['type'] == 'text' -%}
    {%- for piece in part['text'].split('<|start_ecg|>') -%}
      {%- if not loop.first and '<ecg_' in piece and not piece.lstrip().startswith('<ecg_') -%}
        {{- raise_exception('this ECG would be read as letters, not as ECG tokens: ' ~
                            'set sanitize_control_tokens to false (decision.json of the export does)') -}}
      {%- endif -%}
    {%- endfor -%}
  {%- endfor -%}
{%- endfor %}"""


def check_ecg_chat(value: Any) -> str:
    """One of `ECG_CHATS`.

    Raises:
        ValueError: for anything else.
    """
    if value not in ECG_CHATS:
        raise ValueError(f"ecg_chat must be one of {', '.join(map(repr, ECG_CHATS))}, not {value!r}")
    return str(value)


def arranged_template(template: str, ecg_chat: str) -> str:
    """A chat template that shows conversations as `ecg_chat` says, then goes on as before.

    Args:
        template: Jinja, for content as strings. An ECG is what stands from `ecg_start` to `ecg_end`, variables that
            are the text form of the start and the end token where nobody sets them.
        ecg_chat: one of `ECG_CHATS`.
    """
    return template if check_ecg_chat(ecg_chat) == AS_WRITTEN else _SHOW[ecg_chat] + _END + template


def plain_template(template: str, ecg_chat: str) -> str:
    """The chat template of the plain export: arranged, and an ECG whose tokens were taken out of the text is refused.

    Args:
        template: as of `arranged_template`.
        ecg_chat: likewise.
    """
    return _NOT_SPELT + arranged_template(template, ecg_chat)


def leaves_out(conversation: Sequence[Mapping[str, Any]]) -> bool:
    """Whether "one question" shows less than all of a conversation."""
    roles = [message.get("role") for message in conversation]
    return roles.count("user") > 1 or bool({"system", "developer"} & set(roles))
