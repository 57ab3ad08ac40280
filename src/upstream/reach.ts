import type { Decision } from "../decision.ts";
import { among } from "../policy/authorise.ts";
import type { Permit } from "../policy/permit.ts";
import type { Refusal } from "../refusal.ts";
import type { Credentials } from "./address.ts";

/**
 * Orders may have left only what has no credential here: the refusal by which they left nothing, for it is they that did, and
 * not a moment's bad luck. `undefined` where they left something in reach. `standing` is asked what orders leave of a permit.
 */
export function withdrawnInReach(
  permit: Permit,
  standing: (permit: Permit) => Decision<Permit>,
  credentials: Credentials,
): Refusal | undefined {
  const inReach = among(permit, ({ region }) => credentials(region) !== undefined);
  const left = inReach && standing(inReach);
  return left?.ok === false ? left.refusal : undefined;
}
