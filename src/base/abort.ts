/** Resolves when the signal aborts; for a signal that lives no longer than whoever waits, for it stays there until then. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) =>
    signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true }),
  );
