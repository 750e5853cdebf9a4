import type { SourceContext, SourceReader, SourceResume } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import type { PartitionStateSaved, RetainedSource, SourceState } from '../checkpoint/manifest.ts';
import type { LoadingHost } from './loaded-files.ts';
import { RetainedReader, type RetainedStart } from './retained-reader.ts';
import { stockOf, type KeptPartition, type Stock } from './stock.ts';

export interface FromStart extends LoadingHost {
  /** The source's own reader. Without `skipped` it throws GAP where records are gone. */
  open(resume: SourceResume, skipped: SourceContext['skipped']): SourceReader;
  /** The user said to go on without what is lost. */
  readonly skipped: SourceContext['skipped'];
  warn(message: string): void;
}

/** Where a partition begins, and whether it is read from what is retained first. */
interface Beginning {
  readonly saved: PartitionStateSaved;
  readonly kept: KeptPartition | undefined;
  readonly position: number;
  readonly isRetained: boolean;
}

/**
 * A reader, not open yet, of a source from its start, or as far back as its records are retained: for the partitions of which more is
 * retained than the source itself has, what is retained, and then the source. Throws GAP where records are gone that were to be retained.
 */
export async function readerFromStart(
  host: FromStart,
  state: SourceState,
  retained: RetainedSource | undefined,
): Promise<SourceReader> {
  const fromInitial = state.partitions.map(({ name, initial }) => ({ name, position: initial }));
  if (retained === undefined) return host.open({ partitions: fromInitial }, host.skipped);
  const stock = await stockOf(retained, host.folder);
  if (stock.damage !== undefined)
    host.warn(`source ${state.name}: ${stock.damage}; what it held is looked for in the source itself`);
  const gaps = await gapsOf(host, state, stock);
  const beginnings = state.partitions.map((saved) => beginningOf(saved, stock, gaps));
  for (const each of beginnings) checkLoss(host, state.name, each, stock);
  tellHorizon(host, state.name, beginnings, stock);
  const own = host.open({ partitions: beginnings.map(resumeOf) }, host.skipped);
  const starts = beginnings.flatMap(({ kept, position, isRetained }): readonly RetainedStart[] =>
    isRetained && kept !== undefined ? [{ partition: kept, position }] : [],
  );
  return starts.length === 0 ? own : new RetainedReader(host, own, stock.files, starts);
}

/** Where the source itself has partitions only from some position on, of which not all is retained. */
async function gapsOf(
  host: FromStart,
  state: SourceState,
  { partitions }: Stock,
): Promise<ReadonlyMap<string, number>> {
  const gaps = new Map<string, number>();
  const isWhole = ({ name, initial, position }: PartitionStateSaved): boolean =>
    position === initial || (partitions.get(name)?.from ?? Infinity) <= initial;
  if (state.partitions.every(isWhole)) return gaps;
  const resume = state.partitions.map(({ name, initial, end }) => ({ name, position: initial, end: end ?? undefined }));
  const reader = host.open({ partitions: resume }, (partition, _, to) => gaps.set(partition, to));
  try {
    await reader.open();
  } finally {
    await reader.close();
  }
  return gaps;
}

function beginningOf(saved: PartitionStateSaved, stock: Stock, gaps: ReadonlyMap<string, number>): Beginning {
  const { name, initial } = saved;
  const kept = stock.partitions.get(name);
  // Of what was never retained the source's own reader says itself that it is gone.
  if (kept === undefined) return { saved, kept, position: initial, isRetained: false };
  const own = gaps.get(name) ?? initial;
  const from = Math.max(kept.from, initial);
  if (from <= own) return { saved, kept, position: from, isRetained: true };
  return { saved, kept, position: own, isRetained: false };
}

/** What is before the time that is retained may be gone; what is in it may not. */
function checkLoss(host: FromStart, source: string, { saved, kept, position }: Beginning, { damage }: Stock): void {
  if (kept === undefined) return;
  const floor = Math.max(kept.floor, saved.initial);
  if (position <= floor) return;
  if (host.skipped !== undefined) return host.skipped(saved.name, floor, position);
  throw new StreamsqlError('GAP', `source ${source}: of ${saved.name} there is nothing from ${floor} to ${position - 1}: ${damage ?? 'it is not retained'}, and the source has it no more`, {
    hint: 'put the file back as it was; or go on without these records, with --on-gap skip',
  }); // prettier-ignore
}

function tellHorizon(host: FromStart, source: string, beginnings: readonly Beginning[], { files }: Stock): void {
  const late = beginnings.filter(
    ({ saved, kept, position }) => kept !== undefined && position > saved.initial && position <= kept.floor,
  );
  if (late.length === 0) return;
  const places = late.slice(0, MOST_NAMED).map(({ saved, position }) => `${saved.name} from ${position}`);
  if (late.length > MOST_NAMED) places.push(`${late.length - MOST_NAMED} more`);
  const since = files[0] === undefined ? '' : `, what came since ${new Date(Number(BigInt(files[0].since) / 1000n)).toISOString()}`; // prettier-ignore
  host.warn(`source ${source}: the views that are added start with what is still there${since}: ${places.join(', ')}`);
}

const MOST_NAMED = 5;

/** Where the source's own reader begins: what was read up to there, retained or not, is not asked of it. */
function resumeOf({ saved, kept, position, isRetained }: Beginning): SourceResume['partitions'][number] {
  const { name, initial } = saved;
  if (kept === undefined || (position === initial && !isRetained)) return { name, position };
  const end = saved.end ?? undefined;
  return isRetained ? { name, position: kept.to, ordinal: kept.ordinal, end } : { name, position, end };
}
