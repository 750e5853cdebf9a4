import type { ResultTable } from '../base/run.ts';
import type { Manifest, OperatorState, TableState } from '../exec/checkpoint/manifest.ts';
import type { Section } from './sections.ts';
import { extent } from './state-ls.ts';
import { instant } from './units.ts';

/** What a checkpoint says, but for the rows of its tables. */
export function overview(manifest: Manifest): readonly Section[] {
  const { epoch, takenAt, job, streamsql, duckdb, clock, sources, targets } = manifest;
  const { rows, files, bytes } = extent(manifest);
  return [
    section('checkpoint', 'epoch# taken_at clock job streamsql duckdb rows# files# bytes#', [
      [epoch, takenAt, instantOf(clock), job, streamsql, duckdb, rows, files, bytes],
    ]),
    section(
      'sources',
      'source watermark rows# late# dead_letters# fingerprint',
      sources.map(({ name, watermark, rows: read, late, deadLetters, fingerprint }) => [
        name, instantOf(watermark), read, late, deadLetters, fingerprint,
      ]), // prettier-ignore
    ),
    section(
      'partitions',
      'source partition position# ordinal# greatest initial#',
      sources.flatMap(
        ({ name, partitions }) =>
        partitions.map((each) => [
          name, each.name, each.position, each.ordinal, instantOf(each.greatest), each.initial,
        ]), // prettier-ignore
      ),
    ),
    ...retainedSections(manifest),
    section(
      'targets',
      'kind name fingerprint',
      targets.map(({ kind, name, fingerprint }) => [kind, name, fingerprint]),
    ),
    operatorsSection(manifest.operators),
  ];
}

/** What is kept of the sources' raw records; nothing where none are. */
function retainedSections({ retained = [] }: Manifest): readonly Section[] {
  if (retained.length === 0) return [];
  const rows = retained.flatMap(({ source, partitions, files }) =>
    partitions.map(({ name, from, to }) => {
      const own = files.filter((file) => file.partitions.some((each) => each.name === name && each.to > from));
      return [source, name, from, to, instantOf(own[0]?.since ?? null), own.length];
    }),
  );
  return [section('retained', 'source partition from# to# since files#', rows)];
}

/** A line for each table of each operator; one for an operator that has none. */
export function operatorsSection(operators: readonly OperatorState[], withMemo = false): Section {
  const columns = `key operator table rows# segments# bytes#${withMemo ? ' memo' : ''}`;
  const rows = operators.flatMap(({ key, title, memo, tables }) => {
    const more = withMemo ? [memo === null ? null : JSON.stringify(memo)] : [];
    if (tables.length === 0) return [[key, title, null, null, null, null, ...more]];
    return tables.map((table) => [
      key, title, table.name.trim(), table.rows, table.segments.length, bytesOf(table), ...more,
    ]); // prettier-ignore
  });
  return section('operators', columns, rows);
}

const bytesOf = ({ segments }: TableState): number =>
  segments.reduce((sum, { file, gone }) => sum + (file?.bytes ?? 0) + (gone?.bytes ?? 0), 0);

/** `columns` by their names; those with a # are numbers. */
function section(name: string, columns: string, rows: readonly (readonly unknown[])[]): Section {
  const table: ResultTable = {
    columns: columns.split(' ').map((text) => {
      return text.endsWith('#') ? { name: text.slice(0, -1), type: 'BIGINT' } : { name: text, type: 'VARCHAR' };
    }),
    rows,
  };
  return { name, table };
}

const instantOf = (micros: string | null): string | null => (micros === null ? null : instant(BigInt(micros)));
