import type { Gateway } from "../harness/gateway.ts";
import { ask, tenantOf } from "./asking.ts";
import type { HostilePlace } from "./hostile-place.ts";
import type { FaultRow } from "./fault-row.ts";

export interface ForeignIds extends FaultRow {
  /** 1 where whom a response was made for could go on from it, else 0. */
  readonly ownAnswered: 0 | 1;
}

/** Tenants refer to responses that were not made for them, or nowhere. */
export async function askWithForeignIds(gateway: Gateway, upstream: HostilePlace): Promise<ForeignIds> {
  const issuer = await tenantOf(gateway, "JP");
  const other = await tenantOf(gateway, "SE");
  const issued = await ask(gateway, issuer.key, "responses");
  const own = await ask(gateway, issuer.key, "responses", { previous_response_id: issued.id });
  const before = upstream.requests.length;
  const ids = [issued.id, "resp_made_up", "../files", "resp_1"];
  let answered = 0;
  for (const id of ids) {
    const { status } = await ask(gateway, other.key, "responses", { previous_response_id: id });
    if (status === 200) answered += 1;
  }
  const reached = upstream.requests.length - before;
  return { sent: ids.length, answered, reached, ownAnswered: issued.status === 200 && own.status === 200 ? 1 : 0 };
}
