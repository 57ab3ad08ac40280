import type { MiddlewareHandler } from "hono";
import type { Sha256 } from "../clock.ts";
import { digestMatches } from "../tenant/key.ts";
import { answerProblem } from "./answer.ts";

const digestPattern = /^[0-9a-f]{64}$/;

/**
 * Lets through only who shows the operator key. It stands before routing, so that a route which is added later, and one
 * that does not exist, are guarded as well: without the key nobody learns which tenants or routes there are.
 */
export function operatorGuard(operatorKeyDigest: string, sha256: Sha256): MiddlewareHandler {
  // An empty digest would be a gateway whose operator forgot the key; it must not start, rather than be open or shut.
  if (!digestPattern.test(operatorKeyDigest)) throw new TypeError("operatorKeyDigest must be a SHA-256 digest in lower-case hex");
  return async (context, next) => {
    const authorization = context.req.header("authorization");
    const presented = authorization === undefined ? undefined : /^bearer +(\S+)$/i.exec(authorization)?.[1];
    if (presented === undefined) {
      context.header("www-authenticate", 'Bearer realm="strait control"');
      return answerProblem(context, { kind: "missing_operator_key" });
    }
    if (!digestMatches(sha256(presented), operatorKeyDigest)) {
      context.header("www-authenticate", 'Bearer realm="strait control", error="invalid_token"');
      return answerProblem(context, { kind: "wrong_operator_key" });
    }
    return next();
  };
}
