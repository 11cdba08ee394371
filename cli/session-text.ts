// A subscriber session as an operator sees it, after JunosE's `show service-management subscriber-session`.

import { formatEndpoint } from '../core/endpoint.ts';
import { IDENTITY_ATTRIBUTES } from '../core/identity.ts';
import { causeText } from '../core/radius/attributes.ts';
import { commandedAtMs } from '../core/subscriber/command.ts';
import { describeRequest } from '../core/subscriber/draft.ts';
import type { HistoryItem, HistoryRequest } from '../core/subscriber/history.ts';
import type { Answer, ServiceRequest, Session } from '../core/subscriber/session.ts';

const NONE = '-';

/** The session and its history at `nowMs` in lines of text; times are those of `timeZone`, such as `Europe/Berlin`. */
export function describeSession(
  session: Session,
  history: readonly HistoryItem[],
  nowMs: number,
  timeZone: string,
): string {
  const clock = clockOf(nowMs, timeZone);
  const sections = [
    section('Services', serviceRows(session, clock)),
    section('Under way', underWayRows(session, clock)),
    section('Waiting', waitingRows(session)),
    section('Latest requests', answeredRows(session, clock)),
    section('Latest changes, newest first', historyRows(history, clock)),
  ];
  return [...columns(headerRows(session, clock)), ...sections.flat()].join('\n');
}

type Row = readonly string[];

function headerRows({ identity, acctSessionId, nas, transition, changedAtMs, retry }: Session, clock: Clock) {
  const states = { activate: 'activating', deactivate: 'deactivating', none: 'at rest' };
  return details([
    ...IDENTITY_ATTRIBUTES.map((name) => [name, identity[name]] as const),
    ['Acct-Session-Id', acctSessionId],
    ['NAS', `${nas.name}, site ${nas.site}, dialect ${nas.dialect}, enforcement ${nas.enforcement}`],
    ['State', states[transition?.step ?? 'none']],
    ['Changed', clock.show(changedAtMs)],
    ['Retry', retry && `attempt ${retry.attempts} failed, next ${clock.show(retry.atMs)}`],
  ]);
}

function serviceRows({ services, transition }: Session, clock: Clock): readonly Row[] {
  const planned = transition?.step === 'activate' ? Object.values(transition.planned) : [];
  const newcomers = planned
    .filter(({ activation }) => services[activation]?.state !== 'active')
    .map((service) => ({ ...service, state: 'activating' as const }));
  const all = { ...services, ...Object.fromEntries(newcomers.map((one) => [one.activation, one])) };
  const rows = Object.values(all)
    .sort((one, other) => one.number - other.number)
    .map(({ activation, groups, state, correlationId, statistics, activatedAtMs, expiresAtMs }) => [
      activation,
      groups.join(',') || NONE,
      state,
      short(correlationId),
      statistics,
      activatedAtMs === undefined ? NONE : clock.show(activatedAtMs),
      expiresAtMs === undefined || state !== 'active' ? NONE : clock.left(expiresAtMs),
    ]);
  const heads = ['Name', 'Mutex', 'State', 'Owner', 'Statistics', 'Since', 'Timeout left'];
  return rows.length === 0 ? [] : [heads, ...rows];
}

function underWayRows({ nas, transition }: Session, clock: Clock): readonly Row[] {
  if (transition === undefined) return [];
  const { step, underWay, remaining, correlationId, deadlineMs } = transition;
  const request = step === 'activate' ? transition.request : transition.owed?.request;
  return details([
    ['Command', `${step} ${underWay.join(', ')}`],
    ['Next', remaining.map((services) => `${step} ${services.join(', ')}`).join('; ')],
    ['Since', clock.show(commandedAtMs(nas, transition))],
    ['Deadline', clock.show(deadlineMs)],
    ['Request', request ? requestText(request) : `${short(correlationId)}, for which nobody waits`],
    ...(step === 'activate'
      ? ([
          ['Activates', transition.request.activate.map(({ activation }) => activation).join(', ')],
          ['Confirmed', transition.confirmed.join(', ')],
          ['Removes', transition.victims.join(', ')],
        ] as const)
      : ([['Answer', transition.owed && answerText(transition.owed)]] as const)),
  ]);
}

function waitingRows({ waiting }: Session): readonly Row[] {
  return waiting.map((request, index) => [String(index + 1), requestText(request)]);
}

function answeredRows({ answered }: Session, clock: Clock): readonly Row[] {
  return answered.map((given) => [
    clock.show(given.atMs),
    short(given.correlationId),
    given.asked,
    answerText(given),
  ]);
}

