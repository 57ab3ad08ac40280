import { sleep } from "../clock.ts";
import type { Log } from "../log.ts";
import type { RevocationOrder, RevocationScope } from "../revocation/order.ts";
import { scopeMembers } from "../revocation/order.ts";
import type { Revocations } from "../revocation/revocations.ts";
import type { Logs } from "../transparency/logs.ts";
import { signRevocationReceipt } from "../transparency/revocation-receipt.ts";
import type { AuditEntry } from "../tenant/directory.ts";
import { hex } from "../tenant/key.ts";
import { auditEntry, nowRfc3339, type ChangePorts } from "./change.ts";
import { checkCountry, checkModel, checkTier, unknown } from "./known-names.ts";
import { done, invalid, no, type Outcome, type Problem } from "./outcome.ts";
import {
  revocationStateDocument,
  rfc3339,
  type NewRevocation,
  type RevocationState,
  type RevocationStateDocument,
} from "./revocation-documents.ts";

export interface RevocationPorts extends ChangePorts {
  readonly orders: Revocations;
  readonly log: Log;
  /** Signs receipts of orders; without it they are not signed. */
  readonly logs?: Pick<Logs, "sign"> | undefined;
}

/** A directory that does not answer must not hold up the order. */
const auditWaitMs = 1_000;
/** How long until it is asked again to take an audit entry, at first and at the most. */
const firstAgainMs = 1_000;
const mostAgainMs = 30_000;

/** Where there is no tenant to write it under, the audit says this. */
export const everyTenant = "*";

/** An order in force from here on: on this replica when this resolves, on the others as the paths tell them. */
export async function issueRevocation(
  ports: RevocationPorts,
  actor: string,
  input: NewRevocation,
): Promise<Outcome<{ readonly order: RevocationOrder; readonly writtenTo: readonly string[] }>> {
  const nowMs = ports.orders.nowMs();
  const { reason, expiresAt, ...named } = input;
  const expiresAtMs = expiresAt ? Date.parse(expiresAt) : undefined;
  const { scope, problems } = checkScope(ports, named);
  if (expiresAtMs !== undefined && !(expiresAtMs > nowMs))
    problems.push({ pointer: "/expiresAt", detail: "Name a time in the future, or none: it then holds until it is restored." });
  const wrong = invalid(problems);
  if (wrong !== undefined) return wrong;
  const order = newOrder(ports, scope, reason, actor, expiresAtMs);
  const writtenTo = await ports.orders.issue(order);
  await note(ports, actor, "revocation.issue", order, { scope, reason, expiresAt: expiresAt ?? null, writtenTo });
  return done({ order, writtenTo });
}

/** Takes an order back, for good. Again changes nothing. */
export async function restoreRevocation(ports: RevocationPorts, actor: string, id: string): Promise<Outcome<RevocationOrder>> {
  const order = await lookUp(ports.orders, id);
  if (order === undefined) return no({ kind: "revocation_not_found", id });
  if (order.restored !== undefined) return done(order);
  const restored = { ...order, restored: { atMs: ports.clock.nowMs(), by: actor } };
  const writtenTo = await ports.orders.issue(restored);
  await note(ports, actor, "revocation.restore", restored, { scope: order.scope, writtenTo });
  return done(restored);
}

/** One that was given to another replica a moment ago may not be known here yet. */
async function lookUp(orders: Revocations, id: string): Promise<RevocationOrder | undefined> {
  if (orders.find(id) === undefined) await orders.refresh();
  return orders.find(id);
}

export async function revocationState(ports: Pick<RevocationPorts, "orders">, id: string): Promise<Outcome<RevocationState>> {
  const order = await lookUp(ports.orders, id);
  if (order === undefined) return no({ kind: "revocation_not_found", id });
  const [acknowledgements, replicas] = await Promise.all([ports.orders.acknowledgements(id), ports.orders.replicas()]);
  const known = new Set(acknowledgements.map(({ replica }) => replica.id));
  const missing = replicas.filter((replica) => !known.has(replica.id));
  const complete = missing.length === 0 && acknowledgements.every(({ cut, ended }) => ended >= cut);
  return done({ order, acknowledgements, missing, complete });
}

