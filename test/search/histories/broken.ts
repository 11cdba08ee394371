// Systems that look right and are not, to see that the histories tell.
import {
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
} from '@aws-sdk/client-sqs';
import type { Session } from '../../../core/subscriber/session.ts';
import { createDecide } from '../../../functions/decide/decide.ts';
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
