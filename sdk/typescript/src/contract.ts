/** The part of Standard Schema (standardschema.dev) that is used here: zod, valibot, arktype and others have it. */
export interface Schema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

/** What a schema says of a value. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] };

/** What payloads look like. */
export interface Contract {
  /** By type: what the server pushes. */
  readonly events?: Readonly<Record<string, Schema>>;
  /** By type: what is sent, and what is answered. */
  readonly requests?: Readonly<Record<string, { readonly in: Schema; readonly out: Schema }>>;
  /** By channel, or its beginning and `*`: the payload of each event. */
  readonly channels?: Readonly<Record<string, Readonly<Record<string, Schema>>>>;
}
