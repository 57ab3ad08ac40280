import { catalogueOf, deployment, price, region } from "../support/catalogue.ts";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { commands } from "../../src/runtime/node/cli/run-strait.ts";
import { parseKey } from "../../src/tenant/key.ts";
import { operatorKey } from "../control/control-fixture.ts";
import { emptyFolder, served, strait } from "./cli-fixture.ts";
import type { Served } from "./cli-fixture.ts";

// Each run is a process of its own, and several tests need some of them one after another.
vi.setConfig({ testTimeout: 30_000 });

let api: Served;

beforeAll(async () => {
  api = await served({
    inspectLimits: async (_, limits) => limits.map((limit) => ({ limit, capacity: 10, remaining: 4, resetMs: 1_200 })),
  });
  await api.call("POST", "/tenants", { id: "shown", name: "Shown Ltd", facts: { registeredCountry: "SG" }, tiers: ["standard"] });
});

afterAll(async () => api.stop());

describe("help", () => {
  test("says every command, at each level, on standard output and with exit code 0", async () => {
    const all = await strait(["--help"]);
    expect([all.code, all.stderr]).toEqual([0, ""]);
    for (const { path, summary } of commands) {
      expect(all.stdout).toContain(`  ${path.join(" ")}`);
      expect(all.stdout).toContain(summary);
    }
    const group = await strait(["key", "-h"]);
    expect(group.code).toBe(0);
    expect(group.stdout).toContain("key issue TENANT");
    expect(group.stdout).not.toContain("tenant add");
    const one = await strait(["limits", "set", "--help"]);
    expect(one.code).toBe(0);
    expect(one.stdout).toMatch(/^Usage: strait limits set TENANT \[OPTIONS\]\n/);
    for (const option of commands.find((command) => command.path.join(" ") === "limits set")?.options ?? []) {
      expect(one.stdout).toContain(`--${option.name}`);
    }
  });

  test("is for people who installed it: the file can be executed", () => {
    expect(statSync(join(import.meta.dirname, "../../src/runtime/node/strait.ts")).mode & 0o111).toBe(0o111);
  });

  test("--version is the package's", async () => {
    expect(await strait(["--version"])).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^strait \d+\.\d+\.\d+\n$/),
      stderr: "",
    });
  });
});

describe("what is not understood", () => {
  const key = { STRAIT_OPERATOR_KEY: operatorKey };

  test.each<[string, string[], RegExp]>([
    ["nothing", [], /Which command/],
    ["half a command", ["tenant"], /tenant add/],
    ["a command that is none", ["tenant", "destroy", "acme"], /no such command/],
    ["a missing argument", ["key", "revoke", "acme"], /KEY is missing.*Usage: strait key revoke TENANT KEY/],
    ["a word too many", ["tenant", "list", "acme"], /"acme" is one word too many/],
    ["an option that is none", ["tenant", "list", "--all"], /--all.*--help/],
    ["an option without its value", ["tenant", "list", "--url"], /--url/],
    ["an address that is none", ["tenant", "list", "--url", "localhost:8787"], /not the address/],
    ["a number that is none", ["limits", "set", "acme", "--concurrent", "many"], /--concurrent takes a whole number/],
    ["an inexact number", ["limits", "set", "acme", "--tokens-per-day", "9007199254740993"], /whole number/],
    ["a sum that is none", ["limits", "set", "acme", "--usd-per-month", "1e3"], /--usd-per-month takes US dollars/],
    ["a burst alone", ["limits", "set", "acme", "--tokens-burst", "5"], /--tokens-burst goes with --tokens-per-minute/],
    ["nothing to set", ["limits", "set", "acme"], /at least one limit/],
    ["whose limits, but no limit", ["limits", "set", "acme", "--key", "each", "--remove", "x"], /name a limit/],
    ["a step without what explains it", ["tenant", "suspend", "acme", "--reason", "x"], /--evidence REFERENCE.*--by NAME/],
    ["nothing to change", ["tenant", "change", "acme"], /Nothing to change/],
  ])("%s is told on standard error with exit code 2", async (_, words, message) => {
    const run = await strait(words, key);
    expect(run.stderr).toMatch(message);
    expect([run.code, run.stdout]).toEqual([2, ""]);
  });

  test.each([[["--operator-key", operatorKey, "tenant", "list"]], [["tenant", "list", `--operator-key=${operatorKey}`]]])(
    "the operator key on the command line is refused and not repeated: %#",
    async (words) => {
      const run = await api.run(words);
      expect(run.code).toBe(2);
      expect(run.stderr).toContain("--operator-key-file");
      expect(run.stderr + run.stdout).not.toContain(operatorKey);
    },
  );
});

