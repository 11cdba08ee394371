// Systems that look right and are not, to see that the histories tell.
import type { Session } from '../../core/session.ts';
import { createDecide } from '../../functions/decide/decide.ts';
import type { SessionStore } from '../../functions/session-store.ts';
import type { System } from './cloud.ts';

/** Two who read the same version both write. */
export const withoutConditions = (): System => ({
  store: memoryStore({ isConditional: false }),
  decide: createDecide,
});

/** Sends what follows from a change, and then stores the change. */
export const sendingFirst = (): System => ({
  store: memoryStore({ isConditional: true }),
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
  store: memoryStore({ isConditional: true }),
  decide: ({ store, ...rest }) => {
    const write: SessionStore['write'] = (session) => store.write({ ...session, recentEvents: [] });
    return createDecide({ ...rest, store: { read: store.read, write } });
  },
});

/** A table in memory: it is quick, so that what is found can be made simple in no time. */
export function memoryStore({ isConditional }: { isConditional: boolean }): SessionStore {
  const items = new Map<string, Session>();
  return {
    read: async ({ acctSessionId }) => items.get(acctSessionId),
    async write(session) {
      const { version } = items.get(session.acctSessionId) ?? { version: 0 };
      if (isConditional && session.version !== version) return 'lost';
      const stored = { ...session, version: session.version + 1 };
      items.set(session.acctSessionId, JSON.parse(JSON.stringify(stored)));
      return 'written';
    },
  };
}
