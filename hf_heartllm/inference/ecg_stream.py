"""Codes of a signal that is still arriving: equal to the codes of the whole recording, some seconds late."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch

from ..models.codec_config import renamed
from ..models.ecg_codec import ECGCodec
from ..models.ecg_record import ECGError
from ..models.feature_extraction_ecg import slow_baseline


class CodeStream:
    """Encodes samples as they arrive.

    A code is given out as soon as the signal that decides it is there: `config.latency_of(num_codebooks)` seconds after
    the end of its token, and at the end of the recording at once. Each stretch is encoded with as much signal before
    and after it as decides its codes, so there is no margin: from the first to the last token the codes are those of
    the whole recording. (Sums over stretches of other lengths may be rounded otherwise, by some 1e-7 of a value; a
    value as close as that to the border of two levels may get the other code.)

    Args:
        codec: of any length (`ECGCodecModel`); one that standardises whole windows cannot know a window before its end.
        num_codebooks: codebooks whose codes are wanted; the first is what a language model reads.
        num_streams: the former name of `num_codebooks`.

    Raises:
        ValueError: if the codec reads whole windows, or has not so many codebooks.
    """

    def __init__(self, codec: ECGCodec, num_codebooks: int = 1, *, num_streams: int | None = None) -> None:
        config, num_codebooks = codec.config, renamed(num_streams, num_codebooks)
        latency = config.latency_of(num_codebooks)
        if latency is None:
            raise ValueError(f"a codec of type {config.model_type} reads whole windows, not a signal as it arrives")
        config.bits_per_second_of(num_codebooks)  # raises for codebooks that the codec has not
        self.codec = codec
        self.num_codebooks = num_codebooks
        self._hop = config.hop_length
        self._ahead = math.ceil(latency * config.sampling_rate)
        self._behind = math.ceil(self._ahead / self._hop) * self._hop
        self._kept = np.empty((len(config.leads), 0))  # the samples from `_first` on
        self._first = 0  # number of the first sample that is kept
        self._received = 0
        self._given = 0  # tokens given out
        self._finished = False

    @property
    def latency(self) -> float:
        """Seconds after a token's end at which its code is given out, the rest of a pushed piece not counted."""
        return float(self._ahead / float(self.codec.config.sampling_rate))

    def push(self, samples: np.ndarray) -> torch.Tensor:
        """Take samples and give out the codes that they settle.

        Args:
            samples: (leads, n) in mV at `config.sampling_rate`, leads in the order of `config.leads`; n may be 0. A
                missing lead is NaN throughout the recording.

        Returns:
            int64 (num_codebooks, tokens), often with no token.

        Raises:
            ECGError: for another number of leads, or samples after `finish`.
        """
        samples = np.asarray(samples, dtype=np.float64)
        leads = len(self.codec.config.leads)
        if self._finished:
            raise ECGError("stream: samples after its end; start a new stream")
        if samples.ndim != 2 or samples.shape[0] != leads:
            raise ECGError(f"stream: samples must be ({leads}, n), got {samples.shape}")
        self._kept = np.concatenate([self._kept, samples], axis=1)
        self._received += samples.shape[1]
        return self._encode((self._received - self._ahead) // self._hop, self._received)

    def finish(self) -> torch.Tensor:
        """The recording is over: give out the codes that are left. A rest that fills no token is left out.

        Returns:
            int64 (num_codebooks, tokens).

        Raises:
            ECGError: if the recording was shorter than `config.min_duration`.
        """
        config = self.codec.config
        if self._received < round(config.min_duration * config.sampling_rate):
            raise ECGError(
                f"stream: {self._received / config.sampling_rate:g} s is shorter than the {config.min_duration:g} s "
                "that the codec needs"
            )
        self._finished = True
        # The whole recording is encoded without the rest that fills no token; its baseline has seen that rest.
        return self._encode(self._received // self._hop, self._received // self._hop * self._hop)

    def _encode(self, stop: int, last_sample: int) -> torch.Tensor:
        """The tokens from the first that was not given out up to `stop`."""
        if stop <= self._given:
            return torch.empty((self.num_codebooks, 0), dtype=torch.int64)
        start = max(0, self._given * self._hop - self._behind)
        signal = self._kept[:, start - self._first :]
        config = self.codec.config
        baseline = slow_baseline(signal, config.sampling_rate, config.baseline_seconds)
        features = (signal - baseline)[:, : last_sample - start]
        codes = self.codec.encode(torch.from_numpy(features.astype(np.float32))[None], self.num_codebooks)[0]
        new = codes[:, self._given - start // self._hop : stop - start // self._hop]
        self._given = stop
        first = max(0, stop * self._hop - self._behind)
        self._kept = self._kept[:, first - self._first :]
        self._first = first
        return new


def encode_stream(
    codec: ECGCodec, pieces: Iterable[np.ndarray], num_codebooks: int = 1, *, num_streams: int | None = None
) -> Iterator[torch.Tensor]:
    """Encode a signal that arrives in pieces of any lengths.

    Args:
        codec: see `CodeStream`.
        pieces: each (leads, n) in mV at the codec's rate.
        num_codebooks: see `CodeStream`.
        num_streams: the former name of `num_codebooks`.

    Yields:
        int64 (num_codebooks, tokens) whenever a piece settles codes, and the rest at the end. Joined along the last
        axis they are the codes of the whole recording.

    Examples:
        >>> from hf_heartllm import ECGCodecConfig, ECGCodecModel
        >>> codec = ECGCodecModel(ECGCodecConfig())
        >>> seconds = [np.zeros((8, 100)) for _ in range(10)]  # of a monitor: I, II and V1 to V6 in mV
        >>> [codes.shape[-1] for codes in encode_stream(codec, seconds)]
        [2, 12, 13, 12, 13, 12, 13, 48]
    """
    stream = CodeStream(codec, renamed(num_streams, num_codebooks))
    for piece in pieces:
        codes = stream.push(piece)
        if codes.shape[-1]:
            yield codes
    codes = stream.finish()
    if codes.shape[-1]:
        yield codes
