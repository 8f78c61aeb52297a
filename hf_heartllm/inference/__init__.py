"""From a checkpoint to a model that answers prompts, whatever system it is of.

from hf_heartllm.inference import Prompt, load_answerer

answerer = load_answerer("my-checkpoint")
answerer.score([Prompt(record, "Is this ECG normal?")], [("yes", "no")])
"""

from ..models.ecg_answerer import Answerer, TokenAnswerer, WrittenText
from ..models.ecg_prompts import Prompt
from .chat import Chat, Reply, Turn, load_chat
from .loading import checkpoint_name, load_answerer
from .stored_ecgs import read_stored_ecgs

__all__ = [
    "Answerer",
    "Chat",
    "Prompt",
    "Reply",
    "TokenAnswerer",
    "Turn",
    "WrittenText",
    "checkpoint_name",
    "load_answerer",
    "load_chat",
    "read_stored_ecgs",
]
