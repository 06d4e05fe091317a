// Texts and sizes of a timeline; nothing here touches the page.
"use strict";
globalThis.demo = globalThis.demo ?? {};

demo.timeline = (() => {
  // What spreadsheets take for the beginning of a formula.
  const FORMULA = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]/;
  // What a text may not hold: it could control a terminal, or hide what follows.
  const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

  function clock(seconds) {
    const hundredths = Math.round(seconds * 100);
    const minutes = Math.floor(hundredths / 6000);
    const two = (number) => String(number).padStart(2, "0");
    return `${two(minutes)}:${two(Math.floor(hundredths / 100) % 60)}.${two(hundredths % 100)}`;
  }

  function best(probabilities) {
    return probabilities.indexOf(Math.max(...probabilities));
  }

  function cell(text) {
    const plain = text.replace(UNPRINTABLE, "\ufffd");
    const safe = FORMULA.test(plain) ? `'${plain}` : plain;
    return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  // Utterances are {speaker, start, end, probabilities}.
  function csv(name, labels, utterances) {
    const head = ["dialogue", "utterance", "speaker", "start", "end", "label", ...labels.map(cell)];
    const rows = utterances.map((one, i) => [
      cell(name), i + 1, cell(one.speaker), one.start.toFixed(3), one.end.toFixed(3),
      cell(labels[best(one.probabilities)]), ...one.probabilities.map((value) => value.toFixed(6)),
    ]);
    return [head, ...rows].map((row) => row.join(",") + "\n").join("");
  }

  function json(name, labels, utterances) {
    const round = (value, digits) => Number(value.toFixed(digits));
    const found = utterances.map((one, i) => ({
      dialogue: name, utterance: i + 1, speaker: one.speaker, start: round(one.start, 3), end: round(one.end, 3),
      label: labels[best(one.probabilities)],
      probabilities: Object.fromEntries(labels.map((label, k) => [label, round(one.probabilities[k], 6)])),
    }));
    return JSON.stringify(found, null, 1) + "\n";
  }

  // Seconds between marks of the axis, so that they are at least so many pixels apart.
  function step(pixels, apart = 70) {
    return [1, 2, 5, 10, 15, 30, 60, 120, 300, 600].find((seconds) => seconds * pixels >= apart) ?? 1200;
  }

  return { clock, best, csv, json, step };
})();
