from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_heartllm.labels.english_reports import (
    GLOSSARY_PATH,
    report_from_statements,
    report_language,
    report_words,
    translate_report,
)

ROWS = [line.split("\t") for line in GLOSSARY_PATH.read_text(encoding="utf-8").splitlines()[1:]]


def test_statements_are_rendered_in_a_fixed_order() -> None:
    expected = "sinus rhythm. complete left bundle branch block. non-specific st elevation."
    assert report_from_statements(["STE_", "CLBBB", "SR"]) == expected
    assert report_from_statements({"SR": 0.0, "STE_": 0.0, "CLBBB": 100.0}) == expected
    assert report_from_statements({}) == ""


def test_only_known_low_likelihoods_are_hedged() -> None:
    report = report_from_statements({"SR": 0.0, "IMI": 35.0, "LVH": 50.0}, hedged=True)
    assert report == "sinus rhythm. possible inferior myocardial infarction. left ventricular hypertrophy."
    with pytest.raises(ValueError, match="needs the likelihoods"):
        report_from_statements(["SR"], hedged=True)


@pytest.mark.parametrize(
    ("text", "language", "english"),
    [
        ("sinusrhythmus. linkstyp.", "de", "sinus rhythm. left axis type."),
        (
            "t abnormal in anterolateralen ableitungen    lateralen ableitungen",
            "de",
            "abnormal t in anterolateral leads, lateral leads.",
        ),
        (
            "VORHOFFLIMMERN LINKSTYP QRS(T) ABNORM    SEPTALER INFARKT     ALTER UNBEST. QT-VERLÄNGERUNG",
            "de",
            "atrial fibrillation. left axis type. abnormal qrs(t), septal infarction, age undetermined. "
            "qt prolongation.",
        ),
        ("av-block 2. grades q in iii,avf", "de", "second degree av block. q in iii, avf."),
        ("sinusrytm vänster el-axel a-v block i", "sv", "sinus rhythm. left axis. first degree av block."),
        ("Sinus rhythm.   Normal  ECG.", "en", "sinus rhythm. normal ecg."),
        ("sinus rhythm. edit: imi 50, infarkt fraglich", "en", "sinus rhythm. edit: imi 50, questionable infarction."),
        ("", "und", ""),
    ],
)
def test_translations(text: str, language: str, english: str) -> None:
    translation = translate_report(text)
    assert (translation.language, translation.text, translation.uncovered) == (language, english, ())


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("kein infarkt", "no infarction."),
        ("kein hinweis auf ischämie", "no indication of ischemia."),
        ("nicht signifikantes q in iii", "non-significant q in iii."),
        ("lateraler infarkt nicht auszuschliessen", "lateral infarction cannot be excluded."),
        ("verdacht auf linkshypertrophie", "suspected left ventricular hypertrophy."),
        ("v.a. linkshypertrophie", "suspected left ventricular hypertrophy."),
        ("wahrscheinlich normales ekg", "probably normal ecg."),
        ("lateraler infarkt möglich linkshypertrophie", "possible lateral infarction. left ventricular hypertrophy."),
        # An uninflected hedge belongs to what stands before it, not to what follows.
        ("rechtsschenkelblock möglich linkshypertrophie", "right bundle branch block possible. left ventricular"),
        ("inferior myokardskada kan ej uteslutas", "inferior myocardial damage cannot be excluded."),
        ("lateral infarkt bör övervägas", "lateral infarction should be considered."),
        ("misstänkt vänster kammarhypertrofi", "suspected left ventricular hypertrophy."),
        ("inferior infarkt     sannolikt äldre", "inferior infarction, probably older."),
    ],
)
def test_negations_and_hedges_are_kept(text: str, english: str) -> None:
    assert translate_report(text).text.startswith(english)


