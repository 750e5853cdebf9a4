import type { SinkConnector, SourceConnector } from '../base/connector.ts';
import { StreamsqlError, type Span } from '../base/errors.ts';
import { nearest } from '../base/options.ts';
import { fileSource } from './file/file.ts';
import { generatorSource } from './generator/generator-source.ts';
import { kafkaSource } from './kafka/connector.ts';
import { nexmarkSource } from './nexmark/nexmark-source.ts';
import { fileSink } from './sinks/file-sink.ts';
import { printSink } from './sinks/print-sink.ts';

/** Every connector that comes with streamsql. */
export const sources: readonly SourceConnector[] = [kafkaSource, fileSource, nexmarkSource, generatorSource];
export const sinks: readonly SinkConnector[] = [fileSink, printSink];

/** The source connector that `connector = '…'` names, in any case; an OPTION error with the near miss where there is none. */
export const findSource = (name: string, span: Span): SourceConnector => find('source', sources, name, span);

/** The sink connector that `connector = '…'` names, as `findSource` finds sources. */
export const findSink = (name: string, span: Span): SinkConnector => find('sink', sinks, name, span);

function find<C extends { readonly name: string }>(
  what: 'source' | 'sink',
  connectors: readonly C[],
  name: string,
  span: Span,
): C {
  const found = connectors.find((connector) => connector.name === name.trim().toLowerCase());
  if (found !== undefined) return found;
  const names = connectors.map((connector) => connector.name);
  const near = nearest(name, names);
  throw new StreamsqlError('OPTION', `there is no ${what} connector '${name}'`, {
    span,
    hint: near === undefined ? `there are ${names.join(', ')}` : `did you mean ${near}?`,
  });
}
