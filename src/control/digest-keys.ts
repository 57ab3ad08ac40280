import { StoreUnavailable } from "../quota/store.ts";
import { digestKeyPurpose, type DigestKey, type DigestKeys, type OpenDigestKey } from "../tenant/digest-key.ts";
import { hex } from "../tenant/key.ts";
import type { Tenant } from "../tenant/tenant.ts";
import { change, findTenant, nowRfc3339, type ChangeBy, type Changed, type ChangePorts } from "./change.ts";
import { done, no, type Outcome } from "./outcome.ts";

const keyLength = 32;
/** All of a tenant's keys are in the one document that is read on every request, so they are bounded: monthly for forty years. */
export const digestKeysLimit = 500;

/** A new key; `secret` where it is not to be a random one. */
export async function newDigestKey(
  { entropy, secretBox }: Pick<ChangePorts, "entropy" | "secretBox">,
  tenantId: string,
  createdAt: string,
  secret: Uint8Array = entropy.bytes(keyLength),
): Promise<DigestKey> {
  const id = `dk_${hex(entropy.bytes(6))}`;
  return { id, sealed: await secretBox.seal(secret, digestKeyPurpose(tenantId, id)), createdAt };
}

/**
 * From the next request on receipts are digested with a new key. The old ones stay, so that old receipts can still be checked,
 * and are sealed anew: once every tenant's key was rotated, a sealing key that was replaced is needed no more.
 */
export async function rotateDigestKey(
  ports: ChangePorts,
  tenantId: string,
  by: ChangeBy,
): Promise<Outcome<Changed<readonly DigestKey[]>>> {
  const found = await findTenant(ports, tenantId);
  if (!found.ok) return found;
  // One that was never made is what older receipts are digested with all the same.
  const provided = await provideDigestKeys(ports, found.value.tenant);
  if (!provided.ok) return provided;
  const fresh = await newDigestKey(ports, tenantId, nowRfc3339(ports.clock));
  const sealed = new Map(
    await Promise.all(provided.value.map(async (key) => [key.id, await sealAnew(ports, tenantId, key)] as const)),
  );
  return change(ports, tenantId, by, ({ tenant }, now) => {
    if (tenant.verification.state === "closed") return no({ kind: "tenant_closed", tenantId });
    const known = tenant.digestKeys ?? [];
    if (known.length >= digestKeysLimit) return no({ kind: "too_many_digest_keys", limit: digestKeysLimit });
    const retired = known.map((key) => ({ ...key, sealed: sealed.get(key.id) ?? key.sealed, retiredAt: key.retiredAt ?? now }));
    const digestKeys = [{ ...fresh, createdAt: now }, ...retired];
    const detail = { digestKeyId: fresh.id, retired: known[0]?.id ?? null };
    return done({ value: digestKeys, entry: { tenant: { ...tenant, digestKeys } }, action: "digest_key.rotate", detail });
  });
}

async function sealAnew({ secretBox }: Pick<ChangePorts, "secretBox">, tenantId: string, key: DigestKey): Promise<string> {
  const purpose = digestKeyPurpose(tenantId, key.id);
  return secretBox.seal(await secretBox.open(key.sealed, purpose), purpose);
}

/** A tenant's keys, made where it has none. Of replicas that make them at once one succeeds, and all go on with what it wrote. */
export async function provideDigestKeys(ports: ChangePorts, tenant: Tenant): Promise<Outcome<readonly DigestKey[]>> {
  if (tenant.digestKeys !== undefined) return done(tenant.digestKeys);
  const first = await firstDigestKey(ports, tenant);
  const changed = await change<readonly DigestKey[]>(ports, tenant.id, { actor: "gateway" }, (entry) => {
    const known = entry.tenant.digestKeys;
    if (known !== undefined) return done({ value: known });
    const digestKeys = [first];
    const detail = { digestKeyId: first.id };
    return done({
      value: digestKeys,
      entry: { tenant: { ...entry.tenant, digestKeys } },
      action: "digest_key.make",
      detail,
    });
  });
  return changed.ok ? done(changed.value.value) : changed;
}

/** Where a tenant had a secret, its receipts were digested with a key made of that: it stays, so that they can be checked. */
function firstDigestKey(ports: ChangePorts, { id, endUserSecret, createdAt }: Tenant): Promise<DigestKey> {
  if (endUserSecret === undefined) return newDigestKey(ports, id, nowRfc3339(ports.clock));
  return newDigestKey(ports, id, createdAt, ports.sha256(`receipt digests\n${id}\n${endUserSecret}`));
}

/** A tenant's digest keys out of the directory, opened, and made where there are none. */
export class DirectoryDigestKeys implements DigestKeys {
  readonly #ports: ChangePorts;
  /** Directories answer with the very same tenant for as long as nothing changed. */
  readonly #opened = new WeakMap<Tenant, OpenDigestKey>();

  constructor(ports: ChangePorts) {
    this.#ports = ports;
  }

  current(tenant: Tenant): OpenDigestKey | Promise<OpenDigestKey> {
    return this.#opened.get(tenant) ?? this.#openCurrent(tenant);
  }

  async all(tenant: Tenant): Promise<readonly OpenDigestKey[]> {
    return Promise.all((await this.#keysOf(tenant)).map((key) => this.#open(tenant.id, key)));
  }

  async #openCurrent(tenant: Tenant): Promise<OpenDigestKey> {
    const [newest] = await this.#keysOf(tenant);
    const opened = await this.#open(tenant.id, newest);
    this.#opened.set(tenant, opened);
    return opened;
  }

  async #open(tenantId: string, { id, sealed, createdAt, retiredAt }: DigestKey): Promise<OpenDigestKey> {
    return { id, key: await this.#ports.secretBox.open(sealed, digestKeyPurpose(tenantId, id)), createdAt, retiredAt };
  }

  async #keysOf(tenant: Tenant): Promise<readonly [DigestKey, ...DigestKey[]]> {
    const provided = await provideDigestKeys(this.#ports, tenant);
    if (!provided.ok) throw new StoreUnavailable(`The digest key of ${tenant.id} could not be made: ${provided.refusal.kind}.`);
    const [newest, ...older] = provided.value;
    if (newest === undefined) throw new Error(`Tenant ${tenant.id} has a list of digest keys with none in it.`);
    return [newest, ...older];
  }
}
