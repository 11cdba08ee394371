// What happens, as one readable line each, or as JSON lines.

import { formatEndpoint } from '../core/endpoint.ts';
import { causeText } from '../core/radius/attributes.ts';
import { describeAttribute } from '../core/radius/codec.ts';
import { CODE } from '../core/radius/packet.ts';
import type { DecideReport } from '../functions/decide/report.ts';
import type { RelayEvent } from '../relay/telemetry/events.ts';
import type { SystemEvent } from './system.ts';

const CODE_NAMES: Readonly<Record<number, string>> = {
  [CODE.DisconnectRequest]: 'Disconnect-Request',
  [CODE.DisconnectAck]: 'Disconnect-ACK',
  [CODE.DisconnectNak]: 'Disconnect-NAK',
  [CODE.CoaRequest]: 'CoA-Request',
  [CODE.CoaAck]: 'CoA-ACK',
  [CODE.CoaNak]: 'CoA-NAK',
};

/** The event as JSON, with its source and time. */
export function jsonLine({ source, event }: SystemEvent, nowMs: number): string {
  const plain = (key: string, value: unknown) =>
    value instanceof Error
      ? `${value.name}: ${value.message}`
      : key === 'attributes' && Array.isArray(value)
        ? value.map(describeAttribute)
        : value;
  return JSON.stringify({ timestamp: new Date(nowMs).toISOString(), source, ...event }, plain);
}

/** The event as a line for people; undefined for what they need not see. */
export function readableLine({ source, event }: SystemEvent, nowMs: number): string | undefined {
  const line = lineOf({ source, event } as SystemEvent);
  if (line === undefined) return undefined;
  const [what, correlationId, text] = line;
  return `${new Date(nowMs).toISOString().slice(11, 23)}  ${what.padEnd(10)} ${(correlationId ?? '').slice(0, 8).padEnd(8)}  ${text}`;
}

type NasEvent = Extract<SystemEvent, { source: 'nas' }>['event'];
type Line = readonly [what: string, correlationId: string | undefined, text: string];

function lineOf({ source, event }: SystemEvent): Line | undefined {
  switch (source) {
    case 'relay':
      return relayLine(event);
    case 'decide':
      return decideLine(event);
    case 'account':
      if (event.kind === 'failed') return ['failed', undefined, `account: ${event.error}`];
      return [
        'account',
        event.correlationId,
        `Acct-${event.record.message.status} ${event.record.message.acctSessionId} ${event.record.message.serviceSession}`,
      ];
    case 'sink':
      return ['recorded', undefined, event.attributes.map(describeAttribute).join(', ')];
    case 'nas':
      return ['nas', undefined, nasText(event)];
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
        `${CODE_NAMES[event.code]} ${event.identifier} of ${event.client} from ${formatEndpoint(event.source)}`,
      ];
    case 'reply-sent':
      return [
        'reply',
        event.correlationId,
        `${CODE_NAMES[event.code]}${causeText(event.errorCause)}${event.latencyMs === undefined ? '' : ` after ${Math.round(event.latencyMs)} ms`}`,
      ];
    case 'discarded':
      return ['discarded', event.correlationId, `${event.reason}, from ${formatEndpoint(event.source)}`];
    case 'command-sent':
      return [
        'command',
        event.correlationId,
        `${event.operation} ${event.services.join(' ')} of ${event.acctSessionId} at ${event.nas}`,
      ];
    case 'command-answered':
      return [
        'outcome',
        event.correlationId,
        `CoA-${event.result.toUpperCase()}${causeText(event.errorCause)} of ${event.nas} after ${Math.round(event.latencyMs)} ms`,
      ];
    case 'command-unanswered':
      return ['outcome', event.correlationId, `no answer of ${event.nas}: ${event.result}`];
    case 'command-not-sent':
      return [
        'problem',
        event.correlationId,
        `no command to ${event.nas}: ${event.reason}${event.detail === undefined ? '' : `, ${event.detail}`}`,
      ];
    case 'nas-secret-changed':
      return ['note', undefined, `${event.nas} answers to its ${event.to} secret`];
    case 'accounting-answered':
      return [
        'accounted',
        event.correlationId,
        `Acct-${event.status} ${event.acctSessionId} taken by ${event.server}`,
      ];
    case 'accounting-unanswered':
      return ['waiting', event.correlationId, `${event.server} does not take accounting: ${event.result}`];
    case 'queue-trouble':
      return ['problem', undefined, `${event.queue}: ${event.error}`];
    case 'queue-recovered':
      return ['recovered', undefined, event.queue];
    case 'reply-not-sent':
      return [
        'problem',
        event.correlationId,
        `no reply to ${formatEndpoint(event.destination)}: ${event.reason}`,
      ];
    case 'message-left':
      return ['problem', event.correlationId, `${event.queue}: ${event.reason} message: ${event.detail}`];
    case 'reply-ignored':
      return ['ignored', undefined, `a reply from ${event.server}: ${event.reason}`];
    case 'socket-error':
      return ['problem', undefined, event.error];
    case 'accounting-not-configured':
      return ['note', undefined, 'the site has no accounting server; accounting stays in its queue'];
    case 'weak-secret':
      return ['note', undefined, `${event.path}: a secret of 12 characters or fewer is soon guessed`];
    case 'accounting-waiting': {
      const waited = `${Math.round(event.oldestMs / 1000)} s`;
      return [
        'waiting',
        undefined,
        `${event.server} has not taken ${event.records} accounting records, the oldest for ${waited}`,
      ];
    }
    case 'accounting-server-changed':
      return ['note', undefined, `accounting goes to ${event.to} instead of ${event.from}`];
    case 'queue-entry-refused':
      return ['problem', undefined, `${event.queue}: a message was refused: ${event.error}`];
    // Who started this sees as much.
    case 'listening':
    case 'draining':
    case 'stopped':
      return undefined;
  }
}

