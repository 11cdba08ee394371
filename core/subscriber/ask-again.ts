// A relay received a command, and stopped before it reported what the NAS said. The NAS is asked the same thing again: a
// command that it has carried out leaves it as it is when it is carried out a second time. The second command has a name of
// its own, so that whatever comes late of the first one concerns nothing any more.
//
// What the answer to the second one shows is what the NAS has now, not what the first one did: a refusal does not say that
// the first one was refused. The job remembers what the first one named as `doubted`.
import { tellDisconnect } from './disconnect.ts';
import type { Draft } from './draft.ts';
import type { OutcomeEvent } from './event.ts';
import type { Job, Session, Transition } from './session.ts';
import { tellToActivate, tellToDeactivate, tellToExclude, tellToRestore } from './steps.ts';

/** Tells the command under way again. */
export function askAgain(
  draft: Draft<Session & { readonly transition: Transition }>,
  _: OutcomeEvent,
): Draft {
  const { tellings = 1 } = draft.session.transition;
  const told = tellAgain(draft);
  const { transition } = told.session;
  if (transition === undefined) return told;
  return { ...told, session: { ...told.session, transition: { ...transition, tellings: tellings + 1 } } };
}

function tellAgain(draft: Draft<Session & { readonly transition: Transition }>): Draft {
  const { transition } = draft.session;
  const { underWay, remaining, correlationId } = transition;
  const lists = [underWay, ...remaining];
  switch (transition.step) {
    case 'activate': {
      const { job, along, otherwise } = transition;
      return tellToActivate(draft, doubting(job, [...underWay, ...along]), lists, [along, ...otherwise]);
    }
    case 'deactivate':
      return tellToDeactivate(draft, doubting(transition.job, underWay), lists);
    case 'exclude':
      return tellToExclude(draft, correlationId, lists, transition.owed);
    case 'restore':
      return tellToRestore(draft, correlationId, lists);
    case 'disconnect':
      return tellDisconnect(draft, transition.request);
  }
}

function doubting(job: Job, activations: readonly string[]): Job {
  return { ...job, doubted: [...new Set([...(job.doubted ?? []), ...activations])] };
}
