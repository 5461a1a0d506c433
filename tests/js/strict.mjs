// Strict JSON, Base64 and length-prefixed bytes, written from the agreed form and not from the
// Python code. JSON.parse would take duplicate names and floats; Buffer would take any Base64.

import { createHash } from "node:crypto";

export const LARGEST = 2 ** 53 - 1;
const DEPTH = 16;

export class Refusal extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

export function demand(holds, code = "malformed") {
  if (!holds) throw new Refusal(code);
}

export const bytes = (text) => new TextEncoder().encode(text);
export const hex = (data) => Buffer.from(data).toString("hex");
export const unhex = (text) => new Uint8Array(Buffer.from(text, "hex"));
export const same = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0;
export const concat = (...parts) => new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part))));
export const sha256 = (data) => new Uint8Array(createHash("sha256").update(data).digest());
export const b64 = (data) => Buffer.from(data).toString("base64");

export function unb64(text, size = null) {
  demand(typeof text === "string");
  const data = Buffer.from(text, "base64");
  demand(data.toString("base64") === text); // the one canonical spelling
  demand(size === null || data.length === size);
  return new Uint8Array(data);
}

export function lp(data) {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64BE(BigInt(data.length));
  return concat(prefix, data);
}

export const keyId = (publicKey) =>
  hex(sha256(concat(bytes("rujukan-kid/1\0"), [1], publicKey))).slice(0, 32);

// Exactly these members, "optional" ones aside.
export function closed(object, names, optional = []) {
  demand(object !== null && typeof object === "object" && !Array.isArray(object));
  const present = Object.keys(object);
  demand(names.every((name) => present.includes(name)));
  demand(present.every((name) => names.includes(name) || optional.includes(name)));
}

export function matching(text, pattern) {
  demand(typeof text === "string" && pattern.test(text));
  return text;
}

export function wholeNumber(value) {
  demand(Number.isSafeInteger(value) && value >= 0);
  return value;
}

export function parseJson(data, limit) {
  demand(data.length <= limit, "too-large");
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new Refusal("malformed");
  }
  const reader = new Reader(text);
  const value = reader.value(1);
  reader.space();
  demand(reader.at === text.length);
  return value;
}

const ESCAPES = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  space() {
    while (this.at < this.text.length && " \t\n\r".includes(this.text[this.at])) this.at += 1;
  }

  take(word) {
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  value(depth) {
    this.space();
    if (this.take("{")) return this.object(depth);
    if (this.take("[")) return this.array(depth);
    if (this.take('"')) return this.string();
    if (this.take("true")) return true;
    if (this.take("false")) return false;
    if (this.take("null")) return null;
    return this.number();
  }

  object(depth) {
    demand(depth <= DEPTH);
    const found = Object.create(null);
    this.space();
    if (this.take("}")) return found;
    do {
      this.space();
      demand(this.take('"'));
      const name = this.string();
      demand(!(name in found));
      this.space();
      demand(this.take(":"));
      found[name] = this.value(depth + 1);
      this.space();
    } while (this.take(","));
    demand(this.take("}"));
    return found;
  }

  array(depth) {
    demand(depth <= DEPTH);
    const found = [];
    this.space();
    if (this.take("]")) return found;
    do {
      found.push(this.value(depth + 1));
      this.space();
    } while (this.take(","));
    demand(this.take("]"));
    return found;
  }

  string() {
    let found = "";
    for (;;) {
      demand(this.at < this.text.length);
      const letter = this.text[this.at++];
      if (letter === '"') break;
      demand(letter >= " ");
      found += letter === "\\" ? this.escape() : letter;
    }
    demand(found.isWellFormed()); // no half of a surrogate pair
    return found;
  }

  escape() {
    const letter = this.text[this.at++];
    if (letter !== "u") {
      demand(letter !== undefined && letter in ESCAPES);
      return ESCAPES[letter];
    }
    const digits = this.text.slice(this.at, this.at + 4);
    demand(/^[0-9a-fA-F]{4}$/.test(digits));
    this.at += 4;
    return String.fromCharCode(parseInt(digits, 16));
  }

  number() {
    const found = /^(?:0|[1-9][0-9]{0,15})(?![0-9.eE])/.exec(this.text.slice(this.at, this.at + 18));
    demand(found !== null && Number(found[0]) <= LARGEST);
    this.at += found[0].length;
    return Number(found[0]);
  }
}
