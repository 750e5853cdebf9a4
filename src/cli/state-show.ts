import { StreamsqlError } from '../base/errors.ts';
import { damageText } from '../exec/checkpoint/read-manifest.ts';
import type { Format } from './format.ts';
import type { Io } from './io.ts';
import { printableLines } from './printable.ts';
import { sectionsText, type Section } from './sections.ts';
import { content } from './state-content.ts';
import { StateFolder } from './state-folder.ts';
import { overview } from './state-overview.ts';
import { styleFor } from './style.ts';

export interface StateShowFlags {
  readonly view?: string;
  readonly checkpoint?: number;
  readonly limit: number;
  readonly format: Format;
}

/** `streamsql state show DIR`: what a checkpoint holds, as tables. */
export async function stateShowCommand(dir: string, flags: StateShowFlags, io: Io): Promise<number> {
  const folder = new StateFolder(dir, io);
  const style = styleFor(io.stderr, io.env);
  const warn = (message: string): void => io.stderr.write(`${style.yellow('warning')}: ${printableLines(message)}\n`);
  io.stdout.write(sectionsText(await sections(folder, flags, warn), flags.format, io));
  return 0;
}

async function sections(
  folder: StateFolder,
  flags: StateShowFlags,
  warn: (message: string) => void,
): Promise<readonly Section[]> {
  const { view, limit } = flags;
  for (;;) {
    const { epoch, manifest, damage } = folder.choose(flags.checkpoint, warn);
    const why = damage === undefined ? '' : `the checkpoint of epoch ${epoch} is damaged: ${damageText(damage)}`;
    if (view === undefined) {
      if (damage !== undefined) warn(why);
      return overview(manifest);
    }
    if (damage !== undefined) throw new StreamsqlError('STATE', why);
    try {
      return await content(manifest, { folder: folder.path, view, limit });
    } catch (error) {
      // A run that goes on may remove a checkpoint while it is read: then there is a newer one.
      if (folder.has(epoch)) throw error;
    }
  }
}
