import { parseArgs } from 'node:util';
import { parsed } from '../test/crash/disturbance.ts';
import { playHttpRound } from '../test/crash/http-round.ts';
import { playKafkaRound } from '../test/crash/kafka-round.ts';
import { atRandom, playRound, report, withEveryPoint, type Plan, type Round } from '../test/crash/round.ts';
import { FILE_WORKLOADS } from '../test/crash/workload.ts';
import { brokerObstacle } from './kafka-broker.ts';
import { startBroker, type TestBroker } from '../test/support/kafka.ts';

const NAMES = [...FILE_WORKLOADS.map(({ name }) => name), 'http', 'kafka'];
const USAGE = `usage: npm run torture -- --minutes N [--seed S] [--workload W] [--rounds R] [--kills K] [--plan P]

Runs SQL files as processes that are killed again and again, at random instants and at each named step of an epoch, of a
checkpoint and of a recovery, and started again until they are done. What they leave must be what an undisturbed run leaves.
  --minutes   for so long
  --seed      the first round's (a random one without it); round i has the seed S + i
  --workload  one of ${NAMES.join(', ')}; by default all in turn
  --rounds    so many at most
  --kills     disturbances a round, drawn at random; by default every fault point and six more
  --plan      the disturbances themselves, as a round that fails prints them`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string' },
    seed: { type: 'string' },
    workload: { type: 'string' },
    rounds: { type: 'string' },
    kills: { type: 'string' },
    plan: { type: 'string' },
  },
});
const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
const [minutes, rounds, kills] = [number(values.minutes), number(values.rounds), number(values.kills)];
const isUnknown = values.workload !== undefined && !NAMES.includes(values.workload);
if ((minutes === undefined && rounds === undefined) || isUnknown) {
  console.error(USAGE);
  process.exit(2);
}

const seed = number(values.seed) ?? Math.floor(Math.random() * 1_000_000_000);
const plan: Plan =
  values.plan !== undefined
    ? () => parsed(values.plan ?? '')
    : kills === undefined
      ? withEveryPoint(6)
      : atRandom(kills);
const obstacle = brokerObstacle();
const wanted = NAMES.filter((name) => values.workload === undefined || name === values.workload).filter((name) => {
  if (name !== 'kafka' || obstacle === undefined) return true;
  console.error(`no rounds over Kafka: ${obstacle}`);
  return false;
});
const broker: TestBroker | undefined = wanted.includes('kafka') ? await startBroker() : undefined;

const total = { rounds: 0, kills: 0, replayed: 0, different: 0 };
const deadline = minutes === undefined ? Infinity : performance.now() + minutes * 60_000;
console.log(`seed ${seed}`);
try {
  while (performance.now() < deadline && total.rounds < (rounds ?? Infinity)) {
    const round = await play(wanted[total.rounds % wanted.length] ?? '', seed + total.rounds);
    console.log(report(round));
    total.rounds++;
    total.kills += round.story?.kills ?? 0;
    total.replayed += round.story?.replayed ?? 0;
    if (round.differences.length > 0) total.different++;
  }
} finally {
  await broker?.stop();
}
console.log(
  `${total.rounds} rounds, ${total.kills} kills, ${total.replayed} epochs replayed, ${total.different} different`,
);
process.exit(total.different === 0 ? 0 : 1);

function play(name: string, ofRound: number): Promise<Round> {
  const workload = FILE_WORKLOADS.find((each) => each.name === name);
  if (workload !== undefined) return playRound(workload, ofRound, plan);
  if (name === 'http') return playHttpRound(ofRound, plan);
  if (broker === undefined) throw new Error(`there is no broker for ${name}`);
  return playKafkaRound(broker, ofRound, plan);
}
