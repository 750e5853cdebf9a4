import { setTimeout as sleep } from 'node:timers/promises';
import type { SinkConnector, SinkContext, SinkDeclaration, SinkWriter } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import type { OptionSpecs } from '../../base/options.ts';
import { EpochBodies, type BodyShape } from './bodies.ts';
import { Delivery, type HttpWorld } from './delivery.ts';
import { parseHeaders } from './headers.ts';
import type { Endpoint } from './request.ts';

const OPTIONS: OptionSpecs = {
  url: { type: 'string', required: true, doc: 'Where the rows go: http://… or https://….' },
  method: { type: 'choice', values: ['POST', 'PUT', 'PATCH'], default: 'POST', doc: 'The method of the requests.' },
  headers: {
    type: 'string',
    tuning: true,
    doc: "Headers of each request, with semicolons between: 'Authorization: Bearer ${TOKEN}; X-Team: data'. Their values are shown nowhere.",
  },
  format: {
    type: 'choice',
    values: ['json', 'ndjson'],
    default: 'json',
    doc: 'json: the body is an array of objects; ndjson: one object a line.',
  },
  batch_rows: {
    type: 'integer',
    min: 1,
    default: 1000,
    doc: 'The most rows of one request; an epoch with more is cut into several.',
  },
  timeout: {
    type: 'duration',
    default: 30_000,
    tuning: true,
    doc: 'How long one request may take, its answer included, before it is tried again.',
  },
  retry_for: {
    type: 'duration',
    tuning: true,
    doc: 'How long a request is tried again before the run stops with its state intact; for as long as it takes by default.',
  },
};

/**
 * Sends each epoch's rows to a web address, at least once: what is not certain to have been taken is sent again, with the same
 * body and the same `Idempotency-Key`, so that the other side can tell.
 *
 * @example CREATE SINK hook WITH (connector = 'http', url = 'http://localhost:8080/alerts', headers = 'Authorization: Bearer ${TOKEN}') AS SELECT * FROM alerts;
 */
export const httpSinkIn = (world: HttpWorld): SinkConnector => ({
  name: 'http',
  doc: 'Sends the rows of each epoch to a web address, at least once: every request has an idempotency key, and what is sent again has the same one; of results that change the changes, each with op, + or - (docs/sinks.md).',
  options: OPTIONS,
  changelog: () => 'of changes',
  plan(declaration) {
    const { name, options } = declaration;
    const shape: BodyShape = {
      format: options['format'] === 'ndjson' ? 'ndjson' : 'json',
      rows: Number(options['batch_rows']),
    };
    const endpoint = endpointOf(declaration, shape.format);
    const retryFor = typeof options['retry_for'] === 'number' ? options['retry_for'] : undefined;
    return {
      delivery: 'at least once',
      open: (context) =>
        openRequests(declaration, shape, new Delivery(name, endpoint, retryFor, context, world), context),
    };
  },
});

export const httpSink: SinkConnector = httpSinkIn({
  pause: async (ms, signal) => {
    await sleep(ms, undefined, { signal }).catch(() => undefined);
  },
  now: () => performance.now(),
  random: Math.random,
});

function endpointOf({ name, options, span }: SinkDeclaration, format: BodyShape['format']): Endpoint {
  const refuse = (message: string, hint: string): StreamsqlError =>
    new StreamsqlError('OPTION', `sink ${name}: ${message}`, { span, hint });
  const text = String(options['url']);
  if (!URL.canParse(text)) throw refuse('url is no web address', "write url = 'http://host:port/path'");
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw refuse(`url begins with ${url.protocol}`, 'it takes http: and https:');
  if (url.username !== '' || url.password !== '')
    throw refuse('url has a user and password in it', "write headers = 'Authorization: Basic ${CREDENTIALS}'");
  const headers = parseHeaders(String(options['headers'] ?? ''), name, span);
  if (!headers.has('content-type'))
    headers.set('Content-Type', format === 'json' ? 'application/json' : 'application/x-ndjson');
  if (!headers.has('user-agent')) headers.set('User-Agent', 'streamsql');
  return { url, method: String(options['method']), headers, timeoutMs: Number(options['timeout']) };
}

function openRequests(
  { name, columns }: SinkDeclaration,
  shape: BodyShape,
  delivery: Delivery,
  context: SinkContext,
): SinkWriter {
  const bodies = new EpochBodies(name, columns, shape, context);
  let staged: number | undefined;
  return {
    open: () => Promise.resolve(),
    isPublished: () => Promise.resolve(false),
    async stage(epoch, delta, rows) {
      staged = undefined;
      if (rows === 0) return;
      await bodies.take(delta);
      staged = epoch;
    },
    async publish(epoch) {
      if (staged !== epoch) return;
      let part = 0;
      for await (const body of bodies.all())
        await delivery.send(epoch, `${context.job}-${encodeURIComponent(name)}-${epoch}-${part++}`, body);
      staged = undefined;
      await bodies.drop();
    },
    close: () => Promise.resolve(),
  };
}
