import type { Problem } from "./outcome.ts";
import type { ProblemItem } from "./problem.ts";

/** As zod reports an issue; only what is read here. */
export interface SchemaIssue {
  readonly code?: string | undefined;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[] | undefined;
}

/** What a schema found wrong, one item a place: where it stands in the body, or which parameter it is. */
export function requestProblems(issues: readonly SchemaIssue[], target: string): ProblemItem[] {
  return issues.flatMap((issue) => {
    if (issue.code === "unrecognized_keys" && issue.keys !== undefined) {
      return issue.keys.map((key) => located([...issue.path, key], "This field is not known here; is it misspelt?", target));
    }
    return [located(issue.path, issue.message, target)];
  });
}

function located(path: readonly PropertyKey[], detail: string, target: string): ProblemItem {
  if (target === "json") return { pointer: pointer(path), detail };
  return { parameter: path.map(String).join("."), detail };
}

/** RFC 6901. */
function pointer(path: readonly PropertyKey[]): Problem["pointer"] {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}
