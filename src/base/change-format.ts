import type { ChangeFormat } from './connector.ts';

/** The names that `format = '…'` takes for records that are changes, beside those of plain rows. */
export const CHANGE_FORMATS = ['debezium', 'debezium-json', 'upsert', 'upsert-json'] as const;

export const CHANGE_FORMATS_DOC =
  "debezium: each record is a change with before, after and op; upsert: each is a key's new row, or its end (docs/sql.md, Sources that carry changes)";

/** `debezium-json` is `debezium`; undefined for a format of rows. */
export function changeFormat(name: unknown): ChangeFormat['format'] | undefined {
  switch (name) {
    case 'debezium':
    case 'debezium-json':
      return 'debezium';
    case 'upsert':
    case 'upsert-json':
      return 'upsert';
    default:
      return undefined;
  }
}
