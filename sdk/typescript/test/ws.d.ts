/** The package has no types of its own; here it only stands for the class that browsers have. */
declare module "ws" {
  const WebSocket: typeof globalThis.WebSocket;
  export default WebSocket;
}
