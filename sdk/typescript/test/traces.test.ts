import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Effect, Input, MachineOptions } from "../src/machine/input.js";
import { createMachine } from "../src/machine/machine.js";
import { type Event, type State, TRANSITIONS } from "../src/machine/states.js";

type Table = typeof TRANSITIONS;
interface Step {
  at: number;
  input: Input;
  effects: Effect[];
  deadline?: number | null;
}
interface Trace {
  name: string;
  head: { about: string; options?: Partial<MachineOptions>; random: number[] };
  steps: Step[];
}

const folder = join(process.env["OPENLINE_ROOT"]!, "spec/traces");
const traces: Trace[] = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => {
    const [head, ...steps] = JSON.parse(readFileSync(join(folder, name), "utf8"));
    return { name: name.slice(0, -5), head, steps };
  });
const states = Object.keys(TRANSITIONS) as State[];

for (const trace of traces) {
  test(`${trace.name}: ${trace.head.about}`, () => run(trace));
}

test("every row of the table is used by a trace, and so is every kind of input", () => {
  const used = new Set<string>();
  const kinds = new Set<string>();
  for (const trace of traces) {
    run(trace, watched(used));
    trace.steps.forEach(({ input }) => kinds.add(typeof input === "string" ? input : Object.keys(input)[0]!));
  }
  const rows = states.flatMap((state) => Object.keys(TRANSITIONS[state]).map((event) => `${state} ${event}`));
  assert.deepEqual(rows.filter((row) => !used.has(row)), []);
  assert.equal(kinds.size, 18, "seven words and eleven inputs with a generation");
});

/** On an open line these follow only from the close that has ended it, so there is nothing left to abandon. */
const WITHOUT_EFFECT = [
  "online lost, without abandon",
  "online expired, without abandon",
  "probing expired, without abandon",
];

test("no row of the table can be changed without a trace that notices", () => {
  const unnoticed: string[] = [];
  for (const state of states) {
    for (const event of Object.keys(TRANSITIONS[state]) as Event[]) {
      const [to, acts] = TRANSITIONS[state][event]!;
      const others = states.filter((other) => other !== to);
      const changes: [string, Table[State][Event]][] = [
        ["not there", undefined],
        ...others.map((other): [string, Table[State][Event]] => [`to ${other}`, [other, acts]]),
        ...acts.map((act, i): [string, Table[State][Event]] => [`without ${act}`, [to, acts.filter((_, j) => j !== i)]]),
      ];
      for (const [change, row] of changes) {
        const table = { ...TRANSITIONS, [state]: { ...TRANSITIONS[state], [event]: row } } as Table;
        if (traces.every((trace) => passes(trace, table))) {
          unnoticed.push(`${state} ${event}, ${change}`);
        }
      }
    }
  }
  assert.deepEqual(unnoticed, WITHOUT_EFFECT);
});

function passes(trace: Trace, table: Table): boolean {
  try {
    run(trace, table);
    return true;
  } catch {
    return false;
  }
}

function run({ head, steps }: Trace, table?: Table): void {
  const random = [...head.random];
  const machine = createMachine(
    head.options ?? {},
    () => {
      assert.ok(random.length > 0, "it asks for more chance than the trace has");
      return random.shift()!;
    },
    table,
  );
  steps.forEach(({ at, input, effects, deadline }, i) => {
    const step = `step ${i + 1} (${JSON.stringify(input)} at ${at})`;
    assert.deepEqual(JSON.parse(JSON.stringify(machine.handleInput(at, input))), effects, step);
    if (deadline !== undefined) {
      assert.equal(machine.deadline, deadline, `${step}: deadline`);
    }
  });
  assert.deepEqual(random, [], "it asks for less chance than the trace has");
}

/** A table that notes which of its rows are looked up. */
function watched(used: Set<string>): Table {
  return Object.fromEntries(
    states.map((state) => [
      state,
      new Proxy(TRANSITIONS[state], {
        get(rows, event: Event) {
          if (rows[event]) {
            used.add(`${state} ${event}`);
          }
          return rows[event];
        },
      }),
    ]),
  ) as Table;
}
