import { byId, textElement } from "../dom.js";
import { formatSize } from "../format.js";
import { KeyedList } from "../keyed-list.js";
import type { Info, NodeInfo } from "./api.js";
import type { Health } from "./health.js";
import type { Timeline } from "./timeline.js";
import { counted, formatAge, formatCount, formatValue } from "./words.js";

/** One server, as a row. */
export interface NodeRow {
  readonly key: string;
  readonly name: string;
  readonly cells: readonly string[];
  readonly health: Health;
}

/** The servers that share a broker: the one that answers this page, and those that it hears. */
export class NodesView {
  readonly #list: KeyedList<NodeRow, HTMLTableRowElement>;

  constructor(page: Document) {
    this.#list = new KeyedList(
      byId(page, "nodes", HTMLElement),
      ({ key }) => key,
      (row) => {
        const line = page.createElement("tr");
        const name = textElement(page, "th", "", row.name) as HTMLTableCellElement;
        name.scope = "row";
        line.append(name, page.createElement("td"));
        line.lastElementChild?.append(textElement(page, "span", "badge", ""));
        line.append(...row.cells.map((_, index) => textElement(page, "td", isNumber(index, row) ? "number" : "", "")));
        return line;
      },
      (line, { cells, health }) => {
        const badge = line.querySelector<HTMLElement>(".badge");
        if (badge !== null) {
          badge.textContent = health.word;
          badge.dataset["tone"] = health.tone;
        }
        cells.forEach((cell, index) => {
          const shown = line.children[index + 2];
          if (shown !== undefined && shown.textContent !== cell) {
            shown.textContent = cell;
          }
        });
      },
    );
  }

  draw(timeline: Timeline, info: Info | undefined, health: Health): void {
    const others = (info?.nodes ?? []).slice(1).map(otherRow);
    this.#list.draw(info === undefined ? [] : [rowOf(timeline, info, health), ...others]);
  }
}

function rowOf(timeline: Timeline, info: Info, health: Health): NodeRow {
  const metrics = timeline.poll?.metrics;
  const number = (name: string, format: (value: number) => string): string => {
    const value = metrics?.sum(name);
    return value === undefined ? "n/a" : format(value);
  };
  const cpu = timeline.points.at(-1)?.values.get("cpu");
  const places = info.limits.connections;
  return {
    key: "this",
    name: info.node,
    health,
    cells: [
      info.version,
      formatAge(info.uptime),
      places === undefined ? formatCount(info.lines) : `${formatCount(info.lines)} of ${formatCount(places)}`,
      typeof cpu === "number" ? formatValue(cpu, "cores") : cpu === "missing" ? "n/a" : "–",
      number("process_resident_memory_bytes", formatSize),
      `${number("process_open_fds", formatCount)} of ${number("process_max_fds", formatCount)}`,
      `${counted(info.history.messages, "message")} in ${counted(info.history.channels, "channel")}`,
    ],
  };
}

/** Of another node only that is known which it says of itself; its own page shows the rest. */
function otherRow(node: NodeInfo): NodeRow {
  return {
    key: node.id,
    name: node.name,
    health: { word: "heard", tone: "good", sentence: undefined },
    cells: [node.version, formatAge(node.uptime), formatCount(node.clients), "–", "–", "–", counted(node.channels, "channel")],
  };
}

/** All but the version and what is kept. */
function isNumber(index: number, { cells }: NodeRow): boolean {
  return index > 0 && index < cells.length - 1;
}
