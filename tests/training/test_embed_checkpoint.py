"""What travels into the package with a trained checkpoint, and what of the former one stays."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "training" / "embed_checkpoint.py"


def test_a_calibration_comes_with_its_weights_and_goes_with_them(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("embed_checkpoint", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    package, model = tmp_path / "package", tmp_path / "model"
    for folder in (package / "models", package / "checkpoints", model):
        folder.mkdir(parents=True)
    for name, text in {"model": "from .helper import x\n", "helper": "", "other": ""}.items():
        (package / "models" / f"{name}.py").write_text(text)
    (model / "config.json").write_text('{"auto_map": {"AutoModel": "model.Model"}}')
    (model / "calibration.json").write_text("{}")
    monkeypatch.setattr(script, "PACKAGE", package)
    target = script.embed(model, "tiny")
    (target / "LICENSE").write_text("kept")
    assert (target / "calibration.json").is_file()
    (model / "calibration.json").unlink()
    script.embed(model, "tiny")
    assert not (target / "calibration.json").exists()
    assert (target / "LICENSE").read_text() == "kept"
    # what the settings reach, as files; an edit of models/ is brought along by one command
    assert {file.name for file in target.glob("*.py")} == {"model.py", "helper.py"}
    assert not any(file.is_symlink() for file in target.iterdir())
    (package / "models" / "helper.py").write_text("x = 1\n")
    (package / "models" / "model.py").write_text("from .helper import x\nfrom .other import y\n")
    monkeypatch.setattr(script, "available", lambda: ["tiny"])
    assert script.refresh_code() == [f"tiny/{name}.py" for name in ("helper", "model", "other")]
    assert script.refresh_code() == []
    (target / "model.py").write_text("../../models/model.py")  # as a clone without links had it
    (target / "gone.py").symlink_to("../../models/gone.py")
    assert script.refresh_code() == ["tiny/gone.py", "tiny/model.py"]
    assert (target / "helper.py").read_text() == "x = 1\n"


def test_a_large_vocabulary_is_written_without_indentation(tmp_path, monkeypatch):
    import json

    spec = importlib.util.spec_from_file_location("embed_checkpoint", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    (tmp_path / "package" / "checkpoints").mkdir(parents=True)
    (tmp_path / "package" / "models").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    words = {"model": {"vocab": {"Ġä": 1, "b": 2}}}
    (tmp_path / "model" / "tokenizer.json").write_text(json.dumps(words, indent=2), encoding="utf-8")
    monkeypatch.setattr(script, "PACKAGE", tmp_path / "package")
    written = (script.embed(tmp_path / "model", "tiny") / "tokenizer.json").read_text(encoding="utf-8")
    assert json.loads(written) == words
    assert written.count("\n") == 1
    assert "Ġä" in written
