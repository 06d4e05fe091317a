// Sound from files and from the microphone, at 16 kHz.
"use strict";
globalThis.demo = globalThis.demo ?? {};

demo.sound = (() => {
  const RATE = 16000;
  // Seconds of a file: a longer one does not fit into the memory of every browser.
  const LONGEST = 3600;
  const LARGEST = 400e6;
  // The rate of files that declare none, or one that cannot be used; the browser resamples these to it.
  const USUAL = 48000;
  // Two channels are two speakers where their correlation over the first minute is below this.
  const ALIKE = 0.5, MINUTE = 60 * RATE;

  // Runs where the browser processes sound; it passes on blocks that are large enough to be rare.
  const WORKLET = `registerProcessor("pieces", class extends AudioWorkletProcessor {
    constructor() { super(); this.piece = new Float32Array(1024); this.size = 0; }
    process(inputs) {
      const block = inputs[0][0];
      if (block) {
        this.piece.set(block, this.size);
        this.size += block.length;
        if (this.size + block.length > this.piece.length) {
          this.port.postMessage(this.piece.slice(0, this.size));
          this.size = 0;
        }
      }
      return true;
    }
  });`;

  // The duration that a file declares, in seconds; undefined where the browser cannot tell.
  function duration(file) {
    return new Promise((resolve) => {
      const audio = new Audio();
      const url = URL.createObjectURL(file);
      const end = (seconds) => {
        audio.removeAttribute("src");
        URL.revokeObjectURL(url);
        resolve(seconds);
      };
      audio.onloadedmetadata = () => end(Number.isFinite(audio.duration) ? audio.duration : undefined);
      audio.onerror = () => end(undefined);
      audio.preload = "metadata";
      audio.src = url;
    });
  }

  function correlation(one, other) {
    const length = Math.min(one.length, MINUTE);
    let [a, b, aa, bb, ab] = [0, 0, 0, 0, 0];
    for (let i = 0; i < length; i += 1) {
      a += one[i];
      b += other[i];
      aa += one[i] ** 2;
      bb += other[i] ** 2;
      ab += one[i] * other[i];
    }
    const size = Math.sqrt((aa - a ** 2 / length) * (bb - b ** 2 / length));
    return size > 0 ? (ab - (a * b) / length) / size : 0;
  }

  // Channels as speakers: two that differ are two speakers, all others are mixed to one.
  function speakers(channels) {
    if (channels.length === 1) return channels;
    if (channels.length === 2 && Math.abs(correlation(...channels)) < ALIKE) return channels;
    const mixed = new Float32Array(channels[0].length);
    for (const channel of channels) {
      for (let i = 0; i < mixed.length; i += 1) mixed[i] += channel[i] / channels.length;
    }
    return [mixed];
  }

  // What decodes a file at the rate that it declares.
  function decoder(buffer, seconds) {
    const declared = demo.rate.of(buffer);
    if (declared * seconds > USUAL * LONGEST) {
      throw new Error(`${Math.round(seconds)} s at ${declared} Hz do not fit into memory: cut it`);
    }
    if (declared && demo.resample.possible(declared)) {
      try {
        return new OfflineAudioContext(1, 1, declared);
      } catch {
        // Browsers differ in the rates that they take.
      }
    }
    return new OfflineAudioContext(1, 1, USUAL);
  }

  // The speakers' channels of a file at 16 kHz.
  async function decode(file) {
    const seconds = await duration(file);
    if (file.size > LARGEST || seconds > LONGEST) {
      throw new Error(`it is longer than ${LONGEST / 3600} hour or larger than ${LARGEST / 1e6} MB: cut it`);
    }
    const buffer = await file.arrayBuffer();
    const context = decoder(buffer, seconds);
    let found;
    try {
      found = await context.decodeAudioData(buffer);
    } catch {
      throw new Error("this browser cannot decode it: convert it to wav");
    }
    const channels = Array.from({ length: found.numberOfChannels }, (_, i) => found.getChannelData(i));
    if (!channels.every((channel) => channel.every(Number.isFinite))) {
      throw new Error("it contains NaN or infinity: convert or record it again");
    }
    const resampled = [];
    for (const channel of channels.length > 2 ? speakers(channels) : channels) {
      resampled.push(await demo.resample.whole(channel, found.sampleRate));
    }
    return speakers(resampled);
  }

  async function source(context, piece) {
    try {
      const address = URL.createObjectURL(new Blob([WORKLET], { type: "text/javascript" }));
      await context.audioWorklet.addModule(address);
      const node = new AudioWorkletNode(context, "pieces");
      node.port.onmessage = (event) => piece(event.data);
      return node;
    } catch {
      // A page that is opened as a file may load no worklet.
      const node = context.createScriptProcessor(4096, 1, 1);
      node.onaudioprocess = (event) => piece(event.inputBuffer.getChannelData(0).slice());
      return node;
    }
  }

  // Calls piece with sound of the microphone until the function that it returns is called.
  async function microphone(piece, lost) {
    if (!navigator.mediaDevices) throw new Error("this browser gives no microphone to pages from this address");
    let stream;
    try {
      const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      const reasons = { NotAllowedError: "its use was not allowed", NotFoundError: "there is none" };
      throw new Error(reasons[error.name] ?? "it cannot be opened: another program may use it");
    }
    const context = new AudioContext();
    const resampler = new demo.resample.Resampler(context.sampleRate);
    const node = await source(context, (samples) => piece(resampler.push(samples)));
    stream.getAudioTracks()[0].onended = lost;
    context.createMediaStreamSource(stream).connect(node);
    // Some browsers process only what leads to the output; nothing is played.
    node.connect(context.destination);
    await context.resume();
    return async () => {
      stream.getTracks().forEach((track) => track.stop());
      await context.close();
      piece(resampler.flush());
    };
  }

  return { decode, speakers, microphone };
})();
