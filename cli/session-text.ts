// A subscriber session in text for an operator, modelled on JunosE's `show service-management subscriber-session`.

import { formatEndpoint } from '../core/endpoint.ts';
import { IDENTITY_ATTRIBUTES } from '../core/identity.ts';
import { describeAnswer } from '../core/requests/describe-packet.ts';
import { commandedAtMs } from '../core/subscriber/command.ts';
import { describeOutcome, speakerOf } from '../core/subscriber/command-outcome.ts';
import { DISCONNECT, describeRequest } from '../core/subscriber/draft.ts';
import { stateOf } from '../core/subscriber/event.ts';
import type { HistoryItem, HistoryRequest } from '../core/subscriber/history.ts';
import { areServicesKnown, ENDED_BY, isStale } from '../core/subscriber/life.ts';
import type { Answer, Life, Retry, ServiceRequest, Session } from '../core/subscriber/session.ts';
import { columns, details, NONE, type Row, section, table } from './layout.ts';
import { type Times, timesAt } from './times.ts';

/**
 * The session and its history in lines of text.
 * @param nowMs milliseconds since 1970-01-01 UTC; the text says how long ago things happened
 * @param timeZone in which times are written, such as `Europe/Berlin`
 */
export function describeSession(
  session: Session,
  history: readonly HistoryItem[],
  nowMs: number,
  timeZone: string,
): string {
  const times = timesAt(nowMs, timeZone);
  const sections = [
    section('Services', serviceRows(session, times)),
    section('In progress', inProgressRows(session, times)),
    section('Waiting requests', waitingRows(session)),
    section('Latest requests, oldest first', answeredRows(session, times)),
    section('History, newest first', historyRows(history, times)),
  ];
  return [...columns(headerRows(session, times, nowMs)), ...sections.flat()].join('\n');
}

function headerRows(session: Session, times: Times, nowMs: number) {
  const { identity, claimed, acctSessionId, nas, storedUnder, changedAtMs } = session;
  return details([
    ...IDENTITY_ATTRIBUTES.map((name) => [name, identity[name] ?? unchecked(claimed[name])] as const),
    ['Acct-Session-Id', acctSessionId],
    ['NAS', `${nas.name}, site ${nas.site}, dialect ${nas.dialect}, enforcement ${nas.enforcement}`],
    ['Stored under', storedUnder && `${storedUnder}, the name of the NAS when the session began`],
    ['State', stateOf(session)],
    ...lifeDetails(session, times, nowMs),
    ['Changed', times.at(changedAtMs)],
  ]);
}

/** What accounting says of the session; nothing where none has come. */
function lifeDetails(
  session: Session,
  times: Times,
  nowMs: number,
): readonly (readonly [string, string | undefined])[] {
  const { life, drift = {} } = session;
  if (life === undefined) return [];
  const { began, knownBy, heardAtMs, staleSinceMs, closed } = life;
  return [
    [
      'Began',
      began && `${times.at(began.atMs)}${knownBy === 'start' ? '' : ', deduced from Acct-Session-Time'}`,
    ],
    ['Last record', times.at(Math.max(heardAtMs, staleSinceMs ?? 0))],
    ['Stale', isStale(session, nowMs) ? staleText(life) : undefined],
    ['Ended', closed && `${times.at(closed.at.atMs)}, ${ENDED_BY[closed.by]}`],
    ['Services', areServicesKnown(session) ? undefined : 'those from log-in are not known'],
    ...Object.entries(drift).map(
      ([name, { sinceMs, instead }]) =>
        ['Drift', `the NAS accounts ${name} since ${times.at(sinceMs)}, not ${instead.join(', ')}`] as const,
    ),
  ];
}

/** Why a session counts as stale, and what that means. */
function staleText({ staleSinceMs }: Life): string {
  const why = staleSinceMs === undefined ? 'no record for 3 days' : 'no record for three intervals';
  return `${why}: its Acct-Stop may be lost. It ends when the NAS answers an activation with 503`;
}

/** What a client said of the subscriber and the NAS has not confirmed. */
function unchecked(value: string | number | undefined): string | undefined {
  return value === undefined ? undefined : `${value} (unchecked)`;
}

function serviceRows({ services, transition }: Session, times: Times): readonly Row[] {
  const planned = jobOf(transition)?.planned ?? {};
  const newcomers = Object.values(planned)
    .filter(({ activation }) => services[activation]?.state !== 'active')
    .map((service) => ({ ...service, state: 'activating' as const }));
  const all = { ...services, ...Object.fromEntries(newcomers.map((one) => [one.activation, one])) };
  const rows = Object.values(all)
    .sort((one, other) => one.number - other.number)
    .map(({ activation, groups, state, correlationId, activatedAtMs, expiresAtMs, retry, ...service }) => [
      activation,
      groups.join(',') || NONE,
      state,
      short(correlationId),
      service.isAccountedByNas ? `${service.statistics} (NAS)` : service.statistics,
      activatedAtMs === undefined ? NONE : times.at(activatedAtMs),
      expiresAtMs === undefined || !(state === 'active' || state === 'unconfirmed')
        ? NONE
        : times.until(expiresAtMs),
      retry === undefined ? NONE : retryText(state, retry, times),
    ]);
  return table(['Name', 'Mutex', 'State', 'Request', 'Statistics', 'Since', 'Timeout left', 'Retry'], rows);
}

