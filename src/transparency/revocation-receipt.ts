/**
 * What became of a revocation on all replicas, as it stood when it was drawn up: canonical JSON, signed with the log's key as
 * a note, so that it can be shown later without whoever gave it.
 */
import { canonicalJson } from "../canonical-json.ts";
import type { Sha256Bytes } from "../hashes.ts";
import type { LogKey } from "./log-keys.ts";
import { splitNote, verifyNote, type SignNote } from "./signed-note.ts";
import { parseUnambiguous } from "./unambiguous-json.ts";

const schema = "strait.revocation.v1";
const signer = "strait/revocations";

export interface RevocationReceipt {
  /** RFC 3339. */
  readonly drawnUpAt: string;
  /** The order with its acknowledgements, as the operators' API shows it. */
  readonly [member: string]: unknown;
}

export type RevocationReceiptRead =
  | { readonly ok: true; readonly receipt: RevocationReceipt; readonly kid: string }
  | { readonly ok: false; readonly problem: string };

/** The note; `undefined` where no key of the log is valid. */
export function signRevocationReceipt(receipt: RevocationReceipt, sign: SignNote): Promise<string | undefined> {
  return sign(signer, `${canonicalJson({ ...receipt, schema })}\n`);
}

/** What a note says, if one of the keys signed it while it was valid. */
export async function openRevocationReceipt(
  note: string,
  keys: readonly LogKey[],
  sha256: Sha256Bytes,
): Promise<RevocationReceiptRead> {
  const [text = "", signatures] = splitNote(note);
  const receipt = readText(text);
  if (receipt === undefined || signatures === undefined)
    return { ok: false, problem: "it does not have the form of a revocation's receipt" };
  const atMs = Date.parse(receipt.drawnUpAt);
  const verdict = await verifyNote({ what: "receipt", name: signer, text, signatures, atMs }, keys, sha256);
  return verdict.ok ? { ok: true, receipt, kid: verdict.kid } : verdict;
}

function readText(text: string): RevocationReceipt | undefined {
  const document = parseUnambiguous(text) as Partial<RevocationReceipt> | null | undefined;
  const isReceipt = document?.["schema"] === schema && !Number.isNaN(Date.parse(String(document.drawnUpAt)));
  return isReceipt ? (document as RevocationReceipt) : undefined;
}
