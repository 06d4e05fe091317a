// The page: it connects sound, model and timeline. All names are shown as text, never as HTML.
"use strict";

(() => {
  const { Activity } = demo.activity;
  const { Dialogue } = demo.model;
  const { clock, best, csv, json, step } = demo.timeline;
  const { bundle, runtime } = demo;
  // Samples that are looked at as one piece: a tenth of a second, as in the terminal.
  const PIECE = 1600, RATE = 16000;
  // Most rows of the table that are shown; the downloads have all.
  const ROWS = 500;
  // Pixels of a second in the timeline of a file that ended: as many as fit, between these.
  const SMALLEST = 4, LARGEST = 40;
  // Of style.css, in the order of replicate predict's pictures; with more labels they repeat with a hatch.
  const COLOURS = 6, HATCHES = 4;
  // Pixels of a mark's time.
  const MARK = 44;
  const find = (id) => document.getElementById(id);

  let session;
  let name = "";
  let utterances = [];
  let seconds = 0;
  // Changes when something new begins, so that what still runs ends.
  let run = 0;
  let stop = async () => {};
  let speaker = 0;

  function element(tag, text = "", classes = "") {
    const made = document.createElement(tag);
    made.textContent = text;
    made.className = classes;
    return made;
  }

  function say(text, wrong = false) {
    find("status").textContent = text;
    find("status").classList.toggle("wrong", wrong);
  }

  function colour(label) {
    return `c${label % COLOURS} h${Math.floor(label / COLOURS) % HATCHES}`;
  }

  // Timeline

  const lanes = new Map();

  function lane(who) {
    if (!lanes.has(who)) {
      const row = element("div", "", "lane");
      find("names").append(element("div", who, "who"));
      find("lanes").append(row);
      lanes.set(who, row);
    }
    return lanes.get(who);
  }

  function scale() {
    return Number(find("zoom").value);
  }

  function place(bar, start, end) {
    bar.style.left = `${start * scale()}px`;
    bar.style.width = `${Math.max(2, (end - start) * scale() - 1)}px`;
  }

  function drawBar(one) {
    const winner = best(one.probabilities);
    const share = one.probabilities[winner];
    const bar = element("div", "", "bar");
    const fill = element("div", "", `fill ${colour(winner)}`);
    fill.style.height = `${Math.round(100 * share)}%`;
    const text = `${bundle.labels[winner]} ${share.toFixed(2)}`;
    bar.append(fill, element("span", text));
    bar.title = `${clock(one.start)} to ${clock(one.end)}: ${text}, answered in ${one.milliseconds.toFixed(1)} ms`;
    place(bar, one.start, one.end);
    one.bar = bar;
    lane(one.speaker).append(bar);
  }

  function drawAxis() {
    const every = step(scale());
    const width = Math.max(find("scroll").clientWidth, seconds * scale());
    const marks = [];
    for (let at = 0; at * scale() + MARK <= width; at += every) {
      const mark = element("span", clock(at).replace(/\.00$/, ""), "mark");
      mark.style.left = `${at * scale()}px`;
      marks.push(mark);
    }
    find("axis").replaceChildren(...marks);
    find("lanes").style.width = find("axis").style.width = `${width}px`;
  }

  function zoom(scaled) {
    find("zoom").value = scaled;
    for (const one of utterances) place(one.bar, one.start, one.end);
    drawAxis();
  }

  let drawn = -1;
  function extend(to) {
    seconds = Math.max(seconds, to);
    if (Math.floor(seconds) !== drawn) {
      drawn = Math.floor(seconds);
      drawAxis();
      find("scroll").scrollLeft = seconds * scale();
    }
  }

  function drawRow(one, number) {
    const winner = best(one.probabilities);
    const row = element("tr");
    const emotion = element("td");
    emotion.append(element("span", "", `dot ${colour(winner)}`), bundle.labels[winner]);
    row.append(
      element("td", String(number), "number"), element("td", clock(one.start), "number"),
      element("td", clock(one.end), "number"), element("td", one.speaker), emotion,
      ...one.probabilities.map((value) => element("td", value.toFixed(3), "number")),
    );
    find("rows").append(row);
    if (find("rows").childElementCount > ROWS) find("rows").firstElementChild.remove();
  }

  function add(one) {
    utterances.push(one);
    drawBar(one);
    drawRow(one, utterances.length);
    extend(one.end);
    if (utterances.length <= demo.distance.FIRST) warn(false);
    find("results").hidden = false;
    const winner = best(one.probabilities);
    find("latest").textContent =
      `${one.speaker}: ${bundle.labels[winner]}, ${Math.round(100 * one.probabilities[winner])} %`;
  }

  // Names what is unlike the training: of a microphone as soon as the first utterances show it.
  function warn(all) {
    const some = all ? utterances : utterances.slice(0, demo.distance.FIRST);
    if (!bundle.range || !some.length) return;
    const found = demo.distance.distance(bundle.range, some.map((one) => one.features));
    find("far").textContent = found.far
      ? `This sound is unlike what the model was trained on (${bundle.corpus}): ${found.beyond} of ${found.features} ` +
        `features beyond ${demo.distance.BEYOND} deviations. Expect wrong emotions.`
      : "";
  }

  function clear(title) {
    name = title;
    utterances = [];
    seconds = 0;
    drawn = -1;
    lanes.clear();
    for (const id of ["names", "lanes", "axis", "rows", "latest", "far"]) find(id).replaceChildren();
    find("results").hidden = true;
    find("title").textContent = title;
  }

  // Sound to utterances

  // Feeds what ended, in the order of its start, and shows each answer.
  async function answer(dialogue, ended, own) {
    for (const { one, who } of ended.sort((a, b) => a.one.start - b.one.start)) {
      const found = await dialogue.feed(one.samples, who);
      if (own !== run) return;
      const start = one.start / RATE;
      add({ speaker: bundle.speakers[who], start, end: start + one.samples.length / RATE, ...found });
    }
  }

  async function begin(title) {
    run += 1;
    const own = run;
    await stop();
    stop = async () => {};
    clear(title);
    return own;
  }

  async function follow(file) {
    const own = await begin(file.name);
    say(`Decoding ${file.name} ...`);
    try {
      const channels = await demo.sound.decode(file);
      if (own !== run) return;
      const dialogue = new Dialogue(session, bundle);
      const second = bundle.speakers.length > 1 ? (speaker + 1) % bundle.speakers.length : speaker;
      const who = [speaker, second];
      const detectors = channels.map(() => new Activity());
      const total = channels[0].length;
      let shown = performance.now();
      for (let at = 0; at < total; at += PIECE) {
        const ended = detectors.flatMap((detector, i) =>
          detector.push(channels[i].subarray(at, at + PIECE)).map((one) => ({ one, who: who[i] })));
        await answer(dialogue, ended, own);
        if (performance.now() - shown > 50) {
          say(`${file.name}: ${Math.round((100 * at) / total)} %`);
          await new Promise((resolve) => { setTimeout(resolve); });
          shown = performance.now();
        }
        if (own !== run) return;
      }
      await answer(dialogue, detectors.flatMap((one, i) => one.finish().map((last) => ({ one: last, who: who[i] }))), own);
      if (own !== run) return;
      extend(total / RATE);
      warn(true);
      zoom(Math.max(SMALLEST, Math.min(LARGEST, Math.floor(find("scroll").clientWidth / seconds))));
      find("scroll").scrollLeft = 0;
      const count = utterances.length;
      say(count ? `${file.name}: ${count} utterance${count > 1 ? "s" : ""}.` : `${file.name}: no speech was found.`, !count);
    } catch (error) {
      if (own === run) say(`${file.name} cannot be used: ${error.message}.`, true);
    }
  }

  function listening(on) {
    find("microphone").setAttribute("aria-pressed", String(on));
    find("microphone").textContent = on ? "Stop the microphone" : "Use the microphone";
    find("level").hidden = !on;
  }

  async function listen() {
    const own = await begin("Microphone");
    find("file").value = "";
    const dialogue = new Dialogue(session, bundle);
    const detector = new Activity();
    let before = false, who = speaker, queue = Promise.resolve();
    const later = (ended) => {
      const now = who;
      queue = queue.then(() => answer(dialogue, ended.map((one) => ({ one, who: now })), run))
        .catch((error) => say(`${error.message}.`, true));
      return queue;
    };
    const piece = (samples) => {
      if (own !== run) return;
      const ended = detector.push(samples);
      if (ended.length) later(ended);
      if (detector.speaking && !before) who = speaker;
      before = detector.speaking;
      extend((detector.frames * demo.activity.FRAME) / RATE);
      find("meter").value = detector.level;
      find("activity").textContent = detector.speaking ? "speech" : "silence";
    };
    const lost = () => { if (own === run) { stop(); say("The microphone was disconnected.", true); } };
    try {
      const close = await demo.sound.microphone(piece, lost);
      listening(true);
      say("The microphone is on: speak, and pause for half a second.");
      stop = async () => {
        stop = async () => {};
        await close();
        await later(detector.finish());
        listening(false);
        say(`${utterances.length} utterance${utterances.length === 1 ? "" : "s"}.`);
      };
    } catch (error) {
      say(`The microphone cannot be used: ${error.message}.`, true);
    }
  }

  // Controls

  function save(content, type, suffix) {
    const link = element("a");
    link.href = URL.createObjectURL(new Blob([content], { type }));
    link.download = `${name.replace(/\.[^.]*$/, "") || "timeline"}.${suffix}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function take(files) {
    if (files.length) follow(files[0]);
  }

  function prepare() {
    bundle.labels.forEach((label, i) => {
      const item = element("li");
      item.append(element("span", "", `dot ${colour(i)}`), label);
      find("legend").append(item);
      find("heads").append(element("th", label, "number"));
    });
    bundle.speakers.slice(0, 2).forEach((who, i) => {
      const label = element("label");
      const input = element("input");
      Object.assign(input, { type: "radio", name: "speaker", checked: i === 0 });
      input.addEventListener("change", () => { speaker = i; });
      label.append(input, ` ${who}`);
      find("speakers").append(label);
    });
    find("speakers").hidden = bundle.speakers.length < 2;
    find("limits").textContent = bundle.limits;
    find("zoom").addEventListener("input", () => zoom(scale()));
    find("file").addEventListener("change", (event) => take([...event.target.files]));
    // So that the same file can be chosen again.
    find("file").addEventListener("click", (event) => { event.target.value = ""; });
    find("microphone").addEventListener("click", () => {
      if (find("microphone").getAttribute("aria-pressed") === "true") stop();
      else listen();
    });
    find("csv").addEventListener("click", () => save(csv(name, bundle.labels, utterances), "text/csv", "csv"));
    find("json").addEventListener("click", () => save(json(name, bundle.labels, utterances), "application/json", "json"));
    addEventListener("dragover", (event) => { event.preventDefault(); find("drop").classList.add("over"); });
    addEventListener("dragleave", () => find("drop").classList.remove("over"));
    addEventListener("drop", (event) => {
      event.preventDefault();
      find("drop").classList.remove("over");
      if (!session || !event.dataTransfer.files.length) return;
      find("file").files = event.dataTransfer.files;
      take([...event.dataTransfer.files]);
    });
  }

  async function start() {
    prepare();
    try {
      session = await demo.model.open(bundle, runtime);
      find("file").disabled = find("microphone").disabled = false;
      say(`Ready after ${(performance.now() / 1000).toFixed(1)} s.`);
    } catch (error) {
      say(`The model cannot be opened in this browser: ${error.message}.`, true);
    }
  }

  start();
})();
