import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventFramer, parseEvent } from "../../src/upstream/event-framer.ts";
import { bytesOf, cutAt, cuts, joined, singleBytes } from "../support/chunks.ts";

const text = new TextDecoder();

/** A stream as its events, each with the blank line that ends it; the last one may lack it. */
interface Stream {
  readonly events: readonly string[];
  readonly tail: string;
}

const lineEnd = fc.constantFrom("\n", "\r", "\r\n");
const fragment = fc.string({ unit: fc.constantFrom("a", "ä", "{", '"', ":", " ", "🙂", "drop"), maxLength: 12 });
const line = fc.oneof(
  fragment.map((value) => `data: ${value}`),
  fragment.map((value) => `:${value}`),
  fragment.map((value) => `event: ${value}`),
  fc.constant("data:"),
  fc.constant("data"),
);

/**
 * CR at the end of one line and LF at the start of the next read as one CR LF, so a line that ends in CR is never followed
 * by an empty line that ends in LF here: what is meant by an event stays what the framer can know.
 */
const event = fc.tuple(fc.array(fc.tuple(line, lineEnd), { minLength: 1, maxLength: 4 }), lineEnd).map(([lines, blank]) => {
  const body = lines.map(([value, end]) => value + end).join("");
  return body.endsWith("\r") && blank === "\n" ? `${body}\r` : body + blank;
});

const stream: fc.Arbitrary<Stream> = fc.record({
  events: fc.array(event, { maxLength: 8 }).map(
    (events) =>
      // An event that ends in CR, followed by one that begins with LF, cannot happen: no event begins with a line end.
      events,
  ),
  tail: fc.oneof(fc.constant(""), line),
});

function run(
  pieces: readonly Uint8Array[],
  maxEventBytes: number,
  drops: (event: string) => boolean,
): { judged: string[]; passed: Uint8Array; framer: EventFramer } {
  const framer = new EventFramer(maxEventBytes);
  const judged: string[] = [];
  const passed: Uint8Array[] = [];
  for (const piece of pieces) {
    framer.push(
      piece,
      (bytes) => {
        judged.push(text.decode(bytes));
        return drops(text.decode(bytes)) ? "drop" : "pass";
      },
      (bytes) => passed.push(bytes.slice()),
    );
  }
  return { judged, passed: joined(passed), framer };
}

/** The line end that belongs to an event may come apart: what counts is its content. */
const trimmed = (value: string): string => value.replace(/[\r\n]+$/, "");
const drops = (value: string): boolean => value.includes("drop");

