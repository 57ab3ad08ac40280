import type { Bindings } from "./environment.ts";
import { directoryObjectName, type DirectoryObject } from "./directory-object.ts";
import type { TenantObject } from "./tenant-object.ts";

/** An object's methods as they are called from outside. */
type Remote<Class> = {
  readonly [Name in keyof Class as Class[Name] extends (...parameters: never[]) => Promise<unknown> ? Name : never]: Class[Name];
};

export type RemoteTenant = Remote<Omit<TenantObject, "alarm">>;
export type RemoteDirectory = Remote<DirectoryObject>;

/**
 * Stubs belong to the request that made them, so each call makes its own: that costs nothing, and one kept across
 * requests fails. The types of RPC turn every `unknown` inside a document into `never`; documents pass as they are.
 */
export function tenantOf(bindings: Pick<Bindings, "TENANTS">, tenantId: string): RemoteTenant {
  const stub: unknown = bindings.TENANTS.get(bindings.TENANTS.idFromName(tenantId));
  return stub as RemoteTenant;
}

export function directoryOf(bindings: Pick<Bindings, "DIRECTORY">): RemoteDirectory {
  const stub: unknown = bindings.DIRECTORY.get(bindings.DIRECTORY.idFromName(directoryObjectName));
  return stub as RemoteDirectory;
}
