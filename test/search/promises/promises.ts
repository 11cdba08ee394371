// All promises that the histories check.
import * as accountedOnce from './accounted-once.ts';
import * as accountingIsDelivered from './accounting-is-delivered.ts';
import * as answeredOnce from './answered-once.ts';
import * as answeredTruly from './answered-truly.ts';
import * as comesToRest from './comes-to-rest.ts';
import * as endsByItself from './ends-by-itself.ts';
import * as endsNothingYounger from './ends-nothing-younger.ts';
import * as endsWithItsSession from './ends-with-its-session.ts';
import * as foundWhileOpen from './found-while-open.ts';
import * as historyTellsAll from './history-tells-all.ts';
import * as inOrder from './in-order.ts';
import * as knowsWhatTheNasHas from './knows-what-the-nas-has.ts';
import * as nasAccountsAlone from './nas-accounts-alone.ts';
import * as neverWithoutAService from './never-without-a-service.ts';
import * as notToldWithoutEnforcement from './not-told-without-enforcement.ts';
import type { Promised } from './promise.ts';
import * as replacesItsGroup from './replaces-its-group.ts';
import * as retriedByItself from './retried-by-itself.ts';
import * as storedAnswerUntilAChange from './stored-answer-until-a-change.ts';
import * as toldIsKnown from './told-is-known.ts';

export const PROMISES: readonly Promised[] = [
  neverWithoutAService,
  toldIsKnown,
  notToldWithoutEnforcement,
  replacesItsGroup,
  endsByItself,
  inOrder,
  answeredTruly,
  answeredOnce,
  storedAnswerUntilAChange,
  accountedOnce,
  accountingIsDelivered,
  historyTellsAll,
  retriedByItself,
  comesToRest,
  endsNothingYounger,
  endsWithItsSession,
  knowsWhatTheNasHas,
  foundWhileOpen,
  nasAccountsAlone,
];