describe("the operator key", () => {
  test("is taken from a file, from the environment, or from the data directory, in this order", async () => {
    const folder = join(emptyFolder, "data");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "operator-key"), `${operatorKey}\n`);
    const wrong = join(folder, "wrong-key");
    writeFileSync(wrong, "wrong");
    const url = { STRAIT_URL: api.url };
    const codes = [
      await strait(["tenant", "list"], { ...url, STRAIT_DATA_DIR: folder }),
      await strait(["tenant", "list"], { ...url, STRAIT_DATA_DIR: folder, STRAIT_OPERATOR_KEY: "wrong" }),
      await strait(["tenant", "list", "--operator-key-file", join(folder, "operator-key")], {
        ...url,
        STRAIT_OPERATOR_KEY: "wrong",
      }),
      await strait(["tenant", "list", "--operator-key-file", wrong], { ...url, STRAIT_OPERATOR_KEY: operatorKey }),
    ].map((run) => run.code);
    expect(codes).toEqual([0, 1, 0, 1]);
  });

  test("that is nowhere, unreadable or unfit is a matter of usage, and an unfit one is not repeated", async () => {
    const url = { STRAIT_URL: api.url };
    const nowhere = await strait(["tenant", "list"], url);
    expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringContaining("STRAIT_OPERATOR_KEY")]);
    expect((await strait(["tenant", "list", "--operator-key-file", "/nonexistent"], url)).code).toBe(2);
    const unfit = await strait(["tenant", "list"], { ...url, STRAIT_OPERATOR_KEY: "planted\nsecret" });
    expect(unfit.code).toBe(2);
    expect(unfit.stderr).not.toMatch(/planted|secret/);
  });

  test("that is wrong is refused by the server: exit code 1, and the answer says where it was read from", async () => {
    const run = await strait(["tenant", "list"], { STRAIT_URL: api.url, STRAIT_OPERATOR_KEY: "not-the-key" });
    expect([run.code, run.stdout]).toEqual([1, ""]);
    expect(run.stderr).toMatch(/Wrong operator key[^]*--operator-key-file, STRAIT_OPERATOR_KEY/);
    expect(run.stderr).not.toContain("not-the-key");
  });
});

