import { test } from "node:test";
import { check } from "./check.js";

test("nothing is lost, doubled or disordered over 1,000 cuts and 100,000 messages each way", (t) => check(t, { drops: 1_000, messages: 100_000 }));
