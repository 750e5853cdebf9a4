import { resolve } from 'node:path';
import type { SinkConnector, SinkContext, SinkDeclaration, SinkWriter } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { sql, type Sql } from '../../base/sql.ts';
import { PART_FORMATS, copyOptions, partSelect, type PartFormat } from './part-format.ts';
import { PartFolder } from './part-folder.ts';

/**
 * Writes each epoch that has rows to a file of its own, `part-00000007.json`, in a folder of the sink's own. A part is
 * written aside and synced before the epoch is committed, and renamed after, so a reader sees whole parts only.
 *
 * A run whose input ended may be run again: its parts are replaced. Parts of a run that did not end are refused, or
 * removed where the user asked for a fresh start; a folder with parts that this sink did not write is left alone.
 *
 * @example CREATE SINK big WITH (connector = 'file', path = 'out/big', format = 'parquet') AS SELECT * FROM bids WHERE price > 1000000;
 */
export const fileSink: SinkConnector = {
  name: 'file',
  doc: 'Writes each epoch that has rows to a file of its own in a folder.',
  options: {
    path: { type: 'string', required: true, doc: 'The folder, which is made where it is not there.' },
    format: {
      type: 'choice',
      values: PART_FORMATS,
      default: 'json',
      doc: 'json (one object a line), csv (with a header) or parquet.',
    },
    changelog: {
      type: 'boolean',
      default: false,
      doc: 'true: each row begins with op, + for one that comes and - for one that goes, so results that change can be written.',
    },
  },
  changelog: (options) =>
    options['changelog'] === true
      ? 'always'
      : { hint: "set changelog = true: each row then begins with op, '+' or '-'" },
  plan(declaration) {
    const { name, options, cwd, span } = declaration;
    const path = String(options['path'] ?? '');
    if (path.trim() === '') {
      throw new StreamsqlError('OPTION', `sink ${name} needs a folder in path`, {
        span,
        hint: `write path = 'out/${name}'`,
      });
    }
    const format = PART_FORMATS.find((known) => known === options['format']) ?? 'json';
    return {
      open: (context) => openParts(declaration, new PartFolder(resolve(cwd, path), name, format), format, context),
    };
  },
};

function openParts(
  { name, columns }: SinkDeclaration,
  folder: PartFolder,
  format: PartFormat,
  context: SinkContext,
): SinkWriter {
  const staged = new Set<number>();
  const guarded = async (what: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (error instanceof StreamsqlError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new StreamsqlError('SINK', `sink ${name} cannot ${what}: ${reason}`, { cause: error });
    }
  };
  return {
    isPublished: () => Promise.resolve(false),
    open: () => guarded(`use the folder ${folder.path}`, () => folder.claim(context.fresh === true)),
    stage: (epoch: number, delta: Sql, rows: number) =>
      guarded(`write epoch ${epoch}`, async () => {
        staged.delete(epoch);
        if (rows === 0) return;
        const aside = folder.aside(epoch);
        await context.run(sql`COPY (${partSelect(format, columns, delta)}) TO ${aside} (${copyOptions(format)})`);
        await folder.sync(aside);
        staged.add(epoch);
      }),
    publish: (epoch: number) =>
      guarded(`publish epoch ${epoch}`, async () => {
        if (!staged.has(epoch)) return;
        await folder.publish(epoch);
        staged.delete(epoch);
      }),
    finish: () => guarded('finish', () => folder.finish()),
    close: () => Promise.resolve(),
  };
}
