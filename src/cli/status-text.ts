import type { ResultTable } from '../base/run.ts';
import type { EngineStatus, SourceStatus, WindowStatus } from '../base/status.ts';
import type { RestStatus } from '../exec/status-at-rest.ts';
import type { Section } from './sections.ts';
import { printable } from './printable.ts';
import { duration, instant, size } from './units.ts';

/** How a run stands, as tables. */
export function statusSections(status: EngineStatus): readonly Section[] {
  const { sources, views, sinks, checkpoint } = status;
  const partitions = sources.filter((source) => source.partitions.length > 1);
  return [
    section('run', 'pid# version phase since epoch# rows# rows_per_s# memory', [
      [status.pid, status.version, status.phase, second(status.since), status.epoch, status.rowsIn, Math.round(status.rowsPerSecond), sizeOf(status.memory)],
    ]),
    section('sources', 'source connector rows# rows_per_s# lag# behind watermark held_by late# dead_letters# notice',
      sources.map((of) => [
        of.name, of.connector, of.rows, Math.round(of.rowsPerSecond), of.lag, of.behindMs === null ? null : duration(of.behindMs / 1000),
        instantOf(of.watermark), of.partitions.length > 1 ? of.heldBy : null, of.late, of.deadLetters, of.notice,
      ]),
    ),
    ...partitions.map((of) =>
      section(`partitions of ${of.name}`, 'partition state position# end# latest',
        of.partitions.map(({ name, state, position, end, latest }) => [name, state, position, end, instantOf(latest)]),
      ),
    ),
    section('views', 'view emit rows# state_rows# state_bytes# late# open_window closes_at',
      views.map(({ name, emit, rows, stateRows, stateBytes, late, window }) => [
        name, emit.replaceAll('-', ' '), rows, stateRows, stateBytes, late, window === null ? null : windowName(window), instantOf(window?.closesAt ?? null),
      ]),
    ),
    ...(sinks.length === 0 ? [] : [section('sinks', 'sink connector notice', sinks.map(({ name, connector, notice }) => [name, connector, notice]))]),
    ...(checkpoint === null ? [] : [
      section('checkpoint', 'epoch# at ms# rows# bytes#', [[checkpoint.epoch, second(checkpoint.at), Math.round(checkpoint.ms), checkpoint.rows, checkpoint.bytes]]),
    ]),
  ]; // prettier-ignore
}

/** What each watermark and each open window waits for. */
export const whySection = (status: EngineStatus): Section => section('why', 'what is', whys(status));

/** The same as sentences. */
export const whyLines = (status: EngineStatus): string =>
  whys(status)
    .map(([what, is]) => ` ${printable(`${what}: ${is}`)}\n`)
    .join('');

/** Of each source why its watermark is no further; of each view why its oldest window is still open. */
function whys({ sources, views }: EngineStatus): readonly (readonly [what: string, is: string])[] {
  return [
    ...sources.map((source): [string, string] => [`watermark of ${source.name}`, watermarkWhy(source)]),
    ...views.flatMap(({ name, window }) =>
      window === null ? [] : [[`window of ${name}`, windowWhy(window, sources)] as const],
    ),
  ];
}

function watermarkWhy({ watermark, heldBy, why, partitions }: SourceStatus): string {
  if (heldBy === null) return watermark === null ? why : `at ${instantOf(watermark)}: ${why}`;
  const by = partitions.length > 1 ? `held back by ${heldBy}: ` : '';
  return `${watermark === null ? 'there is none yet' : `at ${instantOf(watermark)}`}: ${by}${why}`;
}

/** `window 12:00:00 to 12:00:10 closes when the watermark passes 12:00:10; it is at 12:00:07.5, held back by bids-3: …` */
function windowWhy(window: WindowStatus, sources: readonly SourceStatus[]): string {
  if (window.clock === 'processing') return `${windowName(window)} closes when the clock passes ${instantOf(window.closesAt)}`; // prettier-ignore
  const closes = `${windowName(window)} closes when the watermark reaches ${instantOf(window.closesAt)}`;
  const source = sources.find(({ name }) => name === window.source);
  const at = window.watermark === null ? 'there is none yet' : `it is at ${instantOf(window.watermark)}`;
  if (source === undefined) return `${closes}; ${at}`;
  const by = source.heldBy === null ? '' : `, held back by ${source.partitions.length > 1 ? `${source.heldBy} of ` : ''}${source.name}`; // prettier-ignore
  return `${closes}; ${at}${by}: ${source.why}`;
}

const windowName = ({ start, end }: WindowStatus): string =>
  start === null ? `the one that ends ${instantOf(end)}` : `${instantOf(start)} to ${instantOf(end)}`;

/** What the last run left. */
export function restSections(rest: RestStatus): readonly Section[] {
  const how = { finished: 'it finished', stopped: 'it was stopped', running: 'it did not end in good order' };
  return [
    section('last run', 'how pid# since epoch# committed_at', [
      [how[rest.status], rest.pid, instantOf(rest.since), rest.epoch, instantOf(rest.committedAt)],
    ]),
    section('sources', 'source connector watermark dead_letters#',
      rest.sources.map(({ name, connector, watermark, deadLetters }) => [name, connector, instantOf(watermark), deadLetters]),
    ),
    section('views', 'view rows# late#', rest.views.map(({ name, rows, late }) => [name, rows, late])),
  ]; // prettier-ignore
}

/** `columns` by their names; those with a # are numbers. */
function section(name: string, columns: string, rows: ResultTable['rows']): Section {
  const named = columns.split(' ').map((text) =>
    text.endsWith('#') ? { name: text.slice(0, -1), type: 'BIGINT' } : { name: text, type: 'VARCHAR' },
  ); // prettier-ignore
  return { name, table: { columns: named, rows } };
}

const instantOf = (micros: string | null): string | null => (micros === null ? null : instant(BigInt(micros)));
const second = (iso: string | null): string | null => iso?.replace(/\.\d+Z$/, 'Z') ?? null;
const sizeOf = (bytes: number | null): string | null => (bytes === null ? null : size(bytes));
