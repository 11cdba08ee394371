// What the relay logs where its site file has `logIdentity: false`.
import type { RelayEvent } from './events.ts';

/**
 * The event without names and addresses of subscribers: without the words of a NAS and the packet of a record that cannot be
 * sent. The correlation id, the Acct-Session-Id and services stay.
 */
export function withoutIdentity(event: RelayEvent): RelayEvent {
  switch (event.kind) {
    case 'command-answered': {
      const { text: _, ...rest } = event;
      return rest;
    }
    case 'accounting-not-sent': {
      const { attributes: _, ...rest } = event;
      return rest;
    }
    default:
      return event;
  }
}
