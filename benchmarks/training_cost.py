"""What training a language model on many ECGs takes: tokens, memory and hours, computed from figures that are given.

    python benchmarks/training_cost.py --records 800000 --gpus 8

Nothing is trained. The formulae:

* Parameters of a decoder of the Llama kind, from its sizes: a layer has 2 h (h + h k / a) of attention (h: hidden
  size, k of a heads have keys of their own), 3 h f of its feed-forward part, 2 h of norms; the vocabulary has v h,
  twice where the output matrix is one of its own.
* LoRA of rank r on all seven projections of a layer: r (in + out) each; ECG rows and norms are trained beside it.
* FLOP of a token: forward 2 N + 2 l s h (N: parameters that multiply, l layers, s tokens of an example: the mean place
  looks at s / 2 of them, twice). Backward the same again for activations, and once more for weights that are trained:
  3 forwards in all for full training, a little above 2 for LoRA, whose own weights are few.
* Memory a GPU: weights in bfloat16, 2 bytes; for what is trained a gradient of 2, a master copy and two moments of 4
  each, 14 bytes; divided over the GPUs where they are sharded. Activations with one checkpoint a layer: 2 s h bytes an
  example and layer, and one layer's insides, about 34 s h; logits where a label stands, 6 bytes each.
* Hours: FLOP over GPUs x peak x utilisation.

What to measure before trusting it: the utilisation, which these defaults guess (40 % of a large model in bfloat16).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from hf_heartllm.arguments import add_options, settings_of


@dataclass(frozen=True)
class Decoder:
    """Sizes of a decoder of the Llama kind.

    Attributes:
        name: in the table.
        hidden: size.
        layers: number of them.
        heads: of attention.
        key_heads: heads with keys of their own.
        feed_forward: size.
        vocabulary: rows, with those of the ECG.
        tied: whether input and output matrix are one.
    """

    name: str
    hidden: int
    layers: int
    heads: int
    key_heads: int
    feed_forward: int
    vocabulary: int
    tied: bool

    def projections(self) -> list[tuple[int, int]]:
        """(in, out) of the seven of a layer."""
        keys = self.hidden * self.key_heads // self.heads
        h, f = self.hidden, self.feed_forward
        return [(h, h), (h, keys), (h, keys), (h, h), (h, f), (h, f), (f, h)]

    @property
    def norms(self) -> int:
        """Parameters of all norms."""
        return (2 * self.layers + 1) * self.hidden

    @property
    def parameters(self) -> int:
        """All of them."""
        inside = self.layers * sum(a * b for a, b in self.projections())
        return inside + self.norms + self.vocabulary * self.hidden * (1 if self.tied else 2)

    def lora(self, rank: int, ecg_rows: int) -> int:
        """Trained parameters of an adapter with the ECG rows and norms."""
        adapters = self.layers * sum(rank * (a + b) for a, b in self.projections())
        return adapters + self.norms + ecg_rows * self.hidden * (1 if self.tied else 2)


SMOLLM2_135M = Decoder("SmolLM2-135M", 576, 30, 9, 3, 1536, 49152, tied=True)
THREE_B = Decoder("3 B (Llama 3.2)", 3072, 28, 24, 8, 8192, 128256, tied=True)
EIGHT_B = Decoder("8 B (Llama 3.1)", 4096, 32, 32, 8, 14336, 128256, tied=False)


@dataclass(frozen=True)
class Setting:
    """What is trained on what.

    Attributes:
        records: of the data set.
        epochs: over it.
        ecg_tokens: of a record, with start and end.
        text_tokens: of its prompt, questions and answers, packed behind the ECG.
        labelled_tokens: of these, where logits are computed.
        batch: examples a GPU at once.
        gpus: how many.
        peak_tflops: of one GPU in bfloat16, dense.
        utilisation: share of the peak that is reached.
        rank: of LoRA.
        ecg_rows: rows of the vocabulary that stand for ECG tokens.
        sharded: whether weights, gradients and moments are divided over the GPUs (FSDP, ZeRO 3).

    Raises:
        ValueError: for a number that is not above 0.
    """

    records: int = 800_000
    epochs: float = 1.0
    ecg_tokens: int = 127
    text_tokens: int = 170
    labelled_tokens: int = 40
    batch: int = 8
    gpus: int = 8
    peak_tflops: float = 989.0
    utilisation: float = 0.4
    rank: int = 16
    ecg_rows: int = 1298
    sharded: bool = True

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not value > 0 and name != "sharded":
                raise ValueError(f"{name} must be above 0, not {value}")

    @property
    def example(self) -> int:
        """Tokens of an example."""
        return self.ecg_tokens + self.text_tokens


@dataclass(frozen=True)
class Cost:
    """What a training takes.

    Attributes:
        trained: parameters.
        tokens: that are read in all.
        flops: in all.
        gigabytes: of one GPU.
        hours: on all GPUs together.
    """

    trained: int
    tokens: float
    flops: float
    gigabytes: float
    hours: float


def forward_flops(decoder: Decoder, tokens: int, labelled: int) -> float:
    """FLOP of one example forward; the output matrix multiplies where a label stands."""
    inside = decoder.layers * sum(a * b for a, b in decoder.projections())
    attention = 2 * decoder.layers * tokens * decoder.hidden
    return tokens * (2 * inside + attention) + 2 * labelled * decoder.vocabulary * decoder.hidden


def cost(decoder: Decoder, setting: Setting, full: bool) -> Cost:
    """What it takes to train a decoder, whole or by LoRA."""
    trained = decoder.parameters if full else decoder.lora(setting.rank, setting.ecg_rows)
    examples = setting.records * setting.epochs
    one = forward_flops(decoder, setting.example, setting.labelled_tokens)
    backward = 2 * one if full else one * (1 + trained / decoder.parameters)
    flops = examples * (one + backward)
    shards = setting.gpus if setting.sharded else 1
    resident = (2 * decoder.parameters + 14 * trained) / shards
    if setting.sharded and setting.gpus > 1:
        resident += 2 * 2 * (decoder.parameters / decoder.layers)  # two layers whole: the one at work and the next
    activations = setting.batch * setting.example * decoder.hidden * (2 * decoder.layers + 34)
    logits = 6 * setting.batch * setting.labelled_tokens * decoder.vocabulary
    seconds = flops / (setting.gpus * setting.peak_tflops * 1e12 * setting.utilisation)
    gigabytes = (resident + activations + logits) / 1e9
    return Cost(trained, examples * setting.example, flops, gigabytes, seconds / 3600)


def table(setting: Setting, decoders: Sequence[Decoder] = (THREE_B, EIGHT_B)) -> str:
    """The table of all decoders, by LoRA and whole, with the memory of one GPU with and without sharding."""
    lines = [
        f"{setting.records:,} records x {setting.epochs:g}, {setting.example} tokens each, {setting.gpus} GPUs",
        f"{'model':<17}{'trained':>9}{'parameters':>12}{'tokens':>8}"
        f"{'GB':>7}{'GB sharded':>12}{'hours':>7}{'GPU h':>7}",
    ]
    for decoder in decoders:
        for full in (False, True):
            whole, one = (cost(decoder, replace(setting, sharded=sharded), full) for sharded in (False, True))
            what = "all" if full else f"LoRA {setting.rank}"
            counts = f"{what:>9}{one.trained / 1e6:>10,.0f} M{one.tokens / 1e6:>6,.0f} M"
            memory = f"{whole.gigabytes:>7.0f}{one.gigabytes:>12.0f}"
            lines.append(f"{decoder.name:<17}{counts}{memory}{one.hours:>7.1f}{one.hours * setting.gpus:>7.1f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, Setting, without=("sharded",))
    try:
        print(table(settings_of(Setting, parser.parse_args())))
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
