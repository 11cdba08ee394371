import { describe, expect, it } from 'vitest';
import { ERROR_CAUSE } from '../../../core/radius/attributes.ts';
import type { Life, ServiceRequest, ServiceSession, Session } from '../../../core/subscriber/session.ts';
import { transition } from '../../../core/subscriber/transition.ts';
import { deactivation } from '../../core/support.ts';
import { SETTINGS, search } from './settings.ts';
import type { Transition } from './subscriber-world.ts';

/** Systems that look right and are not, each with the setting that shows it. */
const MUTANTS: readonly (readonly [what: string, setting: string, decide: Transition, promise: RegExp])[] = [
  [
    'deactivates what a newcomer replaces before the newcomer comes',
    'switches and deactivations',
    breaksFirst,
    /no service of group 1 left/,
  ],
  [
    'acknowledges the deactivation of what the table does not know',
    'activate-first, services from log-in',
    believesItsTable,
    /ACK with \w+ at the NAS/,
  ],
  [
    'tells a NAS that replaces its list of what the table does not know',
    'activate-first, a NAS that replaces its list, services from log-in',
    believesItsTable,
    /no service of group 1 left/,
  ],
  [
    'tells a NAS with one service at a time of two',
    'three requests to a NAS that has one service at a time',
    forgetsCapacity,
    /the NAS is told gold,video at a time/,
  ],
  [
    'undoes an activation that may have been there before',
    'activate-first, a strict NAS',
    undoesTheLast,
    /no service of group 1 left/,
  ],
  [
    'undoes an activation while what it replaced may be gone',
    'together, a NAS that refuses coexistence',
    undoesBeforeRestoring,
    /no service of group 1 left/,
  ],
  [
    'has one pause for all deactivations of a session',
    'deactivations that fail',
    pausesTogether,
    /is told later than it was to be/,
  ],
  [
    'keeps what a refused request said of the subscriber',
    'another subscriber',
    keepsWhatIsRefused,
    /503, and the NAS knows the subscriber/,
  ],
  [
    'refuses a member beside another that the request deactivates',
    'activate-first, a group that refuses',
    refusesAnExchange,
    /501, and no other member of the group stays/,
  ],
  [
    'takes two members of a group that refuses from one request',
    'activate-first, a group that refuses',
    takesTwo,
    /are active in a group that refuses/,
  ],
  [
    'removes a session with its answers as soon as it is empty',
    'a deactivation of what is there from log-in',
    removesAtOnce,
    /is carried out again/,
  ],
  [
    'undoes an activation under the first of its names alone',
    'another subscriber, then the right one',
    undoesUnderOneName,
    /at rest the NAS has http/,
  ],
  [
    'believes a refusal that may be about the subscriber of what is in doubt',
    'deactivate-first, another subscriber in between',
    believesAnyRefusal,
    /at rest the NAS has gold/,
  ],
  [
    'undoes for the subscriber what was asked for another one',
    'another subscriber, services from log-in',
    undoesForAnother,
    /is taken away for another subscriber/,
  ],
  [
    'takes what the relay did not send for a refusal of the NAS',
    'switches and deactivations',
    takesUnsentForNak,
    /is restored no longer, and the NAS has not answered/,
  ],
  [
    'takes what the relay did not send for what the NAS did not answer',
    'switches and deactivations',
    takesUnsentForTimeout,
    /and the NAS was not told/,
  ],
  [
    'acknowledges a Disconnect-Request before the NAS has',
    'Disconnect-Requests',
    endsAtOnce,
    /ACK, and the NAS has the session/,
  ],
  [
    'keeps the services of a session that the NAS may have ended',
    'Disconnect-Requests',
    staysCertain,
    /is active in the item, and the NAS does not have it/,
  ],
  [
    'goes by when a record comes, not by when it happened',
    'a session logs on and off',
    goesByArrival,
    /ends a session that goes on|at rest the session is open/,
  ],
  [
    'ends the session with the Acct-Stop of an earlier one',
    'a session logs on and off',
    believesAnyStop,
    /ends a session that goes on/,
  ],
  [
    'acknowledges a request whose session has ended',
    'a session logs on and off',
    acknowledgesAnyhow,
    /ACK for a session that has ended/,
  ],
  [
    'forgets the command under way with the session',
    'a session logs on and off',
    forgetsTheCommand,
    /at rest the NAS has gold/,
  ],
  [
    'believes the Acct-Start of a service that has ended',
    'the NAS ends and begins services itself',
    believesAnyStart,
    /at rest silver is active/,
  ],
  [
    'ends what began after the restart of the NAS',
    'the NAS restarts',
    endsWhatBeganLater,
    /ends a session that began later/,
  ],
  [
    'calls a session stale that was heard of since',
    'the Acct-Stop is lost, and other records',
    believesAnyNotice,
    /is stale of which a record has come since/,
  ],
  [
    'keeps a session stale that is heard of again',
    'the Acct-Stop is lost, and other records',
    staysStale,
    /is stale of which a record has come since/,
  ],
  [
    'does not believe that a session is stale',
    'the Acct-Stop is lost, and other records',
    ignoresNotices,
    /is not stale of which no record has come/,
  ],
  [
    'remembers nothing of a session that is over',
    'switches and deactivations',
    remembersNothing,
    /is carried out again/,
  ],
  [
    'knows a request by the port that it came from',
    'Disconnect-Requests',
    goesByPort,
    /is carried out again/,
  ],
  [
    'begins what its client waits for no longer',
    'clients that give up',
    hasAllTheTime,
    /is begun \d+ ms after its client has given up/,
  ],
  [
    'carries out at once what its client waits for no longer',
    'clients that give up, without confirmation',
    hasAllTheTime,
    /is begun \d+ ms after its client has given up/,
  ],
  [
    'undoes what a relay did not report',
    'activate-first, services from log-in',
    undoesWhatIsNotReported,
    /is answered before the NAS is asked again|before the NAS is asked again/,
  ],
  [
    'asks again under the same name',
    'activate-first, services from log-in',
    asksUnderTheSameName,
    /is not asked again|never at rest/,
  ],
  [
    'takes what the NAS says when it is asked again for what it said before',
    'activate-first, services from log-in',
    believesTheSecondAnswer,
    /at rest the NAS has|503, and the NAS knows/,
  ],
  [
    'ends for certain what the NAS did not have when it was asked again',
    'deactivate-first, a relay that stops',
    forgetsWhatWasDoubted,
    /at rest|left/,
  ],
  ['never tells again what failed', 'one service a command', givesUp, /never at rest|will not be told/],
  [
    'refuses a Disconnect-Request that the NAS has obeyed',
    'a Disconnect-Request, and the Acct-Stop that it causes',
    refusesWhatIsObeyed,
    /NAK for a Disconnect-Request that the NAS has obeyed/,
  ],
];

