// What the functions log where a site file has `logIdentity: false`.
import { describeOutcome, speakerOf } from '../../core/subscriber/command-outcome.ts';
import type { Effect } from '../../core/subscriber/session.ts';
import type { DecideReport } from '../decide/report.ts';
import type { IngestReport } from '../ingest/report.ts';

/** What may quote a request or a NAS in its words. */
const NOT_LOGGED = 'not logged';

/**
 * The report without names and addresses of subscribers: without the User-Name, the reason of a refusal and what the NAS
 * said in words. The correlation id, the Acct-Session-Id and the names of attributes stay.
 */
export function withoutIdentity<R extends DecideReport | IngestReport>(report: R): R;
export function withoutIdentity(report: DecideReport | IngestReport): DecideReport | IngestReport {
  switch (report.kind) {
    case 'refused':
      return { ...report, reason: NOT_LOGGED };
    case 'decided': {
      const { userName: _, reason, outcome, effects, ...known } = report;
      const rest = { ...known, effects: effects.map(withoutPacket) };
      const refusal = reason === undefined ? {} : { reason: NOT_LOGGED };
      if (outcome === undefined) return { ...rest, ...refusal };
      const { text: __, ...said } = outcome;
      return {
        ...rest,
        ...refusal,
        outcome: said,
        cause: `the ${speakerOf(said)}: ${describeOutcome(said)}`,
      };
    }
    default:
      return report;
  }
}

/** A command without its attributes, and a reply without the packet of its request. */
function withoutPacket(effect: Effect): Effect {
  return effect.kind === 'command'
    ? { ...effect, attributes: '' }
    : { ...effect, origin: { ...effect.origin, packet: '' } };
}
