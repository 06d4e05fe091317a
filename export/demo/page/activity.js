// Voice activity by energy, as the sound arrives. The same as export/demo/activity.py, with which a test compares it.
"use strict";
globalThis.demo = globalThis.demo ?? {};

demo.activity = (() => {
  const RATE = 16000;
  // Samples of a frame: 20 ms.
  const FRAME = 320;
  // The noise floor is the level below which a tenth of the frames of the last 5 s are, in dB of full scale. It is
  // taken to be the lowest possible until there is a second of sound.
  const HISTORY = 250, SHARE = 0.1, YOUNGEST = 50, LOWEST = -70;
  // Speech begins above the floor by the first number of dB, for 3 frames, and lasts while it is above by the second.
  const BEGIN = 12, LAST = 7, RISE = 3;
  // In frames: the pause that ends an utterance (0.5 s), what is kept around it (0.1 s), the shortest (0.25 s) and the
  // longest (15 s), which is cut.
  const PAUSE = 25, PAD = 5, SHORTEST = 13, LONGEST = 750;
  // So that silence has a level.
  const POWER = 1e-10;

  // Level of samples in dB of full scale, without their mean.
  function levelOf(samples) {
    let sum = 0;
    for (const value of samples) sum += value;
    const mean = sum / samples.length;
    let power = 0;
    for (const value of samples) power += (value - mean) ** 2;
    return 10 * Math.log10(power / samples.length + POWER);
  }

  // Finds utterances, {start, samples}, in a signal that arrives piece by piece.
  class Activity {
    constructor() {
      this.speaking = false;
      this.level = this.floor = LOWEST;
      this.held = new Float32Array(0);
      this.first = this.frames = 0;
      this.history = [];
      this.above = 0;
      // Numbers of frames: where the utterance begins, its first and last frame of speech, where the last one ended.
      this.begin = this.onset = this.voice = this.earliest = 0;
      this.loudest = LOWEST;
    }

    // Add samples at 16 kHz and return the utterances that ended in them.
    push(samples) {
      const held = new Float32Array(this.held.length + samples.length);
      held.set(this.held);
      held.set(samples, this.held.length);
      this.held = held;
      const found = [];
      for (let at = this.frames * FRAME - this.first; at + FRAME <= held.length; at += FRAME) {
        found.push(...this.look(levelOf(held.subarray(at, at + FRAME))));
      }
      this.forget();
      return found;
    }

    // End the signal and return the utterance that had not ended, if there is one.
    finish() {
      return this.speaking ? this.end(Math.min(this.frames, this.voice + 1 + PAD)) : [];
    }

    look(level) {
      const number = this.frames;
      this.level = level;
      this.frames += 1;
      this.history.push(level);
      if (this.history.length > HISTORY) this.history.shift();
      if (this.history.length < YOUNGEST) {
        this.floor = LOWEST;
      } else {
        const sorted = Float64Array.from(this.history).sort();
        this.floor = Math.max(LOWEST, sorted[Math.floor(SHARE * sorted.length)]);
      }
      if (!this.speaking) {
        this.above = level > this.floor + BEGIN ? this.above + 1 : 0;
        if (this.above < RISE) return [];
        const onset = number - RISE + 1;
        this.start(Math.max(onset - PAD, this.earliest), onset);
      }
      if (level > this.floor + LAST) {
        this.voice = number;
        this.loudest = Math.max(this.loudest, level);
      }
      if (number - this.voice >= PAUSE) return this.end(this.voice + 1 + PAD);
      if (number + 1 - this.begin >= LONGEST) {
        const found = this.end(number + 1);
        this.start(number + 1, number + 1);
        return found;
      }
      return [];
    }

    start(begin, onset) {
      this.speaking = true;
      this.begin = begin;
      this.onset = this.voice = onset;
      this.loudest = LOWEST;
    }

    // None that is too short, or no louder than the noise around it.
    end(end) {
      this.speaking = false;
      this.above = 0;
      this.earliest = end;
      if (this.voice + 1 - this.onset < SHORTEST || this.loudest <= this.floor + BEGIN) return [];
      const start = this.begin * FRAME;
      return [{ start, samples: this.held.slice(start - this.first, end * FRAME - this.first) }];
    }

    // Drop what no utterance will contain.
    forget() {
      const needed = this.speaking ? this.begin : Math.max(this.frames - RISE - PAD, this.earliest);
      const drop = Math.max(0, Math.min(needed * FRAME - this.first, this.held.length));
      this.held = this.held.slice(drop);
      this.first += drop;
    }
  }

  return { Activity, levelOf, RATE, FRAME, LONGEST };
})();
