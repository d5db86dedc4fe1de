// Generated from spec/client-states.toml by `cargo run -p tidy --bin states`; do not edit.

/**
 * What the line goes through.
 *
 * - `idle`: made, and never started.
 * - `connecting`: a token is asked for, then a line is opened and its welcome awaited.
 * - `authenticating`: the line is open; the server looks at the token.
 * - `online`: the line is open and was heard from lately.
 * - `probing`: the line is open, but a sign of life is awaited before it is trusted.
 * - `moving`: the line is open and soon to end; another is opened beside it, and its welcome awaited. To the application this is `online`.
 * - `proving`: as `moving`, and the server of the line beside looks at the token.
 * - `waiting`: there is no line; the next attempt has its time.
 * - `stopped`: there is no line, and none will be opened before the application starts again.
 */
export type State =
  | "idle"
  | "connecting"
  | "authenticating"
  | "online"
  | "probing"
  | "moving"
  | "proving"
  | "waiting"
  | "stopped";

/**
 * What happened, classified.
 *
 * - `start`: the application wants a line.
 * - `stop`: the application wants none.
 * - `token`: the token is there, or none is needed.
 * - `welcomed`: the server's welcome came, and no token is to be shown.
 * - `challenged`: the server's welcome came, and a token is to be shown.
 * - `authenticated`: the server accepted the token.
 * - `heard`: anything came from the server.
 * - `quiet`: nothing came for the heartbeat interval.
 * - `woken`: the page is shown again, the network is back or has gone, or the machine has slept: the line may be dead without a word.
 * - `aging`: the token runs out soon.
 * - `draining`: the server says that the line is soon to end.
 * - `missed`: the line beside the one in use could not be had.
 * - `left`: the line ended before the one beside it could be used.
 * - `lost`: the line or the attempt failed and is to be tried again.
 * - `expired`: the token ran out, and a fresh one was not tried yet.
 * - `refused`: the server does not want this client back, or the attempts are used up, or there will be no token.
 * - `due`: the time of the next attempt has come, or a good reason not to wait for it.
 * - `frozen`: the page is put away, to be brought back or not.
 * - `thawed`: the page was brought back.
 */
export type Event =
  | "start"
  | "stop"
  | "token"
  | "welcomed"
  | "challenged"
  | "authenticated"
  | "heard"
  | "quiet"
  | "woken"
  | "aging"
  | "draining"
  | "missed"
  | "left"
  | "lost"
  | "expired"
  | "refused"
  | "due"
  | "frozen"
  | "thawed";

/**
 * What is done on the way.
 *
 * - `open_generation`: a new generation begins: what earlier lines still say is ignored.
 * - `open_beside`: a new generation begins beside that of the line, which stays in use.
 * - `ask_token`: the application is asked for a token, and is told why.
 * - `open`: a transport is opened.
 * - `send_auth`: the token is shown.
 * - `ready`: requests and subscriptions of the application go out.
 * - `unready`: what was under way on the line is set aside.
 * - `ping`: a sign of life is asked for.
 * - `abandon`: each line that is open is closed from here and not listened to any more.
 * - `move`: the line beside becomes the line: requests and subscriptions go on there, and the one before is closed when it has answered.
 * - `adopt`: the line beside becomes the line that is being opened.
 * - `drop`: the line beside is closed from here and not listened to any more.
 * - `back_off`: the time of the next attempt is drawn.
 * - `hold`: there is no next attempt until the page is brought back.
 */
export type Act =
  | "open_generation"
  | "open_beside"
  | "ask_token"
  | "open"
  | "send_auth"
  | "ready"
  | "unready"
  | "ping"
  | "abandon"
  | "move"
  | "adopt"
  | "drop"
  | "back_off"
  | "hold";

/** Where an event leads from a state, and what is done on the way, in this order. A pair that is not
 * here changes nothing. */
export const TRANSITIONS: {
  readonly [S in State]: { readonly [E in Event]?: readonly [State, readonly Act[]] };
} = {
  idle: {
    start: ["connecting", ["open_generation", "ask_token"]],
    stop: ["stopped", []],
  },
  connecting: {
    stop: ["stopped", ["abandon"]],
    token: ["connecting", ["open"]],
    welcomed: ["online", ["ready"]],
    challenged: ["authenticating", ["send_auth"]],
    lost: ["waiting", ["abandon", "back_off"]],
    expired: ["connecting", ["abandon", "open_generation", "ask_token"]],
    refused: ["stopped", ["abandon"]],
    frozen: ["waiting", ["abandon", "hold"]],
  },
  authenticating: {
    stop: ["stopped", ["abandon"]],
    authenticated: ["online", ["ready"]],
    lost: ["waiting", ["abandon", "back_off"]],
    expired: ["connecting", ["abandon", "open_generation", "ask_token"]],
    refused: ["stopped", ["abandon"]],
    frozen: ["waiting", ["abandon", "hold"]],
  },
  online: {
    stop: ["stopped", ["unready", "abandon"]],
    token: ["online", ["send_auth"]],
    quiet: ["probing", ["ping"]],
    woken: ["probing", ["ping"]],
    aging: ["online", ["ask_token"]],
    draining: ["moving", ["open_beside", "ask_token"]],
    lost: ["waiting", ["unready", "abandon", "back_off"]],
    expired: ["connecting", ["unready", "abandon", "open_generation", "ask_token"]],
    refused: ["stopped", ["unready", "abandon"]],
    frozen: ["waiting", ["unready", "abandon", "hold"]],
  },
  probing: {
    stop: ["stopped", ["unready", "abandon"]],
    token: ["probing", ["send_auth"]],
    heard: ["online", []],
    woken: ["probing", ["ping"]],
    aging: ["probing", ["ask_token"]],
    lost: ["waiting", ["unready", "abandon", "back_off"]],
    expired: ["connecting", ["unready", "abandon", "open_generation", "ask_token"]],
    refused: ["stopped", ["unready", "abandon"]],
    frozen: ["waiting", ["unready", "abandon", "hold"]],
  },
  moving: {
    stop: ["stopped", ["unready", "abandon"]],
    token: ["moving", ["open"]],
    welcomed: ["online", ["move"]],
    challenged: ["proving", ["send_auth"]],
    missed: ["online", ["drop"]],
    left: ["connecting", ["unready", "adopt"]],
    refused: ["stopped", ["unready", "abandon"]],
    frozen: ["waiting", ["unready", "abandon", "hold"]],
  },
  proving: {
    stop: ["stopped", ["unready", "abandon"]],
    authenticated: ["online", ["move"]],
    missed: ["online", ["drop"]],
    left: ["authenticating", ["unready", "adopt"]],
    refused: ["stopped", ["unready", "abandon"]],
    frozen: ["waiting", ["unready", "abandon", "hold"]],
  },
  waiting: {
    stop: ["stopped", []],
    refused: ["stopped", []],
    due: ["connecting", ["open_generation", "ask_token"]],
    frozen: ["waiting", ["hold"]],
    thawed: ["connecting", ["open_generation", "ask_token"]],
  },
  stopped: {
    start: ["connecting", ["open_generation", "ask_token"]],
  },
};
