// Events of the local system, one line each: in text for a terminal, or as JSON.

import { formatEndpoint } from '../core/endpoint.ts';
import { printable, printableJson } from '../core/printable.ts';
import { describeAttribute } from '../core/radius/codec.ts';
import {
  describeAnswer,
  describeErrorCause,
  describeReply,
  packetName,
} from '../core/requests/describe-packet.ts';
import type { DecideReport } from '../functions/decide/report.ts';
import type { IngestReport } from '../functions/ingest/report.ts';
import type { ChangeReport } from '../functions/shared/change-report.ts';
import type { RelayEvent } from '../relay/telemetry/events.ts';
import type { SystemEvent } from './system.ts';

/** The event as one line of JSON, with its source and its time, `nowMs`. */
export function jsonLine({ source, event }: SystemEvent, nowMs: number): string {
  const plain = (key: string, value: unknown) =>
    value instanceof Error
      ? `${value.name}: ${value.message}`
      : key === 'attributes' && Array.isArray(value)
        ? value.map(describeAttribute)
        : value;
  const line = { timestamp: new Date(nowMs).toISOString(), source, ...event };
  return printableJson(JSON.stringify(line, plain));
}

/** The event as one line of text; undefined for an event that is not shown. */
export function readableLine({ source, event }: SystemEvent, nowMs: number): string | undefined {
  const line = lineOf({ source, event } as SystemEvent);
  if (line === undefined) return undefined;
  const [what, correlationId, text] = line;
  const time = new Date(nowMs).toISOString().slice(11, 23);
  return printable(`${time}  ${what.padEnd(10)} ${(correlationId ?? '').slice(0, 8).padEnd(8)}  ${text}`);
}

type NasEvent = Extract<SystemEvent, { source: 'nas' }>['event'];
type Line = readonly [what: string, correlationId: string | undefined, text: string];

function lineOf({ source, event }: SystemEvent): Line | undefined {
  switch (source) {
    case 'relay':
      return relayLine(event);
    case 'decide':
      return decideLine(event);
    case 'ingest':
      return ingestLine(event);
    case 'account':
      if (event.kind === 'failed' || event.kind === 'set-aside')
        return ['failed', undefined, `account: ${event.error}`];
      if (event.kind === 'unmade') {
        const record = `Acct-${event.status} ${event.acctSessionId} ${event.serviceSession}`;
        return ['failed', event.correlationId, `account: ${record} cannot be made: ${event.reason}`];
      }
      return [
        'account',
        event.correlationId,
        `Acct-${event.record.message.status} ${event.record.message.acctSessionId} ${event.record.message.serviceSession}`,
      ];
    case 'sweep': {
      const names = Object.entries(event.unknown).map(([name, sessions]) => `${name} (${sessions} sessions)`);
      if (names.length === 0) return undefined;
      return ['problem', undefined, `the site file does not name these NASes: ${names.join(', ')}`];
    }
    case 'sink':
      return ['recorded', undefined, event.attributes.map(describeAttribute).join(', ')];
    case 'nas':
      return ['nas', undefined, nasText(event)];
    case 'configuration':
      return ['note', undefined, event.warning];
    case 'cloud':
      return ['problem', undefined, event.problem];
  }
}