/** Signs how the order stands now, puts it into the audit, and shows it. */
export async function drawUpReceipt(
  ports: RevocationPorts,
  actor: string,
  id: string,
): Promise<Outcome<{ readonly state: RevocationStateDocument; readonly signed: string | null }>> {
  const found = await revocationState(ports, id);
  if (!found.ok) return found;
  const { order } = found.value;
  const nowMs = ports.clock.nowMs();
  const state = revocationStateDocument(found.value, nowMs);
  const receipt = { ...state, drawnUpAt: rfc3339(nowMs) };
  const signed = (ports.logs && (await signRevocationReceipt(receipt, ports.logs.sign))) ?? null;
  const { complete, missing, acknowledgements } = state;
  await note(ports, actor, "revocation.receipt", order, { complete, missing, acknowledgements, signed });
  return done({ state, signed });
}

/** Not yet given to anybody. */
export function newOrder(
  { clock, entropy }: Pick<RevocationPorts, "clock" | "entropy">,
  scope: RevocationScope,
  reason: string,
  by: string,
  expiresAtMs: number | undefined,
): RevocationOrder {
  const issuedAtMs = clock.nowMs();
  // The time leads, so that ids sort as orders were given.
  const id = `revocation_${issuedAtMs.toString(16).padStart(12, "0")}${hex(entropy.bytes(6))}`;
  return { id, scope, reason, by, issuedAtMs, expiresAtMs, restored: undefined };
}

function checkScope(ports: RevocationPorts, named: RevocationScope): { scope: RevocationScope; problems: Problem[] } {
  const catalogue = ports.catalogue();
  const problems: Problem[] = [];
  const { tier, tenantCountry, country, deployment, region } = named;
  let { model } = named;
  if (scopeMembers.every((member) => named[member] === undefined))
    problems.push({ pointer: "", detail: `Say what to revoke: at least one of ${scopeMembers.join(", ")}.` });
  if (model !== undefined) {
    const checked = checkModel(catalogue, model, "/model");
    problems.push(...checked.problems);
    model = checked.id;
  }
  if (tier !== undefined) problems.push(...checkTier(catalogue, tier, "/tier"));
  problems.push(...checkCountry(country, "/country"), ...checkCountry(tenantCountry, "/tenantCountry"));
  if (deployment !== undefined && !catalogue.deployments.has(deployment))
    problems.push({ pointer: "/deployment", detail: unknown("deployment", deployment, [...catalogue.deployments.keys()]) });
  if (region !== undefined && !catalogue.regions.has(region))
    problems.push({ pointer: "/region", detail: unknown("region", region, [...catalogue.regions.keys()]) });
  // Tenants and keys are not looked up: whoever cuts one off must be able to while their directory is away.
  return { scope: model === undefined ? named : { ...named, model }, problems };
}

/** What was ordered stands, whether or not the audit can be written now; where it cannot, it is as soon as it can. */
async function note(
  ports: RevocationPorts,
  actor: string,
  action: string,
  order: RevocationOrder,
  detail: Readonly<Record<string, unknown>>,
): Promise<void> {
  const tenantId = order.scope.tenant ?? everyTenant;
  const entry = auditEntry(ports, nowRfc3339(ports.clock), actor, action, tenantId, { order: order.id, ...detail });
  const written = ports.directory.note(entry).catch((error: unknown) => {
    ports.log.warn("an audit entry cannot be written yet", { action, order: order.id, error: String(error) });
    void writeLater(ports, entry);
  });
  await Promise.race([written, sleep(ports.clock, auditWaitMs)]);
}

/** For as long as the process lives. An entry of which a store did not say whether it took it may come to stand there twice. */
async function writeLater({ directory, clock, log }: RevocationPorts, entry: AuditEntry): Promise<void> {
  for (let waitMs = firstAgainMs; ; waitMs = Math.min(2 * waitMs, mostAgainMs)) {
    await sleep(clock, waitMs);
    try {
      await directory.note(entry);
      return log.info("an audit entry was written late", { action: entry.action, audit: entry.id });
    } catch {
      // It was said that it is missing.
    }
  }
}
