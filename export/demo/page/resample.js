// Sound at any rate to 16 kHz as it arrives, by a sinc in Kaiser's window with the band of soxr's "HQ", as in Python.
"use strict";
globalThis.demo = globalThis.demo ?? {};

demo.resample = (() => {
  const RATE = 16000;
  // Shares of the lower Nyquist frequency: what is kept whole, and above which nothing is left, by this many dB.
  const PASS = 0.913, STOP = 1, ATTENUATION = 130;
  // Kaiser's formulas: the window's shape, and its half in samples at the lower rate.
  const SHAPE = 0.1102 * (ATTENUATION - 8.7), REACH = (ATTENUATION - 7.95) / (2.285 * Math.PI * (STOP - PASS)) / 2;
  // Coefficients of all filters: 40 MB. Rates that have almost no common divisor with 16 kHz can need more.
  const MOST = 1e7;

  function divisor(a, b) {
    return b ? divisor(b, a % b) : a;
  }

  // The modified Bessel function of order 0, by its series.
  function bessel(x) {
    let sum = 1;
    for (let k = 1, next = 1; next > 1e-12 * sum; k += 1) {
      next *= (x / 2 / k) ** 2;
      sum += next;
    }
    return sum;
  }

  function size(rate) {
    return (RATE / divisor(rate, RATE)) * 2 * Math.ceil(REACH * Math.max(1, rate / RATE));
  }

  // Whether a rate can be resampled without much memory.
  function possible(rate) {
    return size(rate) <= MOST;
  }

  // Resamples pieces: push returns what is complete, flush the rest.
  class Resampler {
    constructor(rate) {
      this.same = rate === RATE;
      const common = divisor(rate, RATE);
      this.step = rate / common;
      this.phases = RATE / common;
      const cutoff = ((PASS + STOP) / 2) * Math.min(1, RATE / rate);
      this.half = Math.ceil(REACH * Math.max(1, rate / RATE));
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
        const window = bessel(SHAPE * Math.sqrt(Math.max(0, 1 - (x / this.half) ** 2))) / bessel(SHAPE);
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

  // A whole signal, as many samples as soxr gives. It waits now and then, so that the page can answer.
  async function whole(samples, rate) {
    if (rate === RATE) return samples;
    const resampler = new Resampler(rate);
    const found = new Float32Array(Math.round((samples.length * RATE) / rate));
    let size = 0;
    const keep = (piece) => {
      found.set(piece.subarray(0, found.length - size), size);
      size = Math.min(found.length, size + piece.length);
    };
    for (let at = 0; at < samples.length; at += rate) {
      keep(resampler.push(samples.subarray(at, at + rate)));
      if (at % (10 * rate) === 0) await new Promise((resolve) => { setTimeout(resolve); });
    }
    keep(resampler.flush());
    return found;
  }

  return { Resampler, possible, whole };
})();
