import { basename } from 'node:path';
import type { MetadataKeys } from '../../base/metadata.ts';

/**
 * Named as Flink's filesystem connector names them. Its file.size and file.modification-time are none: they may be others when a
 * file is read again.
 */
export const FILE_METADATA: MetadataKeys = {
  'file.path': {
    types: ['VARCHAR'],
    doc: 'the file, as messages name it: its path from the current folder, or a whole one',
    value: { kind: 'partition', of: (name) => name },
  },
  'file.name': {
    types: ['VARCHAR'],
    doc: 'the last part of that path',
    value: { kind: 'partition', of: (name) => basename(name) },
  },
  offset: {
    types: ['BIGINT'],
    doc: "the record's number in its file, from 0: of the rows of Parquet, of the lines of JSON that are not blank, of the records of CSV after its header",
    value: { kind: 'offset' },
  },
};
