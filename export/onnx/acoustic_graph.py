"""The acoustic functionals as ONNX nodes: what ``replicate.features.acoustic.Acoustic`` computes, from waveforms.

Large tables of cosines are not stored but looked up from one period, so that the extractor adds little to a file.
Positions in it are computed as floats, which hold them exactly: some runtimes divide integers wrongly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from export.onnx.builder import Writer
from replicate.features import acoustic
from replicate.features.acoustic import Acoustic

_ABSENT = 1e9


def functionals(write: Writer, waveform: str, samples: str, output: str = "") -> str:
    """Add the nodes of the extractor.

    Shapes:
        waveform: (utterances, samples) float32 at 16 kHz; samples: (utterances,) int64, the samples of each, the rest
        is ignored. Returns (utterances, columns).
    """
    return _Extractor(write).functionals(waveform, samples, output)


class _Extractor:
    def __init__(self, write: Writer) -> None:
        self.write, self.model = write, Acoustic()

    def functionals(self, waveform: str, samples: str, output: str) -> str:
        write = self.write
        wave = self._silenced(waveform, samples)
        power = self._power(write.op("Conv", wave, self._transform("bins", "window"), strides=[acoustic.HOP]))
        bins = len(self.model.get_buffer("bins"))
        loudness = write.op("Div", self._sum(power, 2), write.floats(float(acoustic.FRAME * bins)))
        loudness = self._log(write.op("Squeeze", loudness, write.ints(2)), acoustic.FLOOR)
        mel = self._log(write.op("MatMul", power, self._table("bands")), acoustic.FLOOR)
        present = self._present(samples, loudness)
        absent = write.op("Mul", write.op("Sub", present, write.floats(1.0)), write.floats(_ABSENT))
        loudest = write.op("ReduceMax", write.op("Add", loudness, absent), write.ints(1), keepdims=1)
        above = write.op("Add", write.op("Sub", loudness, loudest), write.floats(acoustic.RANGE))
        speech = write.op("Mul", self._sigmoid(above, acoustic.SOFTNESS), present)
        octave, strength = self._pitch(wave, loudness)
        above = write.op("Sub", strength, write.floats(acoustic.VOICED))
        voiced = write.op("Mul", self._sigmoid(above, acoustic.VOICED_SOFTNESS), speech)
        cepstrum = write.op("MatMul", mel, write.weight(self.model.get_buffer("cosines")))
        pair = write.op("Concat", write.unsqueeze(loudness, 2), write.unsqueeze(strength, 2), axis=2)
        extremes = [(speech, loudness, slope) for slope in acoustic.LOUDNESS_SLOPES]
        extremes += [(voiced, octave, slope) for slope in acoustic.PITCH_SLOPES]
        return write.op(
            "Concat",
            *self._statistics(speech, mel),
            *self._statistics(speech, cepstrum)[1:],
            *self._statistics(speech, pair),
            *self._statistics(voiced, write.unsqueeze(octave, 2)),
            *(self._extreme(weight, absent, x, slope) for weight, x, slope in extremes),
            *self._durations(present, speech, voiced),
            axis=1,
            output=output,
        )

    def _silenced(self, waveform: str, samples: str) -> str:
        """Replace what follows the end of each utterance by silence, one frame longer: (utterances, 1, samples)."""
        write = self.write
        size = write.op("Gather", write.op("Shape", waveform), write.scalar(1))
        place = write.op("Range", write.scalar(0), size, write.scalar(1))
        inside = write.op("Less", place, write.unsqueeze(samples, 1))
        wave = write.op("Where", inside, waveform, write.floats(0.0))
        return write.unsqueeze(write.op("Pad", wave, write.ints(0, 0, 0, acoustic.FRAME)), 1)

    def _present(self, samples: str, frames: str) -> str:
        """Return 1 for frames within the utterance, and for the first, else 0. Shapes: (utterances, frames)."""
        write = self.write
        count = write.op("Gather", write.op("Shape", frames), write.scalar(1))
        number = write.op("Range", write.scalar(0), count, write.scalar(1))
        end = write.op("Add", write.op("Mul", number, write.scalar(acoustic.HOP)), write.scalar(acoustic.FRAME))
        inside = write.op("LessOrEqual", end, write.unsqueeze(samples, 1))
        first = write.op("Equal", number, write.scalar(0))
        return write.op("Cast", write.op("Or", inside, first), to=TensorProto.FLOAT)

    def _pitch(self, wave: str, frames: str) -> tuple[str, str]:
        """Return pitch in octaves above 100 Hz and the strength of the autocorrelation: twice (utterances, frames)."""
        write, model = self.write, self.model
        lowpass = model.get_buffer("lowpass")
        half, every = lowpass.shape[1] // 2, acoustic.DECIMATION
        slow = write.op("Conv", wave, write.weight(lowpass[:, None]), strides=[every], pads=[half, half])
        before, after = acoustic.pitch_padding()
        slow = write.op("Pad", slow, write.ints(0, 0, before, 0, 0, after))
        transform = self._transform("harmonics", "pitch_window")
        power = self._power(write.op("Conv", slow, transform, strides=[acoustic.HOP // every]))
        count = write.unsqueeze(write.op("Gather", write.op("Shape", frames), write.scalar(1)), 0)
        power = write.op("Slice", power, write.ints(0), count, write.ints(1))
        least = write.op("Add", self._sum(power, 2), write.floats(acoustic.LEAST_POWER))
        correlation = write.op("Div", write.op("MatMul", power, self._table("correlation")), least)
        octaves = write.weight(model.get_buffer("octaves"))
        preferred = write.op("Add", correlation, write.op("Mul", octaves, write.floats(acoustic.OCTAVE)))
        share = write.op("Softmax", write.op("Mul", preferred, write.floats(acoustic.SHARPNESS)), axis=-1)
        found = [self._sum(write.op("Mul", share, x), 2) for x in (octaves, correlation)]
        octave, strength = (write.op("Squeeze", x, write.ints(2)) for x in found)
        return octave, strength

    def _transform(self, bins: str, window: str) -> str:
        """Compute cosines and sines of a Fourier transform under a window: (2 * bins, 1, samples)."""
        write, period = self.write, self.model.get_buffer(f"{window}_period")
        size = write.floats(float(len(period)))
        places = write.weight(np.arange(len(self.model.get_buffer(window)), dtype=np.float32))
        product = write.op("Mul", write.weight(self.model.get_buffer(bins).float()[:, None]), places)
        sine = write.op("Add", product, write.floats(0.75 * len(period)))
        angle = write.op("Concat", product, sine, axis=0)
        # Half a place more, so that rounding never crosses a whole period.
        periods = write.op("Floor", write.op("Div", write.op("Add", angle, write.floats(0.5)), size))
        angle = write.op("Sub", angle, write.op("Mul", periods, size))
        values = write.op("Gather", write.weight(period), write.op("Cast", angle, to=TensorProto.INT64))
        return write.unsqueeze(write.op("Mul", values, write.weight(self.model.get_buffer(window))), 1)

    def _table(self, name: str) -> str:
        """Add a table whose values 16 bits hold."""
        values: NDArray[np.float32] = self.model.get_buffer(name).numpy()
        return self.write.op("Cast", self.write.weight(values.astype(np.float16)), to=TensorProto.FLOAT)

    def _power(self, spectrum: str) -> str:
        """Return the power of a spectrum: (utterances, 2 * bins, frames) to (utterances, frames, bins)."""
        write = self.write
        real, imaginary = write.multi_op("Split", spectrum, outputs=2, axis=1, num_outputs=2)
        squares = [write.op("Mul", x, x) for x in (real, imaginary)]
        return write.op("Transpose", write.op("Add", *squares), perm=[0, 2, 1])

    def _sum(self, x: str, axis: int) -> str:
        return self.write.op("ReduceSum", x, self.write.ints(axis), keepdims=1)

    def _log(self, x: str, added: float) -> str:
        return self.write.op("Log", self.write.op("Add", x, self.write.floats(added)))

    def _sigmoid(self, x: str, softness: float) -> str:
        return self.write.op("Sigmoid", self.write.op("Div", x, self.write.floats(softness)))

    def _statistics(self, weight: str, x: str) -> list[str]:
        """Return weighted mean, deviation and mean absolute change: (utterances, frames, n) to (utterances, n)."""
        write, least = self.write, self.write.floats(acoustic.LEAST_FRAMES)
        share = write.unsqueeze(write.op("Div", weight, write.op("Add", self._sum(weight, 1), least)), 2)
        mean = self._sum(write.op("Mul", share, x), 1)
        difference = write.op("Sub", x, mean)
        square = self._sum(write.op("Mul", share, write.op("Mul", difference, difference)), 1)
        deviation = write.op("Sqrt", write.op("Add", square, write.floats(acoustic.LEAST_VARIANCE)))
        both = write.op("Mul", self._from(weight, 1), self._until_last(weight))
        change = write.op("Abs", write.op("Sub", self._from(x, 1), self._until_last(x)))
        change = self._sum(write.op("Mul", write.unsqueeze(both, 2), change), 1)
        change = write.op("Div", change, write.unsqueeze(write.op("Add", self._sum(both, 1), least), 2))
        return [write.op("Squeeze", one, write.ints(1)) for one in (mean, deviation, change)]

    def _from(self, x: str, frame: int) -> str:
        write = self.write
        return write.op("Slice", x, write.ints(frame), write.ints(np.iinfo(np.int64).max), write.ints(1))

    def _until_last(self, x: str) -> str:
        return self.write.op("Slice", x, self.write.ints(0), self.write.ints(-1), self.write.ints(1))

    def _extreme(self, weight: str, absent: str, x: str, slope: float) -> str:
        """Return a mean in which high values count more, or low ones: (utterances, 1)."""
        write = self.write
        score = write.op("Add", self._log(weight, acoustic.LEAST_WEIGHT), write.op("Mul", x, write.floats(slope)))
        share = write.op("Softmax", write.op("Add", score, absent), axis=1)
        return self._sum(write.op("Mul", share, x), 1)

    def _durations(self, present: str, speech: str, voiced: str) -> list[str]:
        write = self.write
        frames, speech_frames, voiced_frames = (self._sum(weight, 1) for weight in (present, speech, voiced))
        least = write.op("Add", speech_frames, write.floats(acoustic.LEAST_FRAMES))
        return [
            write.op("Log", frames),
            write.op("Div", speech_frames, frames),
            self._log(speech_frames, 1.0),
            write.op("Div", voiced_frames, least),
        ]
