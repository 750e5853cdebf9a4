import { GenericError, MultipleErrors } from '@platformatic/kafka';
import { StreamsqlError } from '../../base/errors.ts';
import { brokerCodes, CODE, codeName } from '../kafka/codes.ts';

/** What an error means for the transaction that is open. */
export type Meaning = 'begin again' | 'lost' | 'for good';

const ABORTABLE: ReadonlySet<number> = new Set([
  CODE.OUT_OF_ORDER_SEQUENCE_NUMBER, CODE.UNKNOWN_PRODUCER_ID, CODE.INVALID_TXN_STATE, CODE.TRANSACTION_ABORTABLE,
]); // prettier-ignore

/** The producer's epoch is not the id's any more: another took it, or the transaction was open for too long, or the id expired. */
const LOST: ReadonlySet<number> = new Set([
  CODE.INVALID_PRODUCER_EPOCH, CODE.PRODUCER_FENCED, CODE.INVALID_PRODUCER_ID_MAPPING,
]); // prettier-ignore

export function meaningOf(error: unknown): Meaning {
  const codes = brokerCodes(error);
  if (codes.some((code) => LOST.has(code))) return 'lost';
  return codes.some((code) => ABORTABLE.has(code)) ? 'begin again' : 'for good';
}

export const expired = (error: unknown): boolean => brokerCodes(error).includes(CODE.INVALID_PRODUCER_ID_MAPPING);

/** Any failure as a person reads it; whatever is no failure of a broker is a bug and stays as it is. */
export function asSinkError(sink: string, id: string, error: unknown): unknown {
  if (error instanceof StreamsqlError) {
    if (error.code === 'SINK' && error.message.startsWith(`sink ${sink}`)) return error;
    if (error.code !== 'SINK' && error.code !== 'SOURCE') return error;
    return new StreamsqlError('SINK', `sink ${sink}: ${error.message}`, { hint: error.hint, cause: error });
  }
  if (!(error instanceof GenericError || error instanceof MultipleErrors)) return error;
  const codes = brokerCodes(error).filter((code) => code !== CODE.OPERATION_NOT_ATTEMPTED);
  if (codes.length === 0) {
    return new StreamsqlError('SINK', `sink ${sink}: the broker cannot be reached: ${error.message}`, { cause: error });
  }
  const names = [...new Set(codes.map(codeName))].join(', ');
  const said = saidBy(error);
  const message = `sink ${sink}: the broker refuses: ${names}${said === undefined ? '' : ` (${said})`}`;
  return new StreamsqlError('SINK', message, { hint: HINTS[codes[0] ?? 0]?.(id), cause: error });
}

const HINTS: Readonly<Record<number, (id: string) => string>> = {
  [CODE.INVALID_TOPIC]: () => 'a topic has letters, digits, dots, dashes and underscores in its name',
  [CODE.TOPIC_AUTHORIZATION_FAILED]: () => 'allow this client to WRITE and DESCRIBE the topic',
  [CODE.GROUP_AUTHORIZATION_FAILED]: (id) => `allow this client to READ the consumer group '${id}'`,
  [CODE.TRANSACTIONAL_ID_AUTHORIZATION_FAILED]: (id) =>
    `allow this client to WRITE and DESCRIBE the transactional id '${id}', or say delivery = 'at_least_once'`,
  [CODE.INVALID_TRANSACTION_TIMEOUT]: () =>
    "transaction_timeout is more than the broker's transaction.max.timeout.ms allows",
  [CODE.INVALID_RECORD]: () => 'a compacted topic takes records with a key only: name its columns in key',
};

function saidBy(error: GenericError | MultipleErrors): string | undefined {
  const said = 'serverErrorMessage' in error ? error['serverErrorMessage'] : undefined;
  return typeof said === 'string' && said !== '' ? said : undefined;
}
