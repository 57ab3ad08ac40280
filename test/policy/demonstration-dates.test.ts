import { describe, expect, it } from "vitest";
import { makeDemoTenants } from "../../src/demo-tenants.ts";
import { permittedModels } from "../../src/policy/permitted-models.ts";
import { createSecretBox } from "../../src/secret-box.ts";
import { entropy, sha256, testClock } from "../control/control-fixture.ts";
import { MemoryDirectory } from "../control/memory-directory.ts";
import { catalogueOf, shippedFiles } from "../region/regions-fixture.ts";

const { catalogue, policy } = catalogueOf(shippedFiles());
const firstMs = Date.UTC(2026, 10, 25);
const lastMs = Date.UTC(2036, 11, 31);

/** Each month's first day until 2036, and both sides of every instant at which the policy changes. */
const instants = [
  ...Array.from({ length: 121 }, (_, month) => Date.UTC(2026, 11 + month)),
  ...policy.boundariesMs.flatMap((boundary) => [boundary - 1, boundary]),
]
  .filter((atMs) => atMs >= firstMs && atMs <= lastMs)
  .sort((one, other) => one - other);

async function startAt(atMs: number, directory: MemoryDirectory): Promise<void> {
  const clock = { ...testClock(), ms: atMs };
  await makeDemoTenants({
    directory,
    clock,
    entropy,
    sha256,
    secretBox: createSecretBox([], entropy),
    catalogue: () => catalogue,
  });
}

function expectServed(directory: MemoryDirectory, atMs: number): void {
  const namesOf = (id: string): readonly string[] => {
    const entry = directory.find(id);
    return entry === undefined ? [] : permittedModels(entry.tenant, policy, catalogue, atMs).map((model) => model.id);
  };
  const all = [...catalogue.models.values()];
  const at = new Date(atMs).toISOString();
  expect([at, ...namesOf("demo_sg")]).toEqual([at, ...all.map(({ id }) => id)]);
  expect([at, ...namesOf("demo_cn")]).toEqual([at, ...all.filter(({ maker }) => maker === "openai").map(({ id }) => id)]);
}

describe("the demonstration's tenants", () => {
  it("may use what their descriptions say, whenever the demonstration is started for the first time", async () => {
    expect(instants.length).toBeGreaterThan(121);
    for (const atMs of instants) {
      const directory = new MemoryDirectory();
      await startAt(atMs, directory);
      expectServed(directory, atMs);
    }
  });

  it("may use it as well where an old demonstration is started again, and half a year after any start", async () => {
    const directory = new MemoryDirectory();
    await startAt(firstMs, directory);
    for (const atMs of instants) {
      await startAt(atMs, directory);
      expectServed(directory, atMs);
      expectServed(directory, atMs + 180 * 86_400_000);
    }
  });

  it("are left alone where somebody else showed their facts", async () => {
    const directory = new MemoryDirectory();
    await startAt(firstMs, directory);
    const entry = directory.find("demo_sg");
    if (entry === undefined) throw new Error("it was not made");
    const shown = { reference: "a document of my own", asOf: "2026-11-26T00:00:00Z" };
    const tenant = { ...entry.tenant, factsEvidence: { ...entry.tenant.factsEvidence, registeredCountry: shown } };
    directory.entries.set("demo_sg", { ...entry, tenant });
    await startAt(lastMs, directory);
    expect(directory.find("demo_sg")?.tenant).toEqual(tenant);
  });
});
