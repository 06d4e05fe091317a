// The model in onnxruntime-web: sound of an utterance in, probabilities out. All files are on the page, as base64.
"use strict";
globalThis.demo = globalThis.demo ?? {};

demo.model = (() => {
  function bytes(base64) {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
    return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  }

  function address(content, type) {
    return URL.createObjectURL(new Blob([content], { type }));
  }

  // Opens the model and answers once, so that the first utterance does not wait.
  async function open(bundle, runtime) {
    ort.env.logLevel = "error";
    // More threads need a server that isolates the page from others.
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = {
      mjs: address(runtime.mjs, "text/javascript"),
      wasm: address(bytes(runtime.wasm), "application/wasm"),
    };
    const session = await ort.InferenceSession.create(bytes(bundle.model));
    await new Dialogue(session, bundle).feed(new Float32Array(8000), 0);
    return session;
  }

  // A dialogue that is predicted utterance by utterance.
  class Dialogue {
    constructor(session, bundle) {
      this.session = session;
      this.state = new ort.Tensor("float32", new Float32Array(bundle.state), [bundle.state]);
    }

    async feed(samples, speaker) {
      const before = performance.now();
      const whole = (number) => new ort.Tensor("int64", BigInt64Array.of(BigInt(number)), [1]);
      const found = await this.session.run({
        waveform: new ort.Tensor("float32", samples, [1, samples.length]),
        samples: whole(samples.length),
        speaker: whole(speaker),
        state: this.state,
      });
      const probabilities = [...found.probability.data];
      if (!probabilities.every(Number.isFinite)) throw new Error("the model gives numbers that are not finite");
      this.state = found.new_state;
      return { probabilities, features: [...found.features.data], milliseconds: performance.now() - before };
    }
  }

  return { open, Dialogue };
})();
