import { headerValue, type HeaderList } from "../edge.ts";
import type { Permit } from "../policy/permit.ts";
import type { Deployment, Surface } from "../region/catalogue.ts";

/** Where this request's tenant may be served another model, by one of its names; `undefined` where nowhere. */
export type PermitOfModel = (modelName: string) => Permit | undefined;

/** What an exchange says of the deployments that may answer it, and is told of the one that does. */
export interface ServingGate {
  /** What is left of the permit now: an order may have come since the attempt began. `undefined`: nothing. */
  standing(): Permit | undefined;
  readonly permitOf: PermitOfModel;
  /** Another deployment than the one that was asked answers: orders that cut it off are for this exchange from now on. */
  serving(deployment: Deployment): void;
}

/** What an answer's body has said so far of where it is made. */
export interface SaidOfPlace {
  readonly servedModel: string | undefined;
  readonly inferenceGeo: string | undefined;
}

/** Surfaces whose answers are of a model: counting tokens runs none, and attests no place. */
const runsNoModel: ReadonlySet<Surface> = new Set(["count_tokens"]);

/**
 * What an upstream says of where and by what it answers, held against what the catalogue declares, while the answer
 * comes. An upstream may serve by another deployment than the one that was asked (spillover, a router of models): that
 * one then counts, if it is declared and in the permit. Whatever else it says is a mismatch, and the first one stands.
 */
export class ServedPlace {
  readonly #gate: ServingGate;
  readonly #surface: Surface;
  #served: Deployment;
  #mismatch: string | undefined;
  #model: string | undefined;
  #geo: string | undefined;

  constructor(tried: Deployment, surface: Surface, gate: ServingGate) {
    this.#served = tried;
    this.#surface = surface;
    this.#gate = gate;
  }

  /** The deployment that really serves, as far as is known. */
  get served(): Deployment {
    return this.#served;
  }

  /** For the operator: it quotes the upstream. */
  get mismatch(): string | undefined {
    return this.#mismatch;
  }

  readHead(headers: HeaderList): string | undefined {
    this.#readRegion(headerValue(headers, "x-ms-region"));
    this.#readDeployment(headerValue(headers, "x-ms-deployment-name"), headerValue(headers, "x-ms-spillover-from-deployment"));
    this.#readModel(headerValue(headers, "x-ms-served-model"));
    return this.#mismatch;
  }

  /** Called for every piece, so it looks only at what is new. */
  readBody({ servedModel, inferenceGeo }: SaidOfPlace): string | undefined {
    if (servedModel !== undefined && servedModel !== this.#model) this.#readModel(servedModel);
    if (inferenceGeo !== undefined && inferenceGeo !== this.#geo) this.#readGeo(inferenceGeo);
    return this.#mismatch;
  }

  /** Once the answer is complete: what had to be said by now and was not is a mismatch as well. */
  readWhole(said: SaidOfPlace): string | undefined {
    this.readBody(said);
    const { inferenceGeo } = this.#served;
    if (inferenceGeo !== undefined && said.inferenceGeo === undefined && !runsNoModel.has(this.#surface))
      this.#found(`inference_geo is not said, declared is ${JSON.stringify(inferenceGeo)}`);
    return this.#mismatch;
  }

  #readRegion(said: string | undefined): void {
    if (said === undefined) return;
    const { id, displayName, reportedAs = [] } = this.#served.region;
    if ([id, displayName, ...reportedAs].some((name) => plain(name) === plain(said))) return;
    this.#found(`x-ms-region says ${JSON.stringify(said)}, declared is ${JSON.stringify(displayName)}`);
  }

  #readDeployment(name: string | undefined, spilledFrom: string | undefined): void {
    const tried = this.#served;
    const other = name === undefined || isSame(name, tried.upstreamName) ? undefined : name;
    if (other === undefined) {
      if (spilledFrom !== undefined)
        this.#found(`the answer spilled over from ${JSON.stringify(spilledFrom)} to a deployment that is not named`);
      return;
    }
    const found = this.#gate
      .standing()
      ?.deployments.find(({ region, upstreamName }) => region.id === tried.region.id && isSame(upstreamName, other));
    if (found === undefined)
      this.#found(
        `the deployment ${JSON.stringify(other)} of ${tried.region.id} answered, which is not declared or not permitted`,
      );
    else this.#servedBy(found);
  }

  #readModel(said: string | undefined): void {
    if (said === undefined) return;
    this.#model = said;
    const asked = this.#served;
    if (isModel(said, asked)) return;
    const names = [said.toLowerCase(), undated(said)];
    const found = names
      .flatMap((name) => this.#gate.permitOf(name)?.deployments ?? [])
      // The policy may have given a lesser model instead.
      .find((other) => other.region.id === asked.region.id && other.sku === asked.sku && isModel(said, other));
    if (found === undefined)
      this.#found(
        `the model ${JSON.stringify(said)} answered, declared is ${JSON.stringify(asked.model.id)}, and the other is not declared there or not permitted`,
      );
    else this.#servedBy(found);
  }

  #readGeo(said: string): void {
    this.#geo = said;
    const { inferenceGeo: declared } = this.#served;
    if (declared !== undefined && said !== declared)
      this.#found(`inference_geo says ${JSON.stringify(said)}, declared is ${JSON.stringify(declared)}`);
  }

  #servedBy(deployment: Deployment): void {
    this.#served = deployment;
    this.#gate.serving(deployment);
  }

  #found(mismatch: string): void {
    this.#mismatch ??= mismatch;
  }
}

/** Azure writes one region as `East US 2` and as `eastus2`. */
function plain(name: string): string {
  return name.replaceAll(/[^a-z0-9]/gi, "").toLowerCase();
}

/** Azure takes deployments' names in any case. */
function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** Names of a snapshot: `gpt-4o-2024-08-06`, `claude-haiku-4-5-20251001`, `text-embedding-ada-002-v2`. */
const dated = /[-@](\d{4}-\d{2}-\d{2}|\d{4,8}|v\d+|latest|preview)$/;

function undated(name: string): string {
  return name.toLowerCase().replace(dated, "");
}

function isModel(said: string, { model, upstreamName, servedAs = [] }: Deployment): boolean {
  const bare = undated(said);
  return [model.id, ...model.aliases, upstreamName, ...servedAs].some((name) => isSame(name, said) || isSame(name, bare));
}