/** `deactivating since …, attempt 2 failed, NAS: nak 506, 'Resource busy', next retry …` */
function retryText(state: string, { attempts, atMs, sinceMs, outcome }: Retry, times: Times): string {
  return [
    ...(sinceMs === undefined ? [] : [`${state} since ${times.at(sinceMs)}`]),
    attempts === 0 ? 'not told yet' : `attempt ${attempts} failed`,
    ...(outcome === undefined ? [] : [`${speakerOf(outcome)}: ${describeOutcome(outcome)}`]),
    `next retry ${times.at(atMs)}`,
  ].join(', ');
}

function inProgressRows({ nas, transition }: Session, times: Times): readonly Row[] {
  if (transition === undefined) return [];
  const { step, underWay, remaining, correlationId, deadlineMs } = transition;
  const job = jobOf(transition);
  const owed = transition.step === 'exclude' ? transition.owed : undefined;
  const request = transition.step === 'disconnect' ? transition.request : (job?.request ?? owed?.request);
  return details([
    ['Command', `${OPERATIONS[step]} ${underWay.join(', ')}`.trim()],
    ['Next', remaining.map((services) => `${OPERATIONS[step]} ${services.join(', ')}`).join('; ')],
    ['Since', times.at(commandedAtMs(nas, transition))],
    ['Deadline', times.at(deadlineMs)],
    ['Request', request ? requestText(request) : `${short(correlationId)}, no reply pending`],
    ['Activates', job && Object.keys(job.planned).join(', ')],
    ['Deactivates', job?.explicit.map(({ spelling }) => spelling).join(', ')],
    ['Excludes', job?.victims.join(', ')],
    ['Confirmed', job && [...job.confirmed, ...job.ended].join(', ')],
    ['Reply', owed && answerText(owed)],
  ]);
}

/** The command of each step. */
const OPERATIONS = {
  activate: 'activate',
  deactivate: 'deactivate',
  exclude: 'deactivate',
  restore: 'activate again',
  disconnect: 'disconnect',
} as const;

function jobOf(transition: Session['transition']) {
  return transition?.step === 'activate' || transition?.step === 'deactivate' ? transition.job : undefined;
}

function waitingRows({ waiting }: Session): readonly Row[] {
  return waiting.map((request, index) => [String(index + 1), requestText(request)]);
}

function answeredRows({ answered }: Session, times: Times): readonly Row[] {
  return answered.map((given) => [
    times.at(given.atMs),
    short(given.correlationId),
    given.asked,
    answerText(given, given.asked),
  ]);
}

function historyRows(history: readonly HistoryItem[], times: Times): readonly Row[] {
  const rows = history.map(
    ({ atMs, correlationId, cause, outcome, command, retryAttempts, requests = [], ...item }) => [
      times.at(atMs),
      correlationId === undefined ? NONE : short(correlationId),
      [
        outcome === undefined ? CAUSES[cause] : `${CAUSES[cause]}: ${describeOutcome(outcome)}`,
        ...(retryAttempts === undefined ? [] : [`attempt ${retryAttempts} failed`]),
      ].join(', '),
      servicesText(item) || NONE,
      command ? `${command.operation} ${command.services.join(', ')}`.trim() : NONE,
      requests.map(askedText).join('; ') || NONE,
    ],
  );
  return table(['At', 'Request', 'Cause', 'Services', 'NAS command', 'Client requests'], rows);
}

/** What made the change. */
const CAUSES: Readonly<Record<HistoryItem['cause'], string>> = {
  request: 'request',
  outcome: 'outcome',
  due: 'timer',
  record: 'accounting',
  'nas-restart': 'NAS restart',
  resync: 'resync',
  removal: 'removal',
};

const LIVES = {
  opened: 'opened',
  closed: 'ended',
  replaced: 'ended, and the next one opened',
  stale: 'stale',
} as const;

function servicesText({
  life,
  drift = [],
  activated = [],
  deactivating = [],
  restoring = [],
  unconfirmed = [],
  deactivated = [],
}: Pick<
  HistoryItem,
  'life' | 'drift' | 'activated' | 'deactivating' | 'restoring' | 'unconfirmed' | 'deactivated'
>): string {
  return [
    ...(life === undefined ? [] : [LIVES[life]]),
    ...drift.map((service) => `${service}: drift`),
    ...activated.map((service) => `+${service}`),
    ...deactivating.map((service) => `${service}: deactivating`),
    ...restoring.map((service) => `${service}: restoring`),
    ...unconfirmed.map((service) => `${service}: unconfirmed`),
    ...deactivated.map((service) => `-${service}`),
  ].join(', ');
}

function askedText({ correlationId, origin, asked, answer, ...why }: HistoryRequest): string {
  const who = origin === undefined ? '' : ` of ${origin.client.name}:`;
  const text = `${short(correlationId)}${who} ${asked}`;
  return answer === undefined ? text : `${text}: ${answerText({ answer, ...why }, asked)}`;
}

function requestText({ correlationId, origin, ...asked }: ServiceRequest): string {
  const { client } = origin;
  return `${short(correlationId)} from ${client.name} at ${formatEndpoint(client)}: ${describeRequest(asked)}`;
}

function answerText(
  { answer, errorCause, reason }: Answer & { readonly reason?: string },
  asked?: string,
): string {
  return [
    describeAnswer(answer, errorCause, asked === DISCONNECT),
    ...(reason === undefined ? [] : [reason]),
  ].join(': ');
}

/** The first 8 characters of a correlation id, as `npm start` shows them too. */
const short = (correlationId: string) => correlationId.slice(0, 8);
