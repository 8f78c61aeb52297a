from __future__ import annotations

import warnings

from hf_heartllm.models.answer_scores import score_answers
from hf_heartllm.models.model_cache import cache_argument, cache_of
from tests.tiny import tiny_model_and_tokenizer


class Old:
    def forward(self, input_ids=None, past_key_values=None):
        pass


class New:
    def forward(self, input_ids=None, cache=None):
        pass


def test_a_cache_goes_under_the_name_that_a_model_knows():
    assert cache_argument(Old(), 1) == {"past_key_values": 1}
    assert cache_argument(New(), 1) == {"cache": 1}
    assert cache_argument(New(), None) == {}
    assert cache_of({"cache": 1}) == 1
    assert cache_of({}) is None


def test_scoring_and_writing_use_no_name_that_will_be_gone():
    model, tokenizer = tiny_model_and_tokenizer()
    inputs = tokenizer("Write the report.", return_tensors="pt")
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        score_answers(model, tokenizer, inputs.input_ids[0].tolist(), ["yes", "sinus rhythm"])
        model.generate(**inputs, max_new_tokens=3)
