import { CHANGE_FORMATS, CHANGE_FORMATS_DOC } from '../../base/change-format.ts';
import type { SourceConnector, SourceDeclaration, SourcePlan } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import type { OptionSpecs } from '../../base/options.ts';
import { layoutOf, LOG_OPTIONS } from '../intake/layout.ts';
import { loggedPlan } from '../intake/plan.ts';
import { LogReader } from '../intake/log-reader.ts';
import { HttpDoor, type HttpSettings } from './door.ts';
import { listenerOf, type Address } from './listener.ts';

const OPTIONS = {
  listen: {
    tuning: true,
    type: 'string',
    default: '127.0.0.1:8080',
    doc: "where to listen: 'host:port', or a port of 127.0.0.1; several sources may share one",
  },
  format: {
    type: 'choice',
    values: ['json', ...CHANGE_FORMATS],
    default: 'json',
    doc: `json: each record is a JSON object; ${CHANGE_FORMATS_DOC}`,
  },
  token: {
    tuning: true,
    type: 'string',
    doc: "what a request must show, as 'Authorization: Bearer TOKEN'; write it as '${TOKEN}', a variable",
  },
  max_body: { tuning: true, type: 'size', default: 16 << 20, doc: 'the most bytes of a request, decompressed' },
  ...LOG_OPTIONS,
} as const satisfies OptionSpecs;

const PARTITION = 'http';

/** Rows that others post: `POST /ingest/NAME`. */
export const httpSource: SourceConnector = {
  name: 'http',
  doc: 'Rows that are sent to `POST /ingest/NAME`, NAME being the source: an array of JSON objects, or one a line. Answered when they are kept.',
  options: OPTIONS,
  plan(declaration: SourceDeclaration): SourcePlan {
    const { options, span, name } = declaration;
    const layout = layoutOf(declaration, false);
    const address = addressOf(declaration);
    const token = options['token'];
    const settings: HttpSettings = {
      name,
      token: token === undefined ? undefined : String(token),
      maxBody: Number(options['max_body'] ?? OPTIONS.max_body.default),
      maxPending: Number(options['max_pending'] ?? OPTIONS.max_pending.default),
      span,
    };
    if (settings.token?.trim() === '')
      throw new StreamsqlError('OPTION', 'token is empty', { span, hint: 'leave it out where none is asked for' });
    return loggedPlan(declaration, {
      bounded: false,
      open: (context) =>
        new LogReader(
          {
            layout,
            names: [PARTITION],
            door: (partition, fail) =>
              new HttpDoor(settings, listenerOf(context.signal, address), partition, {
                notice: (message) => context.notice(message),
                fail,
              }),
          },
          context,
        ),
    });
  },
};

function addressOf({ options, span }: SourceDeclaration): Address {
  const text = String(options['listen'] ?? OPTIONS.listen.default).trim();
  const [, host, port] = /^(?:(\[[\da-f:.]+\]|[^:[\]]+):)?(\d{1,5})$/i.exec(text) ?? [];
  if (port === undefined || Number(port) > 65_535)
    throw new StreamsqlError('OPTION', `listen takes 'host:port' or a port, not '${text}'`, {
      span,
      hint: OPTIONS.listen.doc,
    });
  return { host: (host ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port: Number(port) };
}
