import { sql, type Sql } from '../../base/sql.ts';
import { below, draw, pick } from './draw.ts';
import { eventTimeMs, TIME_DRAW, type EventClock } from './event-time.ts';
import { FIRST_ID } from './events.ts';
import type { NexmarkTable } from './table.ts';
import { letters } from './values.ts';

const FIRST_NAMES = ['Peter', 'Paul', 'Luke', 'John', 'Saul', 'Vicky', 'Kate', 'Julie', 'Sarah', 'Deiter', 'Walter'];
const LAST_NAMES = ['Shultz', 'Abrams', 'Spencer', 'White', 'Bartels', 'Walton', 'Smith', 'Jones', 'Noris'];
const STATES = ['AZ', 'CA', 'ID', 'OR', 'WA', 'WY'];
const CITIES = [
  'Phoenix', 'Los Angeles', 'San Francisco', 'Boise', 'Portland', 'Bend', 'Redmond', 'Seattle', 'Kent', 'Cheyenne',
]; // prettier-ignore

/** People who sell and bid: about 200 bytes of text each. Names, cities and states are the benchmark's. */
export const personTable = (clock: EventClock): NexmarkTable => ({
  kind: 'person',
  columns: [
    { name: 'id', type: 'BIGINT', draws: [], value: sql`round + ${FIRST_ID.person}` },
    {
      name: 'name',
      type: 'VARCHAR',
      draws: ['first_name', 'last_name'],
      value: sql`${pick(FIRST_NAMES, draw('first_name'))} || ' ' || ${pick(LAST_NAMES, draw('last_name'))}`,
    },
    {
      name: 'email_address',
      type: 'VARCHAR',
      draws: ['mailbox', 'host'],
      value: sql`${letters(7, draw('mailbox'))} || '@' || ${letters(5, draw('host'))} || '.com'`,
    },
    { name: 'credit_card', type: 'VARCHAR', draws: ['card_start', 'card_end'], value: creditCard() },
    { name: 'city', type: 'VARCHAR', draws: ['city'], value: pick(CITIES, draw('city')) },
    { name: 'state', type: 'VARCHAR', draws: ['state'], value: pick(STATES, draw('state')) },
    { name: 'date_time', type: 'TIMESTAMP', draws: [TIME_DRAW], value: eventTimeMs(clock) },
    {
      name: 'extra',
      type: 'VARCHAR',
      draws: ['extra', 'extra_length'],
      value: letters(sql`30 + ${below(41, draw('extra_length'))}`, draw('extra')),
    },
  ],
});

/** Sixteen digits in groups of four. */
function creditCard(): Sql {
  const half = (name: string): Sql => sql`lpad(${below(100_000_000, draw(name))}::VARCHAR, 8, '0')`;
  const spaced = (digits: Sql): Sql => sql`${digits}[1:4] || ' ' || ${digits}[5:8]`;
  return sql`${spaced(half('card_start'))} || ' ' || ${spaced(half('card_end'))}`;
}