describe('the search tells of a system that', () => {
  it.each(MUTANTS)(
    '%s',
    (_, name, decide, promise) => {
      const setting = SETTINGS.find((one) => one.name === name);
      if (setting === undefined) throw new Error(`no setting ${name}`);
      const { violation } = search(setting, decide);
      process.stdout.write(`broken on purpose: ${violation?.message}\n  ${violation?.trace.join('\n  ')}\n`);
      expect(violation?.message).toMatch(promise);
    },
    300_000,
  );
});

it('the search tells of a relay that was paused and tells what has gone on without it', () => {
  const setting = {
    name: 'switches',
    wishes: ['+gold', '+silver'],
    withoutRepeats: true,
    tellsLate: true,
    budget: { requests: 2, faults: 1, crashes: 1 },
  };
  const { violation } = search(setting, transition);
  process.stdout.write(`broken on purpose: ${violation?.message}\n  ${violation?.trace.join('\n  ')}\n`);
  expect(violation?.message).toMatch(/at rest the NAS has gold/);
}, 300_000);

/** What Junos MX has done since 16.1R4, without the way back. */
function breaksFirst(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  if (event.kind !== 'request' || session?.transition !== undefined) return transition(session, event, nowMs);
  const groups = event.request.activate.flatMap((one) => one.groups);
  const newcomers = event.request.activate.map(({ activation }) => activation);
  const victims = Object.values(session?.services ?? {})
    .filter(
      (one) => !newcomers.includes(one.activation) && one.groups.some((group) => groups.includes(group)),
    )
    .map(({ activation }) => deactivation(activation));
  if (victims.length === 0) return transition(session, event, nowMs);
  const first = { ...event.request, activate: [], deactivate: victims };
  const result = transition(session, { ...event, request: first }, nowMs);
  return result.session === undefined
    ? result
    : { ...result, session: { ...result.session, waiting: [event.request] } };
}

