// Laws at a NAS with services of its own, over random services, requests, orders and kinds of NAS, with at most two faults.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ORDERS, type Order } from '../../../core/nas.ts';
import { decodeAttributes } from '../../../core/radius/codec.ts';
import type { Event } from '../../../core/subscriber/event.ts';
import type { CommandEffect, ReplyEffect, Session } from '../../../core/subscriber/session.ts';
import { dueAtMs } from '../../../core/subscriber/transition.ts';
import { readAsNas } from '../../../local/peers/nas-dialects.ts';
import { craft, packetOf } from '../radius/craft.ts';
import { asked, NOW, nas as nasOf, play, request, service } from '../support.ts';

type DialectOf = 'erx' | 'cisco' | 'generic';
type Fault = 'lose-request' | 'lose-reply' | 'refuse' | 'not-sent';

interface Kind {
  readonly order: Order;
  readonly dialect: DialectOf;
  /** Refuses to activate what is there. */
  readonly isStrict: boolean;
  /** Refuses two members of a group side by side. */
  readonly refusesCoexistence: boolean;
  /** Has one service of a session at a time (`generic`). */
  readonly oneAtATime: boolean;
}

interface Plan extends Kind {
  /** Services from log-in. */
  readonly logIn: readonly string[];
  readonly wishes: readonly {
    readonly activate: readonly string[];
    readonly deactivate: readonly string[];
  }[];
  /** Faults by the number of the command that they befall. */
  readonly faults: readonly (readonly [at: number, fault: Fault])[];
}

/** What a client asked, and what the NAS had when the reply was sent, and when all had come to rest. */
interface Answered {
  readonly activate: readonly string[];
  readonly deactivate: readonly string[];
  readonly reply: ReplyEffect;
  readonly before: readonly string[];
  /** What the table knew before, and of that what was unconfirmed. */
  readonly known: readonly string[];
  readonly wereInDoubt: readonly string[];
  readonly atReply: readonly string[];
  readonly atRest: readonly string[];
  readonly session: Session | undefined;
  readonly faults: number;
  /** Groups that had a member before and were without one in between. */
  readonly emptied: readonly number[];
}

const groupsOf = (activation: string) => service(activation).groups;
const members = (services: readonly string[], group: number) =>
  services.filter((one) => groupsOf(one).includes(group));

