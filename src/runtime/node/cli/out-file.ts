import { writeFileSync } from "node:fs";
import { errorCode } from "../error-code.ts";
import type { Option } from "./command.ts";
import { usageFailure } from "./failure.ts";

export const outOption: Option = { name: "out", value: "FILE", help: "write here instead of to standard output" };

/** `wx` refuses to write over what is there. */
export function writeOut(path: string, text: string, mode: number, flag: "w" | "wx"): void {
  try {
    writeFileSync(path, text, { mode, flag });
  } catch (error) {
    const code = errorCode(error);
    throw usageFailure(
      code === "EEXIST" ? `${path} is there already, and is not written over.` : `${path} cannot be written (${code}).`,
    );
  }
}
