/** One view, as the engine keeps it and as DuckDB answers it at once over the same bids. */
export interface Query {
  readonly name: string;
  /** Of a bid, what the query uses; a source declares no more. */
  readonly columns: readonly (keyof typeof BID_COLUMNS)[];
  /** The SELECT of a materialized view, over the source `bids`. */
  readonly stream: string;
  /** The same in plain DuckDB, over a relation `bids`. */
  readonly batch: string;
}

export const BID_COLUMNS = { auction: 'BIGINT', bidder: 'BIGINT', price: 'BIGINT', date_time: 'TIMESTAMP' } as const;

const TUMBLE = `SELECT window_start, auction, count(*) AS bids, sum(price) AS total, max(price) AS top
  FROM TUMBLE(bids, date_time, INTERVAL '10' SECOND) GROUP BY window_start, auction`;
const TUMBLE_BATCH = `SELECT time_bucket(INTERVAL 10 SECOND, date_time, TIMESTAMP '1970-01-01') AS window_start, auction,
    count(*) AS bids, sum(price) AS total, max(price) AS top
  FROM bids GROUP BY 1, 2`;

export const tumble: Query = {
  name: 'tumble',
  columns: ['auction', 'price', 'date_time'],
  stream: `${TUMBLE} EMIT ON WINDOW CLOSE`,
  batch: TUMBLE_BATCH,
};

export const tumbleChanges: Query = { ...tumble, name: 'tumble-changes', stream: `${TUMBLE} EMIT CHANGES` };

export const hop: Query = {
  name: 'hop',
  columns: ['auction', 'price', 'date_time'],
  stream: `SELECT window_start, auction, count(*) AS bids, sum(price) AS total, max(price) AS top
    FROM HOP(bids, date_time, INTERVAL '2' SECOND, INTERVAL '10' SECOND) GROUP BY window_start, auction
    EMIT ON WINDOW CLOSE`,
  batch: `SELECT time_bucket(INTERVAL 2 SECOND, date_time, TIMESTAMP '1970-01-01') - to_seconds(2 * ago) AS window_start, auction,
      count(*) AS bids, sum(price) AS total, max(price) AS top
    FROM bids, range(5) AS slides(ago) GROUP BY 1, 2`,
};

export const filter: Query = {
  name: 'filter',
  columns: ['auction', 'price', 'date_time'],
  stream: 'SELECT auction, price, date_time FROM bids WHERE price > 5000000',
  batch: 'SELECT auction, price, date_time FROM bids WHERE price > 5000000',
};

const RUNNING = 'SELECT auction, count(*) AS bids, sum(price) AS total, max(price) AS top FROM bids GROUP BY auction';

export const running: Query = {
  name: 'running',
  columns: ['auction', 'price', 'date_time'],
  stream: `${RUNNING} EMIT CHANGES`,
  batch: RUNNING,
};

const JOIN = `SELECT a.auction, a.bidder, a.price AS first_price, b.price AS second_price
  FROM bids AS a JOIN bids AS b ON a.auction = b.auction AND a.bidder = b.bidder
    AND b.date_time BETWEEN a.date_time AND a.date_time + INTERVAL '10' SECOND`;

export const join: Query = {
  name: 'join',
  columns: ['auction', 'bidder', 'price', 'date_time'],
  stream: JOIN,
  batch: JOIN,
};