function historyRows(history: readonly HistoryItem[], clock: Clock): readonly Row[] {
  const rows = history.map(
    ({ atMs, correlationId, cause, command, retryAttempts, requests = [], ...item }) => [
      clock.show(atMs),
      correlationId === undefined ? NONE : short(correlationId),
      retryAttempts === undefined ? cause : `${cause}, attempt ${retryAttempts} failed`,
      servicesText(item) || NONE,
      command ? `${command.operation} ${command.services.join(', ')}` : NONE,
      requests.map(askedText).join('; ') || NONE,
    ],
  );
  const heads = ['At', 'Owner', 'Cause', 'Services', 'NAS is told', 'Requests'];
  return rows.length === 0 ? [] : [heads, ...rows];
}

function servicesText({
  activated = [],
  deactivating = [],
  deactivated = [],
}: Pick<HistoryItem, 'activated' | 'deactivating' | 'deactivated'>): string {
  return [
    ...activated.map((service) => `+${service}`),
    ...deactivating.map((service) => `${service} has to go`),
    ...deactivated.map((service) => `-${service}`),
  ].join(', ');
}

function askedText({ correlationId, asked, answer, ...why }: HistoryRequest): string {
  const text = `${short(correlationId)} ${asked}`;
  return answer === undefined ? text : `${text}: ${answerText({ answer, ...why })}`;
}

function requestText({ correlationId, origin, ...asked }: ServiceRequest): string {
  return `${short(correlationId)} of ${origin.client.name} at ${formatEndpoint(origin.client)}: ${describeRequest(asked)}`;
}

function answerText({ answer, errorCause, reason }: Answer & { readonly reason?: string }): string {
  const code = answer === 'ack' ? 'CoA-ACK' : 'CoA-NAK';
  return `${code}${causeText(errorCause)}${reason === undefined ? '' : `: ${reason}`}`;
}

/** As much of a correlation id as `npm start` shows. */
const short = (correlationId: string) => correlationId.slice(0, 8);

// --- Lines ----------------------------------------------------------------------------------------------------

/** Names with their values, without those that have none. */
function details(
  pairs: readonly (readonly [name: string, value: string | number | undefined])[],
): readonly Row[] {
  return pairs.flatMap(([name, value = '']) => (value === '' ? [] : [[name, printable(String(value))]]));
}

/** What a client calls its subscriber may hold control characters, which a terminal would obey. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\x${Buffer.from(character, 'latin1').toString('hex')}`);
}

function section(title: string, rows: readonly Row[]): readonly string[] {
  return rows.length === 0 ? [] : ['', title, ...columns(rows).map((line) => `  ${line}`)];
}

/** Rows as lines, each column as wide as its widest text. */
function columns(rows: readonly Row[]): readonly string[] {
  const widths = rows.reduce<readonly number[]>(
    (widest, row) => row.map((text, index) => Math.max(text.length, widest[index] ?? 0)),
    [],
  );
  return rows.map((row) =>
    row
      .map((text, index) => text.padEnd(widths[index] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

// --- Times ----------------------------------------------------------------------------------------------------

interface Clock {
  /** `2026-11-22T13:00:00+01:00 (5 min 3 s ago)` */
  show(atMs: number): string;
  /** `55 min` */
  left(untilMs: number): string;
}

function clockOf(nowMs: number, timeZone: string): Clock {
  // Sweden writes times as ISO 8601 does, but for the T and the minus.
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'longOffset',
  });
  const iso = (atMs: number) => {
    const [day, time, offset = ''] = format.format(atMs).split(' ');
    return `${day}T${time}${offset.replace('GMT', '').replace('−', '-')}`;
  };
  const age = (atMs: number) =>
    atMs > nowMs ? `in ${duration(atMs - nowMs)}` : `${duration(nowMs - atMs)} ago`;
  return {
    show: (atMs) => `${iso(atMs)} (${age(atMs)})`,
    left: (untilMs) => duration(Math.max(0, untilMs - nowMs)),
  };
}

const UNITS = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
] as const;

/** The two largest units that it has: `1 d 2 h`, `5 min`, `0 s`. */
function duration(ms: number): string {
  let seconds = Math.round(ms / 1000);
  const parts = UNITS.flatMap(([unit, size]) => {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    return count === 0 ? [] : [`${count} ${unit}`];
  });
  return parts.slice(0, 2).join(' ') || '0 s';
}
