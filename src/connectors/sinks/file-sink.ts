import { resolve } from 'node:path';
import type { SinkConnector, SinkContext, SinkDeclaration, SinkWriter } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import { realDisk, type Disk } from './file/disk.ts';
import { PartAnEpoch, PartsAnEpoch, type Layout } from './file/layouts.ts';
import { keyColumns, partFormat, rollOf, FILE_OPTIONS } from './file/options.ts';
import { PartFolder } from './file/part-folder.ts';
import { covers } from './file/part-names.ts';
import { PartWriter, type PartShape } from './file/part-writer.ts';
import { PAUSES_MS, adviceOn, persist, reasonOf } from './file/patience.ts';
import { RolledParts, type Roll } from './file/rolled-parts.ts';

/** What a file sink needs of the world; tests give it another one. */
export interface FileWorld {
  readonly disk: Disk;
  /** Between tries, ms. */
  readonly pauses: readonly number[];
  /** Ms since 1970. */
  readonly now: () => number;
}

/**
 * Writes rows to files, exactly once, in a folder of the sink's own: each epoch that has rows to one, or several epochs
 * together, in one folder or in one for each value of some columns. What a reader can see is whole, and stays.
 *
 * A run whose input ended may be run again: its parts are replaced. Parts of a run that did not end are kept where it goes
 * on, and otherwise refused, or removed where the user asked for a fresh start; a folder with parts that this sink did not
 * write is left alone.
 *
 * @example CREATE SINK big WITH (connector = 'file', path = 'out/big', format = 'parquet') AS SELECT * FROM bids WHERE price > 1000000;
 */
export const fileSinkIn = (world: FileWorld): SinkConnector => ({
  name: 'file',
  doc: 'Writes rows to files in a folder, exactly once: a file for each epoch that has rows, or larger ones (docs/sinks.md).',
  options: FILE_OPTIONS,
  changelog: (options) =>
    options['changelog'] === true
      ? 'always'
      : { hint: "set changelog = true: each row then begins with op, '+' or '-'" },
  plan(declaration) {
    const { name, columns, options, cwd, span } = declaration;
    const path = String(options['path'] ?? '');
    if (path.trim() === '') {
      throw new StreamsqlError('OPTION', `sink ${name} needs a folder in path`, {
        span,
        hint: `write path = 'out/${name}'`,
      });
    }
    const shape = { format: partFormat(declaration), columns, keys: keyColumns(declaration) };
    const roll = rollOf(options);
    return { open: (context) => openParts(declaration, resolve(cwd, path), shape, roll, context, world) };
  },
});

export const fileSink: SinkConnector = fileSinkIn({ disk: realDisk, pauses: PAUSES_MS, now: Date.now });

function openParts(
  { name }: SinkDeclaration,
  path: string,
  shape: PartShape,
  roll: Roll | undefined,
  context: SinkContext,
  { disk, pauses, now }: FileWorld,
): SinkWriter {
  const folder = new PartFolder(path, { sink: name, job: context.job }, disk);
  const writer = new PartWriter(shape, folder, context);
  const rolled = (when: Roll): RolledParts => new RolledParts(folder, writer, when, context, now);
  const layout: Layout =
    roll !== undefined
      ? rolled(roll)
      : shape.keys.length > 0
        ? new PartsAnEpoch(folder, writer)
        : new PartAnEpoch(folder, writer);
  let known = false;

  const guarded = async (what: string, work: () => Promise<void>): Promise<void> => {
    const waiting = (reason: string | undefined): void =>
      context.notice(reason === undefined ? undefined : `waiting for the folder ${path}: ${reason}`);
    try {
      await persist(work, { pauses, signal: context.signal, waiting });
    } catch (error) {
      if (error instanceof StreamsqlError) throw error;
      const message = `sink ${name} cannot ${what} the folder ${path}: ${reasonOf(error)}`;
      throw new StreamsqlError('SINK', message, { hint: adviceOn(error), cause: error });
    }
  };

  const open = async (): Promise<void> => {
    if (context.resume === undefined) {
      await folder.begin(context.fresh === true);
      await layout.open?.([]);
      return;
    }
    const found = await folder.resume(context.resume.epoch);
    for (const epochs of found.sets) await folder.publishSet(epochs);
    const pending = found.pending.filter((epoch) => !found.sets.some((epochs) => covers(epochs, epoch)));
    // Without roll options any more, what an earlier run left waiting is a part at once.
    if (roll === undefined && pending.length > 0) await rolled({ bytes: undefined, ms: undefined }).open(pending);
    await layout.open?.(pending);
    known = found.known;
  };

  return {
    open: () => guarded('use', open),
    isPublished: () => Promise.resolve(known),
    stage: (epoch, delta, rows) => guarded(`write epoch ${epoch} in`, () => layout.stage(epoch, delta, rows)),
    publish: (epoch) => guarded(`publish epoch ${epoch} in`, () => layout.publish(epoch)),
    tick: () => guarded('write a part in', async () => layout.tick?.()),
    finish: () =>
      guarded('finish', async () => {
        await layout.finish?.();
        await folder.finish();
      }),
    close: () => Promise.resolve(),
  };
}