function relayLine(event: RelayEvent): Line | undefined {
  switch (event.kind) {
    case 'request-forwarded':
      return [
        'request',
        event.correlationId,
        `${packetName(event.code)} Id ${event.identifier} from ${event.client} at ${formatEndpoint(event.source)}`,
      ];
    case 'reply-sent':
      return [
        'reply',
        event.correlationId,
        `${describeReply(event.code, event.errorCause)}${event.latencyMs === undefined ? '' : ` after ${Math.round(event.latencyMs)} ms`}`,
      ];
    case 'discarded':
      return [
        'discarded',
        event.correlationId,
        `datagram from ${formatEndpoint(event.source)}: ${event.reason}`,
      ];
    case 'command-sent':
      return [
        'command',
        event.correlationId,
        `${event.nas} ${event.acctSessionId}: ${event.operation} ${event.services.join(', ')}`.trim(),
      ];
    case 'command-answered':
      return [
        'outcome',
        event.correlationId,
        `${describeAnswer(event.result, event.errorCause, event.operation === 'disconnect')} from ${event.nas} after ${Math.round(event.latencyMs)} ms${event.text === undefined ? '' : `: '${event.text}'`}`,
      ];
    case 'command-unanswered':
      return ['outcome', event.correlationId, `no reply from ${event.nas}: ${event.result}`];
    case 'command-not-sent':
      return [
        'problem',
        event.correlationId,
        `command to ${event.nas} not sent: ${event.reason}${event.detail === undefined ? '' : `, ${event.detail}`}`,
      ];
    case 'nas-secret-changed':
      return ['note', undefined, `${event.nas} replies with its ${event.to} secret`];
    case 'accounting-answered':
      return [
        'accounted',
        event.correlationId,
        `Acct-${event.status} ${event.acctSessionId} acknowledged by ${event.server}`,
      ];
    case 'accounting-unanswered':
      return ['waiting', event.correlationId, `no Accounting-Response from ${event.server}: ${event.result}`];
    case 'accounting-not-sent':
      return [
        'problem',
        event.correlationId,
        `Acct-${event.status} ${event.acctSessionId} ${event.serviceSession} not sent: ${event.error}`,
      ];
    case 'clock-skewed':
      return ['problem', undefined, `the clock is ${aheadOrBehind(event.skewMs)} the queues' clock`];
    case 'clock-in-step':
      return ['recovered', undefined, `the clock is ${aheadOrBehind(event.skewMs)} the queues' clock`];
    case 'queue-trouble':
      return ['problem', undefined, `queue ${event.queue}: ${event.error}`];
    case 'queue-recovered':
      return ['recovered', undefined, `queue ${event.queue}`];
    case 'reply-not-sent':
      return [
        'problem',
        event.correlationId,
        `reply to ${formatEndpoint(event.destination)} not sent: ${event.reason}`,
      ];
    case 'message-repeated':
      return undefined;
    case 'message-left':
      return [
        'problem',
        event.correlationId,
        `queue ${event.queue}: ${event.reason} message: ${event.detail}`,
      ];
    case 'reply-ignored':
      return ['ignored', undefined, `datagram from ${event.server}: ${event.reason}`];
    case 'socket-error':
      return ['problem', undefined, event.error];
    case 'accounting-not-configured':
      return ['note', undefined, 'the site has no accounting server: records stay in the accounting queue'];
    case 'configuration-warning':
      return ['note', undefined, event.warning];
    case 'weak-secret':
      return ['note', undefined, `${event.path}: the secret has 12 characters or fewer; use a longer one`];
    case 'accounting-waiting': {
      const waited = `${Math.round(event.oldestMs / 1000)} s`;
      return [
        'waiting',
        undefined,
        `${event.server} has not acknowledged ${event.records} accounting records; the oldest has waited ${waited}`,
      ];
    }
    case 'accounting-server-changed':
      return ['note', undefined, `the accounting server is now ${event.to}, no longer ${event.from}`];
    case 'queue-entry-refused':
      return ['problem', undefined, `queue ${event.queue}: SQS refused a message: ${event.error}`];
    case 'request-refused':
      return [
        'refused',
        event.correlationId,
        `506 to ${event.client}, which asks for more than there is room for: ${event.reason}`,
      ];
    case 'feed-queued': {
      const { nas, acctSessionId, service, status, feed } = event;
      const what = [nas, acctSessionId, service].filter((part) => part !== undefined).join(' ');
      return ['learned', event.correlationId, `${what}: ${status}, from ${feed}`];
    }
    case 'feed-discarded':
      return ['discarded', undefined, `accounting from ${formatEndpoint(event.source)}: ${event.reason}`];
    case 'feed-refused':
      return ['refused', undefined, `nothing is learned from a record of ${event.feed}: ${event.reason}`];
    case 'feed-unanswered':
      return ['waiting', undefined, `a record of ${event.feed} is not answered: ${event.reason}`];
    case 'feed-dropped':
      return [
        'problem',
        undefined,
        `a record of ${event.feed} is forwarded and not learned: SQS does not take it`,
      ];
    case 'feed-unknown-nas':
      return [
        'problem',
        undefined,
        `${event.feed} accounts a NAS that the site file does not have: ${event.nas}`,
      ];
    case 'feed-wrong-clock':
      return ['note', undefined, `${event.nas}: the Event-Timestamp is off by ${event.offsetSeconds} s`];
    // Too many to print; `npm start` prints the last three itself.
    case 'feed-received':
    case 'feed-kept':
    case 'feed-forwarded':
    case 'feed-answered':
    case 'listening':
    case 'draining':
    case 'stopped':
      return undefined;
  }
}

