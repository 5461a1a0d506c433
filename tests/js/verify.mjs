// Reads vectors as the Python code does, knowing nothing of it.
//
//   node verify.mjs vectors FILE...   one JSON line a file: {"name", "outcome", "signed", ...}
//   node verify.mjs seal < JSON       the body of an envelope, from {"message", "header",
//                                     "recipients", "seed"}, everything binary in Base64

import { readFileSync } from "node:fs";
import { basename } from "node:path";

import { course } from "./courses.mjs";
import { checkForHub, open, seal } from "./envelope.mjs";
import { CONTRACT, RECEIPTS, checkConsent, readMessage, readReceipt } from "./messages.mjs";
import { readLogin, readNotice, readStatement } from "./papers.mjs";
import { Refusal, demand, hex, parseJson, sha256, unb64, unhex } from "./strict.mjs";

const ONCE = [
  "expect", "check", "comment", "now", "own-org", "own-device", "contracts", "eid",
  "message-sha256", "own", "login", "signed-routes", "hub-key", "server", "nonce", "t", "hash",
  "leaf-hash", "contract", "field", "rule", "state", "lead",
];
const OFTEN = ["device", "key", "signer", "place"];
const UNSIGNED = ["too-large", "malformed", "device-not-certified", "bad-signature"];

function readVector(path) {
  const data = readFileSync(path);
  const end = data.indexOf("\n\n");
  const facts = { device: [], key: [], signer: [], place: [] };
  for (const line of data.subarray(0, end).toString("utf8").split("\n")) {
    const at = line.indexOf(": ");
    const [name, value] = [line.slice(0, at), line.slice(at + 2)];
    if (OFTEN.includes(name)) facts[name].push(value);
    else if (ONCE.includes(name) && !Object.hasOwn(facts, name)) facts[name] = value;
    else throw new Error(`${path}: unknown header line ${name}`);
  }
  return { facts, body: new Uint8Array(data.subarray(end + 2)) };
}

function words(line) {
  const [named, plain] = [{}, []];
  for (const word of line.split(" ")) {
    const at = word.indexOf("=");
    if (at < 0) plain.push(word);
    else named[word.slice(0, at)] = word.slice(at + 1);
  }
  return { plain, named };
}

function registerOf(facts) {
  const devices = new Map();
  const owners = new Map();
  const organisations = new Set();
  for (const line of facts.device) {
    const { plain: [org, device], named } = words(line);
    organisations.add(org);
    const [nbf, naf] = [Number(named.nbf), Number(named.naf)];
    devices.set(device, { org, publicKey: unhex(named.public), nbf, naf });
  }
  for (const line of facts.key) {
    const { plain: [device, key], named } = words(line);
    owners.set(key, { org: devices.get(device).org, device, nbf: Number(named.nbf) });
  }
  return {
    organisations,
    owner: (key) => owners.get(key),
    device: (org, device) => (devices.get(device)?.org === org ? devices.get(device) : undefined),
  };
}

function secretsOf(facts) {
  const lines = facts.key.map(words).filter(({ plain }) => plain[0] === facts["own-device"]);
  return new Map(
    lines.map(({ plain, named }) => [
      plain[1],
      { publicKey: unhex(named.public), secretKey: unhex(named.secret) },
    ]),
  );
}

function opened(facts, body) {
  return open(body, {
    org: facts["own-org"],
    secrets: secretsOf(facts),
    register: registerOf(facts),
    now: Number(facts.now),
    contracts: facts.contracts.split(" "),
  });
}

const told = ({ outcome, eid, own, message }) => ({ outcome, eid, own, message: message && hex(sha256(message)) });

const CHECKS = {
  open(facts, body) {
    return told(opened(facts, body));
  },
  read(facts, body) {
    const found = opened(facts, body);
    if (found.outcome === "ok" && found.header.contract === RECEIPTS) readReceipt(found.message);
    else if (found.outcome === "ok") {
      const { header, message } = found;
      checkConsent(readMessage(message), { recipient: header.to, now: Number(facts.now) });
    }
    return told(found);
  },
  message(facts, body) {
    demand(facts.contract === CONTRACT, "contract-unknown");
    readMessage(body);
    return { outcome: "ok" };
  },
  receipt(facts, body) {
    demand(facts.contract === RECEIPTS, "contract-unknown");
    readReceipt(body);
    return { outcome: "ok" };
  },
  hub(facts, body) {
    const [org, device] = facts.login.split(" ");
    const routes = facts["signed-routes"].split(" ").map((pair) => pair.split("-").sort().join("-"));
    checkForHub(body, { org, device, register: registerOf(facts), routes, now: Number(facts.now) });
    return { outcome: "ok" };
  },
  course(facts, body) {
    const { state, lead, places } = course(parseJson(body, 512 * 1024), Number(facts.now));
    return { outcome: "ok", state, lead, places: places.sort() };
  },
  notice(facts, body) {
    readNotice(body, { hubKey: unhex(facts["hub-key"]) });
    return { outcome: "ok" };
  },
  login(facts, body) {
    const [server, nonce, now] = [facts.server, unhex(facts.nonce), Number(facts.now)];
    readLogin(body, { server, nonce, now, register: registerOf(facts) });
    return { outcome: "ok" };
  },
  statement(facts, body) {
    const { hash, leafHash } = readStatement(body, { signers: facts.signer.map(unhex), t: facts.t });
    return { outcome: "ok", hash, leafHash };
  },
};

function judged(path) {
  const { facts, body } = readVector(path);
  try {
    return { ...CHECKS[facts.check](facts, body), signed: true };
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    return { outcome: refusal.code, field: refusal.field, signed: !UNSIGNED.includes(refusal.code) };
  }
}

function sealed(order) {
  return seal(unb64(order.message), {
    header: order.header,
    recipients: order.recipients.map((key) => unb64(key, 32)),
    seed: unb64(order.seed, 32),
  });
}

const [command, ...paths] = process.argv.slice(2);
if (command === "vectors") {
  for (const path of paths) {
    console.log(JSON.stringify({ name: basename(path, ".txt"), ...judged(path) }));
  }
} else if (command === "seal") {
  process.stdout.write(sealed(JSON.parse(readFileSync(0, "utf8"))));
} else {
  console.error("usage: node verify.mjs vectors FILE... | seal");
  process.exitCode = 2;
}
