import { useCallback, useEffect, useRef, useState } from "react";
import { useClient } from "./provider.js";
import { useLatest } from "./use-latest.js";

/** What has become of a request. */
export interface RequestState<T> {
  /** `idle`: not asked, because it is not enabled. */
  status: "idle" | "pending" | "success" | "error";
  /** The last answer; it stays while a newer one is awaited. */
  data: T | undefined;
  /** Why there is none. */
  error: unknown;
}

/** How `useRequest` asks. */
export interface UseRequestOptions {
  /**
   * Whether to ask at all.
   * @default true
   */
  enabled?: boolean;
  /**
   * How long to wait for the answer, in milliseconds.
   * @default that of `client.request`
   */
  timeout?: number;
}

const IDLE = { status: "idle", data: undefined, error: undefined } as const;

/**
 * Asks the server when the component is mounted, and again when type or input change (compared as JSON). An answer
 * that came too late for that is dropped; the request is aborted when the component goes.
 */
export function useRequest<T = unknown>(type: string, input?: unknown, options: UseRequestOptions = {}): RequestState<T> & { refetch(): void } {
  const client = useClient();
  const { enabled = true, timeout } = options;
  const [state, setState] = useState<RequestState<T>>(IDLE);
  const [round, setRound] = useState(0);
  const latest = useLatest(input);
  const key = JSON.stringify(input);
  useEffect(() => {
    if (!enabled) {
      setState(IDLE);
      return;
    }
    const abort = new AbortController();
    setState(({ data }) => ({ status: "pending", data, error: undefined }));
    client
      .request(type, latest.current, { signal: abort.signal, ...(timeout !== undefined && { timeout }) })
      .then(
        (data) => abort.signal.aborted || setState({ status: "success", data: data as T, error: undefined }),
        (error: unknown) => abort.signal.aborted || setState(({ data }) => ({ status: "error", data, error })),
      );
    return () => abort.abort();
  }, [client, type, key, enabled, timeout, round, latest]);
  const refetch = useCallback(() => setRound((n) => n + 1), []);
  return { ...state, refetch };
}

/**
 * Asks the server when told to. What `mutate` returns settles with the answer; the state is that of the latest call.
 */
export function useMutation<I = unknown, T = unknown>(type: string): RequestState<T> & { mutate(input: I): Promise<T> } {
  const client = useClient();
  const [state, setState] = useState<RequestState<T>>(IDLE);
  const calls = useRef(0);
  const mutate = useCallback(
    async (input: I) => {
      const call = (calls.current += 1);
      const settle = (settled: Partial<RequestState<T>>) => calls.current === call && setState((former) => ({ ...former, ...settled }));
      settle({ status: "pending", error: undefined });
      try {
        const data = (await client.request(type, input)) as T;
        settle({ status: "success", data });
        return data;
      } catch (error) {
        settle({ status: "error", error });
        throw error;
      }
    },
    [client, type],
  );
  return { ...state, mutate };
}
