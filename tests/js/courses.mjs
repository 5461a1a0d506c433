// The course of a referral, a second time: what both sides said, folded in causal order, from the
// agreed table and not from the Python code.

import { readMessage } from "./messages.mjs";
import { bytes, demand } from "./strict.mjs";

const BEFORE = ["delivered", "acknowledged", "info_needed"];
const TAKEN_UP = ["accepted", "waitlisted", "on_hold", "in_progress"];
const ACTIVE = [...BEFORE, ...TAKEN_UP];
const ENDED = ["completed", "closed", "declined", "cancelled", "expired", "entered_in_error"];
const ALL = [...ACTIVE, ...ENDED, "withdrawn", "erased"];
const GONE = ["withdrawn", "erased"];

const to = (state, ...origins) => (from) => (origins.includes(from) ? state : undefined);
const within = (...states) => (from) => (states.includes(from) ? from : undefined);
const gone = (from) => (from === "erased" ? "erased" : "withdrawn");

// Move, author, step, what it needs.
const TABLE = [
  ["referral.acknowledged", "receiver", to("acknowledged", "delivered")],
  ["referral.info_requested", "receiver", to("info_needed", "acknowledged", "info_needed"), ["consent"]],
  ["referral.info_provided", "referrer", to("acknowledged", "info_needed"), ["consent"]],
  ["referral.accepted", "receiver", to("accepted", "acknowledged", "info_needed"), ["consent"]],
  ["referral.declined", "receiver", to("declined", ...BEFORE)],
  ["referral.info_requested", "either", within(...TAKEN_UP), ["consent"]],
  ["referral.info_provided", "either", within(...TAKEN_UP), ["consent"]],
  ["identity.released", "referrer", within(...TAKEN_UP), ["consent"]],
  ["referral.status waitlisted", "receiver", to("waitlisted", "accepted", "waitlisted")],
  ["referral.status scheduled", "receiver", to("accepted", "accepted", "waitlisted", "on_hold")],
  ["referral.status started", "receiver", to("in_progress", "accepted", "waitlisted", "on_hold")],
  ["referral.status on_hold", "receiver", to("on_hold", "accepted", "on_hold", "in_progress")],
  ["referral.status unattended", "receiver", within("accepted", "in_progress")],
  ["journey.planned", "either", within(...TAKEN_UP), ["identity", "consent"]],
  ["journey.changed", "either", within(...TAKEN_UP), ["journey", "consent"]],
  ["journey.met", "receiver", within(...ALL), ["journey"]],
  ["journey.not_met", "receiver", within(...ALL), ["journey"]],
  ["lead.offered", "referrer", within("in_progress"), ["consent"]],
  ["lead.taken", "receiver", within("in_progress"), ["offer"]],
  ["referral.outcome", "receiver", to("completed", ...TAKEN_UP)],
  ["referral.closed", "lead", to("closed", "completed")],
  ["referral.closed", "lead", to("closed", ...TAKEN_UP), ["silence"]],
  ["referral.cancelled", "lead", to("cancelled", ...ACTIVE)],
  ["referral.cancelled entered_in_error", "lead", to("entered_in_error", ...ACTIVE, ...ENDED)],
  ["consent.updated", "lead", within(...ACTIVE, "completed")],
  ["consent.withdrawn", "either", gone],
  ["erasure.requested", "either", gone],
  ["erasure.confirmed erased", "either", to("erased", ...GONE), ["owed", "last owed"]],
  ["erasure.confirmed erased", "either", within(...GONE), ["owed"]],
  ["erasure.confirmed held", "either", within(...GONE), ["owed"]],
  ["contact.safety_alert", "either", within(...ALL)],
];
const CODES = {
  consent: "consent_not_standing",
  identity: "identity_not_released",
  journey: "journey_not_planned",
  offer: "lead_not_offered",
  owed: "erasure_not_asked",
  "last owed": "erasure_asked_of_both",
  silence: "outcome_awaited",
};
const FIRST = ["consent.withdrawn", "contact.safety_alert", "erasure.requested", "erasure.confirmed"];
const REST = 2;
const RANKS = [FIRST, ["referral.cancelled"], [], ["referral.declined"]];
const WAIT_FOR_NOTHING = [
  "consent.withdrawn", "contact.safety_alert", "erasure.requested", "journey.not_met", "referral.cancelled",
];
const other = { referrer: "receiver", receiver: "referrer" };

