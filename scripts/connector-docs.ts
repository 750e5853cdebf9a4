import { readFileSync, writeFileSync } from 'node:fs';
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

function section(title: string, connectors: readonly { name: string; doc: string; options: OptionSpecs }[]): string[] {
  return [`## ${title}`, ...connectors.flatMap(({ name, doc, options }) => [`### ${name}`, doc, table(options)])];
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
