import type { Context, TypedResponse } from "hono";
import type { DirectoryEntry } from "../tenant/tenant.ts";
import type { ControlRefusal } from "./outcome.ts";
import { problemOf } from "./problem.ts";
import type { HttpRefusal, ProblemDocument, ProblemStatus } from "./problem.ts";

/** Says no as `application/problem+json`. */
export function answerProblem(
  context: Context,
  refusal: ControlRefusal | HttpRefusal,
): Response & TypedResponse<ProblemDocument, ProblemStatus, "json"> {
  const problem = problemOf(refusal);
  return context.json(problem, problem.status, { "content-type": "application/problem+json" });
}

/** The revision is the entity tag of everything about the tenant: all of it is one document in the directory. */
export function entityTag(entry: DirectoryEntry): { etag: string } {
  return { etag: `"${entry.revision}"` };
}

/** `undefined` where the caller takes whichever revision is current. The header's form was checked with the request. */
export function revisionAsked(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined || ifMatch === "*") return undefined;
  return Number(ifMatch.replaceAll('"', ""));
}
