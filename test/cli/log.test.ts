import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/runtime/node/clock.ts";
import { hashes } from "../../src/runtime/node/hashes.ts";
import { digestBody } from "../../src/tenant/digest-body.ts";
import { digestKeySet } from "../../src/tenant/digest-key-set.ts";
import { publishedKeys } from "../../src/transparency/log-keys.ts";
import { noteSigner } from "../../src/transparency/signed-note.ts";
import type { TransparencyLog } from "../../src/transparency/transparency-log.ts";
import { receipt } from "../stores/samples.ts";
import { sqliteWorld } from "../stores/sqlite-world.ts";
import type { LogWorld } from "../stores/store-world.ts";
import { logKeys, logOf, newKey } from "../transparency/log-fixture.ts";
import { served, strait, type Served } from "./cli-fixture.ts";

const key = await newKey();

// Each run of the command is a process, and a busy machine starts few of them a second.
describe("strait receipt and strait log", { timeout: 20_000 }, () => {
  let folder: string;
  let world: LogWorld;
  let log: TransparencyLog;
  let gateway: Served;
  const file = (name: string, text?: string): string => {
    if (text !== undefined) writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "strait-log-"));
    world = sqliteWorld(1);
    const keys = await logKeys(key);
    log = await logOf(world, key);
    gateway = await served({
      logs: { published: publishedKeys(keys), sign: noteSigner(keys, systemClock, hashes.sha256Bytes), of: () => log },
    });
    await gateway.call("POST", "/tenants", { id: "acme", name: "Acme" });
    file("keys.json", JSON.stringify(publishedKeys(keys)));
    for (let index = 0; index < 4; index += 1) await world.journal.append(receipt(`r${index}`));
    await log.advance();
  });
  afterEach(async () => {
    await gateway.stop();
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("gets a proof that verifies without the gateway, and not once it was changed", async () => {
    const got = await gateway.run(["receipt", "get", "acme", "r1"]);
    const proof = file("proof.json", got.stdout);
    const verified = await strait(["receipt", "verify", proof, "--key", file("keys.json")]);
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining("Proved: r1 is entry 1 of 4") });
    expect(verified.stdout).toMatch(/^who +tenant acme, key key_1$/m);
    expect(verified.stdout).toMatch(/^served +model-a, somewhere\/model-a, Standard$/m);
    expect(verified.stdout).toMatch(/^tokens +held 100, charged 10$/m);
    file("proof.json", got.stdout.replace('"acme"', '"emca"'));
    const refused = await strait(["receipt", "verify", proof, "--key", file("keys.json")]);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("Not proved") });
    expect(await gateway.run(["receipt", "get", "acme", "nobody"])).toMatchObject({ code: 1 });
  });

  it("checks bodies that were kept against the receipt's digests", async () => {
    const secret = new Uint8Array(32).fill(1);
    const body = '{"model":"model-a"}';
    const requestDigest = digestBody(Buffer.from(body), { key: secret }, hashes);
    await world.journal.append(receipt("kept", { digestKeyId: "dk_1", requestDigest }));
    const proof = file("proof.json", (await gateway.run(["receipt", "get", "acme", "kept"])).stdout);
    const digestKeys = (id: string): string =>
      JSON.stringify(digestKeySet([{ id, key: secret, createdAt: "2026-01-01T00:00:00Z", retiredAt: undefined }]));
    const words = [
      "receipt",
      "verify",
      proof,
      "--key",
      file("keys.json"),
      "--digest-keys",
      file("mine.json", digestKeys("dk_1")),
    ];
    const kept = [...words, "--request", file("request.json", body)];
    expect(await strait(kept)).toMatchObject({ code: 0, stdout: expect.stringContaining("Digested: the request is") });
    expect(JSON.parse((await strait([...kept, "--json"])).stdout)).toMatchObject({ proved: true, digested: ["request"] });
    const refused = async (...more: readonly string[]): Promise<string> => {
      const run = await strait([...words, ...more]);
      expect(run).toMatchObject({ code: 1, stdout: "" });
      return run.stderr;
    };
    expect(await refused("--request", file("other.json", `${body}\n`))).toContain("these bytes are not the request");
    expect(await refused("--answer", file("request.json"))).toContain("no digest of the answer");
    file("mine.json", digestKeys("dk_2"));
    expect(await refused("--request", file("request.json"))).toContain("dk_1 is not among those given");
    expect(await strait([...words.slice(0, 5), "--request", file("request.json")])).toMatchObject({ code: 2 });
    expect(await strait([...words.slice(0, 5), "--digest-keys", file("keys.json"), "--request", proof])).toMatchObject({
      code: 2,
    });
  });

  it("lists a tenant's digest keys and rotates them, without showing one", async () => {
    const listed = await gateway.run(["digest-key", "list", "acme"]);
    expect(listed).toMatchObject({ code: 0, stdout: expect.stringMatching(/^DIGEST KEY .*\ndk_\w+ .* now$/m) });
    const rotated = await gateway.run(["digest-key", "rotate", "acme", "--json"]);
    const { digestKeys } = JSON.parse(rotated.stdout) as { digestKeys: { id: string; retiredAt: string | null }[] };
    expect(digestKeys.map(({ retiredAt }) => retiredAt === null)).toEqual([true, false]);
    expect(listed.stdout).toContain(digestKeys[1]?.id);
    expect(rotated.stdout).not.toContain("plain.");
  });

  it("verifies that the log grew, with a proof from a file or from the gateway, and finds a fork", async () => {
    const old = file("old", (await gateway.run(["log", "checkpoint", "acme"])).stdout);
    await world.journal.append(receipt("r4"));
    await log.advance();
    const young = file("new", (await gateway.run(["log", "checkpoint", "acme", "--json"])).stdout);
    const proof = file("consistency", JSON.stringify(await log.consistency(4)));
    const words = ["log", "verify", old, young, "--key", file("keys.json")];
    expect(await strait([...words, "--proof", proof])).toMatchObject({ code: 0, stdout: expect.stringContaining("from 4 to 5") });
    expect(await gateway.run([...words, "--tenant", "acme"])).toMatchObject({ code: 0 });
    // Who has neither is no operator: what they can fetch is said, and no operator key asked for.
    expect(await strait(words)).toMatchObject({ code: 2, stderr: expect.stringContaining("consistency?size=4&to=5") });
    const turned = ["log", "verify", young, old, "--key", file("keys.json"), "--proof", proof];
    expect(await strait(turned)).toMatchObject({ code: 1 });
  });

  it("audits the log against a checkpoint that was kept", async () => {
    const kept = file("kept", (await gateway.run(["log", "checkpoint", "acme"])).stdout);
    await world.journal.append(receipt("r4"));
    await log.advance();
    const words = ["log", "audit", "acme", "--key", file("keys.json"), "--checkpoint", kept];
    expect(await gateway.run(words)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("5 entries are as they were signed"),
    });
    expect(await gateway.run(["log", "audit", "acme"])).toMatchObject({ code: 2 });
  });

  it("rotates a key: the old one stays for what it signed, and cannot sign any more", async () => {
    const keyFile = file("log-key.json", JSON.stringify({ keys: [key] }));
    const before = Date.now();
    expect(await strait(["log", "rotate", keyFile])).toMatchObject({ code: 0, stdout: expect.stringContaining("Restart every") });
    const { keys } = JSON.parse(readFileSync(keyFile, "utf8")) as { keys: Record<string, string>[] };
    expect(keys).toHaveLength(2);
    expect(keys[0]).toMatchObject({ d: expect.any(String), validFrom: expect.any(String) });
    expect(keys[1]?.["x"]).toBe(key["x"]);
    expect(keys[1]).not.toHaveProperty("d");
    // For a day more, since gateways go on with it until they are started anew.
    const untilMs = Date.parse(keys[1]?.["validUntil"] ?? "");
    expect(untilMs - before).toBeGreaterThanOrEqual(86_400_000);
    expect(untilMs - before).toBeLessThan(86_400_000 + 60_000);
    const stolen = file("stolen.json", JSON.stringify({ keys: [key] }));
    expect(await strait(["log", "rotate", stolen, "--old-until", "0d"])).toMatchObject({ code: 0 });
    const [young, old] = (JSON.parse(readFileSync(stolen, "utf8")) as { keys: Record<string, string>[] }).keys;
    expect(old?.["validUntil"]).toBe(young?.["validFrom"]);
    expect(await strait(["log", "rotate", stolen, "--old-until", "soon"])).toMatchObject({ code: 2 });
    const nowhere = join(stolen, "log-key.json");
    expect(await strait(["log", "rotate", nowhere])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("cannot be written"),
    });
  });

  it("makes the first key where there is no file yet", async () => {
    const keyFile = file("first.json");
    expect(await strait(["log", "rotate", keyFile])).toMatchObject({ code: 0 });
    expect(JSON.parse(readFileSync(keyFile, "utf8"))).toMatchObject({ keys: [{ crv: "Ed25519", d: expect.any(String) }] });
  });
});
