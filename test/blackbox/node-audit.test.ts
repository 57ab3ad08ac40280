import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeOnPostgres, PostgresServer } from "../support/postgres-server.ts";
import { ask, entriesOf, expectBlocked, proved, underWay, type FaultyGateway } from "./harness/audit.ts";
import type { Child } from "./harness/child.ts";
import { describeWithFullDisk, fillDisk, freeDisk } from "./harness/full-disk.ts";
import { demo, operatorOf, sharedUpstreams, temporaryFolder } from "./harness/one-test.ts";
import { listening } from "./harness/start-node.ts";

const perDay = { name: "tokens-per-day", unit: "tokens", window: "day", ceiling: 1_000_000 } as const;
const upstreams = sharedUpstreams();

interface Running extends FaultyGateway {
  readonly child: Child;
}

async function running(environment: Readonly<Record<string, string>>): Promise<Running> {
  const child = demo(upstreams(), { STRAIT_DATA_DIR: temporaryFolder(), ...environment });
  const url = await listening(child);
  const tenant = await operatorOf(url).addTenant({ allowCountries: ["JP"], limits: [perDay] });
  return { child, url, tenant, upstreams: upstreams() };
}

async function tokensLeft({ url, tenant }: Running): Promise<number> {
  return (await operatorOf(url).use(tenant.id))[0]?.remaining ?? 0;
}

describeWithFullDisk("while the disk of a gateway on SQLite is full", () => {
  test("block: the end of what is under way is withheld, nothing else is served, and what was held is on record", async () => {
    const gateway = await running({ STRAIT_LEASE_MS: "1500" });
    await expectBlocked(gateway, {
      begin: () => fillDisk(gateway.child.pid),
      end: () => freeDisk(gateway.child.pid),
    });
  }, 60_000);

  test("buffer: what is under way ends well, and its records are written once there is room", async () => {
    const gateway = await running({ STRAIT_AUDIT: "buffer" });
    const { stream, streamId, whole } = await underWay(gateway);
    fillDisk(gateway.child.pid);
    const { events, error } = await stream;
    expect(error).toBeUndefined();
    expect(events.flatMap(({ choices }) => choices).at(-1)?.finish_reason).toBe("stop");
    const answered = await whole;
    expect(answered.status).toBe(200);
    const refused = await ask(gateway, "no-such-model");
    expect(refused.status).toBe(404);
    // Nothing can be held, so nothing goes upstream.
    expect(await ask(gateway)).toMatchObject({ status: 503 });

    freeDisk(gateway.child.pid);
    const receipts = await Promise.all([streamId, answered.requestId].map((id) => proved(gateway, id)));
    for (const receipt of receipts) expect(receipt).toMatchObject({ end: "completed", usageSource: "reported" });
    expect(await proved(gateway, refused.requestId)).toMatchObject({ end: "refused", status: 404 });
    for (const id of [streamId, answered.requestId, refused.requestId]) expect(await entriesOf(gateway, id)).toBe(1);
    const charged = receipts.reduce((sum, { chargedTokens }) => sum + Number(chargedTokens), 0);
    expect(await tokensLeft(gateway)).toBe(perDay.ceiling - charged);
  }, 60_000);
});

describeOnPostgres("while PostgreSQL is away", () => {
  let postgres: PostgresServer;
  beforeAll(async () => {
    postgres = await PostgresServer.start();
  }, 30_000);
  afterAll(() => postgres.stop());

  describe.each([
    { audit: "block", refusedWith: 503 },
    { audit: "buffer", refusedWith: 404 },
  ])("$audit", ({ audit, refusedWith }) => {
    test(`answers wait for their records on disk, and what is refused is answered ${refusedWith}`, async () => {
      const gateway = await running({ STRAIT_AUDIT: audit, STRAIT_DATABASE_URL: await postgres.createDatabase() });
      const { stream, streamId, whole } = await underWay(gateway);
      await postgres.halt("immediate");
      const { error } = await stream;
      expect(error).toBeUndefined();
      const answered = await whole;
      expect(answered.status).toBe(200);
      const refused = await ask(gateway, "no-such-model");
      expect(refused.status).toBe(refusedWith);

      await postgres.resume();
      for (const id of [streamId, answered.requestId]) {
        expect(await proved(gateway, id)).toMatchObject({ end: "completed", usageSource: "reported" });
        expect(await entriesOf(gateway, id)).toBe(1);
      }
      if (audit === "buffer") expect(await proved(gateway, refused.requestId)).toMatchObject({ end: "refused", status: 404 });
      expect(await entriesOf(gateway, refused.requestId)).toBe(audit === "buffer" ? 1 : 0);
    }, 60_000);
  });
});
