import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { SourceConnector, SourceDeclaration, SourcePlan } from '../../base/connector.ts';
import { StreamsqlError } from '../../base/errors.ts';
import type { OptionSpecs } from '../../base/options.ts';
import { layoutOf, LINE_OPTIONS, LOG_OPTIONS } from '../intake/layout.ts';
import { loggedPlan } from '../intake/plan.ts';
import { LogReader } from '../intake/log-reader.ts';
import { RecordCutter } from '../intake/record-cutter.ts';
import { Notices } from '../notices.ts';
import { parseAddresses, showAddress, type Address } from '../address.ts';
import { SocketDoor } from './door.ts';

const OPTIONS = {
  host: {
    type: 'string',
    required: true,
    doc: "whom to connect to: a host, 'host:port', or several with commas, each a partition",
  },
  port: { type: 'integer', min: 1, max: 65_535, doc: 'the port of each host that names none' },
  ...LINE_OPTIONS,
  tls: { tuning: true, type: 'boolean', default: false, doc: 'connect with TLS' },
  tls_ca: {
    tuning: true,
    type: 'string',
    doc: 'a PEM file of the authorities to trust, in place of the usual ones',
  },
  ...LOG_OPTIONS,
} as const satisfies OptionSpecs;

/** Lines of TCP servers that we connect to, again and again. */
export const socketSource: SourceConnector = {
  name: 'socket',
  doc: 'Lines of a TCP server, a record each. A connection that ends is made again.',
  options: OPTIONS,
  plan(declaration: SourceDeclaration): SourcePlan {
    const { options } = declaration;
    const layout = layoutOf(declaration, false);
    const addresses = new Map(addressesOf(declaration).map((address) => [showAddress(address), address]));
    const maxRecord = Number(options['max_record'] ?? OPTIONS.max_record.default);
    const maxPending = Number(options['max_pending'] ?? OPTIONS.max_pending.default);
    if (options['tls_ca'] !== undefined && options['tls'] !== true)
      throw refuse(declaration, 'tls_ca is for tls = true only', 'add tls = true, or leave tls_ca out');
    return loggedPlan(declaration, {
      bounded: false,
      open(context) {
        const notices = new Notices((message) => context.notice(message));
        const names = [...addresses.keys()];
        const tls = options['tls'] === true ? authorities(declaration) : undefined;
        return new LogReader(
          {
            layout,
            names,
            door(partition, fail) {
              const key = names.indexOf(partition.name);
              return new SocketDoor(partition, {
                address: addresses.get(partition.name) ?? { host: '', port: 0 },
                tls,
                maxPending,
                cutter: () => new RecordCutter(layout, maxRecord),
                notice: (message) => (message === undefined ? notices.clear(key) : notices.set(key, message)),
                fail,
              });
            },
          },
          context,
        );
      },
    });
  },
};

function addressesOf(declaration: SourceDeclaration): readonly Address[] {
  const { host, port } = declaration.options;
  const parts = String(host).split(',').map((part) => part.trim()); // prettier-ignore
  const whole = parts.map((part) => {
    if (/^(?:\[[\da-f:.]+\]|[^:[\]]+):\d+$/i.test(part)) return part;
    if (port === undefined)
      throw refuse(declaration, `the host ${part} has no port`, "add port = 9000, or write host = 'example.org:9000'");
    return `${part.includes(':') && !part.startsWith('[') ? `[${part}]` : part}:${String(port)}`;
  });
  const addresses = parseAddresses(whole.join(','));
  if (addresses === undefined) throw refuse(declaration, `host takes hosts, not '${String(host)}'`, OPTIONS.host.doc);
  const names = addresses.map(showAddress);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw refuse(declaration, `the host ${twice} is given twice`, 'name each once');
  return addresses;
}

function authorities(declaration: SourceDeclaration): { readonly ca?: string } {
  const path = declaration.options['tls_ca'];
  if (path === undefined) return {};
  try {
    return { ca: readFileSync(resolve(declaration.cwd, String(path)), 'utf8') };
  } catch (error) {
    throw new StreamsqlError('FILE_MISSING', `tls_ca: ${String(path)} cannot be read`, {
      span: declaration.span,
      cause: error,
    });
  }
}

const refuse = ({ span }: SourceDeclaration, message: string, hint: string): StreamsqlError =>
  new StreamsqlError('OPTION', message, { span, hint });