describe("reaching the server", () => {
  test("fails with exit code 3 where nobody listens", async () => {
    const gone = await served();
    await gone.stop();
    const run = await gone.run(["tenant", "list"]);
    expect(run).toMatchObject({ code: 3, stdout: "" });
    expect(run.stderr).toContain(`cannot be reached at ${gone.url} (ECONNREFUSED)`);
    expect(run.stderr).toContain("STRAIT_URL");
  });

  test("--url wins over STRAIT_URL, with a slash at its end or without", async () => {
    const run = await strait(["tenant", "list", "--json", "--url", `${api.url}/`], {
      ...api.environment,
      STRAIT_URL: "http://127.0.0.1:1",
    });
    expect(run.code).toBe(0);
  });

  test("what answers but is not Strait is a failure that says so", async () => {
    const { createServer } = await import("node:http");
    const server = createServer((_, response) => void response.writeHead(302, { location: "http://127.0.0.1:1/" }).end("<html>"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const run = await strait(["tenant", "list"], { STRAIT_URL: `http://127.0.0.1:${port}`, STRAIT_OPERATOR_KEY: operatorKey });
    server.close();
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(/answered 302, and not as Strait/);
  });
});

describe("tenants", () => {
  const decided = ["--reason", "as told", "--by", "desk 2"];

  test("go from added to verified to suspended, and each step is in the audit", async () => {
    const added = await api.run([
      "tenant",
      "add",
      "acme",
      "--name",
      "Acme Ltd",
      "--registered-country",
      "SG",
      "--parent-country",
      "JP",
      "--tiers",
      "standard,frontier",
      "--deny-countries",
      "US, SE",
    ]);
    expect([added.code, added.stderr]).toEqual([0, expect.stringContaining("strait tenant verify acme")]);
    expect(added.stdout).toMatch(/^state +applied since/m);
    expect((await api.call("GET", "/tenants/acme")).json).toMatchObject({
      name: "Acme Ltd",
      facts: { registeredCountry: "SG", headquartersCountry: null, ultimateParentCountry: "JP" },
      tiers: ["standard", "frontier"],
      denyCountries: ["SE", "US"],
    });
    expect((await api.run(["tenant", "verify", "acme", "--evidence", "register-7", ...decided])).code).toBe(0);
    const suspend = ["tenant", "suspend", "acme", "--evidence", "incident-1", ...decided];
    const suspended = await api.run([...suspend, "--json"]);
    expect(suspended.code).toBe(0);
    expect(JSON.parse(suspended.stdout)).toEqual((await api.call("GET", "/tenants/acme")).json);
    expect(api.directory.find("acme")?.tenant.verification.state).toBe("suspended");
    expect((await api.run(suspend)).code).toBe(0);
    const audit = await api.run(["audit", "acme", "--json"]);
    expect(JSON.parse(audit.stdout)).toEqual((await api.call("GET", "/tenants/acme/audit")).json);
    expect(JSON.parse(audit.stdout).audit.map((entry: { action: string }) => entry.action)).toEqual([
      "tenant.verification",
      "tenant.verification",
      "tenant.add",
    ]);
    expect((await api.run(["audit", "--count", "1"])).stdout.split("\n")).toHaveLength(3);
  });

  test("have facts with documents behind them, and owners", async () => {
    await api.call("POST", "/tenants", { id: "shown", name: "Shown" });
    const named = ["--registered-country", "SG", "--evidence", "register-1", "--as-of", "2026-11-01"];
    expect((await api.run(["tenant", "change", "shown", ...named])).code).toBe(0);
    expect((await api.run(["tenant", "change", "shown", "--registered-country", "SG", "--evidence", "x"])).code).toBe(2);
    const document = ["--evidence", "letter-2", "--as-of", "2026-11-02", "--reason", "annual check", "--by", "desk 2"];
    const torn = await api.run(["tenant", "fact", "shown", "registeredCountry", "JP", ...document]);
    expect(torn.stdout).toMatch(/^registeredCountry +2026-11-01 +register-1 +JP \(letter-2\) +SG$/m);
    expect((await api.run(["tenant", "fact", "shown", "registeredCountry", "JP"])).code).toBe(2);
    const settle = ["tenant", "change", "shown", "--registered-country", "SG", "--reason", "another company's letter"];
    expect(await api.run(settle)).toMatchObject({ code: 1, stderr: expect.stringContaining("--evidence") });
    expect((await api.run([...settle, "--evidence", "register-3", "--as-of", "2026-11-03"])).code).toBe(0);
    expect((await api.run(["audit", "shown"])).stdout).toContain("another company's letter");
    expect((await api.run(["tenant", "owners", "shown"])).stdout).toMatch(/^owners +unresolved$/m);
    const file = join(emptyFolder, "owners.json");
    const owner = { id: "p", name: "Parent", kind: "person", country: "JP" };
    const holding = { owner: "p", of: "tenant", basisPoints: 6_050, evidence: "register-1", asOf: "2026-11-01T00:00:00Z" };
    writeFileSync(file, JSON.stringify({ owners: [owner], holdings: [holding] }));
    expect((await api.run(["tenant", "owners", "shown", "--file", file])).stdout).toMatch(/^p +person +JP +60.5 % +tenant/m);
    const shown = JSON.parse((await api.run(["tenant", "facts", "shown", "--json"])).stdout);
    expect(shown).toEqual((await api.call("GET", "/tenants/shown")).json);
    expect((await api.run(["tenant", "owners", "shown", "--unresolved"])).stdout).toMatch(/unresolved/);
    const verified = ["tenant", "verify", "shown", "--evidence", "register-1", "--expires", "365d", ...decided, "--json"];
    expect(JSON.parse((await api.run(verified)).stdout).verification).toMatchObject({
      by: "desk 2",
      expiresAt: expect.any(String),
    });
  });

  test("are changed by what is named alone, and cleared by a word", async () => {
    await api.call("POST", "/tenants", {
      id: "patched",
      name: "Patched",
      facts: { registeredCountry: "SG", endUse: "x" },
      allowCountries: ["SG"],
      leastEvidence: "attested",
    });
    const run = await api.run([
      "tenant",
      "change",
      "patched",
      "--end-use",
      "unknown",
      "--allow-countries",
      "any",
      "--least-evidence",
      "policy",
      "--json",
    ]);
    expect(run.code).toBe(0);
    expect(JSON.parse(run.stdout)).toMatchObject({
      name: "Patched",
      facts: { registeredCountry: "SG", endUse: null },
      allowCountries: null,
      leastEvidence: null,
    });
  });

  test("are listed as an aligned table, whatever a name holds", async () => {
    await api.call("POST", "/tenants", { id: "zz_escape", name: "red \u001b[31m name" });
    const { stdout } = await api.run(["tenant", "list"]);
    const [head, ...rows] = stdout.trimEnd().split("\n");
    const column = head?.indexOf("STATE") ?? -1;
    expect(rows.length).toBeGreaterThan(1);
    for (const row of rows) expect(row.slice(column)).toMatch(/^(applied|suspended|verified) /);
    expect(stdout).not.toContain("\u001b");
    expect(rows.find((row) => row.startsWith("shown "))).toMatch(/SG +- +standard/);
  });

  test("are listed whole over several pages, in the API's own shape", async () => {
    const many = await served();
    for (let index = 0; index < 501; index += 1) await many.call("POST", "/tenants", { id: `tenant_${index}`, name: "n" });
    const { stdout } = await many.run(["tenant", "list", "--json"]);
    await many.stop();
    const document = JSON.parse(stdout) as { tenants: { id: string }[]; nextCursor: null };
    expect(document.nextCursor).toBeNull();
    expect(new Set(document.tenants.map((tenant) => tenant.id)).size).toBe(501);
  });

  test("that the server refuses are told with each problem, or with its document", async () => {
    const words = ["tenant", "add", "bad", "--registered-country", "UK", "--tiers", "fronteer"];
    const people = await api.run(words);
    expect([people.code, people.stdout]).toEqual([1, ""]);
    expect(people.stderr).toMatch(/\/facts\/registeredCountry: .*`GB`[^]*\/tiers\/0: .*`frontier`/);
    const machine = await api.run([...words, "--json"]);
    expect(machine.code).toBe(1);
    expect(JSON.parse(machine.stderr)).toMatchObject({ type: "urn:strait:problem:invalid", status: 422, problems: [{}, {}] });
  });

  test("can be added from a document on standard input, over which options win", async () => {
    const document = JSON.stringify({
      name: "From file",
      tiers: ["standard"],
      facts: { endUse: "support", registeredCountry: "JP" },
    });
    const run = await api.run(["tenant", "add", "from_file", "--file", "-", "--registered-country", "SG", "--json"], document);
    expect(JSON.parse(run.stdout)).toMatchObject({
      id: "from_file",
      name: "From file",
      facts: { endUse: "support", registeredCountry: "SG" },
    });
  });
});

describe("keys", () => {
  test("are shown once, alone on standard output, then listed and revoked by their id", async () => {
    const issued = await api.run([
      "key",
      "issue",
      "shown",
      "--name",
      "app",
      "--models",
      "gpt-5-latest",
      "--surfaces",
      "embeddings",
      "--expires",
      "30d",
    ]);
    expect(issued.code).toBe(0);
    const key = issued.stdout.trimEnd();
    const id = parseKey(key)?.keyId ?? "";
    expect(issued.stdout).toBe(`${key}\n`);
    expect(issued.stderr).toContain(`Key ${id} was issued`);
    expect(issued.stderr).not.toContain(key);
    const listed = await api.run(["key", "list", "shown"]);
    expect(listed.stdout).toMatch(new RegExp(`^${id} +active .* gpt-5 +embeddings +app$`, "m"));
    expect(listed.stdout).not.toContain(key.slice(-43));
    const revoked = await api.run(["key", "revoke", "shown", id, "--json"]);
    expect(JSON.parse(revoked.stdout)).toMatchObject({ id, state: "revoked" });
    expect((await api.run(["key", "revoke", "shown", "nonesuch"])).code).toBe(1);
  });
});

describe("limits", () => {
  test("that are named are set, and the others stay", async () => {
    await api.call("POST", "/tenants", {
      id: "limited",
      name: "Limited",
      limits: [{ name: "concurrent", unit: "concurrent", window: "open", ceiling: 9 }],
    });
    const words = [
      "--requests-per-minute",
      "1_000",
      "--tokens-per-minute",
      "500",
      "--tokens-burst",
      "2500",
      "--tokens-per-month",
      "7",
      "--usd-per-month",
      "4.35",
    ];
    expect((await api.run(["limits", "set", "limited", ...words])).code).toBe(0);
    expect(
      (await api.run(["limits", "set", "limited", "--tokens-per-minute", "50", "--key", "each", "--model", "gpt-5"])).code,
    ).toBe(0);
    const set = await api.run(["limits", "set", "limited", "--remove", "tokens-per-month", "--tokens-per-day", "8", "--json"]);
    const scope = { burst: null, key: null, model: null, tier: null, endUser: null };
    const none = { ...scope, shadow: false, slices: false, onOutage: "refuse" };
    expect(JSON.parse(set.stdout)).toEqual({
      limits: [
        { ...none, name: "concurrent", unit: "concurrent", window: "open", ceiling: 9 },
        { ...none, name: "requests-per-minute", unit: "requests", window: "minute", ceiling: 1_000 },
        { ...none, name: "tokens-per-minute", unit: "tokens", window: "minute", ceiling: 500, burst: 2_500 },
        { ...none, name: "usd-per-month", unit: "micro_usd", window: "month", ceiling: 4_350_000 },
        {
          ...none,
          name: "tokens-per-minute-each-key-model-gpt-5",
          unit: "tokens",
          window: "minute",
          ceiling: 50,
          key: "each",
          model: "gpt-5",
        },
        { ...none, name: "tokens-per-day", unit: "tokens", window: "day", ceiling: 8 },
      ],
    });
    const shown = await api.run(["limits", "show", "limited"]);
    expect(shown.stdout).toMatch(/^usd-per-month +\$4\.35 +- +US dollars +month/m);
    const replaced = await api.run(["limits", "set", "limited", "--file", "-"], '{"limits":[]}');
    expect([replaced.code, api.directory.find("limited")?.limits]).toEqual([0, []]);
    expect((await api.run(["limits", "set", "limited", "--remove", "nonesuch"])).code).toBe(1);
  });

  test("set while somebody else changes them keep what that one set", async () => {
    const busy = await served();
    const limit = (name: string, ceiling: number): object => ({ name, unit: "requests", window: "day", ceiling });
    await busy.call("POST", "/tenants", { id: "acme", name: "Acme", limits: [limit("theirs", 1)] });
    busy.directory.beforeSave = async () => {
      busy.directory.beforeSave = () => undefined;
      await busy.call("PUT", "/tenants/acme/limits", { limits: [limit("theirs", 2)] });
    };
    const run = await busy.run(["limits", "set", "acme", "--concurrent", "3"]);
    await busy.stop();
    expect(run).toMatchObject({ code: 0, stderr: "" });
    expect(busy.directory.find("acme")?.limits).toMatchObject([
      { name: "theirs", ceiling: 2 },
      { name: "concurrent", ceiling: 3 },
    ]);
  });

  test("may be switched to slices, and to what is local when their store is away", async () => {
    await api.call("POST", "/tenants", { id: "hot", name: "Hot", limits: [] });
    const words = ["--requests-per-minute", "180000", "--slices"];
    expect((await api.run(["limits", "set", "hot", ...words, "--on-outage", "allow-local"])).code).toBe(0);
    expect(api.directory.find("hot")?.limits).toMatchObject([{ slices: true, onOutage: "allow-local" }]);
    expect((await api.run(["limits", "show", "hot"])).stdout).toMatch(/ slices, allow-local$/m);
    expect((await api.run(["limits", "set", "hot", ...words])).code).toBe(0);
    expect(api.directory.find("hot")?.limits[0]).not.toHaveProperty("onOutage");
    const wrong = await api.run(["limits", "set", "hot", ...words, "--on-outage", "allow"]);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("refuse or allow-local")]);
    expect((await api.run(["limits", "set", "hot", "--slices"])).code).toBe(2);
    const alone = await api.run(["limits", "set", "hot", "--concurrent", "5", "--on-outage", "allow-local"]);
    expect([alone.code, alone.stderr]).toEqual([1, expect.stringContaining("slices")]);
  });

  test("show how far they are used", async () => {
    const run = await api.run(["limits", "show", "shown", "--use"]);
    expect(run.stdout).toMatch(/^COUNTER +REMAINING +OF +WHOLE IN +NOTE\nrequests-per-minute +4 +10 +2 s +-\n/);
  });

  test("may be a tier's, every end user's, of input and output apart, and watch only", async () => {
    await api.call("POST", "/tenants", { id: "scoped", name: "Scoped", limits: [] });
    const words = [
      "--input-tokens-per-minute",
      "100",
      "--input-tokens-burst",
      "500",
      "--usd-per-day",
      "2.5",
      "--tier",
      "frontier",
      "--end-user",
      "each",
      "--shadow",
    ];
    expect((await api.run(["limits", "set", "scoped", ...words])).code).toBe(0);
    const scope = { tier: "frontier", endUser: "each", shadow: true };
    expect(api.directory.find("scoped")?.limits).toMatchObject([
      {
        ...scope,
        name: "input-tokens-per-minute-tier-frontier-each-end-user",
        unit: "input_tokens",
        window: "minute",
        ceiling: 100,
        burst: 500,
      },
      { ...scope, name: "usd-per-day-tier-frontier-each-end-user", unit: "micro_usd", window: "day", ceiling: 2_500_000 },
    ]);
    const shown = await api.run(["limits", "show", "scoped"]);
    expect(shown.stdout).toMatch(/frontier +each +shadow$/m);
    const use = await api.run(["limits", "show", "scoped", "--use", "--end-user", "anna", "--tier", "frontier", "--json"]);
    const { use: uses } = JSON.parse(use.stdout) as { use: { counter: string }[] };
    expect(uses.map(({ counter }) => counter)).toEqual([
      expect.stringMatching(/^input-.*\|tier=frontier\|user=u_[0-9a-f]{20}$/),
      expect.stringMatching(/^usd-.*\|tier=frontier\|user=u_[0-9a-f]{20}$/),
    ]);
    expect((await api.run(["limits", "show", "scoped", "--tier", "frontier"])).code).toBe(2);
    expect((await api.run(["limits", "set", "scoped", "--shadow"])).code).toBe(2);
  });

  test("that are nearly used up or only watch say so", async () => {
    const near = await served({
      inspectLimits: async (_, limits) =>
        limits.map((limit, index) => ({ limit, capacity: 10, remaining: [1, -3, 9][index] ?? 0, resetMs: 0 })),
    });
    const limit = (name: string, shadow: boolean): object => ({ name, unit: "tokens", window: "minute", ceiling: 10, shadow });
    await near.call("POST", "/tenants", {
      id: "acme",
      name: "Acme",
      limits: [limit("a", false), limit("b", true), limit("c", false)],
    });
    const run = await near.run(["limits", "show", "acme", "--use"]);
    await near.stop();
    expect(
      run.stdout
        .split("\n")
        .slice(1, 4)
        .map((line) => line.split(/ {2,}/).at(-1)),
    ).toEqual(["near", "shadow, over", "-"]);
  });

  test("count days where the tenant's time zone says", async () => {
    await api.call("POST", "/tenants", { id: "zoned", name: "Zoned" });
    const changed = await api.run(["tenant", "change", "zoned", "--time-zone", "Asia/Singapore", "--holds", "learned"]);
    expect(changed.stdout).toMatch(/^time zone +Asia\/Singapore$/m);
    expect(api.directory.find("zoned")?.tenant).toMatchObject({ timeZone: "Asia/Singapore", holds: "learned" });
    await api.run(["tenant", "change", "zoned", "--time-zone", "UTC", "--holds", "worst_case"]);
    expect(api.directory.find("zoned")?.tenant).toMatchObject({ timeZone: undefined, holds: undefined });
  });
});

