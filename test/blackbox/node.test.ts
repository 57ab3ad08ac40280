import { startNode } from "./harness/start-node.ts";
import { blackBoxSuite } from "./suite.ts";

blackBoxSuite("Node", startNode, { noticesEarlyHangUp: "at once", addressCheck: "local" });
