import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOf } from "../support/chunks.ts";
import { settled } from "../support/fake-clock.ts";
import { eventStream, json } from "../support/scripted-transport.ts";
import { keepAlive, keepAliveMs, lingerMs, RunningAttempt } from "./running-attempt.ts";
import { messages, namedSse, openaiChat, responses, sse } from "./streams.ts";

const [role, first, second, stop, usage, done] = openaiChat.map((event) => sse([event])) as [
  string,
  string,
  string,
  string,
  string,
  string,
];
const whole = sse(openaiChat);
const alive = new TextDecoder().decode(keepAlive);

async function streaming(...pieces: readonly string[]): Promise<RunningAttempt> {
  return new RunningAttempt().begin(200, eventStream, ...(pieces.length === 0 ? [role + first] : pieces));
}

describe("an answer on its way to the client", () => {
  it("passes on as it comes, all but what says that it is complete, which waits for the end", async () => {
    const run = await streaming();
    expect(run.outbound.text).toBe(role + first);
    run.call.data(second + stop + usage);
    expect(run.outbound.text).toBe(role + first + second + stop + usage);
    run.call.data(done);
    expect(run.outbound.text).toBe(role + first + second + stop + usage);
    expect(run.end).toBeUndefined();
    run.call.end();
    await settled();
    expect(run.end).toEqual({ end: "completed", refusal: undefined });
    expect(run.outbound.text).toBe(whole);
    expect(run.outbound.ended).toBe(1);
    expect(run.clock.pending).toBe(0);
  });

  it("can go out in one piece where all of it was there at once", async () => {
    const run = new RunningAttempt();
    run.call.answer(200, json, '{"id":"x"}');
    await settled();
    expect(run.answer?.whole).toBe(true);
    expect(run.outbound.writes).toBe(1);
    expect(run.outbound.text).toBe('{"id":"x"}');
  });

  it("is complete though its connection lingers behind the end, and then ends that connection", async () => {
    const run = await streaming(whole);
    await run.clock.pass(lingerMs - 1);
    expect(run.end).toBeUndefined();
    await run.clock.pass(1);
    expect(run.end).toEqual({ end: "completed", refusal: undefined });
    expect(run.call.aborts).toBe(1);
    expect(run.outbound.text).toBe(whole);
  });

  it("is not held back by an upstream that goes on talking behind the end, nor does it keep what that says", async () => {
    const run = await streaming(whole);
    for (let talk = 0; talk < 10 && run.end === undefined; talk++) {
      await run.clock.pass(lingerMs / 4);
      run.call.data(`: ${"x".repeat(1_000)}\n\n`);
    }
    await settled();
    expect(run.end).toEqual({ end: "completed", refusal: undefined });
    expect(run.outbound.text).toBe(whole);
  });

  it("is complete where its connection breaks behind the end", async () => {
    const run = await streaming(whole);
    run.call.fail();
    await settled();
    expect(run.end?.end).toBe("completed");
  });

  it.each(["end", "fail"] as const)("was cut off where it stops (%s) without saying that it is complete", async (how) => {
    const run = await streaming(role + first, second + 'data: {"half');
    run.call[how]();
    await settled();
    expect(run.end).toEqual({ end: "upstream_failed", refusal: { kind: "upstream_cut_off" } });
    expect(run.outbound.text).toBe(role + first + second);
    expect(run.answer?.reading.usageComplete).toBe(false);
  });

  it("ends where the upstream reports an error in its middle, whose words stay here", async () => {
    const run = await streaming();
    run.call.data(second + sse([{ error: { message: "gpu-17.internal died", type: "server_error", code: null } }]) + first);
    await settled();
    expect(run.end).toMatchObject({ end: "upstream_failed", refusal: { kind: "upstream_failed" } });
    expect(JSON.stringify(run.end)).not.toContain("gpu-17");
    expect(run.outbound.text).toBe(role + first + second);
    expect(run.call.aborts).toBe(1);
  });
});

describe("an answer whose client is slow", () => {
  it("stops the upstream until the client has caught up, and writes nothing meanwhile", async () => {
    const run = await streaming();
    run.outbound.slow = true;
    run.call.data(second);
    expect(run.call.paused).toBe(true);
    run.call.data(stop);
    expect(run.outbound.text).toBe(role + first + second);
    run.outbound.slow = false;
    run.outbound.drain();
    expect(run.outbound.text).toBe(role + first + second + stop);
    expect(run.call.paused).toBe(false);
    expect(run.call).toMatchObject({ pauses: 1, resumes: 1 });
    expect(run.outbound.violations).toEqual([]);
  });

  it("does not blame the upstream for a silence that is the client's, and sets no timer in a hurry meanwhile", async () => {
    const run = await streaming();
    run.outbound.slow = true;
    run.call.data(second);
    const before = run.clock.timersSet;
    await run.clock.pass(20_000);
    expect(run.end).toBeUndefined();
    expect(run.clock.timersSet - before).toBeLessThan(200);
    run.outbound.slow = false;
    run.outbound.drain();
    await run.clock.pass(1_999);
    expect(run.end).toBeUndefined();
    await run.clock.pass(1);
    expect(run.end).toMatchObject({ end: "deadline_passed", refusal: { kind: "upstream_timeout", deadline: "idle" } });
  });

  it("gets no keep-alive while it does not read what is there", async () => {
    const run = await streaming();
    run.outbound.slow = true;
    run.call.data(second);
    await run.clock.pass(3 * keepAliveMs);
    expect(run.outbound.text).not.toContain(alive);
  });

  it("gets all that is left when the upstream ends meanwhile", async () => {
    const run = await streaming();
    run.outbound.slow = true;
    run.call
      .data(second)
      .data(stop)
      .data(usage + done)
      .end();
    await settled();
    expect(run.end?.end).toBe("completed");
    expect(run.outbound.text).toBe(whole);
  });
});

