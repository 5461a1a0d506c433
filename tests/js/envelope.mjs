// The sealed envelope, version 1, a second time: parse, verify, open, seal, and the hub's check.

import sodium from "libsodium-wrappers";

import {
  Refusal,
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
  wholeNumber,
} from "./strict.mjs";

await sodium.ready;

const LABEL = "rujukan-envelope/1";
const MEMBERS = ["env", "h", "w", "com", "n", "c", "s"];
const HEADER = ["suite", "typ", "mid", "from", "sk", "to", "keys", "contract", "iat", "exp", "dir"];
const HEX = /^[0-9a-f]{32}$/;
const ORG = /^[a-z]{2}-[0-9a-f]{16}$/;
const CONTRACT = /^[a-z]+(-[a-z]+)*\/(0|[1-9][0-9]{0,3})$/;
const MAX_MESSAGE = 256 * 1024;

export function padme(length) {
  const size = Math.max(4096, length);
  const e = 31 - Math.clz32(size);
  const s = 31 - Math.clz32(e) + 1;
  const step = 2 ** (e - s);
  return Math.ceil(size / step) * step;
}

export function verified(publicKey, signature, data) {
  try {
    return sodium.crypto_sign_verify_detached(signature, data, publicKey);
  } catch {
    return false;
  }
}

export function parse(body) {
  const fields = parseJson(body, 512 * 1024);
  closed(fields, MEMBERS);
  demand(fields.env === LABEL);
  const h = unb64(fields.h);
  demand(h.length <= 8192, "too-large");
  const header = parseHeader(h);
  demand(Array.isArray(fields.w) && fields.w.length === header.keys.length);
  const envelope = {
    h,
    header,
    w: fields.w.map((wrap) => unb64(wrap, 112)),
    com: unb64(fields.com, 32),
    n: unb64(fields.n, 24),
    c: unb64(fields.c),
    s: unb64(fields.s, 64),
  };
  demand(envelope.c.length <= padme(MAX_MESSAGE + 1) + 16, "too-large");
  demand(same(render(envelope), body));
  envelope.transcript = transcript(envelope);
  envelope.eid = hex(sha256(envelope.transcript));
  return envelope;
}

function parseHeader(data) {
  const header = parseJson(data, 8192);
  const { typ, keys, dir } = header ?? {};
  demand(typ === "msg" || typ === "rcpt");
  closed(header, typ === "rcpt" ? [...HEADER, "re"] : HEADER);
  wholeNumber(header.suite);
  matching(header.mid, HEX);
  matching(header.from, ORG);
  matching(header.sk, HEX);
  matching(header.to, ORG);
  matching(header.contract, CONTRACT);
  if (typ === "rcpt") matching(header.re, HEX);
  demand(Array.isArray(keys) && keys.length >= 1 && keys.length <= 64);
  keys.forEach((key) => matching(key, HEX));
  demand(new Set(keys).size === keys.length);
  const life = wholeNumber(header.exp) - wholeNumber(header.iat);
  demand(life > 0 && life <= 14 * 86400);
  closed(dir, ["size", "root", "sig"]);
  const [root, sig] = [unb64(dir.root, 32), unb64(dir.sig, 64)];
  if (wholeNumber(dir.size) === 0) demand(same(root, sha256(new Uint8Array())) && same(sig, new Uint8Array(64)));
  return header;
}

function transcript({ h, w, com, n, c }) {
  // crypto_hash is SHA-512; the standard build has no other name for it.
  return concat(...[bytes(LABEL), h, concat(...w), com, n, sodium.crypto_hash(c)].map(lp));
}

function render({ h, w, com, n, c, s }) {
  const written = { env: LABEL, h: b64(h), w: w.map(b64), com: b64(com), n: b64(n), c: b64(c), s: b64(s) };
  return bytes(JSON.stringify(written));
}

function derived(contentKey, headerHash) {
  const okm = sodium.crypto_generichash(
    64, concat(bytes("rujukan-envelope/1 key\0"), headerHash), contentKey,
  );
  return [okm.slice(0, 32), okm.slice(32)];
}

