import { readFileSync, writeFileSync } from 'node:fs';
import type { MetadataKeys } from '../src/base/metadata.ts';
import type { OptionSpecs } from '../src/base/options.ts';
import { sinks, sources } from '../src/connectors/registry.ts';
import { SOURCE_OPTIONS } from '../src/planner/source-options.ts';

/**
 * Writes docs/connectors.md from the connectors' own option specs: `node scripts/connector-docs.ts`. With `--check` it
 * only compares, and fails where the page is stale.
 */
const page = new URL('../docs/connectors.md', import.meta.url);

const text = [
  '# Connectors',
  'Every option that a `WITH` clause takes. An unknown option, or a value that does not fit, is an error that names the near miss. Durations are `500 ms`, `10 seconds`, `1 hour`; sizes `64 MB`, `1 GiB`.',
  "What a source lists as metadata is for columns `name TYPE METADATA FROM 'key'` (docs/sql.md, Metadata).",
  ...section('Sources', sources),
  '### Every source',
  'What each takes beside that: the first three where it has a watermark; `retain` save generator, nexmark and Parquet files, which have no raw records.',
  table(SOURCE_OPTIONS),
  ...section('Sinks', sinks),
].join('\n\n');

if (!process.argv.includes('--check')) writeFileSync(page, `${text}\n`);
else if (readFileSync(page, 'utf8') !== `${text}\n`) {
  process.stderr.write('docs/connectors.md is stale: run npm run docs\n');
  process.exitCode = 1;
}

interface Documented {
  readonly name: string;
  readonly doc: string;
  readonly options: OptionSpecs;
  readonly metadata?: MetadataKeys;
}

function section(title: string, connectors: readonly Documented[]): string[] {
  const each = ({ name, doc, options, metadata }: Documented): string[] => [
    `### ${name}`,
    doc,
    table(options),
    ...(metadata === undefined ? [] : [metadataTable(metadata)]),
  ];
  return [`## ${title}`, ...connectors.flatMap(each)];
}

function metadataTable(metadata: MetadataKeys): string {
  const rows = Object.entries(metadata).map(
    ([key, { types, doc }]) => `| \`${key}\` | ${types.map((type) => `\`${type}\``).join(', ')} | ${doc} |`,
  );
  return ['| metadata | types | |', '|---|---|---|', ...rows].join('\n');
}

function table(options: OptionSpecs): string {
  const rows = Object.entries(options).map(([name, spec]) => {
    const takes = spec.type === 'choice' ? spec.values.map((value) => `\`${value}\``).join(', ') : spec.type;
    const fallback =
      spec.required === true ? 'required' : spec.default === undefined ? '' : shown(spec.type, spec.default);
    return `| \`${name}\` | ${takes} | ${fallback} | ${spec.doc.replaceAll('|', '\\|')} |`;
  });
  return ['| option | takes | default | |', '|---|---|---|---|', ...rows].join('\n');
}

function shown(type: string, value: string | number | boolean): string {
  if (type === 'duration') return `\`${value} ms\``;
  if (type === 'size' && typeof value === 'number') return `\`${value / 2 ** 20} MiB\``;
  return `\`${value}\``;
}
