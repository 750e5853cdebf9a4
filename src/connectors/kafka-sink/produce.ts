import { produceV11, Writer, type Connection } from '@platformatic/kafka';
import type { Broker } from '../kafka/broker.ts';
import { partialResponse } from '../kafka/codes.ts';
import type { Batch } from './record-batch.ts';

const PRODUCE = 0;
const VERSION = 11;
const ALL_REPLICAS = -1;
/** How long the leader may wait for its replicas. */
const REPLICAS_MS = 10_000;

/** What the broker made of a batch: 0, or one of its error codes. */
export interface Verdict {
  readonly code: number;
  readonly message: string | undefined;
}

/** One attempt to hand the leader of these partitions a batch for each. The verdicts by partition. */
export async function produce(
  broker: Broker,
  topic: string,
  transactionalId: string | null,
  batches: readonly Batch[],
): Promise<ReadonlyMap<number, Verdict>> {
  const connection = await broker.connect();
  const answer = await send(connection, () => request(topic, transactionalId, batches)).catch((error: unknown) => {
    const partial = partialResponse(error) as produceV11.ProduceResponse | undefined;
    if (partial === undefined) throw error;
    return partial;
  });
  const parts = answer.responses.flatMap((response) => response.partitionResponses);
  return new Map(
    parts.map(({ index, errorCode, errorMessage, recordErrors }) => [
      index,
      { code: errorCode, message: recordErrors[0]?.batchIndexErrorMessage ?? errorMessage ?? undefined },
    ]),
  );
}

/** The client library's own request encodes record by record, several times slower. */
function request(topic: string, transactionalId: string | null, batches: readonly Batch[]): Writer {
  return Writer.create()
    .appendString(transactionalId)
    .appendInt16(ALL_REPLICAS)
    .appendInt32(REPLICAS_MS)
    .appendArray([topic], (topics, name) => {
      topics.appendString(name).appendArray([...batches], (partitions, { partition, bytes }) => {
        partitions.appendInt32(partition).appendBytes(bytes);
      });
    })
    .appendTaggedFields();
}

function send(connection: Connection, payload: () => Writer): Promise<produceV11.ProduceResponse> {
  return new Promise((resolve, reject) => {
    connection.send<produceV11.ProduceResponse>(
      PRODUCE,
      VERSION,
      payload,
      produceV11.parseResponse,
      true,
      true,
      (error, answer) => (error === null && answer !== undefined ? resolve(answer) : reject(error)),
    );
  });
}
