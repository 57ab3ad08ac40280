import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allow, refuse, type Decision } from "../../src/decision.ts";
import { headerValue } from "../../src/edge.ts";
import { Lifetime } from "../../src/lifetime.ts";
import { without } from "../../src/policy/authorise.ts";
import type { Permit } from "../../src/policy/permit.ts";
import type { Deployment } from "../../src/region/catalogue.ts";
import { Health } from "../../src/routing/health.ts";
import { forward, type AttemptWatcher, type Forwarded, type ForwardSettings } from "../../src/upstream/forward.ts";
import { deployment } from "../support/catalogue.ts";
import { FakeClock, settled } from "../support/fake-clock.ts";
import { permitFor } from "../support/permits.ts";
import { eventStream, json, ScriptedTransport, type ScriptedCall } from "../support/scripted-transport.ts";
import { SeededEntropy } from "../support/seeded-entropy.ts";
import { bounds, deadlines } from "./running-attempt.ts";
import { openaiChat, sse } from "./streams.ts";

const document = '{"id":"x","usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}';

class Run {
  readonly clock: FakeClock = new FakeClock();
  readonly transport: ScriptedTransport;
  readonly health: Health = new Health({ failures: 2, openMs: 5_000, longestOpenMs: 60_000 });
  readonly life: Lifetime = new Lifetime();
  readonly watched: string[] = [];
  readonly permit: Permit;
  result: Forwarded | undefined;
  error: unknown;

  constructor(
    deployments: readonly Deployment[],
    play?: (call: ScriptedCall, number: number) => void,
    settings: Partial<ForwardSettings> = {},
  ) {
    this.transport = new ScriptedTransport(play);
    this.permit = permitFor(deployments);
    const all: ForwardSettings = {
      clock: this.clock,
      transport: this.transport,
      deadlines,
      bounds,
      permitOf: () => undefined,
      entropy: new SeededEntropy(5),
      health: this.health,
      gate: { standing: (permit) => allow(permit), workedOnBy: () => undefined, mismatched: () => undefined },
      credentials: (place) => `secret-of-${place.id}`,
      attempts: 3,
      longestWaitMs: 2_000,
      ...settings,
    };
    const watcher: AttemptWatcher = {
      began: (subject, number) => this.watched.push(`began ${number} ${subject.id}`),
      ended: (subject, record) => this.watched.push(`ended ${subject.id} ${record.outcome}`),
    };
    const outgoing = {
      surface: "chat.completions",
      stream: true,
      showUsage: true,
      hints: { apiVersion: undefined, anthropicVersion: undefined, anthropicBeta: undefined, stream: true },
      stored: undefined,
      bodyFor: (model: string) => new TextEncoder().encode(JSON.stringify({ model })),
    } as const;
    forward(this.permit, outgoing, this.life, all, watcher).then(
      (result) => (this.result = result),
      (error: unknown) => (this.error = error),
    );
  }

  get hosts(): string[] {
    return this.transport.calls.map(({ request }) => new URL(request.origin).hostname.split(".")[0] as string);
  }
}

const two = (): Deployment[] => [deployment("aaa"), deployment("bbb")];
const three = (): Deployment[] => [...two(), deployment("ccc")];

