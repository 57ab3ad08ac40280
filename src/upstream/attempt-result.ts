import type { HeaderList } from "../edge.ts";
import type { CutReason } from "../lifetime.ts";
import type { Answer } from "./answer.ts";
import type { Connection } from "./check-address.ts";

/** Why an attempt failed, and whether another deployment may be tried: only while no content was generated for us. */
export interface AttemptFailure {
  readonly outcome: string;
  readonly status: number | undefined;
  readonly elsewhere: boolean;
  /** The upstream is full rather than ill: it asked to be left alone this long. */
  readonly busyMs: number | undefined;
  /** Which deadline passed, where one did. */
  readonly deadline: "connect" | "first_byte" | "idle" | undefined;
  /** Whether the upstream may have worked on the request, so that it may bill for it. */
  readonly reached: boolean;
  readonly upstreamRequestId: string | undefined;
  /** In which way the upstream is not what is declared, where that is why. For the operator. */
  readonly mismatch: string | undefined;
}

export type AttemptResult = {
  /** What it was connected to; `undefined` where it never was. */
  readonly connection: Connection | undefined;
} & AttemptEnd;

export type AttemptEnd =
  | { readonly kind: "answering"; readonly answer: Answer }
  /** The upstream found the request itself at fault: its answer is the client's to read. */
  | { readonly kind: "faulted"; readonly status: number; readonly headers: HeaderList; readonly body: Uint8Array }
  | { readonly kind: "failed"; readonly failure: AttemptFailure }
  | { readonly kind: "cut"; readonly reason: CutReason; readonly reached: boolean };
