import type { Bindings } from "./environment.ts";
import type { DirectoryObject } from "./directory-object.ts";
import { reachAgain } from "./reach.ts";
import type { ShardObject } from "./shard-object.ts";
import type { TenantObject } from "./tenant-object.ts";

/** An object's methods as they are called from outside. */
type Remote<Class> = {
  readonly [Name in keyof Class as Class[Name] extends (...parameters: never[]) => Promise<unknown> ? Name : never]: Class[Name];
};

export type RemoteTenant = Remote<Omit<TenantObject, "alarm">>;
export type RemoteShard = Remote<Omit<ShardObject, "alarm">>;
export type RemoteDirectory = Remote<Omit<DirectoryObject, "alarm">>;

/**
 * Stubs belong to the request that made them, so each call makes its own: that costs nothing, and one kept across
 * requests fails. The types of RPC turn every `unknown` inside a document into `never`; documents pass as they are.
 */
export function tenantOf(bindings: Pick<Bindings, "TENANTS">, tenantId: string): RemoteTenant {
  const stub: unknown = bindings.TENANTS.get(bindings.TENANTS.idFromName(tenantId));
  return stub as RemoteTenant;
}

/** Each takes about a thousand requests a second. With another number, requests in flight would be looked for in the wrong one. */
export const shardsPerTenant = 4;

/** The shard that a request belongs to. */
export function shardWith(bindings: Pick<Bindings, "SHARDS">, tenantId: string, requestId: string): RemoteShard {
  let hash = 0;
  for (let index = 0; index < requestId.length; index++) hash = (Math.imul(hash, 31) + requestId.charCodeAt(index)) >>> 0;
  return shardOf(bindings, tenantId, hash % shardsPerTenant);
}

function shardOf(bindings: Pick<Bindings, "SHARDS">, tenantId: string, index: number): RemoteShard {
  // No tenant's id has a `#`.
  const stub: unknown = bindings.SHARDS.get(bindings.SHARDS.idFromName(`${tenantId}#${index}`));
  return stub as RemoteShard;
}

/** Asks all shards of a tenant at once; one that never held anything is not made by it. */
export function askShards<Result>(
  bindings: Pick<Bindings, "SHARDS">,
  tenantId: string,
  call: (shard: RemoteShard) => Promise<Result>,
): Promise<Result[]> {
  const asked = Array.from({ length: shardsPerTenant }, (_, index) => reachAgain(() => call(shardOf(bindings, tenantId, index))));
  return Promise.all(asked);
}

/** There is one, under this name. */
export const directoryObjectName = "directory";

export function directoryOf(bindings: Pick<Bindings, "DIRECTORY">): RemoteDirectory {
  const stub: unknown = bindings.DIRECTORY.get(bindings.DIRECTORY.idFromName(directoryObjectName));
  return stub as RemoteDirectory;
}
