/** What a tenant may ask of the log that its receipts are in. */
import { allow, refuse } from "./decision.ts";
import type { Dialect } from "./dialect/dialect.ts";
import type { Inbound, Outbound } from "./edge.ts";
import type { ExchangePorts } from "./exchange-ports.ts";
import { answerLookup, type Lookup } from "./lookups.ts";

/** The receipt with what shows that it is in the log: a file that can be checked by anybody, without this gateway. */
export function proveReceipt(
  id: string,
  inbound: Inbound,
  outbound: Outbound,
  dialect: Dialect,
  ports: ExchangePorts,
): Promise<void> {
  const lookup: Lookup = async ({ tenant }) => {
    const proof = await ports.logs?.of(tenant.id).prove(tenant.id, id);
    return proof === undefined || typeof proof === "string" ? refuse({ kind: "receipt_not_found", id }) : allow(proof);
  };
  return answerLookup(lookup, inbound, outbound, dialect, ports);
}

export function showCheckpoint(inbound: Inbound, outbound: Outbound, dialect: Dialect, ports: ExchangePorts): Promise<void> {
  const lookup: Lookup = async ({ tenant }) => {
    const checkpoint = await ports.logs?.of(tenant.id).checkpoint();
    return checkpoint === undefined ? refuse({ kind: "route_not_found" }) : allow({ checkpoint: checkpoint.note });
  };
  return answerLookup(lookup, inbound, outbound, dialect, ports);
}

/**
 * Shows that the log of `size` entries, which the caller has kept a checkpoint of, is the beginning of what it was at the
 * checkpoint of `to` entries, or without that is now.
 */
export function showConsistency(inbound: Inbound, outbound: Outbound, dialect: Dialect, ports: ExchangePorts): Promise<void> {
  const lookup: Lookup = async ({ tenant }) => {
    const [, size, to] = /^size=(\d{1,15})(?:&to=(\d{1,15}))?$/.exec(inbound.query) ?? [];
    const proof =
      size === undefined
        ? undefined
        : await ports.logs?.of(tenant.id).consistency(Number(size), to === undefined ? undefined : Number(to));
    const expected = "the number of entries of a checkpoint that you have kept, and in `to` that of a later one";
    return proof === undefined ? refuse({ kind: "invalid_field", param: "size", expected }) : allow(proof);
  };
  return answerLookup(lookup, inbound, outbound, dialect, ports);
}
