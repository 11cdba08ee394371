// What the functions write the relay can read, and the reverse: over random requests, answers of a NAS and timeouts.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type CommandMessage,
  InboxMessage,
  OutboxMessage,
  readMessage,
  writeMessage,
} from '../../core/messages.ts';
import { radiusOrigin } from '../../core/origin.ts';
import { prepareSecret, signReply, signRequest } from '../../core/radius/authenticator.ts';
import { encodeAttributes } from '../../core/radius/codec.ts';
import { CODE, type Packet, parsePacket } from '../../core/radius/packet.ts';
import { encodeReply } from '../../core/requests/reply.ts';
import type { Event } from '../../core/subscriber/event.ts';
import type { Session } from '../../core/subscriber/session.ts';
import { dueAtMs, transition } from '../../core/subscriber/transition.ts';
import { messageOf } from '../../functions/shared/effects.ts';
import { outcomeMessage, requestMessage } from '../../relay/messages.ts';
import { outcomeOfReply } from '../../relay/outcome.ts';
import { CLIENT, NOW, nas, request, service, stored } from '../core/support.ts';

const SECRET = prepareSecret('testing123');
const SESSION = { nas: 'bng-1', acctSessionId: 's1' };

function packetOf(octets: Uint8Array): Packet {
  const parsed = parsePacket(octets);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.packet;
}

const asking = packetOf(
  signRequest({ code: CODE.CoaRequest, identifier: 1, attributes: new Uint8Array() }, SECRET),
);

const errorCause = fc.option(fc.oneof(fc.nat(600), fc.nat(0xffff_ffff)), { nil: undefined });
const step = fc.oneof(
  fc.record({
    kind: fc.constant('request' as const),
    activate: fc.uniqueArray(fc.constantFrom('gold', 'silver', 'video', 'voice(1)'), { maxLength: 2 }),
    deactivate: fc.uniqueArray(fc.constantFrom('bronze', 'both'), { maxLength: 2 }),
    client: fc.string({ unit: 'binary' }),
    relay: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('ack' as const) }),
  fc.record({ kind: fc.constant('nak' as const), errorCause }),
  fc.record({ kind: fc.constantFrom('timeout' as const, 'due' as const) }),
);
const profile = fc.record({
  dialect: fc.constantFrom('erx' as const, 'cisco' as const, 'generic' as const),
  enforcement: fc.constantFrom('coa' as const, 'none' as const),
});

it('every message that decide writes is one that the relay reads, and answers with a packet', () => {
  let messages = 0;
  fc.assert(
    fc.property(profile, fc.array(step, { maxLength: 12 }), (over, steps) => {
      let session: Session | undefined;
      for (const [index, one] of steps.entries()) {
        const event = eventOf(one, `r${index}`, session, over);
        const result = transition(session, event, session === undefined ? NOW : timeOf(session, one.kind));
        if (result.session !== undefined) session = stored(result.session);
        for (const effect of result.effects) {
          const message = readMessage(OutboxMessage, writeMessage(messageOf(effect, SESSION).body));
          messages++;
          expect(message.kind).toBe(effect.kind);
          if (message.kind !== 'reply') continue;
          const reply = packetOf(encodeReply(asking, SECRET, message.answer, message.errorCause));
          const cause = effect.kind === 'reply' ? effect.errorCause : undefined;
          expect(outcomeOfReply(reply)).toEqual({
            result: message.answer,
            ...(cause !== undefined && { errorCause: cause }),
          });
        }
      }
    }),
  );
  expect(messages).toBeGreaterThan(100);
});

it('every message that the relay writes is one that decide reads', () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.uint8Array({ maxLength: 200 }),
      errorCause,
      fc.nat(),
      (client, octets, cause, atMs) => {
        const attributes = encodeAttributes(octets.length === 0 ? [] : [{ name: 'State', value: octets }]);
        const packet = packetOf(signRequest({ code: CODE.CoaRequest, identifier: 1, attributes }, SECRET));
        const source = { address: '192.0.2.7', port: 1 + (atMs % 65535) };
        const about = { correlationId: 'c', receivedAtMs: atMs, client, patienceSeconds: 20 };
        const accepted = { ...about, source, packet, group: 'g' };
        const asked = requestMessage('demo', accepted, -1 - atMs);
        expect(readMessage(InboxMessage, asked.body)).toMatchObject({
          kind: 'request',
          receivedAtMs: atMs,
          clockSkewMs: -1 - atMs,
          patienceSeconds: 20,
          origin: { relay: 'demo', client: { name: client, ...source } },
        });

        const said = encodeAttributes(cause === undefined ? [] : [{ name: 'Error-Cause', value: cause }]);
        const nak = packetOf(signReply(packet, { code: CODE.CoaNak, attributes: said }, SECRET));
        const effect = { ...COMMAND, session: SESSION };
        const told = outcomeMessage(effect, outcomeOfReply(nak), atMs);
        expect(readMessage(InboxMessage, told.body)).toMatchObject({
          kind: 'outcome',
          result: 'nak',
          ...(cause !== undefined && { errorCause: cause }),
        });
      },
    ),
  );
});

const COMMAND: CommandMessage = {
  version: 1,
  kind: 'command',
  correlationId: 'c',
  commandId: 'c/1',
  operation: 'activate',
  session: SESSION,
  services: ['gold'],
  attributes: '',
  startBeforeMs: 0,
};

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

function eventOf(
  one: Step,
  id: string,
  session: Session | undefined,
  over: Partial<ReturnType<typeof nas>>,
): Event {
  switch (one.kind) {
    case 'request': {
      const { relay, client, activate, deactivate } = one;
      const origin = radiusOrigin(asking, {
        ...(relay !== undefined && { relay }),
        client: { ...CLIENT, name: client },
      });
      const asked = request(id, {
        nas: nas(over),
        activate: activate.map((name) => service(name)),
        deactivate,
      });
      return { kind: 'request', id, request: { ...asked, origin: { ...origin, key: id } } };
    }
    case 'due':
      return { kind: 'due', id };
    default: {
      const commandId = session?.transition?.commandId ?? 'none';
      const cause = one.kind === 'nak' ? one.errorCause : undefined;
      return {
        kind: 'outcome',
        id: `${commandId}/${id}`,
        commandId,
        result: one.kind,
        ...(cause !== undefined && { errorCause: cause }),
      };
    }
  }
}

function timeOf(session: Session, kind: Step['kind']): number {
  return kind === 'due' ? (dueAtMs(session) ?? session.changedAtMs) : session.changedAtMs + 1;
}
