import type { Tracer } from "@opentelemetry/api";
import type { Shadow } from "./bundle/shadow.ts";
import type { Clock, Entropy, Sha256 } from "./clock.ts";
import type { Dialect } from "./dialect/dialect.ts";
import type { Books, Journal, RefusalJournal } from "./ledger/journal.ts";
import type { JournalReader } from "./ledger/journal-reader.ts";
import type { Hashes } from "./hashes.ts";
import type { Log } from "./log.ts";
import type { OpenExchanges } from "./open-exchanges.ts";
import type { PlaceAlarm } from "./place-alarm.ts";
import type { World } from "./policy/world.ts";
import type { Learning } from "./quota/learning.ts";
import type { LimitNotices } from "./quota/limit-notices.ts";
import type { QuotaStore } from "./quota/store.ts";
import type { RevocationGate } from "./revocation/gate.ts";
import type { Surface } from "./region/catalogue.ts";
import type { Health } from "./routing/health.ts";
import type { Settings } from "./settings.ts";
import type { DigestKeys } from "./tenant/digest-key.ts";
import type { Directory } from "./tenant/directory.ts";
import type { Credentials, StoredResponse } from "./upstream/address.ts";
import type { Logs } from "./transparency/logs.ts";
import type { Transport } from "./upstream/transport.ts";

/** All that an exchange needs from outside. */
export interface ExchangePorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly sha256: Sha256;
  readonly hashes: Hashes;
  readonly log: Log;
  readonly tracer: Tracer;
  readonly directory: Directory;
  readonly digestKeys: DigestKeys;
  /** The catalogue and the policy of an instant, in milliseconds since the epoch, always as a pair. */
  readonly world: (atMs: number) => World;
  readonly quota: QuotaStore;
  readonly journal: Journal;
  /** Absent where the runtime has no adapter of it: usage is then not served. */
  readonly reader?: JournalReader | undefined;
  /** Absent where the runtime has no adapter of it: what is refused is then not recorded. */
  readonly refusals?: RefusalJournal | undefined;
  /** Absent likewise: receipts are then not proved. */
  readonly logs?: Logs | undefined;
  readonly books: Books;
  readonly transport: Transport;
  readonly credentials: Credentials;
  readonly health: Health;
  readonly open: OpenExchanges;
  readonly revocations: RevocationGate;
  readonly placeAlarm: Pick<PlaceAlarm, "raise">;
  readonly settings: Settings;
  /** What this process learns from what it settles. Absent: every hold is the worst case. */
  readonly learning?: Learning | undefined;
  /** Absent: no policy is tried beside the one that decides. */
  readonly shadow?: Shadow | undefined;
  /** Absent: the log is told nothing of limits. */
  readonly limitNotices?: LimitNotices | undefined;
}

/** What the path of a request already tells. */
export interface ModelCall {
  readonly dialect: Dialect;
  readonly surface: Surface;
  /** The route's pattern, for spans. */
  readonly route: string;
  /** Azure names the deployment, hence the model, in the path. */
  readonly modelFromPath: string | undefined;
  /** A call to one stored response, instead of one that makes an answer. */
  readonly stored: StoredResponse | undefined;
}
