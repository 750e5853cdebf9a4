import type { Engine, OpenOptions } from '../base/run.ts';

/** What the commands call. Loaded only when a command needs it, so that `--help` answers at once. */
export interface Dependencies {
  open(options: OpenOptions): Promise<Engine>;
  runTests(
    paths: readonly string[],
    options: { readonly update: boolean; readonly onLine: (text: string) => void; readonly color: boolean },
  ): Promise<{ readonly passed: number; readonly failed: number }>;
}