function decideLine(event: DecideReport): Line | undefined {
  switch (event.kind) {
    case 'not-scheduled':
    case 'failed':
      return ['failed', undefined, `decide: ${event.error}`];
    case 'refused':
      return ['refused', event.correlationId, `${event.reason}${causeText(event.errorCause)}`];
    case 'decided': {
      const { session, userName, cause } = event;
      const became = whatBecameOf(event);
      if (became === undefined) return undefined;
      const who = `${userName ?? '?'} ${session.acctSessionId}`;
      return ['transition', event.correlationId, `${who}: ${cause}: ${became}`];
    }
  }
}

/** In words; undefined for a reminder that comes when there is nothing left to do. */
function whatBecameOf(event: Extract<DecideReport, { kind: 'decided' }>): string | undefined {
  const { activated, deactivated, reason, retryAttempts, effects, result, receivedAtMs } = event;
  const changes = [
    ...activated.map((service) => `+${service}`),
    ...deactivated.map((service) => `-${service}`),
  ].join(' ');
  const failure =
    retryAttempts !== undefined && `deactivation failed (attempt ${retryAttempts}) and is tried again`;
  const said = [reason ?? changes, failure].filter(Boolean);
  if (said.length > 0) return said.join('; ');

  const isRequest = receivedAtMs !== undefined;
  const command = effects.find((effect) => effect.kind === 'command');
  if (command !== undefined)
    return isRequest
      ? 'the NAS is told first'
      : `the NAS is told to ${command.operation} ${command.services.join(' ')}`;
  const reply = effects.find((effect) => effect.kind === 'reply');
  // Whoever is refused for the first time hears a reason.
  if (reply !== undefined)
    return reply.answer === 'ack' ? 'nothing to change' : 'a repeat, answered as before';
  if (isRequest) return 'waits for what is under way';
  return result === undefined ? undefined : 'nobody waits for it any more';
}

function nasText({ nas, acctSessionId, operation, service, services, answer, errorCause }: NasEvent): string {
  const answered = `CoA-${answer.toUpperCase()}${causeText(errorCause)}`;
  return `${nas} ${acctSessionId}: ${operation} ${service}: ${answered}, has ${services.join(', ') || 'nothing'}`;
}
