import type { Progress, RunEvent } from '../base/run.ts';
import { printable } from './printable.ts';
import { logText, notices } from './status-line.ts';

type Start = Extract<RunEvent, { event: 'start' }>;

const LEAST_MS = 1000;

/** What a run says where nothing can be drawn over: a line at most once a second, and only when something is new. */
export class LogLines {
  private readonly everyEpoch: boolean;
  private readonly now: () => number;
  private at = -Infinity;
  private last = { epoch: -1, notice: '' };

  constructor(everyEpoch: boolean, now: () => number) {
    this.everyEpoch = everyEpoch;
    this.now = now;
  }

  start(event: Start, title: string): string {
    const sources = event.sources.map(({ name, connector }) => `${name} (${connector})`).join(', ');
    const from = sources === '' ? '' : `, from ${sources}`;
    const views = event.views.length === 0 ? '' : `, views ${event.views.join(', ')}`;
    return `${printable(`started ${title}: results in ${event.db}${from}${views}`)}\n`;
  }

  /** The line for it, if it is time for one. A source or sink that begins or ends to wait is news at once. */
  progress(start: Start, progress: Progress): string | undefined {
    const notice = notices(progress);
    const moved = progress.epoch !== this.last.epoch;
    const due = moved && (this.everyEpoch || this.now() - this.at >= LEAST_MS);
    if (!due && notice === this.last.notice) return undefined;
    this.at = this.now();
    this.last = { epoch: progress.epoch, notice };
    return `${logText(start, progress)}\n`;
  }
}
