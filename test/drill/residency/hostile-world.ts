import { renameSync, writeFileSync } from "node:fs";

export interface HostileWorld {
  /** By name: what each look after another finds, over and over. */
  readonly names: Readonly<Record<string, readonly (readonly string[])[]>>;
  readonly clockOffsetMs: number;
}

/** In one step, for a gateway reads it at any moment. */
export function writeWorld(file: string, world: HostileWorld): void {
  writeFileSync(`${file}.new`, JSON.stringify(world));
  renameSync(`${file}.new`, file);
}
