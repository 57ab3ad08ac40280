import type { RevocationPath } from "../../revocation/path.ts";
import type { Bindings } from "./environment.ts";
import { directoryOf } from "./object-stubs.ts";

/** Orders in the directory object. A call is made within the request that asks for it, and news are waited for by `awaitNews`. */
export interface ObjectRevocations extends RevocationPath {
  awaitNews(known: string | undefined, waitMs: number): Promise<string>;
}

/** `hear` is told with every reading which bundles were loaded; what is read counts once it has resolved. */
export function openObjectRevocations(
  bindings: Pick<Bindings, "DIRECTORY">,
  hear: (bundleNames: readonly string[]) => Promise<void>,
): ObjectRevocations {
  return {
    name: "objects",
    shared: true,
    async read() {
      const { orders, bundleNames } = await directoryOf(bindings).readNews();
      await hear(bundleNames);
      return orders;
    },
    write: (order) => directoryOf(bindings).writeRevocation(order),
    acknowledge: (acknowledgements) => directoryOf(bindings).acknowledge(acknowledgements),
    acknowledgements: (orderId) => directoryOf(bindings).acknowledgements(orderId),
    beat: (replica) => directoryOf(bindings).beat(replica),
    replicas: () => directoryOf(bindings).replicas(),
    // Nothing runs in an isolate between requests.
    watch: () => () => undefined,
    awaitNews: (known, waitMs) => directoryOf(bindings).awaitNews(known, waitMs),
  };
}