function playAt({
  order,
  dialect,
  isStrict,
  refusesCoexistence,
  oneAtATime,
  ...plan
}: Plan): readonly Answered[] {
  const options = { oneAtATime };
  const who = { nas: nasOf({ enforcement: 'coa', order, dialect, options }) };
  let atNas = plan.logIn;
  let session: Session | undefined;
  let nowMs = NOW;
  let commands = 0;
  let faults = 0;
  let states: (readonly string[])[] = [];

  return plan.wishes.flatMap(({ activate, deactivate }, index) => {
    const before = atNas;
    const known = Object.keys(session?.services ?? {});
    const wereInDoubt = Object.values(session?.services ?? {})
      .filter(({ state }) => state === 'unconfirmed')
      .map(({ activation }) => activation);
    states = [before];
    faults = 0;
    let atReply: readonly string[] = [];
    let reply: ReplyEffect | undefined;
    const see = (effects: readonly (CommandEffect | ReplyEffect)[]) => {
      for (const effect of effects) if (effect.kind === 'reply') [reply, atReply] = [effect, atNas];
    };
    happen(asked(request(`r${index}`, { ...who, activate, deactivate, receivedAtMs: nowMs })), see);
    for (let round = 0; round < 60; round++) {
      const dueMs = session && dueAtMs(session);
      if (dueMs === undefined) break;
      nowMs = Math.max(nowMs, dueMs);
      happen({ kind: 'due', id: `due ${index} ${round}` }, see);
    }
    if (reply === undefined) throw new Error('a request has to be answered');
    const emptied = [7, 12].filter(
      (group) =>
        members(before, group).length > 0 && states.some((services) => members(services, group).length === 0),
    );
    nowMs += 60_000;
    return [
      {
        activate,
        deactivate,
        reply,
        before,
        known,
        wereInDoubt,
        atReply,
        atRest: atNas,
        session,
        faults,
        emptied,
      },
    ];
  });

  /** An event, and all that follows from it until the session is idle. */
  function happen(event: Event, see: (effects: readonly (CommandEffect | ReplyEffect)[]) => void): void {
    let next: Event | undefined = event;
    while (next !== undefined) {
      const played = play([next], session, nowMs);
      session = played.session;
      see(played.last.effects);
      const command = played.last.effects.find((effect) => effect.kind === 'command');
      next = command && outcomeOf(command);
    }
  }

  function outcomeOf({ commandId, attributes }: CommandEffect): Event {
    const [, fault] = plan.faults.find(([at]) => at === commands) ?? [];
    commands++;
    if (fault !== undefined) faults++;
    const base = { kind: 'outcome', id: `${commandId}/outcome`, commandId } as const;
    if (fault === 'lose-request') return { ...base, result: 'timeout' };
    if (fault === 'not-sent') return { ...base, result: 'unsent', errorCause: 506, unsent: 'nas-overloaded' };
    if (fault === 'refuse') return { ...base, result: 'nak', errorCause: 506 };
    const refusal = carryOut(Buffer.from(attributes, 'base64'));
    if (fault === 'lose-reply') return { ...base, result: 'timeout' };
    return refusal === undefined
      ? { ...base, result: 'ack' }
      : { ...base, result: 'nak', errorCause: refusal };
  }

  function carryOut(octets: Uint8Array): number | undefined {
    const reading = readAsNas(
      dialect,
      decodeAttributes(packetOf(craft({ attributes: [Buffer.from(octets)] }))),
      atNas,
      options,
    );
    if (!reading.ok) throw new Error(`the NAS cannot read the command: ${reading.errorCause}`);
    let after = atNas;
    for (const { operation, service } of reading.operations) {
      const isThere = atNas.includes(service);
      if (operation === 'deactivate' && !isThere) return 503;
      if (operation === 'activate' && isThere && isStrict) return 404;
      after = after.filter((one) => one !== service);
      if (operation === 'activate') after = [...after, service];
    }
    if (refusesCoexistence && [7, 12].some((group) => members(after, group).length > 1)) return 506;
    atNas = after;
    states.push(atNas);
    return undefined;
  }
}

const SERVICES = ['gold', 'silver', 'bronze', 'video', 'both', 'voice', 'radio'];
const some = (maxLength: number) => fc.uniqueArray(fc.constantFrom(...SERVICES), { maxLength });
const wish = fc
  .record({ activate: some(2), deactivate: some(2) })
  .map(({ activate, deactivate }) => ({
    activate,
    deactivate: deactivate.filter((one) => !activate.includes(one)),
  }))
  .filter(({ activate, deactivate }) => activate.length + deactivate.length > 0);
const fault = fc.tuple(
  fc.nat(12),
  fc.constantFrom<Fault>('lose-request', 'lose-reply', 'refuse', 'not-sent'),
);
const plan: fc.Arbitrary<Plan> = fc
  .record({
    order: fc.constantFrom(...ORDERS),
    dialect: fc.constantFrom<DialectOf>('erx', 'cisco', 'generic'),
    isStrict: fc.boolean(),
    refusesCoexistence: fc.boolean(),
    oneAtATime: fc.boolean(),
    logIn: some(2),
    wishes: fc.array(wish, { minLength: 1, maxLength: 5 }),
    faults: fc.array(fault, { maxLength: 2 }),
  })
  .filter(({ order, dialect }) => order !== 'together' || dialect !== 'cisco')
  .map((one) => ({
    ...one,
    oneAtATime: one.oneAtATime && one.dialect === 'generic' && one.order === 'together',
    // A NAS that has one list and no two of a group in it is never told a newcomer first: no switch would succeed.
    refusesCoexistence:
      one.refusesCoexistence && !(one.dialect === 'generic' && one.order === 'activate-first'),
  }))
  // A command of this dialect takes away what was there at log-in: the laws of that are below.
  .map((one) => ({ ...one, logIn: one.dialect === 'generic' ? [] : one.logIn }))
  // A subscriber of such a NAS has no two of a group from log-in either.
  .filter(
    ({ refusesCoexistence, logIn }) =>
      !refusesCoexistence || [7, 12].every((group) => members(logIn, group).length < 2),
  );

