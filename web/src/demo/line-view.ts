import { byId, textElement } from "../dom.js";
import type { Verdict } from "./audit.js";
import { closeText, counted, nextTryText, queueText, sentenceOf, toneOf, type LineStatus } from "./status-text.js";

const SVG = "http://www.w3.org/2000/svg";
const PULSE_MS = 520;
/** So many frames are seen at once on the drawn line; the others are only counted. */
const PULSES_MAX = 8;
const [LEFT, RIGHT] = [42, 258];

export interface LineFacts {
  readonly status: LineStatus;
  readonly queueSize: number;
  readonly queueBytes: number;
  readonly framesIn: number;
  readonly framesOut: number;
  readonly isCut: boolean;
  /** When the line is mended by itself, if it will be. */
  readonly mendsAt: number | undefined;
  readonly cutFor: number;
}

/** Shows what the line goes through. */
export class LineView {
  readonly #page: Document;
  readonly #isCalm: MediaQueryList;
  #pulses = 0;
  #state = "";
  #verdict = "";

  constructor(page: Document, view: Window) {
    this.#page = page;
    this.#isCalm = view.matchMedia("(prefers-reduced-motion: reduce)");
  }

  draw(facts: LineFacts, verdict: Verdict, now: number): void {
    this.#drawState(facts.status);
    this.#drawCut(facts, now);
    const { status } = facts;
    const attempting = status.state === "online" || status.state === "probing" ? "–" : String(status.attempt + 1);
    this.#text("attempt", attempting);
    this.#text("next-try", nextTryText(status, now));
    byId(this.#page, "try-now", HTMLElement).hidden = status.state !== "waiting" || facts.isCut;
    this.#text("queue", queueText(facts.queueSize, facts.queueBytes));
    this.#text("last-close", closeText(status));
    this.#text("frames", `${facts.framesOut} out, ${facts.framesIn} in`);
    this.#drawVerdict(verdict, facts);
  }

  /** A frame runs along the drawn line. */
  pulse(direction: "in" | "out"): void {
    if (this.#isCalm.matches || this.#page.hidden || this.#pulses >= PULSES_MAX) {
      return;
    }
    const dot = this.#page.createElementNS(SVG, "circle");
    dot.setAttribute("class", "pulse");
    dot.setAttribute("r", "3.5");
    dot.setAttribute("cy", direction === "out" ? "25" : "31");
    dot.dataset["direction"] = direction;
    this.#page.getElementById("pulses")?.append(dot);
    this.#pulses += 1;
    const [from, to] = direction === "out" ? [LEFT, RIGHT] : [RIGHT, LEFT];
    const way = [{ transform: `translateX(${from}px)` }, { transform: `translateX(${to}px)` }];
    dot.animate(way, { duration: PULSE_MS, easing: "ease-in-out", fill: "both" }).addEventListener("finish", () => {
      this.#pulses -= 1;
      dot.remove();
    });
  }

  #drawState({ state }: LineStatus): void {
    if (state === this.#state) {
      return;
    }
    this.#state = state;
    const tone = toneOf(state);
    for (const id of ["state", "dock-state"]) {
      const badge = byId(this.#page, id, HTMLElement);
      badge.textContent = state;
      badge.dataset["state"] = state;
      badge.dataset["tone"] = tone;
    }
    byId(this.#page, "line", HTMLElement).dataset["open"] = String(state === "online" || state === "probing");
    for (const node of this.#page.querySelectorAll<SVGElement>(".machine-state")) {
      if (node.dataset["state"] === state) {
        node.dataset["current"] = tone;
      } else {
        delete node.dataset["current"];
      }
    }
    this.#text("machine-sentence", sentenceOf(state));
  }

  #drawCut({ isCut, mendsAt, cutFor }: LineFacts, now: number): void {
    byId(this.#page, "line", HTMLElement).dataset["cut"] = String(isCut);
    byId(this.#page, "dock", HTMLElement).dataset["cut"] = String(isCut);
    this.#text("cut-text", isCut ? "Mend the line" : "Cut the line");
    this.#text("dock-cut", isCut ? "Mend" : "Cut");
    const left = isCut && mendsAt !== undefined && cutFor > 0 ? Math.max(0, mendsAt - now) / cutFor : 0;
    byId(this.#page, "cut-rest", HTMLElement).style.transform = `scaleX(${left.toFixed(3)})`;
  }

  #drawVerdict(verdict: Verdict, facts: LineFacts): void {
    const { title, text, items, isSure } = wordsOf(verdict, facts);
    const box = byId(this.#page, "verdict", HTMLElement);
    box.dataset["phase"] = verdict.phase;
    box.dataset["sure"] = String(isSure);
    if (verdict.phase === "done") {
      box.dataset["recovered"] = String(verdict.recovered);
      box.dataset["lost"] = String(verdict.lost);
    }
    this.#text("verdict-title", title);
    this.#text("verdict-text", text);
    this.#text("dock-text", verdict.phase === "none" ? "" : title);
    const said = items.map((item) => item.join(" ")).join("\n");
    if (said !== this.#verdict) {
      this.#verdict = said;
      const rows = items.map(([name, result]) => {
        const row = this.#page.createElement("li");
        row.append(textElement(this.#page, "span", "mono", name), textElement(this.#page, "span", "", result));
        return row;
      });
      byId(this.#page, "verdict-list", HTMLElement).replaceChildren(...rows);
    }
  }

  /** Only what is new is written: a status that is read out is not to repeat itself. */
  #text(id: string, text: string): void {
    const element = byId(this.#page, id, HTMLElement);
    if (element.textContent !== text) {
      element.textContent = text;
    }
  }
}

interface Words {
  readonly title: string;
  readonly text: string;
  readonly items: readonly (readonly [string, string])[];
  readonly isSure: boolean;
}

/** The verdict in words. It is read out, so nothing in it counts down. */
export function wordsOf(verdict: Verdict, facts: Pick<LineFacts, "cutFor" | "queueSize">): Words {
  const waits = facts.queueSize === 0 ? "Nothing waits here yet." : `${counted(facts.queueSize, "message")} of yours wait here.`;
  switch (verdict.phase) {
    case "none":
      return {
        title: "Not cut yet",
        text: "Press it. The rest of the page goes on as far as it can.",
        items: [],
        isSure: true,
      };
    case "cut":
      return { title: cutTitle(facts.cutFor), text: `No network for this page. ${waits}`, items: [], isSure: true };
    case "returning":
      return { title: "On the way back", text: `Opening a line again. ${waits}`, items: [], isSure: true };
    case "checking":
      return { title: "Checking", text: "Back. Asking the server what was published meanwhile.", items: [], isSure: true };
    case "done": {
      const isSure = verdict.isCertain && verdict.lost === 0;
      return {
        title: `${verdict.recovered} recovered, ${verdict.lost} lost`,
        text: `Away for ${(verdict.away / 1_000).toFixed(1)} s. ${
          verdict.isCertain ? "Checked against the server’s history:" : "Not all of it could be checked:"
        }`,
        items: [...verdict.channels.map((one) => [one.channel, resultOf(one)] as const), ...sentItems(verdict.sent)],
        isSure,
      };
    }
  }
}

function sentItems({ count, delivered, failed }: { count: number; delivered: number; failed: number }): [string, string][] {
  if (count === 0) {
    return [];
  }
  const rest = failed > 0 ? `, ${failed} not sent` : "";
  return [["sent by you", `${delivered} of ${count} delivered${rest}`]];
}

function resultOf({ recovered, missing, gap }: { recovered: number; missing: number; gap: string | undefined }): string {
  if (gap !== undefined) {
    return `gap: ${gap}`;
  }
  return missing > 0 ? `${missing} missing` : `${recovered} back`;
}

function cutTitle(cutFor: number): string {
  return cutFor === 0 ? "Cut until you mend it" : `Cut for ${cutFor / 1_000} s`;
}
