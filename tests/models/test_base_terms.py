"""What a base's licence asks for goes along with weights that it is merged into, or they stay."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from hf_heartllm.hub.push_plan import PushError
from hf_heartllm.hub.terms import merged_base_notice
from hf_heartllm.models.base_terms import (
    BASE_TERMS,
    TermsError,
    base_licence,
    base_of_model,
    check_terms,
    notice_text,
    remember_base,
    write_base_terms,
)
from hf_heartllm.models.card_files import LICENCE_FILES


def base_in(folder: Path, licence: str, **files: str) -> Path:
    """A base's folder with its card."""
    folder.mkdir()
    (folder / "README.md").write_text(f"---\nlicense: {licence}\n---\n# Base\n")
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def merged(base: Path | str, name: str = "", source: str = "") -> SimpleNamespace:
    """A model with the weights of a base."""
    known = {"_merged_base": (name, str(base))} if name else {}
    return SimpleNamespace(language_model=SimpleNamespace(name_or_path=str(base)), name_or_path=source, **known)


def test_every_rule_says_where_it_was_read():
    for licence, terms in BASE_TERMS.items():
        assert licence == licence.lower()
        assert terms.page.startswith("https://") or licence == "other"
    assert {"LICENSE-base", "NOTICE", "USE_POLICY-base.md"} <= set(LICENCE_FILES)


def test_text_notice_and_policy_of_a_llama_go_along(tmp_path):
    base = base_in(tmp_path / "base", "llama3.2", **{"LICENSE.txt": "the text", "USE_POLICY.md": "the policy"})
    out, again = tmp_path / "out", tmp_path / "again"
    for folder in (out, again):
        folder.mkdir()
    (out / "LICENSE").write_text("ours")
    write_base_terms(merged(base, "meta-llama/Llama-3.2-1B"), out, "user/Llama-3.2-1B-ecg")
    files = {path.name: path.read_text() for path in out.iterdir()}
    assert (files.pop("LICENSE"), files["LICENSE-base"], files["USE_POLICY-base.md"]) == (
        "ours",
        "the text",
        "the policy",
    )
    assert files["NOTICE"].startswith("Built with Llama\n\nLlama 3.2 is licensed under the Llama 3.2 Community License")
    with pytest.raises(TermsError, match="call it Llama-ecg"):
        write_base_terms(merged(base, "meta-llama/Llama-3.2-1B"), out, "user/ecg")
    # loaded from there and saved again, when the base is no longer at hand
    write_base_terms(merged("gone", "meta-llama/Llama-3.2-1B", str(out)), again)
    assert {path.name: path.read_text() for path in again.iterdir()} == files


@pytest.mark.parametrize(
    ("licence", "line"),
    [
        ("gemma", "asks for a copy of its text"),
        ("other", "asks for a copy of its text"),
        ("some-licence-nobody-knows", "asks for a copy of its text"),
        ("cc-by-nd-4.0", "lets nothing adapted be passed on"),
    ],
)
def test_what_cannot_go_along_is_refused_in_one_line_and_nothing_is_written(tmp_path, licence, line):
    base = base_in(tmp_path / "base", licence)
    (tmp_path / "out").mkdir()
    with pytest.raises(TermsError, match=line) as told:
        write_base_terms(merged(base), tmp_path / "out")
    assert "\n" not in str(told.value)
    assert not list((tmp_path / "out").iterdir())


def test_the_notices_of_an_apache_base_are_kept(tmp_path):
    base = base_in(tmp_path / "base", "apache-2.0", NOTICE="Copyright of the makers")
    (tmp_path / "out").mkdir()
    write_base_terms(merged(base), tmp_path / "out")
    notice = (tmp_path / "out" / "NOTICE").read_text()
    assert "https://www.apache.org/licenses/LICENSE-2.0" in notice
    assert notice.endswith("Copyright of the makers\n")