const law = (check: (answered: Answered, kind: Plan) => void) =>
  fc.assert(
    fc.property(plan, (one) => {
      for (const answered of playAt(one)) check(answered, one);
    }),
    { numRuns: 2000 },
  );

describe('laws at a NAS with services of its own', () => {
  it('an ACK says that every change was made', () => {
    law(({ activate, deactivate, reply, atReply }) => {
      if (reply.answer !== 'ack') return expect(reply.errorCause).toBeGreaterThan(0);
      expect(atReply).toEqual(expect.arrayContaining([...activate]));
      expect(atReply.filter((one) => deactivate.includes(one))).toEqual([]);
    });
  });

  // A service from log-in that is activated once more cannot be told from one that is not: its undo takes it away where
  // its group keeps another member. One that was unconfirmed may be there afterwards or not, as it may have been before.
  it('a NAK leaves the NAS as it was, but for what the table shows as in doubt', () => {
    law(({ activate, known, wereInDoubt, reply, before, atRest, session }) => {
      if (reply.answer === 'ack') return expect(reply.errorCause).toBeUndefined();
      const inDoubt = Object.values(session?.services ?? {})
        .filter(({ state }) => state !== 'active')
        .map(({ activation }) => activation);
      const isDoubtful = (one: string) =>
        wereInDoubt.includes(one) || (activate.includes(one) && !known.includes(one) && before.includes(one));
      const sure = (services: readonly string[]) =>
        services.filter((one) => !inDoubt.includes(one) && !isDoubtful(one)).toSorted();
      expect(sure(atRest)).toEqual(sure(before));
    });
  });

  it('a group that had a member is never without one, where the newcomer is told no later than what goes', () => {
    law(({ activate, deactivate, emptied, before }, { order }) => {
      if (order === 'deactivate-first') return expect(order).toBe('deactivate-first');
      const joined = emptied.filter((group) => members(activate, group).length > 0);
      const untouched = joined.filter(
        (group) => !members(before, group).some((one) => deactivate.includes(one)),
      );
      expect(untouched).toEqual([]);
    });
  });

  // With deactivate-first, what went is told again with a back-off as long as the NAS refuses it beside what came.
  it('a session comes to rest, and what it has as active the NAS has', () => {
    law(({ atRest, session }, { order }) => {
      const all = Object.values(session?.services ?? {});
      expect(session?.transition).toBeUndefined();
      const restless = all.filter(
        ({ state, retry }) =>
          state === 'deactivating' ||
          (state === 'restoring' && (order !== 'deactivate-first' || retry === undefined)),
      );
      expect(restless).toEqual([]);
      const active = all.filter(({ state }) => state === 'active').map(({ activation }) => activation);
      expect(active.filter((one) => !atRest.includes(one))).toEqual([]);
    });
  });

  it('a NAS with one service at a time is never asked for two', () => {
    law(({ atRest, session }, { oneAtATime }) => {
      const active = Object.values(session?.services ?? {}).filter(({ state }) => state === 'active');
      if (oneAtATime) expect([atRest.length, active.length].every((count) => count <= 1)).toBe(true);
    });
  });

  it('the NAS has nothing but what the table has and what was there at log-in', () => {
    law(({ atRest, session }, { logIn }) => {
      const known = Object.keys(session?.services ?? {});
      expect(atRest.filter((one) => !known.includes(one) && !logIn.includes(one))).toEqual([]);
    });
  });
});
