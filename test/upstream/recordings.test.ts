/**
 * Answers recorded from real providers, where a folder of them lies beside the project: they are not part of it, so
 * without the folder this says that it was skipped, and `meter.test.ts` covers the same shapes with streams made up.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { Surface } from "../../src/region/catalogue.ts";
import { DocumentBody, StreamBody } from "../../src/upstream/body.ts";
import { bytesOf, joined, randomPieces } from "../support/chunks.ts";
import { SeededEntropy } from "../support/seeded-entropy.ts";

const folder = resolve(import.meta.dirname, "../../../shared/data/recordings");
const present = existsSync(folder);

interface Event {
  readonly type?: string;
  readonly choices?: readonly unknown[];
  readonly usage?: Counts | null;
  readonly message?: { readonly usage?: Counts };
  readonly response?: { readonly usage?: Counts | null };
}

type Counts = Readonly<Record<string, number | null | undefined>>;

function files(ending: string): string[] {
  if (!present) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name));
}

function parse(line: string): Event | undefined {
  try {
    return JSON.parse(line) as Event;
  } catch {
    return undefined;
  }
}

/** A recording may hold several answers, one after the other: a new one begins where the last one ended. */
function answersIn(file: string): Event[][] {
  const answers: Event[][] = [[]];
  const lines = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "");
  for (const event of lines.map(parse)) {
    if (event === undefined) continue;
    if ((event.type === "message_start" || event.type === "response.created") && answers.at(-1)?.some(isLast)) answers.push([]);
    answers.at(-1)?.push(event);
  }
  return answers.filter((events) => events.length > 0);
}

function isLast(event: Event): boolean {
  return event.type === "message_stop" || /^response\.(completed|incomplete|failed)$/.test(event.type ?? "");
}

function surfaceOf(events: readonly Event[]): Surface {
  if (events.some(({ type }) => type?.startsWith("message_"))) return "messages";
  return events.some(({ type }) => type?.startsWith("response.")) ? "responses" : "chat.completions";
}

/** The counts as the events themselves have them, read in another way than the meter's. */
function expected(events: readonly Event[], surface: Surface): { input: number; output: number } | undefined {
  const reports = events
    .map((event) => event.usage ?? event.message?.usage ?? event.response?.usage)
    .filter((usage) => usage != null);
  const last = Object.assign({}, ...reports) as Counts & { iterations?: readonly Counts[] };
  if (reports.length === 0) return undefined;
  if (surface === "chat.completions")
    return { input: last["prompt_tokens"] ?? 0, output: (last["total_tokens"] ?? 0) - (last["prompt_tokens"] ?? 0) };
  if (surface === "responses") return { input: last["input_tokens"] ?? 0, output: last["output_tokens"] ?? 0 };
  const runs = last.iterations ?? [last];
  const total = (member: string): number => runs.reduce((sum, run) => sum + (run[member] ?? 0), 0);
  return {
    input: total("input_tokens") + total("cache_read_input_tokens") + total("cache_creation_input_tokens"),
    output: total("output_tokens"),
  };
}

function frame(events: readonly Event[], surface: Surface, named: boolean, lineEnd: string): string {
  const text = events
    .map((event) => `${named ? `event: ${event.type}${lineEnd}` : ""}data: ${JSON.stringify(event)}${lineEnd}${lineEnd}`)
    .join("");
  return surface === "chat.completions" ? `${text}data: [DONE]${lineEnd}${lineEnd}` : text;
}

describe("recorded answers", () => {
  it.skipIf(present)("are skipped here, because the folder with the recordings is not beside the project", () => {
    expect(present).toBe(false);
  });

  it.skipIf(!present)("are there in number, so that the tests below looked at something", () => {
    expect(files(".chunks.txt").length).toBeGreaterThan(30);
  });

  it.each(files(".chunks.txt").map((file) => [relative(folder, file), file] as const))(
    "%s: its stream passes whole and its usage is read right at random cuts",
    (_name, file) => {
      for (const events of answersIn(file)) {
        const surface = surfaceOf(events);
        const ends = surface === "chat.completions" || events.some(isLast);
        const counts = expected(events, surface);
        for (let seed = 0; seed < 6; seed++) {
          const text = frame(events, surface, surface !== "chat.completions" && seed % 2 === 0, seed % 3 === 0 ? "\r\n" : "\n");
          const body = new StreamBody(surface, true, surface === "responses" && seed === 5 ? 512 : 1_000_000);
          const shown: Uint8Array[] = [];
          for (const piece of randomPieces(bytesOf(text), new SeededEntropy(seed), [4_000, 100, 7][seed % 3] as number))
            body.push(piece, (bytes) => shown.push(bytes.slice()));
          expect(new TextDecoder().decode(joined(shown)) === text || !ends).toBe(true);
          expect(body.finished).toBe(ends);
          expect(body.refused).toBeUndefined();
          expect({ input: body.reading.usage.inputTokens, output: body.reading.usage.outputTokens }).toEqual(
            counts === undefined ? { input: undefined, output: undefined } : counts,
          );
          const whole =
            surface === "messages"
              ? events.some(({ type, usage }) => type === "message_delta" && usage != null)
              : counts !== undefined;
          expect(body.reading.usageComplete).toBe(whole);
        }
      }
    },
  );

  it.each(files(".json").map((file) => [relative(folder, file), file] as const))(
    "%s: its document's usage is read right at random cuts",
    (_name, file) => {
      const text = readFileSync(file, "utf8");
      const document = parse(text);
      if (document === undefined) return;
      const body = new DocumentBody();
      for (const piece of randomPieces(bytesOf(text), new SeededEntropy(3), 50)) body.push(piece, () => {});
      const surface: Surface =
        document.usage != null && "prompt_tokens" in document.usage
          ? "chat.completions"
          : document.type === "message"
            ? "messages"
            : "responses";
      const counts =
        document.usage == null || (document.usage["output_tokens"] ?? document.usage["completion_tokens"]) === undefined
          ? undefined
          : expected([document], surface);
      expect(body.finished).toBe(true);
      expect({ input: body.reading.usage.inputTokens, output: body.reading.usage.outputTokens }).toEqual(
        counts === undefined ? { input: undefined, output: undefined } : counts,
      );
    },
  );
});
