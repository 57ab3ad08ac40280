import type { Decision } from "../decision.ts";
import type { Permit } from "../policy/permit.ts";
import type { RevocationSubject } from "./matches.ts";
import type { RevocableExchange } from "./revocations.ts";

/** What an exchange asks of revocations. */
export interface RevocationGate {
  /** Asks for news where they do not come by themselves; never rejects. Awaited before anything is admitted. */
  hear(): Promise<void> | undefined;
  /** What is left of a permit now: the same one, a narrower one, or the refusal. */
  standing(permit: Permit, subject: RevocationSubject): Decision<Permit>;
  /** Cuts the exchange as soon as an order hits it, until the returned function is called. */
  guard(exchange: RevocableExchange): () => void;
  /** An exchange that was cut by this order has sent its last byte. */
  ended(orderId: string): void;
  /**
   * Awaited between the last byte of what was cut and its books: resolves once whatever else the order hits here was told so,
   * since to write receipts is more work than to cut. Never rejects.
   */
  othersCut(): Promise<void> | undefined;
}
