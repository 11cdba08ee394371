// Systems that look right and are not, to see that the histories tell.
import {
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
} from '@aws-sdk/client-sqs';
import type { SQSRecord } from 'aws-lambda';
import { answer } from '../../../core/subscriber/draft.ts';
import type { ServiceSession, Session } from '../../../core/subscriber/session.ts';
import { createDecide } from '../../../functions/decide/decide.ts';
import { createIngest } from '../../../functions/ingest/ingest.ts';
import { replyMessage } from '../../../functions/shared/effects.ts';
import type { OutgoingMessage } from '../../../functions/shared/queue.ts';
import type { SessionStore } from '../../../functions/shared/session-store.ts';
import type { SqsClient } from '../../../relay/queues/queue.ts';
import { startRelay } from '../../../relay/relay.ts';
import type { System } from './cloud.ts';
import { memoryStore } from './memory-store.ts';

/** Two who read the same version both write. */
export const withoutConditions = (): System => ({
  store: memoryStore({ isConditional: false }),
  decide: createDecide,
});

/** Sends what follows from a change, and then stores the change. */
export const sendingFirst = (): System => ({
  store: memoryStore(),
  decide({ store, send, ...rest }) {
    const postponed = new Map<string, Session>();
    return createDecide({
      ...rest,
      store: {
        ...store,
        async write(session) {
          const [first] = session.recentEvents.at(-1)?.effects ?? [];
          if (first === undefined) return store.write(session);
          postponed.set(first.correlationId, session);
          return 'written';
        },
      },
      async send(site, messages, signal) {
        await send(site, messages, signal);
        for (const { body } of messages) {
          const { correlationId } = body as { correlationId: string };
          const session = postponed.get(correlationId);
          postponed.delete(correlationId);
          if (session !== undefined) await store.write(session);
        }
      },
    });
  },
});

/** Forgets which events it has seen, and what they made it send. */
export const forgetful = (): System => ({
  store: memoryStore(),
  decide: ({ store, ...rest }) => {
    const write: SessionStore['write'] = (session) => store.write({ ...session, recentEvents: [] });
    return createDecide({ ...rest, store: { ...store, write } });
  },
});

type Send = (command: object, options?: object) => Promise<object>;

/** The relay with another way to call SQS. */
const withSqs = (wrap: (send: Send) => Send): System => ({
  store: memoryStore(),
  decide: createDecide,
  startRelay: (options) => {
    const send: Send = (command, call) => options.sqs.send(command as never, call as never);
    return startRelay({ ...options, sqs: { send: wrap(send) } as SqsClient });
  },
});

interface Received {
  readonly Body: string;
  readonly ReceiptHandle: string;
  readonly Attributes: object;
}

/** What a ReceiveMessage call has got, changed. */
const onReceived = (queueUrl: string, change: (message: Received, send: Send) => Received): System =>
  withSqs((send) => async (command, options) => {
    const output = await send(command, options);
    if (!(command instanceof ReceiveMessageCommand) || command.input.QueueUrl !== queueUrl) return output;
    const { Messages = [] } = output as { Messages?: readonly Received[] };
    return { Messages: Messages.map((message) => change(message, send)) };
  });

/** Carries out what another relay may have carried out already, however late it is. */
export const carryingOutAgain = (): System =>
  onReceived('outbox', ({ Body, Attributes, ...message }) => ({
    ...message,
    Body: Body.replace(/"startBeforeMs":\d+/, '"startBeforeMs":9999999999999'),
    Attributes: { ...Attributes, ApproximateReceiveCount: '1' },
  }));

/** Deletes a record before the accounting server has acknowledged it. */
export const deletingRecordsFirst = (): System =>
  onReceived('accounting', (message, send) => {
    const Entries = [{ Id: '0', ReceiptHandle: message.ReceiptHandle }];
    void send(new DeleteMessageBatchCommand({ QueueUrl: 'accounting', Entries })).catch(() => undefined);
    return message;
  });

const reporting = (result: string): System =>
  withSqs((send) => (command, options) => {
    if (!(command instanceof SendMessageBatchCommand)) return send(command, options);
    const Entries = command.input.Entries?.map((entry) => ({
      ...entry,
      MessageBody: entry.MessageBody?.replace(
        /"result":"(timeout|unreachable|interrupted|expired)"/,
        `"result":"${result}"`,
      ),
    }));
    return send(new SendMessageBatchCommand({ ...command.input, Entries }), options);
  });

/** Takes a command that it knows nothing of for one that was refused. */
export const takingTimeoutForNak = (): System => reporting('nak');

/** Takes a command that it knows nothing of for one that was carried out. */
export const takingTimeoutForAck = (): System => reporting('ack');

// --- Systems that believe the clock of a relay -------------------------------------------------------------------

/** Puts the requests of a session in the order of the relay's clock, and measures their ages by it. */
export const comparingRelayClocks = (): System => ({
  store: memoryStore(),
  decide: (dependencies) => {
    const decide = createDecide(dependencies);
    const byRelay = (record: SQSRecord): SQSRecord => {
      const { receivedAtMs = 0 } = JSON.parse(record.body) as { receivedAtMs?: number };
      const time = String(receivedAtMs);
      return { ...record, attributes: { ...record.attributes, SequenceNumber: time, SentTimestamp: time } };
    };
    return ({ Records }, context) => decide({ Records: Records.map(byRelay) }, context);
  },
});

