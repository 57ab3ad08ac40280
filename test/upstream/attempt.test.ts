import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CutReason } from "../../src/lifetime.ts";
import { bytesOf, cutAt, cuts } from "../support/chunks.ts";
import { settled } from "../support/fake-clock.ts";
import { eventStream, json } from "../support/scripted-transport.ts";
import { bounds, deadlines, RunningAttempt } from "./running-attempt.ts";
import { messages, namedSse, openaiChat, responses, sse } from "./streams.ts";

const role = sse(openaiChat.slice(0, 1));
const document = JSON.stringify({
  id: "chatcmpl-1",
  model: "m",
  choices: [],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
});

function failure(run: RunningAttempt): {
  outcome: string;
  elsewhere: boolean;
  busyMs: number | undefined;
  deadline: string | undefined;
  reached: boolean;
  status: number | undefined;
} {
  if (run.result?.kind !== "failed") throw new Error(`not failed: ${JSON.stringify(run.result?.kind)}`);
  return run.result.failure;
}

describe("the deadlines of an attempt", () => {
  it("gives a connection up that does not come, without the request having reached anyone", async () => {
    const run = new RunningAttempt();
    await run.clock.pass(99);
    expect(run.result).toBeUndefined();
    await run.clock.pass(1);
    expect(failure(run)).toMatchObject({ outcome: "connect_deadline", elsewhere: true, deadline: "connect", reached: false });
    expect(run.call.aborts).toBe(1);
  });

  it("gives up an upstream that sends no head in time, counted from the connection", async () => {
    const run = new RunningAttempt();
    await run.clock.pass(90);
    run.call.connected();
    await run.clock.pass(999);
    expect(run.result).toBeUndefined();
    await run.clock.pass(1);
    expect(failure(run)).toMatchObject({
      outcome: "first_byte_deadline",
      deadline: "first_byte",
      reached: true,
      elsewhere: true,
    });
    expect(run.call.aborts).toBe(1);
  });

  it("does not count a document as idle while its pieces keep coming", async () => {
    const run = new RunningAttempt();
    await run.begin(200, json, document.slice(0, 10));
    for (let piece = 10; piece < 50; piece += 10) {
      await run.clock.pass(1_500);
      run.call.data(document.slice(piece, piece + 10));
    }
    expect(run.result).toBeUndefined();
    run.call.data(document.slice(50)).end();
    await settled();
    expect(run.end).toEqual({ end: "completed", refusal: undefined });
    expect(run.outbound.text).toBe(document);
  });

  it("gives up a document that stands still, and not elsewhere once some of it was generated", async () => {
    const run = new RunningAttempt();
    await run.begin(200, json, document.slice(0, 10));
    await run.clock.pass(1_999);
    expect(run.result).toBeUndefined();
    await run.clock.pass(1);
    expect(failure(run)).toMatchObject({ outcome: "idle_deadline", deadline: "idle", elsewhere: false, reached: true });
  });

  it("holds a stream's head no longer than it may, and then shows the client what there is", async () => {
    const run = new RunningAttempt();
    await run.begin(200, eventStream, role);
    await run.clock.pass(499);
    expect(run.result).toBeUndefined();
    await run.clock.pass(1);
    expect(run.result?.kind).toBe("answering");
    expect(run.outbound.text).toBe(role);
  });

  it("holds no more bytes of a stream's head than it may", async () => {
    const run = new RunningAttempt();
    const comment = `: ${"w".repeat(1_000)}\n\n`;
    await run.begin(200, eventStream, comment, comment, comment, comment);
    expect(run.result).toBeUndefined();
    run.call.data(comment);
    await settled();
    expect(run.result?.kind).toBe("answering");
    expect(run.outbound.text).toBe(comment.repeat(5));
    expect(5 * comment.length).toBeLessThan(bounds.holdBytes + 2 * comment.length);
  });

  it("holds no more of a document than it may, and passes the rest on as it comes", async () => {
    const run = new RunningAttempt();
    const whole = JSON.stringify({ data: "x".repeat(10_000), usage: { prompt_tokens: 1 } });
    await run.begin(200, json, whole.slice(0, 3_000), whole.slice(3_000, 6_000));
    expect(run.outbound.text).toBe(whole.slice(0, 6_000));
    run.call.data(whole.slice(6_000)).end();
    await settled();
    expect(run.end?.end).toBe("completed");
    expect(run.outbound.text).toBe(whole);
  });
});

