import { verifyReceiptProof, type ReceiptProof } from "../../../transparency/receipt-proof.ts";
import { hashes } from "../hashes.ts";
import { required, type Command } from "./command.ts";
import { exitCodes, Failure } from "./failure.ts";
import { keyOption, readFileOf, readKeysOf } from "./log-files.ts";

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
    options: [keyOption],
    notes: "It says what the receipt says; that this is what happened, the log's operator vouches for with the key.",
    async run(input, session) {
      const keys = readKeysOf(input);
      const verdict = await verifyReceiptProof(readFileOf(required(input, "FILE")), keys, hashes.sha256Bytes);
      if (!verdict.ok)
        throw new Failure(exitCodes.failed, `Not proved: ${verdict.problem}.`, { proved: false, problem: verdict.problem });
      const { receipt, checkpoint, leafIndex, kid } = verdict;
      const signedAt = new Date(checkpoint.atMs).toISOString();
      if (session.json)
        return session.print(
          JSON.stringify({ proved: true, receipt, leafIndex, size: checkpoint.size, signedAt, kid }, undefined, 2),
        );
      session.print(
        `Proved: ${String(receipt["requestId"])} is entry ${leafIndex} of ${checkpoint.size} in ${checkpoint.origin}, signed at ${signedAt} by key ${kid}.`,
      );
    },
  },
];
