import { expect, test } from "vitest";
import type { ControlPorts } from "../../src/control/create-control.ts";
import { issueRevocation } from "../../src/control/revocations.ts";
import { Revocations } from "../../src/revocation/revocations.ts";
import type { AuditEntry } from "../../src/tenant/directory.ts";
import { MemoryPath } from "../revocation/memory-path.ts";
import { order } from "../revocation/orders.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { control, decided, testClock, type Document } from "./control-fixture.ts";

const reason = "a leak";

async function passSecond(clock: FakeClock): Promise<void> {
  clock.advance(1_000);
  await new Promise(setImmediate);
}

function ordersOf({ orders }: ControlPorts): Revocations {
  if (orders === undefined) throw new Error("no orders");
  return orders;
}

function idOf(document: Document): string {
  return String(document["id"]);
}

test("an order is in force when it is answered, listed, audited and shown with what this replica acknowledged", async () => {
  const { call, ports, directory } = control();
  const issued = await call("POST", "/revocations", { model: "gpt-5-latest", tenant: "acme", reason });
  expect(issued.status).toBe(201);
  // An alias is kept as the model that it stands for.
  expect(issued.json).toMatchObject({
    state: "in_force",
    model: "gpt-5",
    tenant: "acme",
    country: null,
    by: "operator",
    writtenTo: [],
  });
  const id = idOf(issued.json);
  expect(ports.orders?.find(id)?.scope).toEqual({ model: "gpt-5", tenant: "acme" });
  expect((await call("GET", "/revocations")).json).toMatchObject({ revocations: [{ id, reason }] });
  expect((await call("GET", `/revocations/${id}`)).json).toMatchObject({
    id,
    complete: true,
    missing: [],
    acknowledgements: [{ replica: "replica-1", learnedBy: "here", cut: 0, ended: 0, lastByteAt: null }],
  });
  expect(directory.audits[0]).toMatchObject({ action: "revocation.issue", tenantId: "acme", detail: { order: id, reason } });
});

test("its receipt stands in the audit, under every tenant where it names none", async () => {
  const { call, directory } = control();
  const { json } = await call("POST", "/revocations", { country: "SG", reason });
  const receipt = await call("POST", `/revocations/${idOf(json)}/receipt`);
  expect([receipt.status, receipt.json["complete"]]).toEqual([201, true]);
  expect(directory.audits[0]).toMatchObject({
    action: "revocation.receipt",
    tenantId: "*",
    detail: { order: json["id"], complete: true, missing: [], acknowledgements: [{ name: "test", cut: 0 }], signed: null },
  });
});

test("it is restored once, and who restored it first stands", async () => {
  const { call, clock } = control();
  const { json } = await call("POST", "/revocations", { tier: "frontier", reason });
  clock.ms += 1_000;
  const restored = await call("POST", `/revocations/${idOf(json)}/restore`);
  expect(restored.json).toMatchObject({ state: "restored", restoredAt: "2026-11-23T12:00:01.000Z", restoredBy: "operator" });
  clock.ms += 1_000;
  expect((await call("POST", `/revocations/${idOf(json)}/restore`)).json).toEqual(restored.json);
});

test("one that expires is shown as expired when it has", async () => {
  const { call, clock } = control();
  const { json } = await call("POST", "/revocations", { key: "abcdefgh", reason, expiresAt: "2026-11-23T12:00:10Z" });
  clock.ms += 10_000;
  expect((await call("GET", `/revocations/${idOf(json)}`)).json).toMatchObject({ state: "expired" });
});

test.each([
  [{ reason }, "at least one of model, tier"],
  [{ model: "gpt-55", reason }, "Did you mean"],
  [{ tier: "frontiers", reason }, "Did you mean"],
  [{ country: "UK", reason }, "Did you mean `GB`?"],
  [{ tenantCountry: "sg", reason }, "upper case"],
  [{ deployment: "nowhere/x", reason }, "No deployment is called"],
  [{ region: "nowhere", reason }, "No region is called"],
  [{ tenant: "acme", reason, expiresAt: "2026-11-23T11:59:59Z" }, "in the future"],
])("what cannot be meant is refused with what to write instead: %j", async (body, told) => {
  const { call, ports } = control();
  const answer = await call("POST", "/revocations", body);
  expect(answer.status).toBe(422);
  expect(answer.text).toContain(told);
  expect(ports.orders?.list()).toEqual([]);
});

test("a misspelt member is refused, since what it was to narrow would be cut off whole", async () => {
  const { call } = control();
  expect((await call("POST", "/revocations", { model: "gpt-5", tennant: "acme", reason })).status).toBe(400);
});