export function course({ events }, now) {
  demand(Array.isArray(events) && events.length > 0);
  const [request, ...rest] = events.map(read);
  demand(request.type === "referral.requested");
  const begun = { state: "delivered", lead: "referrer", owed: new Set(), places: new Map() };
  renew(begun, request);
  place(begun, request, "applied");
  const waiting = new Map(rest.filter((one) => one.key !== request.key).map((one) => [one.key, one]));
  const after = afterById([...waiting.values()]);
  for (let event; (event = next(waiting, begun, after)); ) {
    waiting.delete(event.key);
    apply(begun, event);
  }
  waiting.forEach((event) => place(begun, event, "waiting"));
  return { state: stateAt(begun, now), lead: begun.lead, places: [...begun.places.values()] };
}

function read({ by, message }) {
  demand(by in other);
  const { type, id, after, at, body } = readMessage(bytes(JSON.stringify(message)));
  return { by, type, id, after, body, at: Date.parse(at) / 1000, key: `${by} ${id}`, move: moveOf(type, body) };
}

function moveOf(type, body) {
  if (type === "referral.status") return `${type} ${body.status}`;
  if (type === "erasure.confirmed") return `${type} ${body.places.some(({ result }) => result === "held") ? "held" : "erased"}`;
  return type === "referral.cancelled" && body.reason === "entered_in_error" ? `${type} ${body.reason}` : type;
}

function next(waiting, { places }, after) {
  const ids = new Set([...places.keys()].map((key) => key.split(" ")[1]));
  let ready = [...waiting.values()].filter(({ after }) => after.every((id) => ids.has(id)));
  if (ready.length > 0) return ready.sort((a, b) => (order(a) < order(b) ? -1 : 1))[0];
  // Their causes are missing; one that follows another must not overtake it.
  const stuck = [...waiting.values()].filter(({ type }) => WAIT_FOR_NOTHING.includes(type));
  const far = (one) => followed(one, after).size;
  return stuck.sort((a, b) => far(a) - far(b) || (order(a) < order(b) ? -1 : 1))[0];
}

function afterById(events) {
  const after = new Map();
  for (const one of events) after.set(one.id, new Set([...(after.get(one.id) ?? []), ...one.after]));
  return after;
}

function followed(event, after) {
  const found = new Set();
  const ahead = event.after.filter((id) => after.has(id));
  while (ahead.length > 0) {
    const one = ahead.pop();
    if (found.has(one)) continue;
    found.add(one);
    ahead.push(...[...after.get(one)].filter((id) => after.has(id)));
  }
  return found;
}

function order({ type, by, id }) {
  const rank = RANKS.findIndex((types) => types.includes(type));
  return `${rank < 0 ? REST : rank} ${by === "referrer" ? 0 : 1} ${id}`;
}

const place = (found, { key }, where) => found.places.set(key, `${key} ${where}`);

const stateAt = ({ state, until }, at) => (BEFORE.includes(state) && at >= until ? "expired" : state);

function apply(found, event) {
  const before = stateAt(found, event.at);
  const [after, code] = step(found, event, before);
  if (code) return place(found, event, `void ${code}`);
  if (after !== before) found.state = after;
  effect(found, event);
  return place(found, event, "applied");
}

function step(found, { move, by, at }, state) {
  const there = {
    consent: at < found.until,
    identity: found.identity,
    journey: found.journey,
    offer: found.offer,
    owed: found.owed.has(by),
    "last owed": !found.owed.has(other[by]),
    silence: found.feedback !== "outcome",
  };
  const rows = TABLE.filter(([name, , moves]) => name === move && moves(state) !== undefined);
  if (rows.length === 0) return [null, "illegal_transition"];
  const mine = rows.filter(([, who]) => who === "either" || who === by || (who === "lead" && found.lead === by));
  if (mine.length === 0) return [null, "wrong_author"];
  const row = mine.find(([, , , needs = []]) => needs.every((need) => there[need]));
  if (row) return [row[2](state), null];
  return [null, CODES[mine.at(-1)[3].find((need) => !there[need])]];
}

function effect(found, event) {
  const { type, by, move } = event;
  if (type === "identity.released") found.identity = true;
  if (type === "journey.planned" || type === "journey.changed") found.journey = true;
  if (type === "lead.offered") found.offer = true;
  if (type === "lead.taken") Object.assign(found, { offer: false, lead: "receiver" });
  if (type === "consent.updated") renew(found, event);
  if (type === "consent.withdrawn" && found.state !== "erased") found.owed.add("receiver");
  if (type === "erasure.requested") found.owed.add(other[by]);
  if (move === "erasure.confirmed erased") found.owed.delete(by);
}

function renew(found, { body }) {
  const { expires_at: ends, feedback = "received" } = body.consent ?? body.basis;
  Object.assign(found, { until: Date.parse(ends) / 1000, feedback });
}
