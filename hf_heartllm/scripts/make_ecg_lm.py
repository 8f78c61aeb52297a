"""Put an encoder and an untrained projection before a frozen language model: what ECG-LM's training begins with.

    python training/make_ecg_lm.py --base build/smollm2-135m-instruct --encoder build/encoder/model --projector time \\
        --ecg-tokens 16 --output build/ecg-lm/untrained
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from hf_heartllm.arguments import add_options, settings_of
from hf_heartllm.models.base_model import BaseModel, model_sha256
from hf_heartllm.models.configuration_ecg_lm import ECGEncoderConfig, ECGLMConfig
from hf_heartllm.models.ecg_chat import ECGS_FIRST
from hf_heartllm.models.modeling_ecg_encoder import ECGEncoderForSequenceClassification
from hf_heartllm.models.modeling_ecg_lm import ECGLMForCausalLM
from hf_heartllm.models.processing_ecg_lm import ECGLMProcessor
from hf_heartllm.training.stages import check_model, check_nothing_there, refuse, save_checkpoint


@dataclass(frozen=True)
class Settings:
    """What the model is made of; the options of this program are these fields.

    Attributes:
        base: the language model: its folder, or its name on the Hub.
        output: folder of the checkpoint.
        encoder: of training/train_encoder.py; an untrained one when None.
        new_encoder: take the sizes of `encoder` alone, with new weights.
        projector: how the encoder's output becomes soft tokens.
        ecg_tokens: soft tokens of an ECG; one, or one for each lead, when None.
        measured_text: whether what is measured on a recording stands behind its soft tokens, as text; asking and
            training then measure.
        base_name: names the base's repository on the Hub, where checkpoints are to hold encoder and projection alone;
            when None they hold the language model too.
        base_revision: the commit there.
        base_source: how to get the base's weights, in words; when None they are the Hub's.
        seed: of new weights.
    """

    base: str
    output: Path
    encoder: Path | None = None
    new_encoder: bool = False
    projector: Literal["record", "leads", "time"] = "record"
    ecg_tokens: int | None = None
    measured_text: bool = False
    base_name: str | None = None
    base_revision: str | None = None
    base_source: str | None = None
    seed: int = 42


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, Settings)
    args = settings_of(Settings, parser.parse_args())
    try:
        check_nothing_there(args.output)
        check_model(args.base, None, "--base")
        if args.new_encoder and args.encoder is None:
            raise ValueError("--new-encoder needs --encoder, whose sizes it has")
        if args.encoder is not None:
            check_model(args.encoder, ECGEncoderConfig.model_type, "--encoder")
        torch.manual_seed(args.seed)
        if args.encoder is None:
            encoder = None
        else:
            encoder = ECGEncoderForSequenceClassification.from_pretrained(args.encoder).encoder
            told = {name: value for name, value in encoder.config.to_dict().items() if name in _SIZES}
            encoder.config = ECGEncoderConfig(**told)
            if args.new_encoder:
                encoder = type(encoder)(encoder.config)
        language_model = AutoModelForCausalLM.from_pretrained(args.base, dtype=torch.float32)
        base = None
        if args.base_name:
            sha256 = model_sha256(language_model)
            base = BaseModel(args.base_name, sha256, args.base_revision, args.base_source)
        config = ECGLMConfig(
            text_config=language_model.config,
            encoder_config=None if encoder is None else encoder.config,
            projector=args.projector,
            num_ecg_tokens=args.ecg_tokens,
        )
        processor = ECGLMProcessor.from_base(
            AutoTokenizer.from_pretrained(args.base),
            config.encoder_config,
            config.num_ecg_tokens,
            ecg_chat=ECGS_FIRST,
            measured_text=args.measured_text,
        )
        model = ECGLMForCausalLM.from_base(
            language_model, processor, encoder, args.projector, args.ecg_tokens, base_model=base, seed=args.seed
        )
    except (OSError, ValueError) as error:
        refuse(error)
    save_checkpoint(model, processor, args.output)
    print(args.output)


_SIZES = (
    "leads", "sampling_rate", "hidden_sizes", "depths", "kernel_size", "stem_kernel_size", "min_duration",
    "max_duration",
)  # fmt: skip
"""What ECG-LM keeps of an encoder's configuration: not the statements of its classifier."""


if __name__ == "__main__":
    from hf_heartllm.interrupts import run_interruptible

    raise SystemExit(run_interruptible(main, "make_ecg_lm"))
