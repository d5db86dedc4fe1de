import { ClientError } from "./client/errors.js";

/** The part of Standard Schema (standardschema.dev) that is used here: zod, valibot, arktype and others have it. */
export interface Schema<Input = any, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a schema says of a value. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] };

/** What payloads look like. */
export interface ContractTerms {
  /** By type: what the server pushes. */
  readonly events?: Readonly<Record<string, Schema>>;
  /** By type: what is sent, and what is answered. */
  readonly requests?: Readonly<Record<string, { readonly in: Schema; readonly out: Schema }>>;
  /** By channel, or the beginning of its name and `*`: the payload of each event. */
  readonly channels?: Readonly<Record<string, Readonly<Record<string, Schema>>>>;
}

/** Terms that a client holds what comes to. */
export interface Contract extends ContractTerms {
  /** Gives the payload as its schema makes it; as it came where there is no schema. Throws ClientError `invalid`. */
  readonly conform: (what: "events" | "requests" | "channels", name: string, data: unknown, event?: string) => unknown;
}

/** Makes terms a contract. Its schemas have to be synchronous. */
export function defineContract<const T extends ContractTerms>(terms: T): T & Contract {
  return {
    ...terms,
    conform(what, name, data, event = "message") {
      const schema =
        what === "events" ? terms.events?.[name] : what === "requests" ? terms.requests?.[name]?.out : ofChannel(terms, name)?.[event];
      const result = schema?.["~standard"].validate(data);
      if (!result) {
        return data;
      }
      if (result instanceof Promise) {
        throw new ClientError("invalid", `the schema of ${name} is asynchronous; it has to be synchronous`);
      }
      if (result.issues) {
        throw new ClientError("invalid", `${name}: ${result.issues.map(({ message }) => message).join("; ")}`);
      }
      return result.value;
    },
  };
}

function ofChannel({ channels = {} }: ContractTerms, name: string): Readonly<Record<string, Schema>> | undefined {
  const pattern = Object.keys(channels).find((pattern) => pattern === name || (pattern.endsWith("*") && name.startsWith(pattern.slice(0, -1))));
  return pattern === undefined ? undefined : channels[pattern];
}

type Input<S> = S extends Schema<infer I, any> ? I : never;
type Output<S> = S extends Schema<any, infer O> ? O : never;
/** The names of a table; any text where there is no table. */
type Names<T> = T extends object ? (string extends keyof T ? string : keyof T & string) : string;
type At<T, K extends string> = T extends object ? (string extends keyof T ? any : K extends keyof T ? T[K] : never) : any;
type Field<T, K extends string> = K extends keyof T ? T[K] : undefined;

/** What the server may push. */
export type EventName<C> = Names<Field<C, "events">>;
export type EventData<C, K extends string> = At<Field<C, "events">, K> extends infer S ? (0 extends 1 & S ? any : Output<S>) : never;
/** What may be asked. */
export type RequestName<C> = Names<Field<C, "requests">>;
export type RequestInput<C, K extends string> = At<Field<C, "requests">, K> extends infer R ? (0 extends 1 & R ? any : R extends { in: infer S } ? Input<S> : never) : never;
export type RequestOutput<C, K extends string> = At<Field<C, "requests">, K> extends infer R ? (0 extends 1 & R ? any : R extends { out: infer S } ? Output<S> : never) : never;

type Covers<P extends string, N extends string> = P extends `${infer Head}*` ? (N extends `${Head}${string}` ? true : false) : N extends P ? true : false;
/** The payloads of a channel, by event. */
export type Payloads<C, N extends string> =
  Field<C, "channels"> extends infer T
    ? T extends object
      ? string extends keyof T
        ? any
        : { [P in keyof T & string]: Covers<P, N> extends true ? { [E in keyof T[P]]: Output<T[P][E]> } : never }[keyof T & string]
      : any
    : any;
