/**
 * The address of the WebSocket endpoint that `given` means. Throws SyntaxError for what cannot be one.
 * `base` is what a relative address is relative to.
 */
export function endpoint(given: string | URL, base?: string): string {
  let url: URL;
  try {
    url = new URL(given, base);
  } catch {
    throw new SyntaxError(`${given} is not a URL like wss://example.com/ws`);
  }
  if (!/^(ws|http)s?:$/.test(url.protocol)) {
    throw new SyntaxError(`${given}: the scheme has to be ws, wss, http or https`);
  }
  // `hash` is empty for a bare `#`, which is a fragment all the same.
  if (url.href.includes("#")) {
    throw new SyntaxError(`${given} has a fragment (#), which never reaches a server`);
  }
  url.protocol = url.protocol.replace("http", "ws");
  if (url.pathname === "/") {
    url.pathname = "/ws";
  }
  return url.href;
}
