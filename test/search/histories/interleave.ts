// Functions side by side, as Lambda runs them. Their calls to the outside happen one at a time, in an order that is
// chosen, and go wrong in ways that are chosen; a function can die at each of them. How fast anything is has no part.
import { setImmediate } from 'node:timers/promises';
import type { Choices } from './choices.ts';

/** What is the matter when the cloud is out of order. */
export class Fault extends Error {}

type Way<T> = readonly [name: string, perform: () => Promise<T>];

/** Makes a call in the first of these ways, in which all is well, or in one of the others. */
export type Call = <T>(ways: readonly [Way<T>, ...Way<T>[]]) => Promise<T>;

const FAULT_PERCENT = 12;
const DEATH_PERCENT = 4;
const LOST_ANSWER_PERCENT = 8;

interface Waiting {
  readonly caller: number;
  /** Makes the call and hands over what comes of it. */
  readonly go: () => Promise<{ readonly name: string; readonly isFault: boolean }>;
}

/**
 * Runs `functions` until each has ended, and gives their answers: undefined from one that died or whose answer got
 * lost. `tell` hears of every call, in the order in which they happen.
 */
export async function interleave<R>(
  functions: readonly ((call: Call) => Promise<R>)[],
  choices: Choices,
  tell: (what: string, isFault: boolean) => void,
): Promise<readonly (R | undefined)[]> {
  let waiting: Waiting[] = [];
  const callAs =
    (caller: number): Call =>
    ([calm, ...faults]) =>
      new Promise((resolve, reject) => {
        const go = async () => {
          const isFault = choices.chance(FAULT_PERCENT);
          const [name, perform] = isFault ? choices.oneOf(faults) : calm;
          await perform().then(resolve, reject);
          return { name, isFault };
        };
        waiting.push({ caller, go });
      });
  const running = functions.map((run, caller) => {
    const one: { answer?: R } = {};
    void run(callAs(caller)).then((answer) => {
      one.answer = answer;
    });
    return one;
  });

  const label = (caller: number) => (functions.length > 1 ? `${caller + 1}: ` : '');
  // After a turn of the event loop each of them has come to its next call, or to its end.
  for (await setImmediate(); waiting.length > 0; await setImmediate()) {
    const next = choices.oneOf(waiting);
    if (choices.chance(DEATH_PERCENT)) {
      waiting = waiting.filter(({ caller }) => caller !== next.caller);
      tell(`${label(next.caller)}dies`, true);
    } else {
      waiting = waiting.filter((one) => one !== next);
      const { name, isFault } = await next.go();
      tell(`${label(next.caller)}${name}`, isFault);
    }
  }
  return running.map(({ answer }, caller) => {
    if (answer === undefined || !choices.chance(LOST_ANSWER_PERCENT)) return answer;
    tell(`${label(caller)}its answer is lost`, true);
    return undefined;
  });
}
