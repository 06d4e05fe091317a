// How far a recording lies from those of the training. The same as export/distance.py, with which a test compares it.
"use strict";
globalThis.demo = globalThis.demo ?? {};

demo.distance = (() => {
  // Deviations above which a feature is called beyond the range, and above which a distance counts no more.
  const BEYOND = 4, MOST = 8;
  // Axes are whole numbers of this fraction.
  const FRACTION = 1e-3;
  // Utterances of a recording that decide while it goes on.
  const FIRST = 8;

  const clip = (value) => Math.max(-MOST, Math.min(MOST, value));

  function median(values) {
    const sorted = Float64Array.from(values).sort();
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  // Both measures of an utterance: deviations from the median, and from what its other features predict.
  function measures(range, features) {
    const outer = features.map((value, i) => clip((value - range.centre[i]) / range.scale[i]));
    const left = [...outer];
    for (const axis of range.axes) {
      let along = 0;
      for (let i = 0; i < outer.length; i += 1) along += axis[i] * FRACTION * outer[i];
      for (let i = 0; i < outer.length; i += 1) left[i] -= axis[i] * FRACTION * along;
    }
    return { outer, left: left.map((value, i) => clip(value / range.residual[i])) };
  }

  // The distance of a recording from the features of its utterances, of which there is at least one.
  function distance(range, utterances) {
    const found = utterances.map((features) => measures(range, features));
    const across = (name) => range.centre.map((_, i) => Math.abs(median(found.map((one) => one[name][i]))));
    const [outer, left] = [across("outer"), across("left")];
    const deviations = Math.sqrt(left.reduce((sum, value) => sum + value ** 2, 0) / left.length);
    const sizes = Object.keys(range.limits).map(Number).sort((a, b) => a - b);
    const [usual, count] = range.limits[sizes.filter((size) => size <= found.length).pop() ?? sizes[0]];
    return {
      features: outer.length,
      beyond: outer.filter((value, i) => Math.max(value, left[i]) > BEYOND).length,
      deviations,
      far: deviations > usual || outer.filter((value) => value > BEYOND).length > count,
    };
  }

  return { distance, BEYOND, FIRST };
})();
