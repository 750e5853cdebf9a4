import type { SinkConnector, SourceConnector } from '../base/connector.ts';
import { fileSource } from './file/file.ts';
import { generatorSource } from './generator/generator-source.ts';
import { httpSink } from './http-sink/connector.ts';
import { httpSource } from './http-source/connector.ts';
import { kafkaSource } from './kafka/connector.ts';
import { kafkaSink } from './kafka-sink/connector.ts';
import { nexmarkSource } from './nexmark/nexmark-source.ts';
import { socketSource } from './socket/connector.ts';
import { fileSink } from './sinks/file-sink.ts';
import { printSink } from './sinks/print-sink.ts';
import { stdinSource } from './stdin/connector.ts';

/** Every connector that comes with streamsql, under the name that `connector = '…'` gives it. */
export const sources: readonly SourceConnector[] = [
  kafkaSource,
  fileSource,
  httpSource,
  socketSource,
  stdinSource,
  nexmarkSource,
  generatorSource,
];
export const sinks: readonly SinkConnector[] = [fileSink, printSink, kafkaSink, httpSink];
