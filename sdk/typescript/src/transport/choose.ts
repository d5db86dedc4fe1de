import type { Environment } from "../environment.js";
import type { TransportFactory } from "./transport.js";

/** The transport of the next attempt: the first that the environment has what it needs for. */
export function chooseTransport(factories: readonly TransportFactory[], environment: Environment): TransportFactory | undefined {
  return factories.find((factory) => factory.supported(environment));
}