function believesItsTable(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  if (event.kind !== 'request') return transition(session, event, nowMs);
  const { request } = event;
  const deactivate = request.deactivate.filter(
    ({ activation }) => session?.services[activation] !== undefined,
  );
  return transition(session, { ...event, request: { ...request, deactivate } }, nowMs);
}

function forgetsCapacity(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  if (event.kind !== 'request') return transition(session, event, nowMs);
  const nas = { ...event.request.nas, options: {} };
  return transition(session, { ...event, request: { ...event.request, nas } }, nowMs);
}

function undoesTheLast(...given: Parameters<Transition>): ReturnType<Transition> {
  return withServicesOf(transition(...given), (service) =>
    service.state === 'unconfirmed' && service.activatedAtMs === undefined
      ? going(service, given[2])
      : service,
  );
}

function undoesBeforeRestoring(...given: Parameters<Transition>): ReturnType<Transition> {
  const result = transition(...given);
  const isRestoring = result.session?.transition?.step === 'restore';
  if (!isRestoring || result.session === undefined) return result;
  // What is told first is the undoing; the restoration waits.
  const { transition: _, ...session } = result.session;
  const replies = result.effects.filter(({ kind }) => kind === 'reply');
  const turned = withServicesOf({ session, effects: replies }, (service) =>
    service.undo
      ? going(service, given[2])
      : { ...service, ...(service.state === 'restoring' && later(given[2])) },
  );
  return turned;
}

function pausesTogether(...given: Parameters<Transition>): ReturnType<Transition> {
  const result = transition(...given);
  const times = Object.values(result.session?.services ?? {}).flatMap(({ retry }) => retry?.atMs ?? []);
  const last = Math.max(...times);
  return withServicesOf(result, (service) =>
    service.retry === undefined ? service : { ...service, retry: { ...service.retry, atMs: last } },
  );
}

function keepsWhatIsRefused(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const result = transition(session, event, nowMs);
  if (event.kind !== 'request' || result.session === undefined) return result;
  const identity = { ...event.request.identity, ...result.session.identity };
  // The session is kept although it is empty.
  return { session: { ...result.session, identity }, effects: result.effects };
}

function removesAtOnce(...given: Parameters<Transition>): ReturnType<Transition> {
  const result = transition(...given);
  const { session } = result;
  const isEmpty =
    session !== undefined &&
    session.transition === undefined &&
    session.waiting.length === 0 &&
    Object.keys(session.services).length === 0;
  return isEmpty ? { ...result, isOver: true } : result;
}

/** Names the subscriber in an undo by what the NAS has confirmed alone. */
function undoesForAnother(...given: Parameters<Transition>): ReturnType<Transition> {
  const [session, ...rest] = given;
  const services = Object.entries(session?.services ?? {}).map(([name, { named: _, ...one }]) => [name, one]);
  return transition(session && { ...session, services: Object.fromEntries(services) }, ...rest);
}

function undoesUnderOneName(...given: Parameters<Transition>): ReturnType<Transition> {
  return withServicesOf(transition(...given), ({ named, ...service }) =>
    named === undefined ? service : { ...service, named: named.slice(0, 1) },
  );
}

function believesAnyRefusal(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const result = transition(session, event, nowMs);
  const isRefusal = event.kind === 'outcome' && event.errorCause === 503;
  if (!isRefusal || session?.transition?.step !== 'deactivate' || result.session === undefined) return result;
  const { underWay } = session.transition;
  const left = Object.entries(result.session.services).filter(
    ([name, { state }]) => !(underWay.includes(name) && state === 'unconfirmed'),
  );
  return { ...result, session: { ...result.session, services: Object.fromEntries(left) } };
}

