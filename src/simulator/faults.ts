import { z } from "zod";

interface AnyFault {
  /** For how many requests; without it, until the faults are taken away. */
  readonly times?: number | undefined;
  /** How long it waits before it acts: before the head, or at its place in the body. */
  readonly afterMs?: number | undefined;
  /** Only requests for this deployment. */
  readonly deployment?: string | undefined;
}

interface BodyFault extends AnyFault {
  /** After how many events of the stream; never after the last. A body of JSON counts as two, its halves. */
  readonly afterEvents?: number | undefined;
}

interface RetryAdvice {
  readonly retryAfterSeconds?: number | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
}

/** Faults that decide how an answer ends. Of those set, the first that is not used up acts, so that a list is a sequence. */
export type BreakingFault =
  | (AnyFault & RetryAdvice & { readonly kind: "status"; readonly status: number })
  /** Without `afterEvents` the connection goes before the head. */
  | (BodyFault & { readonly kind: "reset" })
  /** Silence: without `afterEvents` before the head, with 0 after it. */
  | (BodyFault & { readonly kind: "stall" })
  /** The body ends in good order, but too early. */
  | (BodyFault & { readonly kind: "truncation" })
  /** Status 200 and a stream that refuses. Streams only. */
  | (AnyFault & RetryAdvice & { readonly kind: "refusal-200" })
  /** Streams only. */
  | (BodyFault & Pick<RetryAdvice, "code" | "message"> & { readonly kind: "error-mid-stream" })
  | (AnyFault & { readonly kind: "garbage" })
  | (AnyFault & { readonly kind: "redirect"; readonly location: string; readonly status?: number | undefined });

/** Faults that change an answer without breaking it. Each kind acts beside all others. */
export type AlteringFault =
  /** `x-ms-region` and `usage.inference_geo` name another place. */
  | (AnyFault & { readonly kind: "wrong-region"; readonly region: string })
  /** `to` answers for the deployment that was asked; without it no other is named. */
  | (AnyFault & { readonly kind: "spillover"; readonly from?: string | undefined; readonly to?: string | undefined })
  | (AnyFault & { readonly kind: "served-model"; readonly model: string })
  /** `afterMs` before the head, `delayMs` before every event. */
  | (AnyFault & { readonly kind: "slow"; readonly delayMs?: number | undefined })
  /** One event is padded with spaces inside its JSON, which stays valid. */
  | (BodyFault & { readonly kind: "huge-event"; readonly bytes?: number | undefined })
  /** The body goes out in pieces of random length, each by itself. */
  | (AnyFault & { readonly kind: "split"; readonly maxBytes?: number | undefined });

export type Fault = BreakingFault | AlteringFault;
export type FaultKind = Fault["kind"];
export type FaultOf<Kind extends FaultKind> = Extract<Fault, { readonly kind: Kind }>;

const count = z.int().min(0);
const common = { times: count.min(1).optional(), afterMs: count.optional(), deployment: z.string().optional() };
const inBody = { ...common, afterEvents: count.optional() };
const says = { code: z.string().optional(), message: z.string().optional() };
const advice = { ...says, retryAfterSeconds: z.number().min(0).optional(), retryAfterMs: z.number().min(0).optional() };
const status = z.int().min(200).max(599);

/** Strict: a fault misspelt in a test would otherwise pass as none. */
const faultSchema: z.ZodType<Fault> = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("status"), status, ...common, ...advice }),
  z.strictObject({ kind: z.literal("reset"), ...inBody }),
  z.strictObject({ kind: z.literal("stall"), ...inBody }),
  z.strictObject({ kind: z.literal("truncation"), ...inBody }),
  z.strictObject({ kind: z.literal("refusal-200"), ...common, ...advice }),
  z.strictObject({ kind: z.literal("error-mid-stream"), ...inBody, ...says }),
  z.strictObject({ kind: z.literal("garbage"), ...common }),
  z.strictObject({ kind: z.literal("redirect"), location: z.string(), status: status.optional(), ...common }),
  z.strictObject({ kind: z.literal("wrong-region"), region: z.string(), ...common }),
  z.strictObject({ kind: z.literal("spillover"), from: z.string().optional(), to: z.string().optional(), ...common }),
  z.strictObject({ kind: z.literal("served-model"), model: z.string(), ...common }),
  z.strictObject({ kind: z.literal("slow"), delayMs: count.optional(), ...common }),
  z.strictObject({ kind: z.literal("huge-event"), bytes: count.optional(), ...inBody }),
  z.strictObject({ kind: z.literal("split"), maxBytes: count.min(1).optional(), ...common }),
]);

export type ParsedFaults =
  | { readonly ok: true; readonly faults: readonly Fault[] }
  | { readonly ok: false; readonly problem: string };

/** Reads `{"faults": […]}` as the control path takes it. */
export function parseFaults(body: unknown): ParsedFaults {
  const parsed = z.strictObject({ faults: z.array(faultSchema) }).safeParse(body);
  return parsed.success ? { ok: true, faults: parsed.data.faults } : { ok: false, problem: z.prettifyError(parsed.error) };
}

const streamOnly: ReadonlySet<FaultKind> = new Set(["refusal-200", "error-mid-stream"]);
const breakingKinds: ReadonlySet<FaultKind> = new Set([
  "status",
  "reset",
  "stall",
  "truncation",
  "refusal-200",
  "error-mid-stream",
  "garbage",
  "redirect",
]);

/** The faults that meet one request. */
export interface FaultPlan {
  readonly breaking: BreakingFault | undefined;
  altering<Kind extends AlteringFault["kind"]>(kind: Kind): FaultOf<Kind> | undefined;
}

const noFaults: FaultPlan = { breaking: undefined, altering: () => undefined };

/** The faults set for one region, used up as requests come. */
export class FaultQueue {
  #faults: { readonly fault: Fault; left: number }[] = [];

  set(faults: readonly Fault[]): void {
    this.#faults = faults.map((fault) => ({ fault, left: fault.times ?? Infinity }));
  }

  /** Draws what acts on this request; of every kind that alters, the first that is not used up. */
  take(request: { readonly stream: boolean; readonly deployment: string | undefined }): FaultPlan {
    if (this.#faults.length === 0) return noFaults;
    const drawn = new Map<string, Fault>();
    for (const entry of this.#faults) {
      const { fault } = entry;
      const place = breakingKinds.has(fault.kind) ? "breaking" : fault.kind;
      if (entry.left === 0 || drawn.has(place)) continue;
      if (fault.deployment !== undefined && fault.deployment !== request.deployment) continue;
      if (streamOnly.has(fault.kind) && !request.stream) continue;
      entry.left--;
      drawn.set(place, fault);
    }
    return {
      breaking: drawn.get("breaking") as BreakingFault | undefined,
      altering: <Kind extends AlteringFault["kind"]>(kind: Kind) => drawn.get(kind) as FaultOf<Kind> | undefined,
    };
  }
}
