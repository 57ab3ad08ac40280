import { readDigestKeySet } from "../../../tenant/digest-key-set.ts";
import { digestedBodies, verifyDigest, type DigestedBody } from "../../../transparency/verify-digest.ts";
import { verifyReceiptProof, type ReceiptProof } from "../../../transparency/receipt-proof.ts";
import { hashes } from "../hashes.ts";
import { required, type Command, type Input } from "./command.ts";
import { exitCodes, Failure, usageFailure } from "./failure.ts";
import { keyOption, readBytesOf, readFileOf, readKeysOf } from "./log-files.ts";
import { receiptSummary } from "./receipt-summary.ts";

export const receiptCommands: readonly Command[] = [
  {
    path: ["receipt", "get"],
    summary: "print a receipt with what proves that it is in the log",
    arguments: [
      { name: "TENANT", help: "the tenant's id" },
      { name: "REQUEST", help: "the request's id, from the answer's x-request-id" },
    ],
    options: [],
    async run(input, session) {
      const [tenant, request] = [required(input, "TENANT"), required(input, "REQUEST")].map(encodeURIComponent);
      const path = `/tenants/${tenant}/receipts/${request}/proof`;
      const { document } = await session.client().send<ReceiptProof>({ method: "GET", path });
      session.print(JSON.stringify(document, undefined, 2));
    },
  },
  {
    path: ["receipt", "verify"],
    summary: "check a receipt's proof, without asking anybody",
    arguments: [{ name: "FILE", help: "what `strait receipt get` printed, or GET /v1/strait/receipts/{id}/proof answered" }],
    options: [
      keyOption,
      {
        name: "request",
        value: "FILE",
        help: "the request's body, byte by byte as it was sent: check the receipt's digest of it",
      },
      { name: "answer", value: "FILE", help: "the answer's body, byte by byte as it came: check the receipt's digest of it" },
      {
        name: "digest-keys",
        value: "FILE",
        help: "with --request or --answer: the tenant's digest keys, as GET /v1/strait/digest-keys answers them",
      },
    ],
    notes:
      "It shows what the receipt says, all of it with --json; that this is what happened, the log's operator vouches for with the key.",
    async run(input, session) {
      const keys = readKeysOf(input);
      const verdict = await verifyReceiptProof(readFileOf(required(input, "FILE")), keys, hashes.sha256Bytes);
      if (!verdict.ok)
        throw new Failure(exitCodes.failed, `Not proved: ${verdict.problem}.`, { proved: false, problem: verdict.problem });
      const { receipt, checkpoint, leafIndex, kid } = verdict;
      const digested = checkBodies(receipt, input);
      const signedAt = new Date(checkpoint.atMs).toISOString();
      if (session.json)
        return session.print(
          JSON.stringify({ proved: true, digested, receipt, leafIndex, size: checkpoint.size, signedAt, kid }, undefined, 2),
        );
      session.print(
        `Proved: ${String(receipt["requestId"])} is entry ${leafIndex} of ${checkpoint.size} in ${checkpoint.origin}, signed at ${signedAt} by key ${kid}.`,
      );
      session.print(receiptSummary(receipt));
      for (const body of digested) session.print(`Digested: the ${body} is, byte by byte, the one that the receipt is of.`);
    },
  },
];

/** The bodies that were given and are what the receipt has a digest of; fails where one is not. */
function checkBodies(receipt: Readonly<Record<string, unknown>>, input: Input): readonly DigestedBody[] {
  const given = digestedBodies.filter((body) => input.option(body) !== undefined);
  if (given.length === 0) return given;
  const path = input.option("digest-keys");
  if (path === undefined) throw usageFailure("Name the file with the tenant's digest keys: --digest-keys FILE.");
  const keys = readDigestKeySet(readFileOf(path));
  if (keys === undefined) throw usageFailure(`${path} is not what GET /v1/strait/digest-keys answers.`);
  for (const body of given) {
    const verdict = verifyDigest(receipt, body, readBytesOf(input.option(body) ?? ""), keys, hashes);
    if (!verdict.ok)
      throw new Failure(exitCodes.failed, `Not digested: ${verdict.problem}.`, { proved: true, problem: verdict.problem });
  }
  return given;
}
