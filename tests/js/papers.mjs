// Notices, logins and statements, read a second time.

import { verified } from "./envelope.mjs";
import {
  b64,
  bytes,
  closed,
  concat,
  demand,
  hex,
  keyId,
  lp,
  matching,
  parseJson,
  same,
  sha256,
  unb64,
  unhex,
  wholeNumber,
} from "./strict.mjs";

const ID = /^[0-9a-f]{32}$/;
const HASH = /^[0-9a-f]{64}$/;
const ORG = /^[a-z]{2}-[0-9a-f]{16}$/;
const KINDS = ["ngo", "igo", "welfare", "health", "legal", "enforcement", "court", "mission", "union"];

const labelled = (label, body) => concat(lp(bytes(label)), lp(body));

function carried(data) {
  const outer = parseJson(data, 2048);
  closed(outer, ["b", "s"]);
  const body = unb64(outer.b);
  return { body, fields: parseJson(body, 2048), signature: unb64(outer.s, 64) };
}

export function readNotice(data, { hubKey }) {
  const { body, fields, signature } = carried(data);
  demand(verified(hubKey, signature, labelled("rujukan-acceptance/1", body)), "bad-signature");
  const members = ["v", "hub", "from", "mid", "eid", "status", "at"];
  demand(["accepted", "refused", "undeliverable"].includes(fields.status));
  closed(fields, fields.status === "accepted" ? members : [...members, "code"]);
  demand(fields.v === 1);
  if (fields.status !== "accepted") matching(fields.code, /^[a-z][a-z0-9_]{0,63}$/);
  matching(fields.hub, ID);
  matching(fields.from, ORG);
  matching(fields.mid, ID);
  matching(fields.eid, HASH);
  wholeNumber(fields.at);
  demand(fields.hub === keyId(hubKey), "another-hub");
}

export function readLogin(data, { server, nonce, now, register }) {
  const { body, fields, signature } = carried(data);
  closed(fields, ["v", "server", "org", "sk", "nonce", "iat"]);
  demand(fields.v === 1);
  matching(fields.server, ID);
  matching(fields.org, ORG);
  matching(fields.sk, ID);
  const given = unb64(fields.nonce, 32);
  wholeNumber(fields.iat);
  const device = register.device(fields.org, fields.sk);
  demand(device, "device-not-certified");
  demand(verified(device.publicKey, signature, labelled("rujukan-login/1", body)), "bad-signature");
  demand(fields.server === server, "another-server");
  demand(same(given, nonce), "another-nonce");
  demand(Math.abs(fields.iat - now) <= 300, "clock");
}

const SPECIAL = {
  org(fields) {
    demand(KINDS.includes(fields.kind) && fields.country === fields.org.slice(0, 2));
    unb64(fields.root, 32);
    demand(Array.isArray(fields.recovery) && [0, 2, 3].includes(fields.recovery.length));
    fields.recovery.forEach((key) => unb64(key, 32));
  },
  device(fields) {
    demand(["admin", "caseworker", "system"].includes(fields.role));
    unb64(fields.sign, 32);
    demand(wholeNumber(fields.nbf) < wholeNumber(fields.naf));
  },
  keys(fields) {
    demand(Array.isArray(fields.keys) && fields.keys.length >= 1 && fields.keys.length <= 13);
    for (const week of fields.keys) {
      closed(week, ["pk", "nbf", "naf"]);
      unb64(week.pk, 32);
      demand(wholeNumber(week.naf) - wholeNumber(week.nbf) === 7 * 86400);
    }
  },
};
const MEMBERS = {
  org: ["country", "kind", "root", "recovery"],
  device: ["sign", "role", "nbf", "naf"],
  keys: ["keys", "suites", "reads"],
};
const COMMON = ["v", "net", "typ", "by", "org", "seq", "prev", "iat"];

export function readStatement(data, { signers, t }) {
  const outer = parseJson(data, 16384);
  closed(outer, ["b", "sigs"]);
  const body = unb64(outer.b);
  demand(Array.isArray(outer.sigs));
  outer.sigs.forEach((one) => closed(one, ["k", "s"]));
  outer.sigs.forEach((one, at) => demand(at === 0 || outer.sigs[at - 1].k < matching(one.k, ID)));
  const fields = parseJson(body, 8192);
  demand(Object.hasOwn(MEMBERS, fields.typ));
  closed(fields, [...COMMON, ...MEMBERS[fields.typ]]);
  demand(fields.v === 1 && wholeNumber(fields.seq) >= 1);
  matching(fields.prev, HASH);
  matching(fields.by, ORG);
  matching(fields.org, ORG);
  SPECIAL[fields.typ](fields);
  const made = new Map(outer.sigs.map((one) => [one.k, unb64(one.s, 64)]));
  for (const key of signers) {
    const signature = made.get(keyId(key));
    demand(signature && verified(key, signature, labelled("rujukan-statement/1", body)), "bad-signature");
  }
  const signed = concat(...[...made].map(([key, signature]) => concat(unhex(key), signature)));
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(t ?? 0));
  const leaf = concat(lp(body), lp(signed), time);
  return { hash: hex(sha256(body)), leafHash: hex(sha256(concat([0], leaf))), rendered: b64(body) };
}