function aheadOrBehind(skewMs: number): string {
  return `${(Math.abs(skewMs) / 1000).toFixed(1)} s ${skewMs < 0 ? 'behind' : 'ahead of'}`;
}

function ingestLine(event: IngestReport): Line | undefined {
  switch (event.kind) {
    case 'not-scheduled':
    case 'failed':
      return ['failed', undefined, `ingest: ${event.error}`];
    case 'ignored':
      return ['ignored', event.correlationId, `${event.status} of ${event.nas}: ${IGNORED[event.reason]}`];
    case 'restarted': {
      const scope = event.scope === undefined ? '' : `, virtual router ${event.scope}`;
      return ['restart', event.correlationId, `${RESTART[event.status]} of ${event.nas}${scope}`];
    }
    case 'decided':
      return transitionLine(event);
  }
}

const RESTART = { on: 'Accounting-On', off: 'Accounting-Off' } as const;

const IGNORED = {
  'no-session': 'the record of a service does not name its session',
  'no-service': 'the name of the service is no activation string',
} as const;

const DISCARDED = {
  nas: 'the client may not touch this NAS',
  realm: 'the client may not touch this realm, or the realm is not known',
  client: 'the site file that was deployed names no such client',
  outdated: 'the request is older than what was carried out',
} as const;

function decideLine(event: DecideReport): Line | undefined {
  switch (event.kind) {
    case 'not-scheduled':
    case 'failed':
      return ['failed', undefined, `decide: ${event.error}`];
    case 'found':
      return ['found', event.correlationId, `${event.session.acctSessionId} by ${event.by.join(', ')}`];
    case 'refused':
      return ['refused', event.correlationId, `${describeErrorCause(event.errorCause)}: ${event.reason}`];
    case 'discarded':
      return ['discarded', event.correlationId, `${event.client}: ${DISCARDED[event.reason]}`];
    case 'decided':
      return transitionLine(event);
  }
}

type Decided = Extract<ChangeReport, { kind: 'decided' }>;

function transitionLine(event: Decided): Line | undefined {
  const { session, userName, cause } = event;
  const result = resultOf(event);
  if (result === undefined) return undefined;
  const who = `${userName ?? '?'} ${session.acctSessionId}`;
  return ['transition', event.correlationId, `${who}: ${cause}: ${result}`];
}

/** In words; undefined for a timer that finds nothing to do. */
function resultOf(event: Decided): string | undefined {
  const { activated, deactivated, unconfirmed, unchecked, retryAttempts, life, drifted } = event;
  const { reason, effects, outcome, queuedAtMs } = event;
  const changes = [
    ...activated.map((service) => `+${service}`),
    ...deactivated.map((service) => `-${service}`),
  ].join(' ');
  const failure = retryAttempts !== undefined && `attempt ${retryAttempts} failed, Interlock will retry`;
  const drift =
    drifted.length > 0 && `${drifted.join(', ')}: the NAS accounts it, and the table says otherwise`;
  const doubt =
    unconfirmed.length > drifted.length &&
    `${unconfirmed.join(', ')}: unconfirmed, the NAS may have it or not`;
  const claims = unchecked.length > 0 && `${unchecked.join(', ')}: unchecked, the NAS is not told`;
  const parts = [life && `session ${life}`, reason ?? changes, drift, doubt, failure, claims].filter(Boolean);
  if (parts.length > 0) return parts.join('; ');

  const command = effects.find((effect) => effect.kind === 'command');
  if (command !== undefined) return `${DOING[command.operation]} ${command.services.join(', ')}`.trim();
  const reply = effects.find((effect) => effect.kind === 'reply');
  // The first NAK to a request has a reason.
  if (reply !== undefined) return reply.answer === 'ack' ? 'no change' : 'repeated request: same reply';
  if (queuedAtMs !== undefined) return 'waiting for the request in progress';
  return outcome === undefined ? undefined : 'ignored: no longer expected';
}

const DOING = {
  activate: 'activating',
  deactivate: 'deactivating',
  switch: 'activating',
  disconnect: 'disconnecting',
} as const;

function nasText({ nas, acctSessionId, operation, service, services, answer, errorCause }: NasEvent): string {
  const reply = describeAnswer(answer, errorCause, operation === 'disconnect');
  const what = `${operation} ${service}`.trim();
  return `${nas} ${acctSessionId}: ${what}: ${reply}; services: ${services.join(', ') || 'none'}`;
}
