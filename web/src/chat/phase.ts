/** Where a chat's line stands; `waiting` is closed with a reconnect ahead. */
export type Phase = "closed" | "connecting" | "open" | "waiting";

/** `lost` is a close worth a retry, `ended` one that is not. */
export type PhaseEvent = "join" | "opened" | "lost" | "ended" | "due";

/** Every transition there is; an event that a phase does not list leaves it as it is. */
const TRANSITIONS: Readonly<Record<Phase, Partial<Record<PhaseEvent, Phase>>>> = {
  closed: { join: "connecting" },
  connecting: { join: "connecting", opened: "open", lost: "waiting", ended: "closed" },
  open: { join: "connecting", lost: "waiting", ended: "closed" },
  waiting: { join: "connecting", due: "connecting", ended: "closed" },
};

export function nextPhase(phase: Phase, event: PhaseEvent): Phase {
  return TRANSITIONS[phase][event] ?? phase;
}