describe("a silent stream", () => {
  it("is kept alive each time the silence has lasted, and only then", async () => {
    const run = await streaming();
    await run.clock.pass(keepAliveMs - 1);
    expect(run.outbound.text).toBe(role + first);
    await run.clock.pass(1);
    expect(run.outbound.text).toBe(role + first + alive);
    await run.clock.pass(keepAliveMs);
    expect(run.outbound.text).toBe(role + first + alive + alive);
    run.call.data(second);
    await run.clock.pass(keepAliveMs - 1);
    expect(run.outbound.text).toBe(role + first + alive + alive + second);
  });

  it("is kept alive while only parts of an event come, which the client does not hear", async () => {
    const run = await streaming();
    for (let piece = 0; piece < 4; piece++) {
      run.call.data("data: {".slice(piece, piece + 1));
      await run.clock.pass(keepAliveMs / 2);
    }
    expect(run.outbound.text.split(alive).length - 1).toBeGreaterThanOrEqual(1);
  });

  it("is ended once nothing came for too long", async () => {
    const run = await streaming();
    await run.clock.pass(2_000, 20);
    expect(run.end).toMatchObject({ end: "deadline_passed", refusal: { deadline: "idle" } });
    expect(run.call.aborts).toBe(1);
    expect(run.clock.pending).toBe(0);
  });

  it("gets no keep-alive into the middle of an event too large to hold", async () => {
    const run = new RunningAttempt({ surface: "responses" });
    const events = responses("completed", "A".repeat(20_000));
    const text = namedSse(events);
    await run.begin(200, eventStream, namedSse(events.slice(0, 3)), namedSse(events.slice(3, 4)).slice(0, 15_000));
    expect(run.outbound.text.length).toBeGreaterThan(10_000);
    await run.clock.pass(3 * keepAliveMs);
    expect(run.outbound.text).not.toContain(alive);
    run.call.data(namedSse(events.slice(3)).slice(15_000)).end();
    await settled();
    expect(run.end?.end).toBe("completed");
    expect(run.outbound.text).toBe(text);
    expect(run.answer?.reading.usageComplete).toBe(true);
  });

  it("that breaks within an event too large to hold ends that event, so that what is put behind it can be read", async () => {
    const run = new RunningAttempt({ surface: "responses" });
    const events = responses("completed", "A".repeat(20_000));
    await run.begin(200, eventStream, namedSse(events.slice(0, 3)), namedSse(events.slice(3, 4)).slice(0, 15_000));
    run.call.fail();
    await settled();
    expect(run.outbound.text.endsWith("A\n\n")).toBe(true);
  });

  it("is no document: nothing is ever put into one", async () => {
    const run = new RunningAttempt();
    await run.begin(200, json, `{"a":"${"x".repeat(5_000)}`);
    expect(run.result?.kind).toBe("answering");
    await run.clock.pass(3 * keepAliveMs);
    expect(run.outbound.text).not.toContain(alive);
  });
});

describe("an answer that is cut from outside", () => {
  it.each([
    ["client_cancelled", { end: "client_cancelled", refusal: undefined }],
    ["revoked", { end: "revoked", refusal: { kind: "revoked" } }],
    ["shutting_down", { end: "deadline_passed", refusal: { kind: "shutting_down" } }],
    ["deadline_passed", { end: "deadline_passed", refusal: { kind: "upstream_timeout", deadline: "total" } }],
  ] as const)("%s ends it and its call at once", async (reason, expected) => {
    const run = await streaming();
    run.life.cut(reason);
    await settled();
    expect(run.end).toEqual(expected);
    expect(run.call.aborts).toBe(1);
    expect(run.clock.pending).toBe(0);
    run.life.cut("revoked");
    expect(run.ends).toHaveLength(1);
  });

  it.each(["shutting_down", "deadline_passed"] as const)(
    "%s is nothing to a complete answer that only lingers",
    async (reason) => {
      const run = await streaming(whole);
      run.life.cut(reason);
      await settled();
      expect(run.end).toEqual({ end: "completed", refusal: undefined });
      expect(run.outbound.text).toBe(whole);
    },
  );
});