// `register.device(org, kid)` gives {publicKey, nbf, naf}; `secrets` maps key ids to key pairs.
export function open(body, { org, secrets, register, now, contracts }) {
  const envelope = parse(body);
  const { header } = envelope;
  const device = register.device(header.from, header.sk);
  demand(device && device.nbf <= header.iat && header.iat < device.naf, "device-not-certified");
  demand(verified(device.publicKey, envelope.s, envelope.transcript), "bad-signature");
  demand(header.suite === 1, "version-unsupported");
  demand(header.to === org || header.from === org, "not-for-me");
  demand(header.iat <= now + 300 && header.exp > now - 300, "time");
  demand(contracts.includes(header.contract), "contract-unknown");
  const position = header.keys.findIndex((key) => secrets.has(key));
  if (position < 0) return { outcome: "not-for-this-device", eid: envelope.eid };
  const message = decrypted(envelope, envelope.w[position], secrets.get(header.keys[position]));
  return { outcome: "ok", eid: envelope.eid, own: header.from === org, header, message };
}

function decrypted(envelope, wrap, { publicKey, secretKey }) {
  const headerHash = sha256(envelope.h);
  try {
    const box = sodium.crypto_box_seal_open(wrap, publicKey, secretKey);
    demand(same(box.slice(32), headerHash), "undecryptable");
    const [cipherKey, commitment] = derived(box.slice(0, 32), headerHash);
    demand(sodium.memcmp(commitment, envelope.com), "undecryptable");
    return unpadded(
      sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
        null, envelope.c, envelope.h, envelope.n, cipherKey,
      ),
    );
  } catch {
    throw new Refusal("undecryptable");
  }
}

function unpadded(padded) {
  let end = padded.length - 1;
  while (end >= 0 && padded[end] === 0) end -= 1;
  demand(end >= 0 && padded[end] === 0x80 && end <= MAX_MESSAGE);
  demand(padded.length === padme(end + 1));
  return padded.slice(0, end);
}

export function seal(message, { header, recipients, seed }) {
  const h = bytes(JSON.stringify(header));
  const headerHash = sha256(h);
  const [contentKey, n] = [sodium.randombytes_buf(32), sodium.randombytes_buf(24)];
  const [cipherKey, com] = derived(contentKey, headerHash);
  const padded = new Uint8Array(padme(message.length + 1));
  padded.set(message);
  padded[message.length] = 0x80;
  const envelope = {
    h,
    w: recipients.map((key) => sodium.crypto_box_seal(concat(contentKey, headerHash), key)),
    com,
    n,
    c: sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(padded, h, null, n, cipherKey),
  };
  const { privateKey } = sodium.crypto_sign_seed_keypair(seed);
  envelope.s = sodium.crypto_sign_detached(transcript(envelope), privateKey);
  return render(envelope);
}

// `register.owner(key)` gives {org, device, nbf}; a published key's week lasts seven days.
export function checkForHub(body, { org, device, register, routes, now }) {
  const { header, s, transcript: signed } = parse(body);
  demand(header.from === org && header.sk === device, "not-your-device");
  const signer = register.device(org, device);
  demand(signer && signer.nbf <= now && now < signer.naf, "device-not-certified");
  demand(verified(signer.publicKey, s, signed), "bad-signature");
  demand(header.suite === 1, "version-unsupported");
  const pair = [header.from.slice(0, 2), header.to.slice(0, 2)].sort().join("-");
  demand(header.from.slice(0, 2) === header.to.slice(0, 2) || routes.includes(pair), "no-route");
  demand(register.organisations.has(header.to), "unknown-recipient");
  checkKeys(header, register);
  demand(header.exp > now, "expired");
  demand(header.iat <= now + 300, "from-the-future");
}

function checkKeys(header, register) {
  const owners = header.keys.map((key) => register.owner(key));
  const good = owners.every((owner) => {
    if (!owner || owner.device === header.sk) return false;
    const device = register.device(owner.org, owner.device);
    const around = [header.iat - 300, header.iat, header.iat + 300];
    return (
      [header.to, header.from].includes(owner.org) &&
      around.some((at) => device.nbf <= at && at < device.naf) &&
      owner.nbf <= header.iat + 300 &&
      header.iat - 300 < owner.nbf + 7 * 86400
    );
  });
  demand(good, "keys-changed");
  demand(new Set(owners.map((owner) => owner.device)).size === owners.length, "keys-changed");
  demand(owners.some((owner) => owner.org === header.to), "keys-changed");
}

export { keyId };
