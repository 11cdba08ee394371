// What cannot be accounted as a request asks, so that the request is refused before anything is told to the NAS.
import { tellsStatistics } from '../dialects/dialects.ts';
import type { NasProfile } from '../nas.ts';
import { fitsIntoRecords } from '../service-accounting.ts';
import type { PlannedService } from '../services/terms.ts';
import { accountedAsOf, keyOf } from './accounts.ts';
import { claimedOf, toldOf } from './command.ts';
import { type Nak, nak } from './draft.ts';
import type { ServiceRequest, Session } from './session.ts';

/** Room in the item for what Starts said, as JSON. Most sessions have one such entry, of a few hundred octets. */
const MAX_ACCOUNTED_AS_OCTETS = 65_536;

/** Why what a request asks to be accounted cannot be; undefined when it can. */
export function accountingRefusal(session: Session, request: ServiceRequest): Nak | undefined {
  const { nas, activate } = request;
  for (const planned of activate) {
    const isTold = isAccountedByNas(session, planned, nas) && tellsStatistics(nas);
    const { activation, volumeMegabytes, asksForStatistics } = planned;
    if (volumeMegabytes > 0 && !isTold) {
      const reason = `${activation} is to end after ${volumeMegabytes} MB: ${whyNoVolume(session, planned, nas)}`;
      return nak('Administratively-Prohibited', reason);
    }
    if (asksForStatistics && isAccountedByNas(session, planned, nas) && !isTold) {
      const reason = `the statistics of ${activation} are those of ${nas.name}, which cannot be told of them`;
      return nak('Administratively-Prohibited', reason);
    }
  }
  return recordsRefusal(session, request);
}

/** Who accounts a service that is active stays as it is. */
function isAccountedByNas({ services }: Session, { activation }: PlannedService, nas: NasProfile): boolean {
  const known = services[activation];
  return known?.activatedAtMs === undefined
    ? nas.serviceAccounting === 'nas'
    : known.isAccountedByNas === true;
}

function whyNoVolume(session: Session, planned: PlannedService, nas: NasProfile): string {
  return isAccountedByNas(session, planned, nas)
    ? `${nas.name} cannot be told of a volume`
    : `Interlock accounts it and counts no volume, and ${nas.name} is told not to (serviceAccounting: interlock)`;
}

/** An Accounting-Request holds 4095 octets, and an item 400 kB. What a request adds to either has to fit. */
function recordsRefusal(session: Session, request: ServiceRequest): Nak | undefined {
  const { nas, activate, classes } = request;
  const told = toldOf(nas, request.identity);
  const opens = activate.some(
    (planned) =>
      planned.statistics !== 'off' &&
      !isAccountedByNas(session, planned, nas) &&
      session.services[planned.activation]?.account === undefined,
  );
  const teaches =
    nas.serviceAccounting === 'interlock' &&
    (Object.keys(told).some((name) => !(name in session.identity)) ||
      (classes.length > 0 && classes.join() !== session.classes.join()));
  if (!opens && !teaches) return undefined;
  const learned = {
    nas,
    identity: { ...told, ...session.identity },
    classes: classes.length > 0 ? classes : session.classes,
  };
  const is = accountedAsOf(learned, opens ? claimedOf(nas, request.identity) : {});
  if (!fitsIntoRecords(session.acctSessionId, is)) {
    const reason = 'what identifies the subscriber, with Class, does not fit into one Accounting-Request';
    return nak('Resources-Unavailable', reason);
  }
  if (!opens || keyOf(session.accountedAs, is) !== undefined) return undefined;
  const octets = Buffer.byteLength(JSON.stringify([...Object.values(session.accountedAs), is]));
  if (octets <= MAX_ACCOUNTED_AS_OCTETS) return undefined;
  return nak('Resources-Unavailable', 'the Acct-Starts of the session identify it in too many ways');
}
