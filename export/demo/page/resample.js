// Sound at any rate to 16 kHz as it arrives, by a windowed sinc.
"use strict";
globalThis.demo = globalThis.demo ?? {};

demo.resample = (() => {
  const RATE = 16000;
  // Zero crossings of the sinc on each side, and the share of the band that is kept.
  const CROSSINGS = 24, BAND = 0.94;

  function divisor(a, b) {
    return b ? divisor(b, a % b) : a;
  }

  // Resamples pieces: push returns what is complete, flush the rest.
  class Resampler {
    constructor(rate) {
      this.same = rate === RATE;
      const common = divisor(rate, RATE);
      this.step = rate / common;
      this.phases = RATE / common;
      const cutoff = BAND * Math.min(1, RATE / rate);
      this.half = Math.ceil(CROSSINGS / cutoff);
      this.filters = Array.from({ length: this.phases }, (_, phase) => this.filter(phase / this.phases, cutoff));
      // Zeros before the first sample, so that output begins with it.
      this.held = new Float32Array(this.half - 1);
      // Of the next sample of output: its whole position in what is held, and the rest in phases.
      this.place = this.half - 1;
      this.phase = 0;
    }

    filter(offset, cutoff) {
      const taps = Float32Array.from({ length: 2 * this.half }, (_, i) => {
        const x = i - this.half + 1 - offset;
        const window = Math.abs(x) < this.half ? 0.5 + 0.5 * Math.cos((Math.PI * x) / this.half) : 0;
        return (x === 0 ? cutoff : Math.sin(Math.PI * cutoff * x) / (Math.PI * x)) * window;
      });
      const sum = taps.reduce((a, b) => a + b);
      return taps.map((tap) => tap / sum);
    }

    push(samples) {
      if (this.same) return samples;
      const held = new Float32Array(this.held.length + samples.length);
      held.set(this.held);
      held.set(samples, this.held.length);
      const found = [];
      while (this.place + this.half < held.length) {
        const taps = this.filters[this.phase];
        const first = this.place - this.half + 1;
        let sum = 0;
        for (let i = 0; i < taps.length; i += 1) sum += taps[i] * held[first + i];
        found.push(sum);
        this.phase += this.step;
        this.place += Math.floor(this.phase / this.phases);
        this.phase %= this.phases;
      }
      const drop = Math.max(0, Math.min(this.place - this.half + 1, held.length));
      this.held = held.slice(drop);
      this.place -= drop;
      return Float32Array.from(found);
    }

    flush() {
      return this.same ? new Float32Array(0) : this.push(new Float32Array(this.half));
    }
  }

  return { Resampler };
})();
