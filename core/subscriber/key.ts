// Under which key a session is stored. It has the name that the NAS had when the session began, and never changes: commands
// under way, what is due and the history name the session by it.
import type { SessionKey } from '../messages.ts';
import type { NasProfile } from '../nas.ts';
import type { Session } from './session.ts';

export function keyOf({ nas, storedUnder = nas.name, acctSessionId }: Session): SessionKey {
  return { nas: storedUnder, acctSessionId };
}

/** The session at its NAS as that is configured today; it may have another name than before. */
export function atNas(session: Session, nas: NasProfile): Session {
  const { storedUnder = session.nas.name, ...rest } = session;
  return { ...rest, nas, ...(storedUnder !== nas.name && { storedUnder }) };
}
