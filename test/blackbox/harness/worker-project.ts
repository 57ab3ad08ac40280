import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child, repository } from "./child.ts";

/**
 * A copy of all that `wrangler dev` serves, in a folder of its own: wrangler watches what it serves, and an edit while a test
 * runs would restart the gateway under it.
 */
export class WorkerProject {
  readonly directory: string;
  /** Where Durable Objects keep their storage. */
  readonly dataDir: string;

  readonly #ownDirectories: readonly string[];

  /** `storage`: the folder under which objects keep theirs; `dataDir`: that itself, which then outlasts the project. */
  constructor({ storage = tmpdir(), dataDir }: { readonly storage?: string; readonly dataDir?: string | undefined } = {}) {
    this.directory = mkdtempSync(join(tmpdir(), "strait-workerd-"));
    for (const name of ["src", "regions", "wrangler.toml", "package.json"])
      cpSync(join(repository, name), join(this.directory, name), { recursive: true });
    symlinkSync(join(repository, "node_modules"), join(this.directory, "node_modules"));
    this.dataDir = dataDir ?? mkdtempSync(join(storage, "strait-workerd-data-"));
    this.#ownDirectories = dataDir === undefined ? [this.directory, this.dataDir] : [this.directory];
  }

  /** Serves it on a free port of loopback; `options` are wrangler's. Resolves once it listens, with where. */
  async serve(options: readonly string[]): Promise<{ readonly child: Child; readonly url: string }> {
    const child = new Child(
      process.execPath,
      [
        join(repository, "node_modules/wrangler/bin/wrangler.js"),
        "dev",
        "--port=0",
        "--inspector-port=0",
        `--persist-to=${this.dataDir}`,
        "--show-interactive-dev-session=false",
        ...options,
      ],
      {
        cwd: this.directory,
        // A registry of its own: service bindings would otherwise reach another `wrangler dev` on this machine.
        environment: {
          CI: "true",
          WRANGLER_SEND_METRICS: "false",
          CLOUDFLARE_CF_FETCH_ENABLED: "false",
          WRANGLER_REGISTRY_PATH: join(this.directory, "registry"),
          MINIFLARE_REGISTRY_PATH: join(this.directory, "registry"),
          WRANGLER_LOG_PATH: join(this.directory, "logs"),
        },
      },
    );
    try {
      const [, url = ""] = await child.waitFor(/Ready on (http:\/\/\S+)/, 60_000);
      return { child, url };
    } catch (error) {
      await child.stop();
      throw error;
    }
  }

  remove(): void {
    for (const directory of this.#ownDirectories) rmSync(directory, { recursive: true, force: true });
  }
}
