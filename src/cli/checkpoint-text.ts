import type { RunEvent } from '../base/run.ts';
import { count, counted, duration, size } from './units.ts';

/** `resumed from the checkpoint of epoch 812 (+3 epochs done again) in 0.40 s` */
export function resumedText({ checkpoint, epoch, seconds }: Extract<RunEvent, { event: 'resumed' }>): string {
  const from = checkpoint < 0 ? 'resumed from the start' : `resumed from the checkpoint of epoch ${count(checkpoint)}`;
  const again = epoch - checkpoint;
  return `${from}${again > 0 ? ` (+${counted(again, 'epoch')} done again)` : ''} in ${duration(seconds)}\n`;
}

/** `checkpoint of epoch 815: 1,200 rows, 34.5 kB in 12 ms, paused 3 ms` */
export function checkpointText(event: Extract<RunEvent, { event: 'checkpoint' }>): string {
  const { epoch, rows, bytes, ms, pausedMs } = event;
  return `checkpoint of epoch ${count(epoch)}: ${counted(rows, 'row')}, ${size(bytes)} in ${count(ms)} ms, paused ${count(pausedMs)} ms\n`;
}
