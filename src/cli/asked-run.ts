import type { RunEvent } from '../base/run.ts';
import type { Asked } from '../server/answer.ts';
import type { Listening } from '../server/listen.ts';

/** Lets a run be asked by other processes, from when it holds its database. */
export class AskedRun {
  private readonly engine: Asked;
  private readonly say: (event: RunEvent) => void;
  private listening: Promise<Listening | undefined> | undefined;

  constructor(engine: Asked, say: (event: RunEvent) => void) {
    this.engine = engine;
    this.say = say;
  }

  event(event: RunEvent): void {
    if (event.event === 'start' && event.db !== ':memory:') this.listening = this.listen(event.db);
  }

  private async listen(db: string): Promise<Listening | undefined> {
    try {
      const { listen } = await import('../server/listen.ts');
      return await listen(this.engine, db);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.say({ event: 'warning', message: `nobody can ask this run while it runs: ${why}` });
      return undefined;
    }
  }

  async close(): Promise<void> {
    await (await this.listening)?.close();
  }
}