describe("prices", () => {
  test("are listed in dollars for a million tokens, a line for each set of rates", async () => {
    const dear = { ...price, inputMicroUsdPerMillion: 5_250_000 };
    const tiers = {
      longContext: { aboveInputTokens: 200_000, rates: dear },
      serviceTiers: { priority: { ...dear, longContext: { aboveInputTokens: 100_000, rates: dear } } },
    };
    const laterPrices = [{ effectiveFromMs: Date.parse("2027-01-01T00:00:00Z"), price: { ...price, ...tiers } }];
    const priced = await served({
      catalogue: () => catalogueOf([deployment("up", { region: region("sea", "SG"), laterPrices })]),
    });
    const now = await priced.run(["prices", "list", "--model", "gpt-test"]);
    const later = await priced.run(["prices", "list", "--at", "2027-01-01T00:00:00Z"]);
    const wrong = await priced.run(["prices", "list", "--model", "gpt-tset"]);
    await priced.stop();
    expect(now.stdout).toMatch(
      /^DEPLOYMENT +RATES +INPUT +CACHED +CACHE WRITE +OUTPUT +FROM +UNTIL\nsea\/up +- +\$2 +\$0\.50 +\$2\.50 +\$8 +- +2027-01-01T00:00:00\.000Z\n$/,
    );
    expect(
      later.stdout
        .trim()
        .split("\n")
        .slice(1)
        .map((line) => line.split(/ {2,}/).slice(1, 3)),
    ).toEqual([
      ["-", "$2"],
      ["over 200000", "$5.25"],
      ["priority", "$5.25"],
      ["priority, over 100000", "$5.25"],
    ]);
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining("model") });
  });
});
