/** The one thing used of `nodejs_compat`: all of Node's types here would let any Node global compile. */
declare module "node:crypto" {
  interface Hash {
    update(text: string): Hash;
    digest(): Uint8Array;
  }
  export function createHash(algorithm: "sha256"): Hash;
}
