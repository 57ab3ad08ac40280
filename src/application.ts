/**
 * The whole gateway over Web standards' edge of each runtime: the data plane first, then the operators' API, then a
 * refusal. What the runtimes share beyond the data path is put together here, so that they cannot differ.
 */
import type { BundleLoading } from "./bundle/loaded-bundles.ts";
import type { PolicyShelf } from "./bundle/policy-shelf.ts";
import { Shadow } from "./bundle/shadow.ts";
import { createControl } from "./control/create-control.ts";
import { DirectoryDigestKeys } from "./control/digest-keys.ts";
import { deleteDue, type ApplyRetention } from "./control/retention.ts";
import type { ExchangePorts } from "./exchange-ports.ts";
import { createGateway, type Gateway } from "./gateway.ts";
import type { ReservationReader } from "./ledger/journal-reader.ts";
import type { JournalWriters } from "./ledger/journal-writers.ts";
import { Learning } from "./quota/learning.ts";
import { LimitNotices } from "./quota/limit-notices.ts";
import { PlaceAlarm } from "./place-alarm.ts";
import { quarantineBy } from "./quarantine.ts";
import type { Catalogue } from "./region/catalogue.ts";
import type { Revocations } from "./revocation/revocations.ts";
import { hex } from "./tenant/key.ts";
import type { SecretBox } from "./secret-box.ts";
import type { DirectoryAdmin } from "./tenant/directory.ts";

export interface ApplicationPorts extends Omit<ExchangePorts, "placeAlarm" | "digestKeys"> {
  readonly directory: DirectoryAdmin;
  /** For what the directory keeps of secrets. */
  readonly secretBox: SecretBox;
  readonly operatorKey: string;
  /** Where `world` takes its policies from. */
  readonly policies: () => PolicyShelf;
  /** Takes further bundles into `policies`. */
  readonly loading: BundleLoading;
  readonly reservations?: ReservationReader | undefined;
  readonly orders: Revocations;
  /** Where several gateways write one journal. */
  readonly writers?: JournalWriters | undefined;
  /** Without it nothing is ever deleted. */
  readonly applyRetention?: ApplyRetention | undefined;
}

export interface Application {
  readonly gateway: Gateway;
  /** Everything under `controlPath`, by Web `Request` and `Response`: no hot path. */
  readonly control: ReturnType<typeof createControl>;
  /** Deletes the records that are due, as an operator can by hand; to be called once a day. */
  deleteDue(): Promise<void>;
}

export function createApplication(ports: ApplicationPorts): Application {
  const { directory, clock, entropy, sha256, secretBox, log, policies, applyRetention } = ports;
  const catalogue = (): Catalogue => ports.world(clock.nowMs()).catalogue;
  const changing = { directory, clock, entropy, sha256, secretBox, catalogue };
  const digestKeys = new DirectoryDigestKeys(changing);
  const placeAlarm = new PlaceAlarm({
    clock,
    log,
    replica: ports.orders.replica.id,
    records: directory,
    quarantine: quarantineBy({ ...ports, catalogue }),
  });
  const shadow = new Shadow({
    candidate: () => ports.policies().shadow?.world,
    records: directory,
    replica: ports.orders.replica.id,
    clock,
    log,
  });
  return {
    gateway: createGateway({
      shadow,
      learning: new Learning(),
      limitNotices: new LimitNotices(),
      ...ports,
      placeAlarm,
      digestKeys,
    }),
    control: createControl({
      ...changing,
      log,
      policies: ports.policies,
      loading: ports.loading,
      health: ports.health,
      credentials: ports.credentials,
      shadow,
      operatorKeyDigest: hex(sha256(ports.operatorKey)),
      reader: ports.reader,
      logs: ports.logs,
      reservations: ports.reservations,
      orders: ports.orders,
      applyRetention: ports.applyRetention,
      writers: ports.writers,
      placeAlarm,
      inspectLimits: (tenantId, limits) => ports.quota.inspect(tenantId, limits),
    }),
    async deleteDue() {
      if (applyRetention === undefined) return;
      const outcome = await deleteDue({ ageClock: ports.orders, policies, applyRetention }, "gateway", { dryRun: false });
      if (!outcome.ok) return log.warn("no policy is in force, so no record is deleted");
      const deleted = outcome.value.counts.reduce((sum, count) => sum + count.deleted, 0);
      if (deleted > 0) log.info("records were deleted that were due", { deleted });
    },
  };
}
