import { startWorkerd } from "./harness/start-workerd.ts";
import { blackBoxSuite } from "./suite.ts";

blackBoxSuite("workerd", startWorkerd, { noticesEarlyHangUp: "once the head is written" });
