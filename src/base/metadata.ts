import type { Span } from './errors.ts';
import type { Column } from './schema.ts';
import type { Sql } from './sql.ts';

/** What a connector knows of each record beside what the record says: `name TYPE METADATA FROM 'key'`. */
export interface MetadataKey {
  /** The types that a column of it may have, as DuckDB spells them; the first is the usual one. */
  readonly types: readonly string[];
  readonly doc: string;
  readonly value: MetadataValue;
}

export type MetadataKeys = Readonly<Record<string, MetadataKey>>;

/** Where a value is. It must be the same whenever and however its record is read again. */
export type MetadataValue = PlaceValue | { readonly kind: 'member'; of(type: string): LineMember };

/** What follows from where a record stands costs no bytes. */
export type PlaceValue =
  /** Its offset, as `Chunk.runs` has it. */
  | { readonly kind: 'offset' }
  /** The same for all records of a partition: told by its name, `PartitionState.name`. */
  | { readonly kind: 'partition'; of(partition: string): string | number };

/** What the connector writes at the front of a record's line of JSON. Where its chunks are SELECTs they have the column itself. */
export interface LineMember {
  /** Begins with `$`. A record that has such a key of its own is a bad one. */
  readonly name: string;
  /** The type to read it as. */
  readonly reads: string;
  /** The value of the column's type. */
  value(member: Sql, type: string): Sql;
}

/** A column of the records: of a member where it has one, else of the key of its own name. */
export interface RecordColumn extends Column {
  readonly member?: LineMember;
  /** Of the connector's metadata, where it is of a member. */
  readonly key?: string;
}

/** A metadata column as its source declares it, of a type that its key has. */
export interface DeclaredMetadata extends Column {
  readonly key: string;
  readonly span: Span;
}
