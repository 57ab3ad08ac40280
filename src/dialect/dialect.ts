import type { HeaderList } from "../edge.ts";
import type { LimitUnit, LimitWindow } from "../tenant/limit-setting.ts";
import type { Period } from "../tenant/periods.ts";
import type { Refusal } from "../refusal.ts";

export type DialectName = "openai" | "azure" | "anthropic";

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Uint8Array;
}

/** What rate headers show of one limit. The quota store's states have this form. */
export interface RateState {
  readonly limit: {
    readonly setting: {
      readonly name: string;
      readonly unit: LimitUnit;
      readonly window: LimitWindow;
      readonly ceiling: number;
      readonly shadow?: boolean | undefined;
    };
    readonly periods: readonly Period[];
  };
  readonly capacity: number;
  readonly remaining: number;
  readonly resetMs: number;
}

/** The wire that a client speaks: how errors, limits and silence look in it. Facts in one place per dialect. */
export interface Dialect {
  readonly name: DialectName;
  /** The header that carries the request's id back (`x-request-id`, `request-id`). */
  readonly requestIdHeader: string;
  /** The header that carries how long the request took here, in whole milliseconds, where the dialect has one. */
  readonly processingHeader: string | undefined;
  /** The whole answer of a refusal before anything was sent: status, retry advice, content type, body. */
  error(refusal: Refusal, requestId: string): ErrorAnswer;
  /**
   * A refusal in the middle of a stream, as a complete server-sent event that the SDKs of this dialect raise.
   * `responses` streams carry typed events even in the openai and azure dialects.
   */
  errorEvent(refusal: Refusal, requestId: string, surface: string): Uint8Array;
  /** What is safe to send on a silent stream. */
  readonly keepAlive: Uint8Array;
  /** The rate headers, its own and the IETF's, from the states that the reservation returned; empty where no limit is of a kind to be shown. */
  rateHeaders(states: readonly RateState[], nowMs: number): HeaderList;
}