describe("an upstream's error status", () => {
  it.each([
    [500, "failure"],
    [502, "failure"],
    [503, "failure"],
    [401, "failure"],
    [403, "failure"],
    [301, "failure"],
    [307, "failure"],
    [204, "failure"],
    [404, "failure"],
    [408, "failure"],
    [429, "busy"],
    [529, "busy"],
  ] as const)("%i is tried elsewhere (%s), and its connection is kept", async (status, meaning) => {
    const run = new RunningAttempt();
    await run.begin(status, [...json, "location", "https://elsewhere.test/"], '{"error":{"message":"no"}}');
    expect(failure(run)).toMatchObject({ outcome: `status_${status}`, status, elsewhere: true, reached: true });
    expect(failure(run).busyMs).toBe(meaning === "busy" ? 1_000 : undefined);
    expect(run.call).toMatchObject({ discards: 1, aborts: 0 });
    expect(run.transport.calls).toHaveLength(1);
    expect(run.clock.pending).toBe(0);
  });

  it.each([
    ["retry-after-ms", "1234", 1_234],
    ["retry-after", "7", 7_000],
    ["retry-after", "0.5", 500],
    ["retry-after", "Mon, 23 Nov 2026 00:00:30 GMT", 30_000],
    ["retry-after", "Sun, 22 Nov 2026 00:00:00 GMT", 0],
    ["retry-after", "soon", 1_000],
    ["retry-after", "-3", 1_000],
    ["retry-after", "", 1_000],
  ] as const)("429 with %s: %s rests for %i ms", async (name, value, busyMs) => {
    const run = new RunningAttempt();
    await run.begin(429, [...json, name, value]);
    expect(failure(run).busyMs).toBe(busyMs);
  });

  it("takes 503 for busy where it says when to come back, and retry-after-ms before retry-after", async () => {
    const run = new RunningAttempt();
    await run.begin(503, ["retry-after", "9", "retry-after-ms", "20"]);
    expect(failure(run).busyMs).toBe(20);
  });

  it.each([400, 409, 413, 415, 422])("%i is the request's own fault: its body is the client's to read, whole", async (status) => {
    const run = new RunningAttempt();
    await run.begin(status, json, '{"error":', '{"message":"too long"}}');
    expect(run.result).toBeUndefined();
    run.call.end();
    await settled();
    expect(run.result).toMatchObject({ kind: "faulted", status });
    expect(run.result?.kind === "faulted" && new TextDecoder().decode(run.result.body)).toBe('{"error":{"message":"too long"}}');
    expect(run.clock.pending).toBe(0);
  });

  it("404 of a call by id is the id's", async () => {
    const run = new RunningAttempt({ surface: "responses", method: "GET" });
    await run.begin(404, json, "{}");
    run.call.end();
    await settled();
    expect(run.result).toMatchObject({ kind: "faulted", status: 404 });
  });

  it("keeps no more of an error's body than it may, and none from behind a gap", async () => {
    const run = new RunningAttempt();
    await run.begin(400, json, "a".repeat(4_000), "b".repeat(5_000), "c");
    run.call.end();
    await settled();
    expect(run.result?.kind === "faulted" && new TextDecoder().decode(run.result.body)).toBe("a".repeat(4_000) + "b".repeat(96));
  });
});

