// Checks in the page what the ledger's server says, with WebCrypto; and hashes a model file for a look-up.
// Formats: spec/ledger.md, spec/witness.md, spec/dataset.md §5. Every text goes into the page as text.
"use strict";
(() => {
  const root = new URL(document.body.dataset.root, location.href);
  const utf8 = new TextEncoder();
  const NOTE_LIMIT = 262144, ENTRY_LIMIT = 65535, PROOF_LIMIT = 360448;

  // ---- bytes

  const hex = (bytes) => Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
  const equal = (a, b) => a.length === b.length && a.every((each, at) => each === b[at]);
  const base64 = (bytes) => btoa(Array.from(bytes, (each) => String.fromCharCode(each)).join(""));

  function unbase64(text) {
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) throw Error("not base64");
    const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
    if (base64(bytes) !== text) throw Error("base64 that is not canonical");
    return bytes;
  }

  function join(...parts) {
    const bytes = new Uint8Array(parts.reduce((sum, each) => sum + each.length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  const sha256 = async (...parts) =>
    new Uint8Array(await crypto.subtle.digest("SHA-256", parts.length === 1 ? parts[0] : join(...parts)));
  const leafHash = (entry) => sha256(Uint8Array.of(0), entry);
  const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

  function text(bytes) {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  }

  function unhex(word) {
    if (!/^([0-9a-f]{2})+$/.test(word)) throw Error("not hexadecimal");
    return Uint8Array.from(word.match(/../g), (each) => parseInt(each, 16));
  }

  // spec/ledger.md §2: one value has one encoding, so what is read here is what everybody reads.
  function canonical(value) {
    if (typeof value === "string") {
      return `"${Array.from(value, (each) => {
        if (each === "\"" || each === "\\") return `\\${each}`;
        return each < " " || each === "\x7f" ? `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}` : each;
      }).join("")}"`;
    }
    if (typeof value === "boolean" || Number.isSafeInteger(value)) return String(value);
    if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
    if (value === null || typeof value !== "object") throw Error("a value of another kind");
    return `{${Object.keys(value).sort().map((key) => `${canonical(key)}:${canonical(value[key])}`).join(",")}}`;
  }

  function parseCanonical(bytes) {
    const whole = text(bytes), value = JSON.parse(whole);
    if (canonical(value) !== whole) throw Error("not canonical JSON");
    return value;
  }

  // Sizes above 2^53 are beyond any ledger; refused, because numbers here would not hold them.
  function decimal(word) {
    if (!/^(0|[1-9][0-9]{0,15})$/.test(word) || !Number.isSafeInteger(Number(word))) {
      throw Error("not a decimal number");
    }
    return Number(word);
  }

  // ---- keys, notes, heads, receipts

  async function parseKey(line) {
    const first = line.indexOf("+"), second = line.indexOf("+", first + 1);
    if (first < 1 || second < 0) throw Error("a key is name+ID+base64");
    const name = line.slice(0, first), id = line.slice(first + 1, second);
    const material = unbase64(line.slice(second + 1));
    if (/\s/.test(name) || material.length !== 33 || (material[0] !== 1 && material[0] !== 4)) {
      throw Error("not the Ed25519 key of a log or of a witness");
    }
    const keyID = (await sha256(utf8.encode(name + "\n"), material)).slice(0, 4);
    if (hex(keyID) !== id) throw Error("the key ID is not that of name and key");
    return { line, name, keyID, isWitness: material[0] === 4, bytes: material.slice(1) };
  }

  function parseNote(bytes) {
    if (bytes.length > NOTE_LIMIT) throw Error("the tree head is too long");
    const whole = text(bytes), split = whole.lastIndexOf("\n\n");
    if (split < 0 || !whole.endsWith("\n") || /[\0-\x09\x0b-\x1f]/.test(whole)) throw Error("not a signed note");
    const rows = whole.slice(split + 2, -1).split("\n");
    if (rows.length > 64) throw Error("too many signatures");
    const lines = rows.map((row) => {
      const parts = row.split(" ");
      if (parts.length !== 3 || parts[0] !== "\u2014") throw Error("not a signature line");
      const blob = unbase64(parts[2]);
      if (blob.length < 5) throw Error("a signature without bytes");
      return { name: parts[1], keyID: blob.slice(0, 4), bytes: blob.slice(4) };
    });
    return { text: whole.slice(0, split + 1), lines };
  }

  function parseHead(note) {
    const lines = note.text.split("\n");
    if (lines.length < 4 || lines.pop() !== "" || lines.some((each) => each === "")) throw Error("not a tree head");
    const hash = unbase64(lines[2]);
    if (hash.length !== 32) throw Error("a root of another length");
    return { origin: lines[0], size: decimal(lines[1]), hash };
  }

  function parseReceipt(bytes) {
    if (bytes.length > PROOF_LIMIT) throw Error("the receipt is too long");
    const whole = text(bytes), split = whole.indexOf("\n\n");
    if (split < 0) throw Error("not a receipt");
    const lines = whole.slice(0, split).split("\n");
    if (lines.shift() !== "c2sp.org/tlog-proof@v1") throw Error("not a receipt");
    if (lines[0] && lines[0].startsWith("extra ")) lines.shift();
    if (!lines[0] || !lines[0].startsWith("index ")) throw Error("a receipt without an index");
    const index = decimal(lines.shift().slice(6));
    const path = lines.map(unbase64);
    if (path.length > 62 || path.some((each) => each.length !== 32)) throw Error("not a path of hashes");
    return { index, path, note: parseNote(utf8.encode(whole.slice(split + 2))) };
  }

  // spec/glossary.md, "Ed25519": the eight points of low order, their sign left out; and no second name of a key.
  const WEAK = new Set([
    "00".repeat(32), `01${"00".repeat(31)}`, `ec${"ff".repeat(30)}7f`,
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  ]);

  function isWeak(key) {
    const y = key.slice();
    y[31] &= 127;
    const isBeyond = y[31] === 127 && y.slice(1, 31).every((each) => each === 255) && y[0] >= 237;
    return isBeyond || WEAK.has(hex(y));
  }

  async function ed25519(key, signature, message) {
    if (signature.length !== 64 || key.length !== 32 || isWeak(key)) return false;
    const imported = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
    return crypto.subtle.verify({ name: "Ed25519" }, imported, signature, message);
  }

  // The lines by a key: none, or all of them valid; times of a witness.
  async function linesBy(key, note) {
    const found = [];
    for (const line of note.lines) {
      if (line.name !== key.name || !equal(line.keyID, key.keyID)) continue;
      let signature = line.bytes, message = note.text, time = 0;
      if (key.isWitness) {
        if (line.bytes.length !== 72) throw Error(`the line of ${key.name} has another form`);
        const seconds = new DataView(line.bytes.buffer, line.bytes.byteOffset).getBigUint64(0);
        time = Number(seconds);
        signature = line.bytes.slice(8);
        message = `cosignature/v1\ntime ${seconds}\n${note.text}`;
      }
      if (!(await ed25519(key.bytes, signature, utf8.encode(message)))) {
        throw new Failure(`The signature of ${key.name} is not over this tree head.`);
      }
      found.push(time);
    }
    return found;
  }

  // RFC 9162 §2.1.3.2.
  async function rootFromPath(leaf, index, size, path) {
    if (index >= size) return null;
    let at = index, last = size - 1, hash = leaf;
    for (const sibling of path) {
      if (last === 0) return null;
      if (at % 2 === 1 || at === last) {
        hash = await nodeHash(sibling, hash);
        while (at % 2 === 0 && at !== 0) {
          at = Math.floor(at / 2);
          last = Math.floor(last / 2);
        }
      } else {
        hash = await nodeHash(hash, sibling);
      }
      at = Math.floor(at / 2);
      last = Math.floor(last / 2);
    }
    return last === 0 ? hash : null;
  }

  // ---- tiles, and that one tree begins another

  async function fetchBytes(path, limit) {
    let bytes;
    try {
      const answer = await fetch(new URL(path, root), { cache: "no-store", credentials: "same-origin" });
      if (!answer.ok) throw Error(`the server answered ${answer.status}`);
      bytes = new Uint8Array(await answer.arrayBuffer());
    } catch (error) {
      throw new Unreachable(`${path}: ${error.message}`);
    }
    if (bytes.length > limit) throw Error(`${path}: longer than it may be`);
    return bytes;
  }

  class Tiles {
    constructor(size) {
      this.size = size;
      this.known = new Map();
    }

    async tile(level, index) {
      const all = Math.floor(this.size / 256 ** level), width = Math.min(256, all - index * 256);
      let number = String(index % 1000).padStart(3, "0");
      for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
        number = `x${String(rest % 1000).padStart(3, "0")}/${number}`;
      }
      const path = `tile/${level}/${number}${width < 256 ? `.p/${width}` : ""}`;
      if (!this.known.has(path)) {
        const bytes = await fetchBytes(path, 8192);
        if (bytes.length !== width * 32) throw Error(`${path}: another length`);
        this.known.set(path, bytes);
      }
      return this.known.get(path);
    }

    async perfect(level, index) {
      const within = level % 8, first = index * 2 ** within;
      const tile = await this.tile((level - within) / 8, Math.floor(first / 256));
      let hashes = [];
      for (let at = first % 256; at < (first % 256) + 2 ** within; at += 1) hashes.push(tile.slice(at * 32, at * 32 + 32));
      while (hashes.length > 1) {
        const above = [];
        for (let at = 0; at < hashes.length; at += 2) above.push(await nodeHash(hashes[at], hashes[at + 1]));
        hashes = above;
      }
      return hashes[0];
    }

    // The hash over leaves `low` to `high`, as RFC 6962 cuts them.
    async over(low, high) {
      const count = high - low, level = Math.round(Math.log2(count));
      if (2 ** level === count) return this.perfect(level, low / count);
      const half = largestPower(count);
      return nodeHash(await this.over(low, low + half), await this.over(low + half, high));
    }

    // RFC 6962 §2.1.2.
    async consistency(size, low = 0, high = this.size, isWhole = true) {
      if (size === high - low) return isWhole ? [] : [await this.over(low, high)];
      const half = largestPower(high - low);
      return size <= half
        ? [...(await this.consistency(size, low, low + half, isWhole)), await this.over(low + half, high)]
        : [...(await this.consistency(size - half, low + half, high, false)), await this.over(low, low + half)];
    }
  }

  // The largest power of two below `count`, which is at least 2.
  function largestPower(count) {
    let half = 1;
    while (half * 2 < count) half *= 2;
    return half;
  }

  // RFC 9162 §2.1.4.2, for 0 < old < size.
  async function begins(old, oldHash, size, hash, proof) {
    const path = [...proof];
    let at = old - 1, last = size - 1;
    while (at % 2 === 1) {
      at = Math.floor(at / 2);
      last = Math.floor(last / 2);
    }
    const start = Number.isInteger(Math.log2(old)) ? oldHash : path.shift();
    if (!start) return false;
    let one = start, two = start;
    for (const each of path) {
      if (last === 0) return false;
      if (at % 2 === 1 || at === last) {
        one = await nodeHash(each, one);
        two = await nodeHash(each, two);
        while (at % 2 === 0 && at !== 0) {
          at = Math.floor(at / 2);
          last = Math.floor(last / 2);
        }
      } else {
        two = await nodeHash(two, each);
      }
      at = Math.floor(at / 2);
      last = Math.floor(last / 2);
    }
    return last === 0 && equal(one, oldHash) && equal(two, hash);
  }

  // ---- what this browser remembers of this ledger

  const place = `pol-ledger ${root.href}`;
  function remembered() {
    try {
      const value = JSON.parse(localStorage.getItem(place));
      return value && typeof value === "object" ? value : {};
    } catch {
      return {};
    }
  }
  function remember(change) {
    try {
      localStorage.setItem(place, JSON.stringify({ ...remembered(), ...change }));
      return true;
    } catch {
      return false;
    }
  }

  // ---- the check

  // What was shown is wrong; and what could not be had, which decides nothing.
  class Failure extends Error {}
  class Unreachable extends Error {}

  function element(name, options = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(options)) {
      if (key === "text") made.textContent = value;
      else if (key === "on") made.addEventListener("click", value);
      else made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  class Report {
    constructor(box) {
      this.list = element("ul");
      this.words = element("p", { role: "status" });
      box.replaceChildren(element("h2", { text: "Checked in this page" }), this.words, this.list);
    }
    yes(words) { this.list.append(element("li", { class: "yes", text: plain(words) })); }
    open(words) { this.list.append(element("li", { class: "open", text: plain(words) })); }
    no(words) { this.list.append(element("li", { class: "no", text: plain(words) })); }
    end(state, words) {
      this.words.className = state;
      this.words.textContent = words;
      this.words.id = "check-result";
      this.words.dataset.state = state;
    }
  }

  const time = (seconds) => {
    const date = new Date(seconds * 1000);
    return Number.isNaN(date.getTime()) ? `${seconds} s after 1970` : date.toISOString().replace(/\.\d+Z/, "Z");
  };

  // A stranger's words among ours: no marks of direction or other scalars that do not show, and not too many.
  const plain = (words) => Array.from(words).slice(0, 400).join("").replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu, (each) => `\\u{${each.codePointAt(0).toString(16)}}`);

  // The keys to judge by: those that the reader pinned, or the server's own word.
  async function keys(report, memory) {
    const stated = text(await fetchBytes("vkey", 2048)).replace(/\n$/, "");
    if (memory.pinned) {
      const pinned = [];
      for (const line of memory.pinned.split("\n")) if (line) pinned.push(await parseKey(line));
      const log = pinned.find((each) => !each.isWitness);
      if (stated !== log.line) report.no("This server states another key than the one that you pinned.");
      return { log, witnesses: pinned.filter((each) => each.isWitness), isPinned: true };
    }
    if (memory.key && memory.key !== stated) {
      throw new Failure("The server's key is another one than at your last visit.");
    }
    return { log: await parseKey(stated), witnesses: [], isPinned: false, stated };
  }

  async function checkHead(report, note, known) {
    const lines = await linesBy(known.log, note);
    if (lines.length === 0) throw new Failure(`The tree head is not signed by the key ${known.log.line}.`);
    const head = parseHead(note);
    if (head.origin !== known.log.name) throw new Failure("The tree head is another log's.");
    report.yes(`The tree head of ${head.size} entries is signed by ${known.isPinned ? "the key that you pinned" : "the key that this server states"}.`);
    for (const witness of known.witnesses) {
      const times = await linesBy(witness, note);
      if (times.length > 0) report.yes(`The witness ${witness.name} signed it too, on ${time(Math.min(...times))} by its clock.`);
      else report.open(`The witness ${witness.name}, whose key you pinned, has not signed this head.`);
    }
    if (known.witnesses.length === 0) report.open("Witness lines were not checked: no witness's key is pinned here.");
    return head;
  }

  async function checkMemory(report, head, memory) {
    const old = memory.head;
    if (!old) {
      report.open("This browser has seen no earlier tree head of this ledger to compare with.");
      return;
    }
    const oldHash = unbase64(old.hash);
    if (head.size < old.size) {
      throw new Failure(`The ledger went back: this browser has seen ${old.size} entries, and is now shown ${head.size}.`);
    }
    if (head.size === old.size) {
      if (!equal(head.hash, oldHash)) throw new Failure("The ledger forked: it signed another tree of the same size.");
      report.yes("It is the tree head that this browser saw last.");
      return;
    }
    if (old.size > 0) {
      const proof = await new Tiles(head.size).consistency(old.size);
      if (!(await begins(old.size, oldHash, head.size, head.hash, proof))) {
        throw new Failure(`The tree that this browser saw (${old.size} entries) is not the beginning of this one.`);
      }
    }
    report.yes(`The tree that this browser saw last (${old.size} entries) is the beginning of this one.`);
  }

  // What the bytes say, read here and not taken from the page.
  async function checkEntry(report, bytes) {
    const shown = document.getElementById("leaf-hash");
    if (shown && shown.textContent !== hex(await leafHash(bytes))) {
      throw new Failure("The page shows another leaf hash than that of the bytes.");
    }
    if (!document.querySelector(".claim")) {
      report.open("The page shows no statement in these bytes, and none was looked for.");
      return;
    }
    let payload, statement, key, signature;
    try {
      const envelope = parseCanonical(bytes);
      payload = unbase64(envelope.payload);
      statement = parseCanonical(payload);
      key = unhex(statement.predicate.proverKey);
      signature = unbase64(envelope.signatures[0].sig);
    } catch {
      throw new Failure("The page shows a statement, and the bytes are none.");
    }
    const type = "application/vnd.in-toto+json";
    const message = join(utf8.encode(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload);
    if (!(await ed25519(key, signature, message))) {
      throw new Failure("The statement is not signed by the key that it names.");
    }
    report.yes(`The statement is signed by the key ${hex(key)}; its kind is ${statement.predicateType}.`);
    const signed = text(payload), claims = Array.from(document.querySelectorAll(".claim"), (each) => each.textContent);
    const strange = claims.find((each) => !signed.includes(each));
    if (strange) throw new Failure(`The page shows ${strange}, which does not stand in the signed text.`);
    report.yes(`What the page shows of it, ${claims.length} digests and keys, stands in the signed text. The sentences around them are the server's.`);
  }

  async function check(box) {
    box.hidden = false;
    const report = new Report(box), memory = remembered(), isEntry = box.dataset.kind === "entry";
    if (!globalThis.crypto || !crypto.subtle) {
      report.end("warn", "Nothing was checked: browsers check signatures only on pages that come by https, or from this very machine.");
      box.append(elsewhere());
      return;
    }
    report.end("", "Checking…");
    let known, head;
    try {
      try {
        await crypto.subtle.importKey("raw", new Uint8Array(32).fill(1), { name: "Ed25519" }, false, ["verify"]);
      } catch (error) {
        if (error.name === "NotSupportedError") {
          report.end("warn", "Nothing was checked: this browser knows no Ed25519.");
          box.append(elsewhere());
          return;
        }
      }
      known = await keys(report, memory);
      if (isEntry) {
        const index = decimal(box.dataset.index);
        const bytes = await fetchBytes(`entry/${index}.bin`, ENTRY_LIMIT);
        const receipt = parseReceipt(await fetchBytes(`entry/${index}.tlog-proof`, PROOF_LIMIT));
        head = await checkHead(report, receipt.note, known);
        if (receipt.index !== index) throw new Failure("The receipt is another entry's.");
        const found = await rootFromPath(await leafHash(bytes), index, head.size, receipt.path);
        if (!found || !equal(found, head.hash)) throw new Failure(`The bytes are not entry ${index} of the signed tree.`);
        report.yes(`The entry's ${bytes.length} bytes stand at index ${index} of that tree.`);
        await checkEntry(report, bytes);
      } else {
        head = await checkHead(report, parseNote(await fetchBytes("checkpoint", NOTE_LIMIT)), known);
      }
      await checkMemory(report, head, memory);
    } catch (error) {
      if (error instanceof Unreachable) {
        report.open(`It could not be had: ${error.message}.`);
        report.end("warn", "Not checked. Nothing here is proved, or refuted.");
      } else {
        report.no(error instanceof Failure ? error.message : `What the server sent is malformed: ${error.message}.`);
        report.end("bad", "Not proved. Do not rely on what this page shows.");
      }
      box.append(pins(known), elsewhere());
      return;
    }
    const kept = remember({ key: known.log.line, head: { size: head.size, hash: base64(head.hash) } });
    if (!kept) report.open("This browser keeps nothing for this page, so a later visit has nothing to compare with.");
    const what = isEntry ? `Entry ${box.dataset.index} stands in the ledger` : "The tree head is the ledger's word";
    if (known.isPinned && report.list.querySelector(".no")) {
      report.end("bad", "The server states another key than yours. What is shown was checked by yours.");
    } else if (known.isPinned) {
      report.end("good", `${what} whose key you pinned.`);
    } else {
      report.end("warn", `${what} of the key that this server states. Whether that is the right key, only somebody else can tell you: get it elsewhere and pin it.`);
    }
    box.append(pins(known), elsewhere());
  }

  function elsewhere() {
    return element("p", {
      class: "small",
      text: "This script came from the same server, which could send another one that always says yes. The evidence file and pol ledger verify-bundle do not depend on it.",
    });
  }

  function pins(known) {
    const memory = remembered();
    const field = element("textarea", { id: "pins", rows: "4", spellcheck: "false", "aria-describedby": "pins-state" });
    field.value = memory.pinned || (known && !known.isPinned && known.log ? known.log.line : "");
    const state = element("p", { id: "pins-state", class: "small", role: "status" });
    const save = async () => {
      try {
        const lines = field.value.split("\n").map((each) => each.trim()).filter((each) => each !== "");
        const parsed = [];
        for (const line of lines) parsed.push(await parseKey(line));
        if (parsed.filter((each) => !each.isWitness).length !== 1) throw Error("one of them must be the log's, and only one");
        if (!remember({ pinned: lines.join("\n") })) throw Error("this browser keeps nothing for this page");
        location.reload();
      } catch (error) {
        state.textContent = `Not pinned: ${error.message}.`;
      }
    };
    const forget = () => {
      try { localStorage.removeItem(place); } catch { /* there was nothing */ }
      location.reload();
    };
    return element("details", {},
      element("summary", { text: memory.pinned ? "Keys that you pinned" : "Pin the keys that you trust" }),
      element("label", { for: "pins", text: "One verifier key a line: the log's, and those of witnesses" }), field, state,
      element("p", { class: "buttons" },
        element("button", { type: "button", id: "pin", text: "Pin in this browser", on: save }),
        element("button", { type: "button", id: "forget", class: "plain", text: "Forget this ledger", on: forget })));
  }

  // ---- a model file

  const TYPES = {
    BOOL: [1, 1], U8: [2, 1], I8: [3, 1], F8_E5M2: [4, 1], F8_E4M3: [5, 1], I16: [6, 2], U16: [7, 2], F16: [8, 2],
    BF16: [9, 2], I32: [10, 4], U32: [11, 4], F32: [12, 4], I64: [13, 8], U64: [14, 8], F64: [15, 8],
  };
  // WebCrypto hashes a whole message at once, so a tensor has to fit in memory.
  const TENSOR_LIMIT = 2 ** 30, HEADER_LIMIT = 32 * 2 ** 20, CLAIMED_BYTES = 4096, SENT_TENSORS = 32;

  function little(number, size) {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; at += 1) {
      bytes[at] = number % 256;
      number = Math.floor(number / 256);
    }
    return bytes;
  }

  const order = (a, b) => {
    for (let at = 0; at < Math.min(a.length, b.length); at += 1) if (a[at] !== b[at]) return a[at] - b[at];
    return a.length - b.length;
  };

  async function readTensors(file) {
    const start = new DataView(await file.slice(0, 8).arrayBuffer());
    if (start.byteLength !== 8) throw Error("it is no safetensors file");
    const length = Number(start.getBigUint64(0, true));
    if (length > HEADER_LIMIT || length + 8 > file.size) throw Error("it is no safetensors file, or its header is too long");
    const header = JSON.parse(text(new Uint8Array(await file.slice(8, 8 + length).arrayBuffer())));
    const tensors = Object.entries(header).filter(([name]) => name !== "__metadata__").map(([name, each]) => {
      const type = Object.hasOwn(TYPES, each.dtype) ? TYPES[each.dtype] : null;
      if (!type) throw Error(`the tensor ${name} has the type ${each.dtype}, which model digests do not know`);
      const [low, high] = each.data_offsets;
      const size = each.shape.reduce((product, dimension) => product * dimension, type[1]);
      if (each.shape.length > 16 || !Number.isSafeInteger(size) || high - low !== size) throw Error(`the tensor ${name} has another shape than bytes`);
      return { name: utf8.encode(name), type, shape: each.shape, low, high };
    });
    let end = 0;
    for (const each of [...tensors].sort((a, b) => a.low - b.low || a.high - b.high)) {
      if (each.low !== end) throw Error("its tensors overlap or leave a hole");
      end = each.high;
    }
    if (8 + length + end !== file.size) throw Error("bytes stand after its last tensor, or are missing");
    return { tensors: tensors.sort((a, b) => order(a.name, b.name)), start: 8 + length };
  }

  async function modelDigest(file, say) {
    const { tensors, start } = await readTensors(file);
    const rows = [], claimed = [];
    let done = 0;
    for (const each of tensors) {
      const count = each.high - each.low;
      if (count > TENSOR_LIMIT) throw Error("one of its tensors has more than 1 GiB, more than a page can hash: use pol lookup");
      const prefix = join(utf8.encode("pol/v1/tensor\n"), Uint8Array.of(each.type[0], each.shape.length),
        ...each.shape.map((dimension) => little(dimension, 8)));
      const bytes = new Uint8Array(prefix.length + count);
      bytes.set(prefix);
      let at = prefix.length;
      const reader = file.slice(start + each.low, start + each.high).stream().getReader();
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        bytes.set(piece.value, at);
        at += piece.value.length;
      }
      if (at !== bytes.length) throw Error("it changed while it was read");
      const digest = await sha256(bytes);
      rows.push(join(little(each.name.length, 2), each.name, digest));
      // As a proof claims tensors: no small ones, and none whose elements are all the same.
      const data = bytes.subarray(prefix.length), width = each.type[1];
      if (count >= CLAIMED_BYTES && data.some((value, position) => value !== data[position % width])) {
        claimed.push({ count, digest: hex(digest) });
      }
      done += count;
      say(`${Math.floor(done / Math.max(1, file.size) * 100)} % hashed`);
    }
    const model = await sha256(utf8.encode("pol/v1/model\n"), little(tensors.length, 4), ...rows);
    claimed.sort((a, b) => b.count - a.count);
    return { model: hex(model), tensors: [...new Set(claimed.map((each) => each.digest))].slice(0, SENT_TENSORS) };
  }

  function offerFile() {
    const box = document.getElementById("file");
    if (!box || !globalThis.crypto || !crypto.subtle) return;
    box.hidden = false;
    const state = document.getElementById("file-state");
    document.getElementById("model").addEventListener("change", async (event) => {
      const file = event.target.files[0];
      if (!file) return;
      state.className = "";
      try {
        const found = await modelDigest(file, (words) => { state.textContent = words; });
        state.textContent = `model digest ${found.model}`;
        const query = new URLSearchParams({ q: found.model });
        if (found.tensors.length > 0) query.set("tensors", found.tensors.join(","));
        location.assign(new URL(`search?${query.toString().replaceAll("%2C", ",")}`, root));
      } catch (error) {
        state.className = "bad";
        state.textContent = `The file was not hashed: ${error instanceof SyntaxError || error instanceof TypeError ? "it is no safetensors file" : error.message}.`;
      }
    });
  }

  offerFile();
  const box = document.getElementById("check");
  if (box) check(box);
})();
