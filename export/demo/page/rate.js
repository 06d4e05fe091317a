// The sampling rate that a recording declares, so that it is decoded at its own rate.
"use strict";
globalThis.demo = globalThis.demo ?? {};

demo.rate = (() => {
  // Chunks of a wav file before its format, at most; bytes after a tag in which a frame of MP3 is looked for.
  const CHUNKS = 100, SEARCHED = 65536;
  // In Hz, of MPEG 1; MPEG 2 has half of them, MPEG 2.5 a quarter.
  const MP3 = [44100, 48000, 32000];

  function text(view, at, length) {
    if (at + length > view.byteLength) return "";
    return String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + at, length));
  }

  function wav(view) {
    for (let at = 12, i = 0; at + 16 <= view.byteLength && i < CHUNKS; i += 1) {
      if (text(view, at, 4) === "fmt ") return view.getUint32(at + 12, true);
      const size = view.getUint32(at + 4, true);
      at += 8 + size + (size % 2);
    }
    return undefined;
  }

  // A page of Ogg begins with 27 bytes and the sizes of its segments.
  function ogg(view) {
    const packet = view.byteLength > 27 ? 27 + view.getUint8(26) : 0;
    if (text(view, packet + 1, 6) === "vorbis" && packet + 16 <= view.byteLength) return view.getUint32(packet + 12, true);
    return text(view, packet + 1, 4) === "FLAC" ? flac(view, packet + 9) : undefined;
  }

  function flac(view, at) {
    return view.byteLength >= at + 22 ? view.getUint32(at + 18) >>> 12 : undefined;
  }

  function mp3(view) {
    let at = 0;
    if (text(view, 0, 3) === "ID3" && view.byteLength > 10) {
      const size = [6, 7, 8, 9].reduce((sum, i) => sum * 128 + (view.getUint8(i) & 127), 0);
      at = 10 + size + (view.getUint8(5) & 16 ? 10 : 0);
    }
    for (const end = Math.min(view.byteLength - 3, at + SEARCHED); at < end; at += 1) {
      const head = view.getUint32(at);
      const version = (head >>> 19) & 3, layer = (head >>> 17) & 3, bits = (head >>> 12) & 15, place = (head >>> 10) & 3;
      if (head >>> 21 === 2047 && version !== 1 && layer !== 0 && bits !== 15 && place < 3) {
        return MP3[place] / (version === 3 ? 1 : version === 2 ? 2 : 4);
      }
    }
    return undefined;
  }

  // Hz as the header of a wav, FLAC, Ogg or MP3 file declares it; undefined for any other file, and for no number.
  function of(buffer) {
    const view = new DataView(buffer);
    const kind = text(view, 0, 4);
    if (kind === "RIFF" || kind === "RF64") return wav(view) || undefined;
    if (kind === "fLaC") return flac(view, 0) || undefined;
    if (kind === "OggS") return ogg(view) || undefined;
    return kind.startsWith("ID3") || view.byteLength > 1 && view.getUint16(0) >= 0xffe0 ? mp3(view) : undefined;
  }

  return { of };
})();