describe("EventFramer", () => {
  it("judges each event once and whole, and passes on the rest of the bytes untouched, wherever the stream is cut", () => {
    fc.assert(
      fc.property(stream, cuts, ({ events, tail }, where) => {
        const { judged, passed, framer } = run(cutAt(bytesOf(events.join("") + tail), where), 1_000_000, drops);
        expect(judged.map(trimmed)).toEqual(events.map(trimmed));
        expect(text.decode(passed)).toBe(events.filter((value) => !drops(value)).join(""));
        expect(framer.midEvent).toBe(tail !== "");
      }),
      { numRuns: 400 },
    );
  });

  it("says the same fed byte by byte", () => {
    fc.assert(
      fc.property(stream, ({ events, tail }) => {
        const { judged, passed, framer } = run(singleBytes(bytesOf(events.join("") + tail)), 1_000_000, drops);
        expect(judged.map(trimmed)).toEqual(events.map(trimmed));
        expect(text.decode(passed)).toBe(events.filter((value) => !drops(value)).join(""));
        expect(framer.midEvent).toBe(tail !== "");
      }),
      { numRuns: 200 },
    );
  });

  it("is not in the middle of an event when a CR LF came apart between two chunks", () => {
    const { judged, passed, framer } = run([bytesOf("data: 1\r\n\r"), bytesOf("\n")], 100, () => false);
    expect(judged).toHaveLength(1);
    expect(framer.midEvent).toBe(false);
    expect(text.decode(passed)).toBe("data: 1\r\n\r\n");
  });

  it("drops the second half of a CR LF with the event that it ended", () => {
    const { passed } = run([bytesOf("data: drop\r\n\r"), bytesOf("\ndata: 2\r\n\r\n")], 100, drops);
    expect(text.decode(passed)).toBe("data: 2\r\n\r\n");
  });

  it("lets nothing of a half event leave", () => {
    const { passed, framer } = run([bytesOf("data: 1\n\ndata: 2")], 100, () => false);
    expect(text.decode(passed)).toBe("data: 1\n\n");
    expect(framer.midEvent).toBe(true);
  });

  it("hands a chunk of whole events on without copying it", () => {
    const chunk = bytesOf("data: 1\n\ndata: 2\n\n");
    const emitted: Uint8Array[] = [];
    new EventFramer(100).push(
      chunk,
      () => "pass",
      (bytes) => emitted.push(bytes),
    );
    expect(emitted).toHaveLength(1);
    expect(emitted[0]).toBe(chunk);
  });

  it("passes an event beyond the bound unjudged, as it comes, and judges the next one again", () => {
    fc.assert(
      fc.property(fc.integer({ min: 70, max: 300 }), cuts, (length, where) => {
        const large = `data: ${"x".repeat(length)}\n\n`;
        const whole = bytesOf(`data: 1\n\n${large}data: drop\n\ndata: 4\n\n`);
        const pieces = cutAt(whole, where).flatMap((piece) => cutAt(piece, [0.25, 0.5, 0.75]));
        const { judged, passed, framer } = run(pieces, 64, drops);
        expect(text.decode(passed)).toBe(`data: 1\n\n${large}data: 4\n\n`);
        expect(judged.map(trimmed).filter((value) => value.length < 64)).toEqual(["data: 1", "data: drop", "data: 4"]);
        expect(framer.midEvent).toBe(false);
      }),
      { numRuns: 200 },
    );
  });

  it("shows every byte of an event beyond the bound to whoever skims it, and says when it ends", () => {
    const large = `data: ${"x".repeat(200)}\r\n\r\n`;
    for (const pieces of [
      singleBytes(bytesOf(`data: 1\n\n${large}data: 2\n\n`)),
      cutAt(bytesOf(`data: 1\n\n${large}data: 2\n\n`), [0.2, 0.5, 0.9]),
    ]) {
      const framer = new EventFramer(64);
      let skimmed = "";
      let ends = 0;
      const passing: boolean[] = [];
      for (const piece of pieces) {
        framer.push(
          piece,
          () => "pass",
          () => {},
          (bytes, last) => {
            skimmed += text.decode(bytes);
            if (last) ends++;
          },
        );
        passing.push(framer.passing);
      }
      expect(trimmed(skimmed)).toBe(trimmed(large));
      expect(ends).toBe(1);
      expect(passing).toContain(true);
      expect(passing.at(-1)).toBe(false);
    }
  });

  it("takes time in proportion to an event that comes byte by byte", () => {
    const feed = (length: number): number => {
      const framer = new EventFramer(10_000_000);
      const bytes = bytesOf("x".repeat(length));
      const startedAt = performance.now();
      for (const byte of bytes) {
        framer.push(
          Uint8Array.of(byte),
          () => "pass",
          () => {},
        );
      }
      return performance.now() - startedAt;
    };
    feed(50_000); // warm
    const short = Math.max(1, feed(50_000));
    // Sixteen times the bytes: a framer that copies all it holds with each byte takes 256 times as long.
    expect(feed(800_000) / short).toBeLessThan(100);
  });
});

describe("parseEvent", () => {
  it("joins data lines with line feeds and takes the last name, in any line ends", () => {
    expect(parseEvent("event: a\r\ndata: 1\rdata:2\n: comment\nevent: b\ndata\n\n")).toEqual({ name: "b", data: "1\n2" });
    expect(parseEvent(": only a comment\n\n")).toEqual({ name: undefined, data: "" });
  });
});
