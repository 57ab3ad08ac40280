import { execFileSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Certificate {
  readonly key: string;
  readonly cert: string;
  /** SHA-256 of the public key, base64, as `key_pins` has it. */
  readonly pin: string;
}

/** An authority of a test's own, and certificates by it, made with openssl for the time of the test. */
export class CertificateAuthority {
  readonly #folder = mkdtempSync(join(tmpdir(), "strait-certificates-"));
  /** PEM of the authority's own certificate. */
  readonly certificate: string;

  constructor() {
    this.#openssl(
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=Test -keyout ca.key -out ca.pem",
    );
    this.certificate = readFileSync(this.certificateFile, "utf8");
  }

  get certificateFile(): string {
    return join(this.#folder, "ca.pem");
  }

  issue(hostname: string): Certificate {
    writeFileSync(join(this.#folder, "leaf.ext"), `subjectAltName=DNS:${hostname}\n`);
    this.#openssl(`req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=${hostname} -keyout leaf.key -out leaf.csr`);
    this.#openssl("x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile leaf.ext -out leaf.pem");
    const cert = readFileSync(join(this.#folder, "leaf.pem"), "utf8");
    const publicKey = new X509Certificate(cert).publicKey.export({ type: "spki", format: "der" });
    return {
      key: readFileSync(join(this.#folder, "leaf.key"), "utf8"),
      cert,
      pin: createHash("sha256").update(publicKey).digest("base64"),
    };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #openssl(words: string): void {
    execFileSync("openssl", words.split(" "), { cwd: this.#folder, stdio: "pipe" });
  }
}
