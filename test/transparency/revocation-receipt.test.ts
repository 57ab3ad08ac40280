import { describe, expect, it } from "vitest";
import { openRevocationReceipt, signRevocationReceipt } from "../../src/transparency/revocation-receipt.ts";
import { noteSigner, signNote } from "../../src/transparency/signed-note.ts";
import { logKeys, newKey, publicKeys } from "./log-fixture.ts";
import { sha256Bytes } from "./sha256.ts";

const clock = { nowMs: () => Date.parse("2026-11-26T07:00:00Z") };
const receipt = { drawnUpAt: "2026-11-26T07:00:00.000Z", id: "revocation_1", complete: true };
const key = await newKey();

async function signed(): Promise<string> {
  return (await signRevocationReceipt(receipt, noteSigner(await logKeys(key), clock, sha256Bytes))) ?? "";
}

describe("the receipt of a revocation", () => {
  it("is what was signed, by the key that signed it", async () => {
    const read = await openRevocationReceipt(await signed(), publicKeys(key), sha256Bytes);
    expect(read).toMatchObject({ ok: true, receipt });
  });

  it.each([
    ["a member that was changed", (note: string) => note.replace("true", "false")],
    ["another time", (note: string) => note.replace("07:00:00.000Z", "07:00:01.000Z")],
    ["a member that stands there twice", (note: string) => note.replace("{", '{"id":"revocation_2",')],
    ["no signature", (note: string) => `${note.slice(0, note.indexOf("\n\n"))}\n`],
    ["another signer's name", (note: string) => note.replace("— strait/revocations", "— strait/abc")],
    ["nothing", () => ""],
  ])("is not taken with %s", async (_what, change) => {
    expect(await openRevocationReceipt(change(await signed()), publicKeys(key), sha256Bytes)).toMatchObject({ ok: false });
  });

  it("is not taken by another key, nor by one that was not valid then", async () => {
    expect(await openRevocationReceipt(await signed(), publicKeys(await newKey()), sha256Bytes)).toMatchObject({
      ok: false,
      problem: "none of the keys signed the receipt",
    });
    const later = publicKeys({ ...key, validFrom: "2026-11-27T00:00:00Z" });
    expect(await openRevocationReceipt(await signed(), later, sha256Bytes)).toMatchObject({ ok: false });
  });

  it("is no checkpoint of a log, nor a checkpoint a receipt", async () => {
    const signer = (await logKeys(key)).signerAt(clock.nowMs());
    if (signer === undefined) throw new Error("the key is valid");
    const note = await signNote("strait/revocations", "strait/abc\n1\nAAAA\n", signer, sha256Bytes);
    expect(await openRevocationReceipt(note, publicKeys(key), sha256Bytes)).toMatchObject({ ok: false });
  });

  it("is not signed where no key is valid", async () => {
    const over = await logKeys(
      { ...key, validUntil: "2026-11-25T00:00:00Z" },
      await newKey({ validFrom: "2027-01-01T00:00:00Z" }),
    );
    expect(await signRevocationReceipt(receipt, noteSigner(over, clock, sha256Bytes))).toBeUndefined();
  });
});
