#!/usr/bin/env node
import { runStrait } from "./cli/run-strait.ts";

/** A reader that has seen enough (`strait tenant list | head`) is no failure. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

process.exitCode = await runStrait(process.argv.slice(2), {
  environment: process.env,
  print: (text) => void process.stdout.write(`${text}\n`),
  write: (bytes) => new Promise((resolve) => void process.stdout.write(bytes, () => resolve())),
  remark: (text) => void process.stderr.write(`${text}\n`),
});