def test_a_base_that_nobody_knows_or_that_is_not_in_the_weights_asks_for_nothing(tmp_path):
    (tmp_path / "base").mkdir()
    write_base_terms(merged(tmp_path / "base"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["base"]
    alone = merged(base_in(tmp_path / "nd", "cc-by-nd-4.0"))
    alone.config = SimpleNamespace(base_model={"name": "a/b"})
    assert base_of_model(alone) is None
    assert base_of_model(SimpleNamespace()) is None


@pytest.mark.parametrize(
    ("name", "licence"),
    [
        ("meta-llama/Llama-2-7b-hf", "llama2"),
        ("meta-llama/Meta-Llama-3-8B", "llama3"),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama3.1"),
        ("google/gemma-2b", "gemma"),
        ("google/gemma-3-1b-it", "gemma"),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", "apache-2.0"),
        ("someone/thing", None),
    ],
)
def test_families_are_known_by_their_names(name, licence):
    assert base_licence(name) == licence
    assert licence is None or licence in BASE_TERMS


def test_a_folder_that_is_pushed_carries_or_is_refused(tmp_path):
    card = "---\nbase_model: google/gemma-2b\n---\n"
    with pytest.raises(PushError, match="save it in the folder as LICENSE-base"):
        merged_base_notice(tmp_path, {}, card, "user/x")
    (tmp_path / "LICENSE-base").write_text("terms")
    notice = merged_base_notice(tmp_path, {}, card, "user/x")
    assert notice is not None
    assert "Gemma is provided under and subject to the Gemma Terms of Use" in notice
    (tmp_path / "NOTICE").write_text(notice)
    assert merged_base_notice(tmp_path, {}, card, "user/x") == notice
    with pytest.raises(PushError, match="write license: gemma"):
        merged_base_notice(tmp_path, {}, card.replace("base", "license: cc-by-4.0\nbase", 1), "user/x")
    kept = {"text_config": {"_name_or_path": "meta-llama/Llama-3.1-8B"}}
    with pytest.raises(PushError, match="begins with Llama"):
        merged_base_notice(tmp_path, kept, "", "user/x")
    assert merged_base_notice(tmp_path, {"_name_or_path": str(tmp_path)}, "", "user/x") is None
    assert merged_base_notice(tmp_path, {"text_config": {}}, "---\nbase_model: [a/b]\n---\n", "user/x") is None


@pytest.mark.parametrize("licence", [None, "", "a licence that nobody knows"])
def test_of_a_licence_that_is_not_known_nothing_is_said(licence):
    assert check_terms(licence, "a/b", "user/x") is None


@pytest.mark.parametrize("licence", [name for name, terms in BASE_TERMS.items() if not terms.refused])
def test_a_name_is_asked_for_where_the_licence_says_so(licence):
    begins = BASE_TERMS[licence].begins.replace(" ", "-")
    assert check_terms(licence, "a/b") is BASE_TERMS[licence]  # no name yet
    for name in (f"user/{begins}-ecg", f"user/{begins.lower()}_ecg".replace("-", "_"), f"{begins}x"):
        assert check_terms(licence, "a/b", name) is BASE_TERMS[licence]
    if begins:
        for name in (f"{begins}/ecg", f"user/ecg-{begins}"):
            with pytest.raises(TermsError, match=f"begins with {begins}; call it {begins}-"):
                check_terms(licence, "a/b", name)
    else:
        assert check_terms(licence, "a/b", "user/ecg") is BASE_TERMS[licence]


def test_the_licence_of_the_card_counts_before_the_name(tmp_path):
    assert base_licence("google/gemma-2b", base_in(tmp_path / "mit", "MIT")) == "mit"
    assert base_licence("google/gemma-2b", base_in(tmp_path / "own", "my-own")) == "other"
    assert base_licence("google/gemma-2b", base_in(tmp_path / "named", "other\nlicense_name: Llama3.1")) == "llama3.1"
    assert base_licence("google/gemma-2b", base_in(tmp_path / "none", "other")) == "other"
    (tmp_path / "without").mkdir()
    assert base_licence("google/gemma-2b", tmp_path / "without") == "gemma"


def test_a_notice_names_the_base_once(tmp_path):
    base = base_in(tmp_path / "base", "mit", NOTICE="Made from base by others")
    (tmp_path / "out").mkdir()
    write_base_terms(merged(base), tmp_path / "out")
    assert (tmp_path / "out" / "NOTICE").read_text() == "Made from base by others"
    text = notice_text("a/b", "mit")
    assert text.startswith("This model was made from a/b (mit, https://opensource.org/license/mit).\n\nChanged:")
    assert text.endswith("further.\n")


def test_what_a_base_is_called(tmp_path):
    (tmp_path / "folder").mkdir()
    assert base_of_model(merged(tmp_path / "folder")) == ("folder", str(tmp_path / "folder"))
    assert base_of_model(merged(tmp_path / "gone")) is None
    assert base_of_model(merged("a/b")) == ("a/b", "a/b")
    model = merged("x")
    model.language_model.config = SimpleNamespace()
    remember_base(model, "a/b", tmp_path / "folder")
    assert base_of_model(model) == ("a/b", str(tmp_path / "folder"))
    assert model.language_model.config._name_or_path == "a/b"
