// A history from its first step to its rest.
import type { Session } from '../../../core/subscriber/session.ts';
import { sentence } from '../promises/comes-to-rest.ts';
import { Choices } from './choices.ts';
import { Cloud, type System } from './cloud.ts';
import { hasFeed, type SiteName } from './deployment.ts';
import { Scene, type Tally } from './scene.ts';
import { Site } from './site.ts';

/** What happens is settled by numbers, some for each step. */
export interface History {
  readonly site: SiteName;
  readonly subscribers: number;
  /** What the NAS has from log-in. */
  readonly logIn: readonly number[];
  readonly steps: readonly (readonly number[])[];
}

interface World {
  readonly scene: Scene;
  readonly site: Site;
  readonly cloud: Cloud;
}

type Move = (choices: Choices) => Promise<void> | void;

/** Far more than it takes to come to rest. */
const MAX_TURNS = 5_000;
/**
 * Once nothing goes wrong any more, each request is answered within this time: a relay that is not there comes back, a message
 * that was delivered in vain comes again, one command is answered late or its deadline passes, and the sweep sees that.
 */
const ANSWERED_WITHIN_MS = 300_000;
/** So long at most is the pause before a service is told again; what was under way before that takes no longer than a request. */
const AT_REST_WITHIN_MS = 15 * 60_000 + ANSWERED_WITHIN_MS;

/**
 * A relay that takes accounting looks for stale sessions for as long as it runs. When nothing else has happened for this time, it
 * has told of those that it can.
 */
const IDLE_MS = 5 * 60_000;

/**
 * Plays `history`; then faults stop, what is under way is finished, and what has to be done later is done.
 * @throws Violation as soon as a promise is not kept.
 */
export async function play(
  { site: name, subscribers, logIn, steps }: History,
  system: System,
): Promise<Tally> {
  const scene = new Scene(name, subscribers, new Choices(logIn));
  const site = new Site(scene, system.startRelay);
  await site.startRelay();
  const cloud = new Cloud(scene, site, system);
  const world = { scene, site, cloud };
  for (const numbers of steps) {
    const choices = new Choices(numbers);
    scene.choices = choices;
    const onward = movesOnward(world);
    const move = choices.weighted<Move>([
      ...(onward.length > 0 ? onward : [[1, () => {}] as const]),
      [2, (choices) => request(world, choices, (choices) => site.clients.ask(choices))],
      [2, (choices) => request(world, choices, (choices) => site.clients.repeat(choices))],
      [1, () => cloud.sweep()],
      [2, (choices) => wait(world, choices)],
      hasFeed(name) ? [4, (choices) => site.happen(choices)] : [1, (choices) => site.endSomething(choices)],
    ]);
    await move(choices);
    if (choices.chance(40)) await scene.clock.advance(choices.below(1_500));
    scene.tally.operations++;
    check(world);
  }
  scene.choices = new Choices();
  scene.tell('from here on nothing goes wrong');
  const calmAtMs = scene.nowMs;
  let idleSinceMs = calmAtMs;
  for (let turn = 0; turn < MAX_TURNS; turn++) {
    const isOver = await goOnCalmly(world);
    check(world);
    if (!isAtRest(world) || cloud.nextMs !== undefined) idleSinceMs = scene.nowMs;
    if (isAtRest(world) && (isOver || scene.nowMs - idleSinceMs > IDLE_MS)) return scene.tally;
    if (isOver) break;
    expectInTime(scene, scene.nowMs - calmAtMs);
  }
  scene.violated(`it does not come to rest (“${sentence}”)`);
  scene.check();
  return scene.tally;
}

function expectInTime(scene: Scene, calmMs: number): void {
  for (const { name, observer, item } of scene.subscribers) {
    if (calmMs > ANSWERED_WITHIN_MS && !observer.isAnswered)
      scene.violated(`${name}: a request has no answer after ${calmMs} ms`);
    if (calmMs > AT_REST_WITHIN_MS && !isSettled(item?.session))
      scene.violated(`${name}: something has still to be told after ${calmMs} ms (“${sentence}”)`);
  }
}

/** What is under way and can go on. */
function movesOnward({ scene, site, cloud }: World): readonly (readonly [weight: number, move: Move])[] {
  const moves: readonly (readonly [boolean, number, Move])[] = [
    [cloud.hasMessages, 8, (choices) => cloud.decide(choices)],
    [scene.clock.nextMs !== undefined, 8, (choices) => letRelayGoOn(scene, site, choices)],
    [cloud.hasChanges, 2, (choices) => cloud.account(choices)],
  ];
  return moves.flatMap(([isPossible, weight, move]) => (isPossible ? [[weight, move] as const] : []));
}

/** Clients send; mostly the relay has it at once. */
async function request({ scene }: World, choices: Choices, send: (choices: Choices) => void): Promise<void> {
  send(choices);
  if (!choices.chance(30)) await scene.clock.advance(0);
}

/** Lets happen what comes next at the site and all that follows at once from it, or so many events. */
async function letRelayGoOn({ clock }: Scene, site: Site, choices: Choices): Promise<void> {
  const events = choices.oneOf([undefined, 1, 2, 3, 5, 8, 13, 21]);
  if (events === undefined) {
    await clock.step();
    await clock.advance(0);
  } else for (let count = 0; count < events && (await clock.step()); count++);
  if (choices.chance(15)) site.restartRelay(choices);
  else if (choices.chance(8)) site.pauseRelay(choices);
}

/** Until something is due, or for long enough that retries, deadlines or windows have passed. The clock of the relay may step. */
async function wait({ scene, site, cloud }: World, choices: Choices): Promise<void> {
  const { nextMs } = cloud;
  const { nowMs, clock } = scene;
  const due = nextMs !== undefined && nextMs > nowMs ? [nextMs - nowMs] : [];
  // No queue holds a message for longer than the clock of a NAS may be wrong.
  const pauses = cloud.hasMessages ? [1, 16, 31, 61, 121] : [1, 16, 31, 61, 121, 301];
  await clock.advance(choices.oneOf([...due, ...pauses.map((seconds) => seconds * 1000)]));
  if (choices.chance(25)) site.stepClock(choices);
}

/** Does the next thing that there is to do; whether there was none. */
async function goOnCalmly({ scene: { clock }, cloud }: World): Promise<boolean> {
  if (cloud.hasMessages) await cloud.decide(new Choices());
  else if (await clock.step(clock.now())) return false;
  else if (cloud.hasChanges) await cloud.account(new Choices());
  else {
    const { nextMs: dueMs } = cloud;
    const [nextMs] = [clock.nextMs, dueMs].filter((ms) => ms !== undefined).sort((a, b) => a - b);
    if (nextMs === undefined) return true;
    await clock.advance(Math.max(0, nextMs - clock.now()));
    if (nextMs === dueMs) cloud.sweep();
  }
  return false;
}

const isQuiet = ({ site, cloud }: World) => site.isQuiet && !cloud.hasMessages && !cloud.hasChanges;
const isSettled = (session: Session | undefined) =>
  session === undefined ||
  (session.transition === undefined && Object.values(session.services).every(({ retry }) => !retry));
const isAtRest = (world: World) =>
  isQuiet(world) && world.scene.subscribers.every(({ item }) => isSettled(item?.session));

function check(world: World): void {
  const { scene } = world;
  for (const { observer, item: { session } = {} } of isQuiet(world) ? scene.subscribers : [])
    if (isSettled(session)) observer.atRest(session);
  scene.check();
}
