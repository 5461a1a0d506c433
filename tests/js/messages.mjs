// Messages and receipts, judged a second time: the published schemas by Ajv, which shares no code
// with the validators of the Python side, and what no schema can say by hand.

import { readFileSync, readdirSync } from "node:fs";

import Ajv from "ajv/dist/2020.js";

import { Refusal, demand, parseJson } from "./strict.mjs";

export const CONTRACT = "case-referral/1";
export const RECEIPTS = "receipt/1";
const VERSION = "1.0";
const LIMIT = 256 * 1024;
const SCHEMAS = new URL("../../contracts/schemas/", import.meta.url);
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
const CONTROL_IN_TEXT = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;
const MOMENT = /^20[0-9]{2}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)?$/;
const ALWAYS_TOLD = ["where", "person", "safety", "needs"];
const TOLD_IF_PRESENT = [
  "guardian", "representative", "return", "support_at_interview", "concern", "preferences",
  "legal", "note",
];

const ajv = new Ajv.default({ allErrors: true, allowUnionTypes: true, strictRequired: false, strictTypes: false });
const known = new Set();
for (const contract of [CONTRACT, RECEIPTS]) {
  const folder = new URL(`${contract}/`, SCHEMAS);
  for (const file of readdirSync(folder)) {
    const schema = JSON.parse(readFileSync(new URL(file, folder), "utf8"));
    ajv.addSchema(schema);
    known.add(schema.$id);
  }
}

const idOf = (contract, name) => `urn:rujukan:${contract.replace("/", ":")}:${name}`;

export function readMessage(data) {
  const message = plainObject(data);
  demand(typeof message.type === "string" && typeof message.v === "string", "schema");
  const id = idOf(CONTRACT, message.type);
  const speaks = known.has(id) && message.type !== "terms" && message.v === VERSION;
  if (!speaks) throw located("version-unsupported", "v");
  checked(id, message);
  return message;
}

export function readReceipt(data) {
  const receipt = plainObject(data);
  checked(idOf(RECEIPTS, "receipt"), receipt);
  return receipt;
}

// The receiver asks again whether the consent is for it, for what is told, and still stands.
export function checkConsent({ type, body }, { recipient, now }) {
  if (type !== "referral.requested") return;
  const permission = body.consent ?? body.basis;
  const begins = seconds(permission.obtained_at ?? permission.decided_at);
  const ends = seconds(permission.expires_at);
  const told = [...ALWAYS_TOLD, ...TOLD_IF_PRESENT.filter((name) => name in body)];
  demand(permission.recipients.length === 1 && permission.recipients[0] === recipient, "consent");
  demand(begins <= now + 300 && begins < ends && ends > now, "consent");
  demand(told.every((name) => permission.fields.includes(name)), "consent");
}

const seconds = (text) => Date.parse(text) / 1000;

function located(code, field) {
  return Object.assign(new Refusal(code), { field });
}

function plainObject(data) {
  let value;
  try {
    value = parseJson(data, LIMIT);
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    throw new Refusal("schema");
  }
  demand(value !== null && typeof value === "object" && !Array.isArray(value), "schema");
  return JSON.parse(JSON.stringify(value)); // with the prototype that Ajv expects
}

function checked(id, value) {
  const validate = ajv.getSchema(id);
  if (!validate(value)) throw located("schema", fieldOf(validate.errors));
  for (const [path, text] of texts(value, "")) {
    const bad = path.endsWith("/text") ? CONTROL_IN_TEXT : CONTROL;
    if (bad.test(text)) throw located("schema", path);
    if (MOMENT.test(text) && !path.endsWith("/text")) demand(inCalendar(text), "schema");
  }
}

// Ajv also tells what the branches said, and that an `if` led there; the fault is told once.
function fieldOf(errors) {
  const faults = errors.filter(({ keyword, schemaPath }) => keyword !== "if" && !/\/(any|one)Of\/[0-9]/.test(schemaPath));
  const paths = faults.map(({ instancePath, params }) =>
    params.missingProperty === undefined ? instancePath : `${instancePath}/${params.missingProperty}`,
  );
  return paths.sort()[0];
}

function* texts(value, path) {
  if (typeof value === "string") yield [path, value];
  else if (value !== null && typeof value === "object") {
    for (const [name, member] of Object.entries(value)) yield* texts(member, `${path}/${name}`);
  }
}

function inCalendar(text) {
  const day = text.slice(0, 10);
  const time = Date.parse(text.length === 10 ? `${text}T00:00:00Z` : text);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
}
