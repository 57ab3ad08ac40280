import type { Country } from "./country.ts";
import type { Network } from "./network.ts";

/** What a region declares of the connection to its endpoint. All that is declared must hold; nothing declared admits nothing. */
export interface ConnectionRules {
  /** The endpoint is on this machine or in a private network, where no table knows an address. */
  readonly local: boolean;
  /** The address must lie in one of these, where there are any. */
  readonly networks: readonly Network[];
  /** The country that the table of addresses must give; `undefined` where it is not asked. */
  readonly addressCountry: Country | undefined;
  /** SHA-256 of the certificate's public key (SPKI), base64: the certificate must bear one of them, where there are any. */
  readonly keyPins: readonly string[];
}
