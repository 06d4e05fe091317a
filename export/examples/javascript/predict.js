// Predict the emotions of a dialogue from a WAV file for each utterance, in order of time:
//
//   npm install && node predict.js BUNDLE SPEAKER=FILE.wav [SPEAKER=FILE.wav ...]
//
// Files have 16-bit samples, one channel, 16 kHz: ffmpeg -i IN -ac 1 -ar 16000 OUT.wav
// onnxruntime-node, if it is installed, is faster and takes the same calls; browsers load onnxruntime-web.
"use strict";

const fs = require("fs");
const path = require("path");

const LARGEST = 1 << 24; // bytes of a file: 8 minutes

function onnxruntime() {
  try {
    return require("onnxruntime-node");
  } catch {
    const web = require("onnxruntime-web");
    web.env.logLevel = "error";
    web.env.wasm.numThreads = 1;
    return web;
  }
}

// Names of classes and speakers are in the record of the run that the bundle contains.
function corpus(bundle) {
  const [key] = fs.readdirSync(path.join(bundle, "run"));
  return JSON.parse(fs.readFileSync(path.join(bundle, "run", key, "run.json"), "utf8")).corpus;
}

// The samples of a WAV file, from -1 to 1.
function samples(file) {
  if (fs.statSync(file).size > LARGEST) throw new Error(`${file} is larger than ${LARGEST} bytes: cut it`);
  const bytes = fs.readFileSync(file);
  if (bytes.toString("latin1", 0, 4) !== "RIFF" || bytes.toString("latin1", 8, 12) !== "WAVE") {
    throw new Error(`${file} is no WAV file`);
  }
  let format = "";
  for (let at = 12; at + 8 <= bytes.length; ) {
    const name = bytes.toString("latin1", at, at + 4);
    const size = Math.min(bytes.readUInt32LE(at + 4), bytes.length - at - 8);
    const body = bytes.subarray(at + 8, at + 8 + size);
    if (name === "fmt " && size >= 16) {
      format = [0, 2, 14].map((offset) => body.readUInt16LE(offset)).join() + "," + body.readUInt32LE(4);
    }
    if (name === "data" && format === "1,1,16,16000" && size >= 2) {
      return Float32Array.from({ length: size >> 1 }, (_, i) => body.readInt16LE(2 * i) / 32768);
    }
    at += 8 + size + (size & 1);
  }
  throw new Error(`${file} has other than 16-bit samples, one channel, 16 kHz: convert it with ffmpeg -ac 1 -ar 16000`);
}

async function main([bundle, ...utterances]) {
  if (!bundle || !utterances.length) throw new Error("usage: node predict.js BUNDLE SPEAKER=FILE.wav ...");
  const ort = onnxruntime();
  const { labels, speakers } = corpus(bundle);
  const given = utterances.map((one) => {
    const speaker = one.slice(0, one.indexOf("="));
    if (!speakers.includes(speaker)) throw new Error(`${one}: write SPEAKER=FILE.wav, a speaker of ${speakers}`);
    return { speaker, wave: samples(one.slice(speaker.length + 1)) };
  });
  const longest = Math.max(...given.map(({ wave }) => wave.length));
  const waveform = new Float32Array(given.length * longest);
  given.forEach(({ wave }, i) => waveform.set(wave, i * longest));
  const integers = (values) => new ort.Tensor("int64", BigInt64Array.from(values.map(BigInt)), [values.length]);
  const session = await ort.InferenceSession.create(fs.readFileSync(path.join(bundle, "model.wav.onnx")));
  const { probability } = await session.run({
    waveform: new ort.Tensor("float32", waveform, [given.length, longest]),
    samples: integers(given.map(({ wave }) => wave.length)),
    speaker: integers(given.map(({ speaker }) => speakers.indexOf(speaker))),
  });
  const found = given.map(({ speaker }, i) => {
    const row = Array.from(probability.data.slice(i * labels.length, (i + 1) * labels.length));
    const probabilities = Object.fromEntries(labels.map((label, k) => [label, row[k]]));
    return { utterance: i + 1, speaker, label: labels[row.indexOf(Math.max(...row))], probabilities };
  });
  console.log(JSON.stringify(found, null, 1));
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
});
