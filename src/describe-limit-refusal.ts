/** What a client is told of a limit that refused it. */
import { after, never, quoted, type Parts } from "./refusal-parts.ts";
import type { Refusal, RetryAdvice } from "./refusal.ts";

type LimitRefusal = Extract<Refusal, { kind: "limit_reached" | "never_fits" }>;

const unitNames = {
  requests: "requests",
  tokens: "tokens",
  input_tokens: "input tokens",
  output_tokens: "output tokens",
  micro_usd: "USD",
  concurrent: "requests at once",
} as const;
const windowNames = { minute: " a minute", day: " a day", month: " a month", open: "" } as const;

/** Micro-USD as USD, without a float: 1_500_000 is `1.5`. */
function amountOf(amount: number, unit: LimitRefusal["unit"]): string {
  if (unit !== "micro_usd") return String(amount);
  const micro = String(Math.trunc(amount) % 1_000_000)
    .padStart(6, "0")
    .replace(/0+$/, "");
  return `${Math.trunc(amount / 1_000_000)}${micro === "" ? "" : `.${micro}`}`;
}

function ceilingOf(refusal: LimitRefusal): string {
  const { ceiling, burst, unit, window, limit, limitedBy } = refusal;
  const atOnce = burst === undefined ? "" : `, at most ${amountOf(burst, unit)} at once`;
  return `${amountOf(ceiling, unit)} ${unitNames[unit]}${windowNames[window]}${atOnce} (limit ${quoted(limit)}, set for the ${limitedBy})`;
}

/** What no short wait mends. What open requests hold back of a long window may be free again in a moment. */
function isLasting(refusal: LimitRefusal): boolean {
  if (refusal.kind === "limit_reached" && refusal.heldByOpen === true) return false;
  return refusal.window === "day" || refusal.window === "month";
}

/** Clients tell a short window, which they wait for, from a budget, which they must not hammer. */
function limitParts(refusal: LimitRefusal, code: string, message: string, advice: RetryAdvice): Parts {
  const lasting = isLasting(refusal);
  const budget = lasting && refusal.unit === "micro_usd";
  return {
    status: 429,
    ...(budget ? { anthropicStatus: 402 } : {}),
    openai: lasting
      ? { type: "insufficient_quota", code: "insufficient_quota" }
      : { type: isTokens(refusal.unit) ? "tokens" : "requests", code },
    azure: { code: lasting ? "insufficient_quota" : code === "rate_limit_exceeded" ? "RateLimitReached" : "RequestExceedsLimit" },
    anthropic: { type: budget ? "billing_error" : "rate_limit_error" },
    message,
    advice,
  };
}

export function limitReached(refusal: Extract<Refusal, { kind: "limit_reached" }>): Parts {
  const advice = isLasting(refusal) ? never : after(refusal.retryAfterMs);
  const seconds = Math.max(1, Math.ceil(refusal.retryAfterMs / 1_000));
  const next = isLasting(refusal)
    ? `Ask your operator for more, or come back ${nextPeriod(refusal)}.`
    : refusal.window === "open"
      ? "Try again when one of your open requests has ended."
      : refusal.heldByOpen === true
        ? `Requests of yours that are still open hold the rest: try again in ${seconds} s.`
        : `Try again in ${seconds} s.`;
  const remaining = amountOf(Math.max(0, refusal.remaining), refusal.unit);
  const message = `Limit reached: ${ceilingOf(refusal)}. This request may need ${amountOf(refusal.asked, refusal.unit)}, ${remaining} remain. ${next}`;
  return limitParts(refusal, "rate_limit_exceeded", message, advice);
}

function nextPeriod({ window, periodEndsMs }: Extract<Refusal, { kind: "limit_reached" }>): string {
  if (periodEndsMs === undefined) return "in the next period";
  return `when the ${window} ends, at ${new Date(periodEndsMs).toISOString().replace(".000Z", "Z")}`;
}

function isTokens(unit: LimitRefusal["unit"]): boolean {
  return unit === "tokens" || unit === "input_tokens" || unit === "output_tokens";
}

export function neverFits(refusal: Extract<Refusal, { kind: "never_fits" }>): Parts {
  const shrinkable = isTokens(refusal.unit) || refusal.unit === "micro_usd";
  const next = shrinkable
    ? "Lower max_tokens, shorten the prompt, or ask your operator for more."
    : "Ask your operator for more.";
  const message = `This request can never fit: it may need ${amountOf(refusal.asked, refusal.unit)}, over ${ceilingOf(refusal)}. ${next}`;
  return limitParts(refusal, "request_exceeds_limit", message, never);
}
