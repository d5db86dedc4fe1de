import { test } from "node:test";
import { check } from "./check.js";

test("nothing is lost, doubled or disordered while lines are cut 20 times", { timeout: 120_000 }, (t) => check(t, { drops: 20, messages: 2_000 }));
