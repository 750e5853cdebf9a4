import { dirname, join } from 'node:path';
import type { SinkContext } from '../../../base/connector.ts';
import type { Column } from '../../../base/schema.ts';
import type { Sql } from '../../../base/sql.ts';
import { syncAll } from './disk.ts';
import type { PartFolder } from './part-folder.ts';
import { copyToFile, copyToFolders, extension, fileOrder, textSize, type PartFormat } from './part-format.ts';
import { asideName, partName, setName, type Epochs } from './part-names.ts';

/** What a part is to look like. */
export interface PartShape {
  readonly format: PartFormat;
  readonly columns: readonly Column[];
  /** The columns whose values name folders; of `columns`. */
  readonly keys: readonly Column[];
}

/** Writes parts aside. What it gives back, or has named, is whole and on disk. */
export class PartWriter {
  readonly shape: PartShape;
  private readonly folder: PartFolder;
  private readonly context: SinkContext;

  constructor(shape: PartShape, folder: PartFolder, context: SinkContext) {
    this.shape = shape;
    this.folder = folder;
    this.context = context;
  }

  /** One part, without folders of keys: where it is written, and where it is to be. */
  async writeOne(epochs: Epochs, rows: Sql): Promise<{ aside: string; part: string }> {
    const { format, columns } = this.shape;
    const name = partName(epochs, extension(format));
    const aside = this.folder.at(asideName(name));
    await this.context.run(copyToFile(format, columns, rows, aside));
    await this.folder.disk.sync(aside);
    return { aside, part: this.folder.at(name) };
  }

  /** All parts of some epochs as a set, for `PartFolder.publishSet`. The set has its name once it is whole and on disk. */
  async writeSet(epochs: Epochs, rows: Sql): Promise<void> {
    const { disk } = this.folder;
    const { format, columns, keys } = this.shape;
    const set = this.folder.at(setName(epochs));
    const aside = this.folder.at(asideName(setName(epochs).slice(1)));
    await disk.remove(aside);
    await disk.makeFolder(aside);
    const file = join(aside, 'rows_0_.tmp');
    await this.context.run(
      keys.length === 0 ? copyToFile(format, columns, rows, file) : copyToFolders(format, columns, keys, rows, aside),
    );
    const { files, folders } = await this.folder.tree(aside);
    const parts = await this.nameParts(epochs, files.map((path) => join(aside, path))); // prettier-ignore
    await syncAll(parts, (path) => disk.sync(path));
    await syncAll([aside, ...folders.map((path) => join(aside, path))], (path) => disk.syncFolder(path));
    await disk.remove(set);
    await disk.rename(aside, set);
    await disk.syncFolder(this.folder.path);
  }

  /** About how large rows will be in a part, bytes, where the format lets one tell. */
  async size(rows: Sql, count: number): Promise<number | undefined> {
    const query = textSize(this.shape.format, this.shape.columns, rows);
    if (query === undefined) return undefined;
    const [answer] = await this.context.query(query);
    return Number(answer?.['bytes']) * count;
  }

  /** Gives DuckDB's files the names of parts, numbered where a folder got several. */
  private async nameParts(epochs: Epochs, files: readonly string[]): Promise<readonly string[]> {
    const named: string[] = [];
    for (const [folder, inFolder] of Map.groupBy(files, dirname)) {
      const inOrder = inFolder.toSorted((a, b) => fileOrder(a.slice(folder.length + 1)) - fileOrder(b.slice(folder.length + 1))); // prettier-ignore
      for (const [index, file] of inOrder.entries()) {
        const path = join(folder, `${partName(epochs, extension(this.shape.format), index)}.tmp`);
        await this.folder.disk.rename(file, path);
        named.push(path);
      }
    }
    return named;
  }
}