/** Takes its own clock for that of the queue when it judges whether a command is too late. */
export const expiringByOwnClock = (): System => ({
  store: memoryStore(),
  decide: createDecide,
  startRelay: (options) => {
    const send: Send = async (command, call) => {
      const output = await (options.sqs.send(command as never, call as never) as Promise<object>);
      const { Messages = [] } = output as { Messages?: readonly Received[] };
      const now = { ApproximateFirstReceiveTimestamp: String(options.clock.now()) };
      return {
        ...output,
        Messages: Messages.map((one) => ({ ...one, Attributes: { ...one.Attributes, ...now } })),
      };
    };
    return startRelay({ ...options, sqs: { send } as SqsClient });
  },
});

// --- Systems that believe themselves and not the NAS ------------------------------------------------------------

/** decide, with what it stores changed. */
const storing = (change: (session: Session) => Session): System => ({
  store: memoryStore(),
  decide: ({ store, ...rest }) =>
    createDecide({ ...rest, store: { ...store, write: (session) => store.write(change(session)) } }),
});

const mapServices = (
  session: Session,
  change: (service: ServiceSession, all: readonly ServiceSession[]) => ServiceSession,
): Session => {
  const all = Object.values(session.services);
  return {
    ...session,
    services: Object.fromEntries(all.map((service) => [service.activation, change(service, all)])),
  };
};

/** Acknowledges the deactivation of what the table does not know, and sends the NAS nothing. */
export const believingTheTable = (): System => ({
  store: memoryStore(),
  decide: ({ store, send, ...rest }) => {
    const replies = new Map<string, OutgoingMessage>();
    return createDecide({
      ...rest,
      store: {
        ...store,
        async write(session) {
          const { transition, ...idle } = session;
          const [known, planned] =
            transition?.step === 'deactivate'
              ? [transition.job.explicit.some(({ isKnown }) => isKnown), Object.keys(transition.job.planned)]
              : [true, []];
          const isEmpty = Object.keys(session.services).length === 0;
          if (transition?.step !== 'deactivate' || known || planned.length > 0 || isEmpty)
            return store.write(session);
          const { request } = transition.job;
          const answered = answer(
            { session: idle, effects: [], nowMs: session.changedAtMs },
            { request, answer: 'ack' },
          );
          // What was to be told is replaced by what is answered, now and when the message comes again.
          const version = session.version;
          const given = answered.session.answered.map((one) => ({
            ...one,
            version: Math.min(one.version, version),
          }));
          const recentEvents = session.recentEvents.map((event) =>
            event.id === request.correlationId ? { ...event, effects: answered.effects } : event,
          );
          const [effect] = answered.effects;
          if (effect?.kind === 'reply') replies.set(request.correlationId, replyMessage(effect));
          return store.write({ ...answered.session, answered: given, recentEvents });
        },
      },
      send: (site, messages, signal) =>
        send(
          site,
          messages.map((message) => {
            const { kind, correlationId } = message.body as { kind: string; correlationId: string };
            return (kind === 'command' ? replies.get(correlationId) : undefined) ?? message;
          }),
          signal,
        ),
    });
  },
});

/** Deactivates what it is not sure of, though it may be the last member of its group. */
export const undoingTheLast = (): System =>
  storing((session) =>
    mapServices(session, (service) => {
      if (service.state !== 'unconfirmed' || service.isStranger || session.transition !== undefined)
        return service;
      const { undo: _, ...rest } = service;
      return { ...rest, state: 'deactivating', retry: { attempts: 0, atMs: session.changedAtMs } };
    }),
  );

/** ingest, with what an Accounting-Request says changed. */
const reading = (change: (message: Accounted) => Accounted): System => ({
  store: memoryStore(),
  decide: createDecide,
  ingest: (dependencies) => {
    const ingest = createIngest(dependencies);
    const changed = (record: SQSRecord): SQSRecord => {
      const message = JSON.parse(record.body) as Accounted;
      return message.kind === 'feed' ? { ...record, body: JSON.stringify(change(message)) } : record;
    };
    return ({ Records }, context) => ingest({ Records: Records.map(changed) }, context);
  },
});

interface Accounted {
  readonly kind: string;
  readonly status: string;
  readonly eventAtMs: number;
  readonly receivedAtMs: number;
}

/** Takes the arrival of an Accounting-On for the restart of the NAS. */
export const endingByArrival = (): System =>
  reading((message) => (message.status === 'on' ? { ...message, eventAtMs: message.receivedAtMs } : message));

/** Takes the arrival of each record for what it tells of. */
export const orderingByArrival = (): System =>
  reading((message) => ({ ...message, eventAtMs: message.receivedAtMs }));

/** Ends the sessions of a NAS that has restarted, and forgets the restart. */
export const forgettingRestarts = (): System => ({
  store: memoryStore(),
  decide: createDecide,
  ingest: ({ restarts, ...rest }) =>
    createIngest({ ...rest, restarts: { ...restarts, latest: async () => undefined } }),
});
