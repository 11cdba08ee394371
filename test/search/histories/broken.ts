// Systems that look right and are not, to see that the histories tell.
import type { Session } from '../../../core/subscriber/session.ts';
import { createDecide } from '../../../functions/decide/decide.ts';
import type { SessionStore } from '../../../functions/shared/session-store.ts';
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
        read: store.read,
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
    return createDecide({ ...rest, store: { read: store.read, write } });
  },
});
