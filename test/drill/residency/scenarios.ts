/** What a hostile world does to one region; each region stands in a country of its own, so that one tenant reaches it alone. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly country: string;
  /** Addresses that its name resolves to, look after look. */
  readonly names: readonly (readonly string[])[];
  /** Lines of the region's file, beside what all have. */
  readonly head: readonly string[];
  /** What becomes of its requests: all are answered, none is, or some are. */
  readonly outcome: "answered" | "refused" | "either";
  /** Whether its upstream contradicts its place: it then gets the one prompt with which that is found out. */
  readonly contradicts?: boolean;
  /** Whether it must be found among the mismatches that operators are shown. */
  readonly alarms?: boolean;
}

/** Declared, and where the upstream of the regions is. */
export const inside = "127.0.1.1";
/** Inside the declared network, with certificates that are not the upstream's. */
export const impostor = "127.0.1.2";
export const keySwapper = "127.0.1.3";
/** Outside of everything that is declared, with a certificate as good as the upstream's. */
export const trap = "127.0.2.1";

const declared = ["local = true", 'networks = ["127.0.1.0/24"]'];

export function scenariosOf(pin: string): readonly Scenario[] {
  return [
    { name: "steady", title: "nothing (control)", country: "JP", names: [[inside]], head: declared, outcome: "answered" },
    {
      name: "rebinding",
      title: "DNS rebinding",
      country: "SE",
      names: [[inside], [trap], [trap, inside], [trap, "::ffff:127.0.2.1"], ["169.254.169.254"]],
      head: declared,
      outcome: "either",
      alarms: true,
    },
    { name: "redirect", title: "redirects", country: "KR", names: [[inside]], head: declared, outcome: "refused" },
    {
      name: "country",
      title: "wrong country data, private address",
      country: "AU",
      names: [[trap], ["10.0.0.1"]],
      head: ["address_in_country = true"],
      outcome: "refused",
      alarms: true,
    },
    {
      name: "certificate",
      title: "swapped certificate",
      country: "FR",
      names: [[impostor]],
      head: declared,
      outcome: "refused",
      alarms: true,
    },
    {
      name: "key",
      title: "swapped key, valid certificate",
      country: "DE",
      names: [[keySwapper]],
      head: [...declared, `key_pins = ["${pin}"]`],
      outcome: "refused",
      alarms: true,
    },
    {
      name: "region",
      title: "reports another region",
      country: "CH",
      names: [[inside]],
      head: declared,
      outcome: "refused",
      contradicts: true,
      alarms: true,
    },
    {
      name: "spillover",
      title: "spills over",
      country: "NO",
      names: [[inside]],
      head: declared,
      outcome: "refused",
      contradicts: true,
      alarms: true,
    },
    {
      name: "model",
      title: "another model answers",
      country: "CA",
      names: [[inside]],
      head: declared,
      outcome: "refused",
      contradicts: true,
      alarms: true,
    },
  ];
}