/** What stays is what was there before the request. */
function refusesAnExchange(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  if (event.kind !== 'request' || session?.transition !== undefined) return transition(session, event, nowMs);
  const whole = transition(session, event, nowMs);
  const { request } = event;
  const alone = transition(session, { ...event, request: { ...request, deactivate: [] } }, nowMs);
  const isRefused = alone.effects.some((effect) => effect.kind === 'reply' && effect.errorCause === 501);
  return isRefused && request.deactivate.length > 0 ? alone : whole;
}

function takesTwo(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  if (event.kind !== 'request' || event.request.activate.length < 2) return transition(session, event, nowMs);
  const activate = event.request.activate.map((one) => ({ ...one, refusingGroups: [] }));
  return transition(session, { ...event, request: { ...event.request, activate } }, nowMs);
}

function takesUnsentForNak(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const isUnsent = event.kind === 'outcome' && event.result === 'unsent';
  return transition(session, isUnsent ? { ...event, result: 'nak' } : event, nowMs);
}

function takesUnsentForTimeout(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const isUnsent = event.kind === 'outcome' && event.result === 'unsent';
  return transition(session, isUnsent ? { ...event, result: 'timeout' } : event, nowMs);
}

function undoesWhatIsNotReported(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const isMeant = event.kind === 'outcome' && event.result === 'interrupted';
  return transition(session, isMeant ? { ...event, result: 'timeout' } : event, nowMs);
}

function asksUnderTheSameName(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const result = transition(session, event, nowMs);
  const commandId = session?.transition?.commandId;
  const isMeant = event.kind === 'outcome' && event.result === 'interrupted' && event.commandId === commandId;
  const { transition: step } = result.session ?? {};
  if (!isMeant || commandId === undefined || result.session === undefined || step === undefined)
    return result;
  const effects = result.effects.map((one) => (one.kind === 'command' ? { ...one, commandId } : one));
  return { ...result, session: { ...result.session, transition: { ...step, commandId } }, effects };
}

/** As if the first command had not been told. */
function believesTheSecondAnswer(...[session, ...rest]: Parameters<Transition>): ReturnType<Transition> {
  return transition(session && withoutDoubt(session), ...rest);
}

function forgetsWhatWasDoubted(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const isGone = event.kind === 'outcome' && event.errorCause === 503;
  return transition(session && isGone ? withoutDoubt(session) : session, event, nowMs);
}

function withoutDoubt({ transition: step, ...session }: Session): Session {
  if (step?.step !== 'activate' && step?.step !== 'deactivate')
    return { ...session, ...(step && { transition: step }) };
  const { doubted: _, ...job } = step.job;
  return { ...session, transition: { ...step, job } };
}

function endsAtOnce(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const isMeant = session !== undefined && event.kind === 'request' && event.request.isDisconnect;
  if (!isMeant) return transition(session, event, nowMs);
  const nas = { ...event.request.nas, enforcement: 'none' as const };
  return transition(session, { ...event, request: { ...event.request, nas } }, nowMs);
}

function staysCertain(...given: Parameters<Transition>): ReturnType<Transition> {
  const [session, event] = given;
  const result = transition(...given);
  const isUnanswered = event.kind === 'outcome' ? event.result === 'timeout' : event.kind === 'due';
  if (session?.transition?.step !== 'disconnect' || !isUnanswered || result.session === undefined)
    return result;
  return { ...result, session: { ...result.session, services: session.services } };
}

function givesUp(...given: Parameters<Transition>): ReturnType<Transition> {
  return withServicesOf(transition(...given), ({ retry: _, ...service }) => service);
}

function remembersNothing(...given: Parameters<Transition>): ReturnType<Transition> {
  const result = transition(...given);
  if (!result.session?.isForgotten) return result;
  return { ...result, session: { ...result.session, answered: [] } };
}

/** A repeat comes from another port. */
function goesByPort(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  if (event.kind !== 'request') return transition(session, event, nowMs);
  const { request } = event;
  const origin = { ...request.origin, key: request.correlationId };
  return transition(session, { ...event, request: { ...request, origin } }, nowMs);
}

function hasAllTheTime(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const patient = ({ answerByMs: _, ...request }: ServiceRequest): ServiceRequest => request;
  const waiting = session && { ...session, waiting: session.waiting.map(patient) };
  const asked = event.kind === 'request' ? { ...event, request: patient(event.request) } : event;
  return transition(waiting, asked, nowMs);
}