test("a directory that cannot be written does not stop an order, and has it in the audit as soon as it can be", async () => {
  const { ports, directory } = control();
  const clock = new FakeClock();
  const written: AuditEntry[] = [];
  directory.note = () => Promise.reject(new Error("away"));
  const issued = await issueRevocation({ ...ports, orders: ordersOf(ports), clock }, "operator", { tenant: "acme", reason });
  for (let second = 0; second < 100; second += 1) await passSecond(clock);
  expect(clock.timersSet).toBeLessThan(15);
  directory.note = async (entry) => void written.push(entry);
  for (let second = 0; second < 100; second += 1) await passSecond(clock);
  const order = issued.ok ? issued.value.order.id : "";
  expect(written).toMatchObject([{ action: "revocation.issue", tenantId: "acme", detail: { order, reason } }]);
  expect(clock.pending).toBe(0);
});

test("an order that nobody knows is a 404", async () => {
  const { call } = control();
  for (const [method, path] of [
    ["GET", ""],
    ["POST", "/restore"],
    ["POST", "/receipt"],
  ] as const)
    expect((await call(method, `/revocations/revocation_0${path}`)).status).toBe(404);
});

test("a key that is revoked is told to replicas by the ways of orders as well", async () => {
  const { call, ports } = control();
  await call("POST", "/tenants", { id: "acme", name: "Acme" });
  const { json } = await call("POST", "/tenants/acme/keys", { name: "k" });
  expect((await call("DELETE", `/tenants/acme/keys/${idOf(json)}`)).status).toBe(200);
  expect(ports.orders?.list()).toMatchObject([{ scope: { tenant: "acme", key: json["id"] }, by: "directory" }]);
});

test("a tenant that is no longer served is told to replicas by the ways of orders, until it is served again", async () => {
  const { call, ports } = control();
  const orders = () => ports.orders?.list().map(({ scope, by, restored }) => ({ ...scope, by, over: restored !== undefined }));
  const verification = (state: string, why = "test") =>
    call("POST", "/tenants/acme/verification", { ...decided, state, reason: why });
  await call("POST", "/tenants", { id: "acme", name: "Acme" });
  await verification("under_review");
  await verification("verified");
  // Nothing was open that could be cut.
  expect(orders()).toEqual([]);
  await call("POST", "/revocations", { tenant: "acme", reason });
  const own = { tenant: "acme", by: "operator", over: false };
  await verification("suspended", "unpaid");
  await verification("suspended", "unpaid");
  await verification("suspended", "still unpaid");
  expect(orders()).toHaveLength(2);
  expect(orders()).toEqual(expect.arrayContaining([own, { tenant: "acme", by: "directory", over: false }]));
  await verification("verified");
  expect(orders()).toHaveLength(2);
  expect(orders()).toEqual(expect.arrayContaining([own, { tenant: "acme", by: "directory", over: true }]));
  await verification("under_review");
  expect(orders()?.filter(({ by, over }) => by === "directory" && !over)).toHaveLength(1);
});

test("a tenant is restored by another replica than the one that was told of its suspension", async () => {
  const path = new MemoryPath("postgres");
  const clock = testClock();
  const replica = (id: string) =>
    new Revocations({ paths: [path], replica: { id, name: id, startedAtMs: 0 }, clock, elapsed: clock, stalenessMs: 10_000 });
  const [first, second] = [control({ orders: replica("a"), clock }), control({ orders: replica("b"), clock })];
  for (const { call } of [first, second]) {
    await call("POST", "/tenants", { id: "acme", name: "Acme" });
    await call("POST", "/tenants/acme/verification", { ...decided, state: "verified" });
  }
  await first.call("POST", "/tenants/acme/verification", { ...decided, state: "suspended" });
  await second.call("POST", "/tenants/acme/verification", { ...decided, state: "verified" });
  expect([...path.orders.values()]).toMatchObject([{ scope: { tenant: "acme" }, restored: { by: "operator" } }]);
});

test("an order that another replica was given a moment ago is found, and one who started later has no part in how long it took", async () => {
  const path = new MemoryPath("postgres");
  const clock = testClock();
  const orders = new Revocations({
    paths: [path],
    replica: { id: "late", name: "late", startedAtMs: clock.ms },
    clock,
    elapsed: clock,
    stalenessMs: 10_000,
  });
  const { call } = control({ orders, clock });
  const issuedAtMs = clock.ms - 60_000;
  await path.write(order("1", { model: "gpt-5" }, { issuedAtMs }));
  const early = { id: "early", name: "early", startedAtMs: issuedAtMs - 1 };
  const told = { orderId: "revocation_1", replica: early, learnedAtMs: issuedAtMs + 40, learnedBy: "postgres", cut: 2, ended: 2 };
  await path.acknowledge([{ ...told, lastByteAtMs: issuedAtMs + 90 }]);
  const { json } = await call("GET", "/revocations/revocation_1");
  expect(json).toMatchObject({ model: "gpt-5", tookMs: 90, complete: true });
  expect(json["acknowledgements"]).toHaveLength(2);
  expect((await call("GET", "/revocations")).json).toMatchObject({ revocations: [{ id: "revocation_1" }] });
});
