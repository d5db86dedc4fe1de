/**
 * The address of the WebSocket endpoint that `given` means. Throws SyntaxError for what cannot be one.
 * `base` is what a relative address is relative to.
 */
export function endpoint(given: string | URL, base?: string): string {
  const url = socketAddress(given, base, SyntaxError);
  if (url.pathname === "/") {
    url.pathname = "/ws";
  }
  return url.href;
}

/** An address that a WebSocket can be opened to. `refusal` makes the error that is thrown for any other. */
export function socketAddress(given: string | URL, base: string | undefined, refusal: (message: string) => Error): URL {
  let url: URL;
  try {
    url = new URL(given, base);
  } catch {
    throw refusal(`${given} is not a URL like wss://example.com/ws`);
  }
  if (!/^(ws|http)s?:$/.test(url.protocol)) {
    throw refusal(`${given}: the scheme has to be ws, wss, http or https`);
  }
  // `hash` is empty for a bare `#`, which is a fragment all the same.
  if (url.href.includes("#")) {
    throw refusal(`${given} has a fragment (#); leave it out`);
  }
  url.protocol = url.protocol.replace("http", "ws");
  return url;
}
