import { invalidRequest, notAuthenticated, type UpstreamError } from "./errors.ts";
import type { RegionProfile } from "./profile.ts";
import type { SimulatedCall } from "./call.ts";

/** What the provider would say of this request's key, and of the version header that Anthropic demands. */
export function credentialError({ wire, credential }: RegionProfile, call: SimulatedCall): UpstreamError | undefined {
  const keyHeader = { azure: "api-key", anthropic: "x-api-key", openai: undefined }[wire];
  const key = (keyHeader === undefined ? undefined : call.header(keyHeader)) ?? bearer(call.header("authorization"));
  if (key === undefined || key === "") return notAuthenticated(wire, false);
  if (credential !== undefined && key !== credential) return notAuthenticated(wire, true);
  if (wire === "anthropic" && call.header("anthropic-version") === undefined) {
    return invalidRequest("anthropic-version: header is required");
  }
  return undefined;
}

function bearer(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : /^Bearer +(\S+)$/i.exec(authorization)?.[1];
}