describe("a refusal inside a stream whose status was 200", () => {
  const busy = `event: error\ndata: ${JSON.stringify({ type: "error", error: { code: "rate_limit_exceeded", message: "m" } })}\n\n`;

  it("is found behind any cut, and is tried elsewhere with nothing shown", async () => {
    await fc.assert(
      fc.asyncProperty(cuts, fc.boolean(), async (where, asked) => {
        const run = new RunningAttempt({ surface: "responses" });
        const text = namedSse(responses("completed").slice(0, 2)) + busy;
        run.call.connected().head(200, asked ? [...eventStream, "retry-after", "3"] : eventStream);
        for (const piece of cutAt(bytesOf(text), where)) run.call.data(piece);
        await settled();
        expect(failure(run)).toMatchObject({
          outcome: "refused_in_stream:rate_limit_exceeded",
          elsewhere: true,
          busyMs: asked ? 3_000 : 1_000,
        });
        expect(run.outbound.pieces).toEqual([]);
        expect(run.call.over).toBe(true);
        expect(run.clock.pending).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it("is a failure and not a rest where the upstream is ill instead of full", async () => {
    const run = new RunningAttempt();
    await run.begin(200, eventStream, role, sse([{ error: { message: "m", type: "server_error", code: null } }]));
    expect(failure(run)).toMatchObject({ elsewhere: true, busyMs: undefined });
  });

  it("that blames the request becomes the status that it stands for, and no deployment suffers for it", async () => {
    const chat = new RunningAttempt();
    const error = { message: "too long", type: "invalid_request_error", code: "context_length_exceeded" };
    await chat.begin(200, eventStream, role, sse([{ error }]));
    expect(chat.result).toMatchObject({ kind: "faulted", status: 400 });
    expect(chat.result?.kind === "faulted" && JSON.parse(new TextDecoder().decode(chat.result.body))).toEqual({ error });

    const anthropic = new RunningAttempt({ surface: "messages" });
    const large = { type: "request_too_large", message: "m" };
    await anthropic.begin(
      200,
      eventStream,
      namedSse([...messages({}, undefined).slice(0, 1), { type: "error", error: large } as { type: string }]),
    );
    expect(anthropic.result).toMatchObject({ kind: "faulted", status: 413 });
    expect(anthropic.result?.kind === "faulted" && JSON.parse(new TextDecoder().decode(anthropic.result.body))).toEqual({
      type: "error",
      error: large,
    });
  });
});

describe("a connection that breaks", () => {
  it.each([
    [
      "before it stands",
      (run: RunningAttempt) => run.call.fail("connect"),
      { outcome: "connect", elsewhere: true, reached: false },
    ],
    [
      "before the head",
      (run: RunningAttempt) => run.call.connected().fail(),
      { outcome: "reset", elsewhere: true, reached: true },
    ],
    [
      "behind the head",
      (run: RunningAttempt) => run.call.connected().head(200, json).fail(),
      { outcome: "reset", elsewhere: true, reached: true },
    ],
    [
      "within a document",
      (run: RunningAttempt) => run.call.connected().head(200, json).data('{"a"').fail(),
      { outcome: "reset", elsewhere: false, reached: true },
    ],
    [
      "within an error's body",
      (run: RunningAttempt) => run.call.connected().head(400, json).data('{"a"').fail(),
      { outcome: "reset", elsewhere: true, reached: true },
    ],
  ] as const)("%s fails the attempt as it should", async (_name, play, expected) => {
    const run = new RunningAttempt();
    play(run);
    await settled();
    expect(failure(run)).toMatchObject(expected);
    expect(run.clock.pending).toBe(0);
  });

  it("is a document cut off, and no complete one, where it ends in good order before its last brace", async () => {
    const run = new RunningAttempt();
    await run.begin(200, json, document.slice(0, -1));
    run.call.end();
    await settled();
    expect(failure(run)).toMatchObject({ outcome: "cut_off", elsewhere: false });
  });
});

describe("an attempt that is cut from outside", () => {
  const reasons: readonly CutReason[] = ["client_cancelled", "deadline_passed", "revoked", "shutting_down"];

  it.each(reasons)("%s ends it at once, in whatever phase, and its call with it", async (reason) => {
    const phases: readonly ((run: RunningAttempt) => void)[] = [
      () => {},
      (run) => run.call.connected(),
      (run) => run.call.connected().head(200, eventStream).data(role),
      (run) => run.call.connected().head(200, json).data("{"),
      (run) => run.call.connected().head(400, json).data("{"),
    ];
    for (const [index, phase] of phases.entries()) {
      const run = new RunningAttempt();
      phase(run);
      run.life.cut(reason);
      await settled();
      expect(run.result).toEqual({ kind: "cut", reason, reached: index > 0 });
      expect(run.call.aborts + run.call.discards).toBe(1);
      expect(run.clock.pending).toBe(0);
    }
  });

  it("sends nothing at all where it was cut before it began", async () => {
    const run = new RunningAttempt();
    const { life } = run;
    life.cut("client_cancelled");
    const { attempt } = await import("../../src/upstream/attempt.ts");
    const result = await attempt(
      { method: "POST", origin: "o", path: "p", headers: [], body: undefined },
      "completions",
      true,
      run.place,
      life,
      { clock: run.clock, transport: run.transport, deadlines, bounds },
    );
    expect(result).toEqual({ kind: "cut", reason: "client_cancelled", reached: false });
    expect(run.transport.calls).toHaveLength(1);
  });
});