function goesByArrival(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  if (event.kind !== 'record') return transition(session, event, nowMs);
  return transition(session, { ...event, record: { ...event.record, eventAtMs: nowMs } }, nowMs);
}

function believesAnyStop(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  if (event.kind !== 'record' || event.record.kind !== 'stop' || event.record.service !== undefined)
    return transition(session, event, nowMs);
  const { sessionTimeSeconds: _, ...stop } = event.record;
  return transition(session, { ...event, record: { ...stop, eventAtMs: nowMs } }, nowMs);
}

/** With the Acct-Stop, it answers the request under way as if all had gone well. */
function acknowledgesAnyhow(...given: Parameters<Transition>): ReturnType<Transition> {
  const result = transition(...given);
  if (given[1].kind !== 'record') return result;
  const effects = result.effects.map((effect) => {
    if (effect.kind !== 'reply') return effect;
    const { errorCause: _, ...reply } = effect;
    return { ...reply, answer: 'ack' as const };
  });
  return { ...result, effects };
}

function forgetsTheCommand(...given: Parameters<Transition>): ReturnType<Transition> {
  return withLifeOf(transition(...given), ({ closed, ...life }) => {
    if (closed === undefined) return life;
    const { command: _, ...rest } = closed;
    return { ...life, closed: rest };
  });
}

function believesAnyStart(...given: Parameters<Transition>): ReturnType<Transition> {
  return withLifeOf(transition(...given), (life) => ({ ...life, endedServices: [] }));
}

function refusesWhatIsObeyed(...given: Parameters<Transition>): ReturnType<Transition> {
  const [before, event] = given;
  const result = transition(...given);
  if (before?.transition?.step !== 'disconnect' || event.kind !== 'record') return result;
  const errorCause = ERROR_CAUSE['Session-Context-Not-Found'];
  const effects = result.effects.map((effect) =>
    effect.kind === 'reply' ? { ...effect, answer: 'nak' as const, errorCause } : effect,
  );
  return { ...result, effects };
}

function endsWhatBeganLater(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const isRestart = event.kind === 'nas-restart';
  return transition(session, isRestart ? { ...event, eventAtMs: nowMs + 1 } : event, nowMs);
}

function believesAnyNotice(...[session, event, nowMs]: Parameters<Transition>): ReturnType<Transition> {
  const isNotice = event.kind === 'record' && event.record.kind === 'stale';
  if (!isNotice) return transition(session, event, nowMs);
  return transition(session, { ...event, record: { ...event.record, eventAtMs: nowMs } }, nowMs);
}

function staysStale(...given: Parameters<Transition>): ReturnType<Transition> {
  const { staleSinceMs } = given[0]?.life ?? {};
  return withLifeOf(transition(...given), (life) => ({
    ...life,
    ...(staleSinceMs !== undefined && { staleSinceMs }),
  }));
}

function ignoresNotices(...given: Parameters<Transition>): ReturnType<Transition> {
  return withLifeOf(transition(...given), ({ staleSinceMs: _, ...life }) => life);
}

function withLifeOf(result: ReturnType<Transition>, change: (life: Life) => Life): ReturnType<Transition> {
  const { life } = result.session ?? {};
  if (result.session === undefined || life === undefined) return result;
  return { ...result, session: { ...result.session, life: change(life) } };
}

function withServicesOf(
  result: ReturnType<Transition>,
  change: (service: ServiceSession) => ServiceSession,
): ReturnType<Transition> {
  if (result.session === undefined) return result;
  const services = Object.entries(result.session.services).map(([name, one]) => [name, change(one)] as const);
  return { ...result, session: { ...result.session, services: Object.fromEntries(services) } };
}

function going({ undo: _, ...service }: ServiceSession, nowMs: number): ServiceSession {
  return { ...service, state: 'deactivating', retry: { attempts: 1, atMs: nowMs } };
}

function later(nowMs: number): Pick<ServiceSession, 'retry'> {
  return { retry: { attempts: 3, atMs: nowMs + 60_000 } };
}
