import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Door } from '../intake/log-reader.ts';
import type { LogPartition } from '../intake/log-partition.ts';
import type { RecordCutter } from '../intake/record-cutter.ts';
import { LoggedStream } from '../intake/stream.ts';
import { showAddress, type Address } from '../address.ts';

export interface SocketHost {
  readonly address: Address;
  /** Undefined where the bytes go as they are. */
  readonly tls: { readonly ca?: string } | undefined;
  readonly maxPending: number;
  /** A new one for each connection. */
  cutter(): RecordCutter;
  notice(message: string | undefined): void;
  fail(error: unknown): void;
}

const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** A server that is gone without a word is noticed by what answers no probe. */
const KEEP_ALIVE_MS = 30_000;

/** Connects to a server, takes its lines, and connects again when the connection has ended, after a wait that grows. */
export class SocketDoor implements Door {
  private readonly partition: LogPartition;
  private readonly host: SocketHost;
  private isClosing = false;
  /** Ends what is waited for: nothing may be left on a signal that lives as long as the run. */
  private interrupt: () => void = () => undefined;
  private wait = FIRST_WAIT_MS;
  private work: Promise<void> = Promise.resolve();

  constructor(partition: LogPartition, host: SocketHost) {
    this.partition = partition;
    this.host = host;
    partition.away = true;
  }

  open(): Promise<void> {
    this.host.notice(`waiting for ${showAddress(this.host.address)}`);
    this.work = this.run();
    return Promise.resolve();
  }

  async close(): Promise<void> {
    this.isClosing = true;
    this.interrupt();
    await this.work;
  }

  private async run(): Promise<void> {
    try {
      await Promise.race([this.partition.opened(), this.interrupted()]);
      while (!this.isClosing) {
        const reason = await this.connection();
        this.partition.away = true;
        if (this.isClosing) break;
        this.host.notice(`waiting for ${showAddress(this.host.address)}: ${reason}`);
        await this.pause();
      }
    } catch (error) {
      this.host.fail(error);
    }
  }

  /** One connection, from its start to its end; why it ended. */
  private async connection(): Promise<string> {
    const { address, tls, maxPending } = this.host;
    const socket = tls === undefined ? connect(address) : connectTls({ ...address, ...tls, servername: nameOf(address) });
    let reason = 'the connection ended';
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
    socket.on('error', (error) => (reason = error.message));
    const over = new Promise<void>((resolve) => {
      socket.once('end', resolve);
      socket.once('close', () => resolve());
      this.interrupt = resolve;
    });
    const isUp = await Promise.race([up(socket, tls !== undefined), over.then(() => false)]);
    if (isUp && !this.isClosing) {
      socket.setTimeout(0);
      this.partition.away = false;
      this.host.notice(undefined);
      // Only a server that has something to say is worth to be asked again at once.
      socket.once('data', () => (this.wait = FIRST_WAIT_MS));
      const logged = new LoggedStream(socket, this.partition, this.host.cutter(), { maxPending, header: false });
      await Promise.race([over, logged.over]);
      await logged.stop(this.isClosing ? 'the run ended within this line' : 'the connection ended within this line');
    }
    socket.destroy();
    return reason;
  } // prettier-ignore

  private interrupted(): Promise<void> {
    return this.isClosing ? Promise.resolve() : new Promise((resolve) => (this.interrupt = resolve));
  }

  private async pause(): Promise<void> {
    // Many that lost one server do not all come back in the same moment.
    const ms = this.wait * (0.75 + Math.random() / 2);
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT_MS);
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([new Promise<void>((done) => (timer = setTimeout(done, ms))), this.interrupted()]);
    clearTimeout(timer);
  }
}

const nameOf = ({ host }: Address): string => (/^[\d.]+$|:/.test(host) ? '' : host);

const up = (socket: Socket, secure: boolean): Promise<boolean> =>
  new Promise((resolve) => socket.once(secure ? 'secureConnect' : 'connect', () => resolve(true)));
