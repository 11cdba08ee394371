import type { AccountingMessage } from '../../../core/messages.ts';
import type { ServiceSession, Session } from '../../../core/subscriber/session.ts';
import { termsOf } from '../histories/deployment.ts';
import { type Checker, type Expect, expectSame, type Facts } from './promise.ts';

export const sentence =
  'A service session with statistics on has one Acct-Start and one Acct-Stop, in this order; the Start of a new service precedes the Stop of what it replaced.';

/** Each service session has one Start and, once it has ended, one Stop; the same record may come twice. */
export const checker = ({ serviceAccounting }: Facts, expect: Expect): Checker => {
  /** The service of each Start that there has to be. */
  const accountable: string[] = [];
  /** By status and Acct-Session-Id. */
  const records = new Map<string, AccountingMessage>();
  /** By the number of a service session that has ended: the numbers of those that were there when it ended. */
  const heirs = new Map<number, readonly number[]>();
  return {
    carriedOut({ forward: { wish }, before }) {
      for (const { activation } of wish.activate) {
        // A service that was there without statistics is accounted from now on, too. One that the NAS accounts since
        // log-in stays the NAS's to account.
        const known = before?.services[activation];
        const isNew = known?.account === undefined;
        const isOfNas = known?.isAccountedByNas === true && known.activatedAtMs !== undefined;
        const isOurs = serviceAccounting === 'interlock';
        if (isOurs && isNew && !isOfNas && isAccountable(activation)) accountable.push(activation);
      }
    },
    written({ before, after }) {
      for (const { isAccountedByNas, ...service } of Object.values(after.services)) {
        // What a client deactivated and Interlock did not know was accounted by the NAS, and is again when it is restored.
        if (isAccountedByNas) continue;
        const { activation, state, statistics, activatedAtMs } = service;
        const earlier = before?.services[activation];
        // One that was in doubt is confirmed for the first time, by its restoration and by no request.
        const isRestored = before?.transition?.step === 'restore';
        const isConfirmed = isRestored && activatedAtMs !== undefined && earlier?.activatedAtMs === undefined;
        if (state === 'active' && earlier?.state === 'restoring' && isConfirmed && statistics !== 'off')
          accountable.push(activation);
      }
      const has = accounted(after);
      for (const number of accounted(before)) if (!has.includes(number)) heirs.set(number, has);
    },
    accounted(record) {
      const { acctSessionId, status, serviceSession, eventAtMs } = record;
      const name = `${status} ${acctSessionId}`;
      const known = records.get(name);
      if (known !== undefined) {
        expectSame(expect, [name, [JSON.stringify(record)]], ['before', [JSON.stringify(known)]]);
        return;
      }
      records.set(name, record);
      if (status === 'Start') return;
      const start = records.get(`Start ${acctSessionId}`);
      expect(
        start?.serviceSession === serviceSession && start.eventAtMs <= eventAtMs,
        `${name} of ${serviceSession} does not follow its Start`,
      );
      const [session, number] = acctSessionId.split(':');
      for (const heir of heirs.get(Number(number)) ?? []) {
        const itsStart = `Start ${session}:${String(heir).padStart(6, '0')}`;
        expect(records.has(itsStart), `${name} comes before ${itsStart}`);
      }
    },
    atRest(session) {
      const has = Object.values(session?.services ?? {}).filter(isAccounted);
      const starts = [...records.values()].filter(({ status }) => status === 'Start');
      const open = starts.filter(({ acctSessionId }) => !records.has(`Stop ${acctSessionId}`));
      expectSame(expect, ['Acct-Starts', starts.map(serviceOf)], ['activations', accountable]);
      expectSame(
        expect,
        ['without Acct-Stop', open.map(serviceOf)],
        ['in the item', has.map(({ activation }) => activation)],
      );
    },
  };
};

const serviceOf = ({ serviceSession }: AccountingMessage) => serviceSession;
const isAccountable = (activation: string) => termsOf(activation).statistics !== 'off';

/** The numbers of the service sessions that Interlock accounts. */
const accounted = (session: Session | undefined): readonly number[] =>
  Object.values(session?.services ?? {})
    .filter(isAccounted)
    .map(({ account, number }) => account?.number ?? number);

const isAccounted = ({ activatedAtMs, statistics, isAccountedByNas }: ServiceSession) =>
  activatedAtMs !== undefined && statistics !== 'off' && !isAccountedByNas;