def test_every_entry_with_a_negation_or_hedge_has_one_in_english() -> None:
    stated = re.compile(
        r"\b(nicht|kein\w*|ohne|möglich\w*|mögl\.|moeglich\w*|wahrscheinl\w*|verdacht|v\.a\.|fragl\w*|eventuell\w*|"
        r"ej|inte|inga|inget|misstän\w*|misstanke|sannolik\w*|möjlig\w*|bör|kan)\b"
    )
    kept = re.compile(
        r"\b(not|cannot|no|nothing|without|non|possibl\w*|probabl\w*|suspe\w*|suspicion|questionable|should|can)\b|hedge\}"
    )
    lost = [row for row in ROWS if "cut" not in row[1] and stated.search(row[2]) and not kept.search(row[3])]
    assert lost == []


def test_words_that_are_not_in_the_glossary_stay_and_are_listed() -> None:
    translation = translate_report("sinusrhythmus quaxig lagetyp normal quaxig")
    assert translation.text == "sinus rhythm [quaxig]. normal axis [quaxig]."
    assert translation.uncovered == ("quaxig", "quaxig")
    assert translate_report("xyzzy plugh").uncovered == ("xyzzy", "plugh")


def test_words_cut_off_count_at_the_end_only() -> None:
    assert translate_report("linkstyp laterale ischämie oder linksb").text.endswith("or left ventricular strain.")
    assert translate_report("linkstyp 4.46    unbestätigter be").text == "left axis type. 4.46 unconfirmed report."
    assert translate_report("linkstyp inferola vorhofflimmern").uncovered == ("inferola",)


words = st.sampled_from(
    [word for row in ROWS if row[0] in ("de", "sv") for word in report_words(row[2])] + ["zzz", "qqx"]
)
pieces = st.one_of(words, st.sampled_from(["v1", "2:1", "0.24", "/", "(", ")", ",", ".", "-", "    "]))


@given(st.lists(pieces, max_size=12))
def test_nothing_is_dropped(parts: list[str]) -> None:
    text = " ".join(parts)
    translation = translate_report(text)
    numbers = re.findall(r"\d+[.:]\d+", text)
    assert all(number in translation.text for number in numbers)
    assert all(f"[{word}]" in translation.text for word in translation.uncovered)
    assert translation.text.count("zzz") == parts.count("zzz") or translation.language == "en"
    assert set(translation.uncovered) <= set(report_words(text))
    assert "{" not in translation.text
    assert "  " not in translation.text


@given(st.lists(words, max_size=8))
def test_case_and_the_spelling_of_umlauts_do_not_matter(parts: list[str]) -> None:
    text = " ".join(parts)
    plain = text.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue").replace("ß", "ss")
    assert translate_report(text.upper().replace("SS", "ss")) == translate_report(text)
    assert report_language(plain) == report_language(text)
    assert len(translate_report(plain).uncovered) == len(translate_report(text).uncovered)


def test_the_glossary_is_a_small_word_list_without_contradictions() -> None:
    assert GLOSSARY_PATH.stat().st_size < 1_000_000
    assert {row[0] for row in ROWS} == {"de", "sv", "en", "*"}
    assert all(len(row) == 4 and row[2] and row[3] for row in ROWS)
    seen = [(row[0], row[2], row[1]) for row in ROWS]
    assert len(seen) == len(set(seen))
    assert all(set(re.findall(r"\{\w+\}", row[3])) <= set(re.findall(r"\{\w+\}", row[2])) | {""} for row in ROWS)


def test_the_glossary_covers_the_reports_of_fold_9(ptbxl_dir: Path) -> None:
    from hf_heartllm.labels.ptbxl import read_ptbxl_table

    table = read_ptbxl_table(ptbxl_dir)
    texts = [text for text in table[table["strat_fold"] == 9]["report"].dropna() if text.strip()]
    translations = [(text, translate_report(text)) for text in texts]
    foreign = [(text, one) for text, one in translations if one.language != "en"]
    known = sum(len(report_words(text)) for text, _ in foreign)
    assert len(foreign) > 500
    assert 1 - sum(len(one.uncovered) for _, one in foreign) / known >= 0.98
