import { useInsertionEffect, useRef, type RefObject } from "react";

/**
 * The value of the last render, for handlers that run later: so a new function in each render neither subscribes
 * again nor is called with what an old render saw.
 */
export function useLatest<T>(value: T): RefObject<T> {
  const latest = useRef(value);
  useInsertionEffect(() => {
    latest.current = value;
  });
  return latest;
}