type Happening =
  | { readonly kind: "data"; readonly bytes: number }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "connected" | "head" | "end" | "fail" | "hang-up" | "deadline" | "slow" | "fast" | "drain" | "turn" };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 300 }).map((bytes): Happening => ({ kind: "data", bytes })) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 700 }).map((ms): Happening => ({ kind: "wait", ms })) },
  { weight: 3, arbitrary: fc.constantFrom<Happening>({ kind: "slow" }, { kind: "fast" }, { kind: "drain" }) },
  { weight: 2, arbitrary: fc.constant<Happening>({ kind: "turn" }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Happening>({ kind: "end" }, { kind: "fail" }, { kind: "hang-up" }, { kind: "deadline" }),
  },
);

const bodies = [
  { name: "chat", surface: "chat.completions", headers: eventStream, text: sse(openaiChat) },
  { name: "chat with CR LF", surface: "chat.completions", headers: eventStream, text: sse(openaiChat, "\r\n") },
  { name: "Responses", surface: "responses", headers: eventStream, text: namedSse(responses("completed")) },
  {
    name: "messages",
    surface: "messages",
    headers: eventStream,
    text: namedSse(messages({ input_tokens: 1, output_tokens: 1 }, { output_tokens: 4 })),
  },
  {
    name: "a document",
    surface: "chat.completions",
    headers: json,
    text: JSON.stringify({
      id: "x",
      usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
      choices: ["y".repeat(400)],
    }),
  },
  {
    name: "a refusal",
    surface: "responses",
    headers: eventStream,
    text: `event: error\ndata: {"type":"error","code":"rate_limit_exceeded"}\n\n`,
  },
  {
    name: "an error in its middle",
    surface: "chat.completions",
    headers: eventStream,
    text: sse([...openaiChat.slice(0, 3), { error: { code: "server_error" } }, "[DONE]"]),
  },
] as const;

describe("any interleaving of what upstream, client and clock do", () => {
  it.each(bodies)(
    "$name: one result, one end, nothing behind it, no timer and no call left over",
    async ({ surface, headers, text }) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(happening, { maxLength: 30 }),
          fc.nat(20),
          fc.nat(25),
          async (happenings, connectedAt, headAfter) => {
            const run = new RunningAttempt({ surface });
            const bytes = bytesOf(text);
            let sent = 0;
            const script: Happening[] = [...happenings];
            // A connection comes first, then a head, then data: anything else is no HTTP.
            script.splice(Math.min(connectedAt % 3, script.length), 0, { kind: "connected" });
            script.splice(Math.min((connectedAt % 3) + 1 + (headAfter % 4), script.length), 0, { kind: "head" });
            let stage = 0;
            for (const each of [...script, { kind: "data", bytes: 1_000 } as const, { kind: "end" } as const]) {
              switch (each.kind) {
                case "connected":
                  if (stage === 0) run.call.connected();
                  stage = Math.max(stage, 1);
                  break;
                case "head":
                  if (stage === 1) run.call.head(200, headers);
                  if (stage === 1) stage = 2;
                  break;
                case "data":
                  // A paused connection sends nothing.
                  if (stage < 2 || run.call.paused) break;
                  run.call.data(bytes.slice(sent, sent + each.bytes));
                  sent = Math.min(bytes.length, sent + each.bytes);
                  break;
                case "end":
                case "fail":
                  if (stage >= 2 && !run.call.paused) run.call[each.kind]();
                  else if (each.kind === "fail") run.call.fail(stage === 0 ? "connect" : "response");
                  break;
                case "wait":
                  run.clock.advance(each.ms);
                  break;
                case "hang-up":
                  run.life.cut("client_cancelled");
                  break;
                case "deadline":
                  run.life.cut("deadline_passed");
                  break;
                case "slow":
                case "fast":
                  run.outbound.slow = each.kind === "slow";
                  break;
                case "drain":
                  run.outbound.drain();
                  break;
                case "turn":
                  await settled();
              }
              expect(
                run.answer === undefined ||
                  run.end !== undefined ||
                  run.call.pauses - run.call.resumes === (run.call.paused ? 1 : 0),
              ).toBe(true);
            }
            run.outbound.slow = false;
            run.outbound.drain();
            run.life.cut("deadline_passed");
            await settled();

            expect(run.results).toHaveLength(1);
            expect(run.outbound.violations).toEqual([]);
            expect(run.clock.pending).toBe(0);
            expect(run.call.over).toBe(true);
            if (run.result?.kind !== "answering") {
              expect(run.outbound.pieces).toEqual([]);
              return;
            }
            expect(run.ends).toHaveLength(1);
            expect(run.outbound.ended + run.outbound.cuts).toBe(1);
            // What the client got is the upstream's own bytes, in order, with nothing but keep-alives between whole events.
            const got = run.outbound.text.replaceAll(alive, "");
            expect(text.startsWith(got)).toBe(true);
            // A last CR ends the last event, whether its LF came in time or not.
            if (run.end?.end === "completed") expect(got).toBe(got.endsWith("\r") ? text.slice(0, -1) : text);
            else if (headers === eventStream) expect(got === "" || /(\n\n|\r\n\r\n|\r\n\r)$/.test(got)).toBe(true);
          },
        ),
        { numRuns: 250 },
      );
    },
  );
});
