import type { TransportFactory } from "./transport.js";

/** A line by WebSocket. */
export function websocket(): TransportFactory {
  return {
    name: "websocket",
    supported: (environment) => !!environment.WebSocket,
    open({ url, codec, environment }, events) {
      const socket = new environment.WebSocket!(url, [codec.subprotocol]);
      socket.binaryType = "arraybuffer";
      let open = true;
      socket.onopen = () => open && events.onopen();
      socket.onmessage = ({ data }) => open && events.onmessage(typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer));
      // An `error` tells nothing, and `close` follows it. In Node, the `ws` package ends the program when nobody listens.
      socket.onerror = () => {};
      socket.onclose = ({ code, reason, wasClean }) => open && ((open = false), events.onclose({ code, reason, wasClean }));
      return {
        name: "websocket",
        send: (frame) => {
          if (open && socket.readyState === 1) {
            socket.send(frame as string);
          }
        },
        close(code, reason) {
          open = false;
          // Before it is open a WebSocket may report its own end as an error; nobody listens any more.
          socket.close(code === 1001 ? 1000 : code, reason);
        },
        get bufferedAmount() {
          return socket.bufferedAmount;
        },
      };
    },
  };
}