describe("forward", () => {
  it("sends to one of the permit's deployments, by its own name and with its own credential, and nothing more", async () => {
    const run = new Run(two(), (call) => call.answer(200, json, document));
    await settled();
    const { request } = run.transport.last;
    const name = run.hosts[0];
    expect(run.result).toMatchObject({ kind: "answering", deployment: { id: `${name}/${name}` }, reached: true });
    expect(new TextDecoder().decode(request.body)).toBe(JSON.stringify({ model: `up-${name}` }));
    expect(headerValue(request.headers, "api-key")).toBe(`secret-of-${name}`);
    expect(run.transport.calls).toHaveLength(1);
    expect(run.result?.attempts).toEqual([
      {
        deployment: `${name}/${name}`,
        endpointHost: `${name}.upstream.test`,
        sku: "Standard",
        upstreamRequestId: undefined,
        countries: "SG",
        startedAtMs: run.clock.nowMs(),
        endedAtMs: run.clock.nowMs(),
        status: 200,
        outcome: "answered",
      },
    ]);
  });

  it("tries each deployment once, within its budget of attempts, and keeps a record of each", async () => {
    const run = new Run(three(), (call) => call.answer(500, json, "{}"));
    await settled();
    expect(new Set(run.hosts).size).toBe(3);
    expect(run.result).toMatchObject({
      kind: "refused",
      refusal: { kind: "upstream_failed", detail: "it answered with status 500" },
      status: 500,
      reached: true,
    });
    expect(run.result?.attempts.map(({ outcome }) => outcome)).toEqual(["status_500", "status_500", "status_500"]);
    expect(run.watched).toHaveLength(6);

    const short = new Run(three(), (call) => call.fail("connect"), { attempts: 2 });
    await settled();
    expect(short.transport.calls).toHaveLength(2);
    expect(short.result).toMatchObject({
      kind: "refused",
      refusal: { kind: "upstream_failed", detail: "it could not be reached" },
      status: undefined,
      reached: false,
    });
  });

  it("never leaves the permit, whatever fails how", async () => {
    const faults = ["connect", "reset", "status", "busy", "refused", "cut", "fault", "answer"] as const;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...faults), { minLength: 6, maxLength: 6 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 6 }),
        async (plays, count, attempts) => {
          const deployments = Array.from({ length: count }, (_, index) => deployment(`d${index}`));
          const run = new Run(
            deployments,
            (call, number) => {
              switch (plays[number - 1]) {
                case "connect":
                  return call.fail("connect");
                case "reset":
                  return call.connected().fail();
                case "status":
                  return call.answer(502, json, "{}");
                case "busy":
                  return call.answer(429, [...json, "retry-after-ms", "700"], "{}");
                case "refused":
                  return call
                    .connected()
                    .head(200, eventStream)
                    .data(sse([{ error: { code: "overloaded_error" } }]));
                case "cut":
                  return call.connected().head(200, json).data('{"half"').end();
                case "fault":
                  return call.answer(400, json, "{}");
                default:
                  return call.answer(200, json, document);
              }
            },
            { attempts },
          );
          await settled();
          await run.clock.pass(10_000, 20);
          expect(run.error).toBeUndefined();
          expect(run.result).toBeDefined();
          const names = new Set(deployments.map(({ region: place }) => place.id));
          expect(run.hosts.every((host) => names.has(host))).toBe(true);
          expect(run.transport.calls.length).toBeLessThanOrEqual(attempts);
          expect(run.result?.attempts).toHaveLength(run.transport.calls.length);
          // Nothing is tried behind an answer, a request's own fault, or anything that began to be generated.
          const last = plays.findIndex((play) => play === "answer" || play === "fault" || play === "cut");
          if (last >= 0) expect(run.transport.calls.length).toBeLessThanOrEqual(last + 1);
          expect(run.transport.calls.every(({ over }) => over)).toBe(true);
          expect(run.clock.pending).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("tries nobody else once something was generated", async () => {
    const run = new Run(two(), (call) =>
      call
        .connected()
        .head(200, eventStream)
        .data(sse(openaiChat.slice(0, 1)))
        .end(),
    );
    await settled();
    expect(run.transport.calls).toHaveLength(1);
    expect(run.result).toMatchObject({ kind: "refused", refusal: { kind: "upstream_cut_off" } });
  });

  it("hands the client what the upstream says of its request, and blames no deployment for it", async () => {
    const run = new Run([deployment("aaa")], (call) => call.answer(400, [...json, "x-request-id", "up-1"], '{"error":{}}'));
    await settled();
    expect(run.result).toMatchObject({
      kind: "faulted",
      status: 400,
      upstreamRequestId: "up-1",
      attempts: [{ outcome: "request_at_fault", status: 400 }],
    });
    expect(run.health.of("aaa/aaa").available(run.clock.nowMs())).toBe(true);
  });

  it("leaves a full deployment alone for as long as it asked, and goes to the other meanwhile", async () => {
    const first = new Run(two(), (call, number) =>
      number === 1 ? call.answer(429, ["retry-after", "30"], "") : call.answer(200, json, document),
    );
    await settled();
    expect(first.result?.kind).toBe("answering");
    const busy = `${first.hosts[0]}/${first.hosts[0]}`;
    expect(first.health.of(busy).waitMs(first.clock.nowMs())).toBe(30_000);
    expect(first.health.of(busy).breaker.stateAt(first.clock.nowMs())).toBe("closed");
  });

  it("waits for the only one where that takes no longer than it may, and tries it again", async () => {
    const run = new Run([deployment("aaa")], (call, number) =>
      number === 1 ? call.answer(429, ["retry-after-ms", "1500"], "") : call.answer(200, json, document),
    );
    await settled();
    await run.clock.pass(1_499);
    expect(run.transport.calls).toHaveLength(1);
    await run.clock.pass(1);
    expect(run.transport.calls).toHaveLength(2);
    expect(run.result).toMatchObject({ kind: "answering", attempts: [{ outcome: "status_429" }, { outcome: "answered" }] });
  });

  it("waits for one that rests though another one failed", async () => {
    const run = new Run(two(), (call, number) => {
      if (number === 1) return call.answer(429, ["retry-after-ms", "400"], "");
      return number === 2 ? call.connected().fail() : call.answer(200, json, document);
    });
    await settled();
    expect(run.result).toBeUndefined();
    await run.clock.pass(400);
    expect(run.result).toMatchObject({
      kind: "answering",
      attempts: [{ outcome: "status_429" }, { outcome: "reset" }, { outcome: "answered" }],
    });
  });

  it("says when to come back where the wait is too long for it", async () => {
    const run = new Run(two(), (call, number) => call.answer(429, ["retry-after", number === 1 ? "20" : "45"], ""));
    await settled();
    expect(run.result).toMatchObject({ kind: "refused", refusal: { kind: "upstream_busy", retryAfterMs: 20_000 }, status: 429 });
  });

  it("stops waiting when the client leaves", async () => {
    const run = new Run([deployment("aaa")], (call) => call.answer(429, ["retry-after-ms", "1500"], ""));
    await settled();
    run.life.cut("client_cancelled");
    await settled();
    expect(run.result).toMatchObject({ kind: "cut", reason: "client_cancelled", reached: true });
    expect(run.clock.pending).toBe(0);
  });

  it("tries the only deployment once more where its connection broke without a word", async () => {
    const run = new Run([deployment("one")], (call, number) => {
      if (number === 1) call.connected().fail("response");
      else call.answer(200, json, document);
    });
    await settled();
    expect(run.result?.kind).toBe("answering");
    expect(run.result?.attempts.map(({ outcome }) => outcome)).toEqual(["reset", "answered"]);
  });

  it("gives up where it broke twice", async () => {
    const run = new Run([deployment("one")], (call) => {
      call.connected();
      call.fail("response");
    });
    await settled();
    expect(run.result?.kind).toBe("refused");
    expect(run.result?.attempts.map(({ outcome }) => outcome)).toEqual(["reset", "reset"]);
  });

  it("opens a deployment's breaker after failures in a row, and refuses with the time until it is tried again", async () => {
    const failing = new Run([deployment("aaa")], (call) => call.fail("connect"));
    await settled();
    expect(failing.result).toMatchObject({ refusal: { kind: "upstream_failed" } });
    const health = failing.health;
    for (const expected of ["upstream_failed", "no_deployment_available"]) {
      const next = new Run([deployment("aaa")], (call) => call.fail("connect"), { health });
      await settled();
      expect(next.result).toMatchObject({ kind: "refused", refusal: { kind: expected } });
      if (expected === "no_deployment_available") {
        expect(next.transport.calls).toEqual([]);
        expect(next.result).toMatchObject({ refusal: { retryAfterMs: 5_000 }, reached: false, deployment: undefined });
      }
    }
  });

  it("gives the probe's place back when its client leaves", async () => {
    const run = new Run([deployment("aaa")]);
    await settled();
    const health = run.health.of("aaa/aaa");
    health.failed(run.clock.nowMs());
    health.failed(run.clock.nowMs());
    await run.clock.pass(5_000);
    const probe = new Run([deployment("aaa")], undefined, { health: run.health, clock: run.clock });
    await settled();
    expect(probe.transport.calls).toHaveLength(1);
    expect(health.available(run.clock.nowMs())).toBe(false);
    probe.life.cut("client_cancelled");
    await settled();
    expect(health.available(run.clock.nowMs())).toBe(true);
  });

  it("tells of the orders that left nothing, where what they leave has no credential", async () => {
    const quarantined = { kind: "quarantined", order: "order-1", what: "nothing_left" } as const;
    const standing = (permit: Permit): Decision<Permit> => {
      const left = without(permit, ({ id }) => (id === "bbb/bbb" ? "order-1" : undefined));
      return left === undefined ? refuse(quarantined) : allow(left);
    };
    const gate = { standing, workedOnBy: () => undefined, mismatched: () => undefined };
    const cutOff = new Run(two(), undefined, { gate, credentials: (place) => (place.id === "aaa" ? undefined : "k") });
    const outOfReach = new Run(two(), undefined, { gate, credentials: () => undefined });
    await settled();
    expect(cutOff.result).toMatchObject({ kind: "refused", refusal: quarantined, attempts: [] });
    expect(outOfReach.result).toMatchObject({ kind: "refused", refusal: { kind: "no_deployment_available" }, attempts: [] });
  });

  it("goes around a region whose credential is missing, without an attempt", async () => {
    const run = new Run([deployment("aaa"), deployment("bbb")], (call) => call.answer(200, json, document), {
      credentials: (place) => (place.id === "aaa" ? undefined : "k"),
    });
    await settled();
    expect(run.hosts).toEqual(["bbb"]);
    expect(run.result?.attempts).toHaveLength(1);
  });

  it("refuses a permit that nobody granted, before anything is sent", async () => {
    const forged = { ...permitFor(two()) };
    const transport = new ScriptedTransport();
    const run = new Run(two());
    await settled();
    const settings: ForwardSettings = {
      clock: run.clock,
      transport,
      deadlines,
      bounds,
      permitOf: () => undefined,
      entropy: new SeededEntropy(),
      health: new Health(),
      gate: { standing: (given) => allow(given), workedOnBy: () => undefined, mismatched: () => undefined },
      credentials: () => "k",
      attempts: 3,
      longestWaitMs: 0,
    };
    const outgoing = {
      surface: "chat.completions",
      stream: false,
      showUsage: true,
      hints: { apiVersion: undefined, anthropicVersion: undefined, anthropicBeta: undefined, stream: false },
      stored: undefined,
      bodyFor: () => undefined,
    } as const;
    await expect(forward(forged, outgoing, new Lifetime(), settings, undefined)).rejects.toThrow(TypeError);
    expect(transport.calls).toEqual([]);
  });

  it("prefers the faster of two once both were measured", async () => {
    const health = new Health();
    health.of("aaa/aaa").answered(5_000);
    health.of("bbb/bbb").answered(50);
    const hosts: string[] = [];
    for (let round = 0; round < 60; round++) {
      const run = new Run(two(), (call) => call.answer(400, json, "{}"), { health, entropy: new SeededEntropy(round) });
      await settled();
      hosts.push(...run.hosts);
    }
    expect(hosts.filter((host) => host === "bbb").length).toBeGreaterThan(55);
  });
});
