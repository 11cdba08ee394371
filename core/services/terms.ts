// The terms of a service: its accounting, its end, and the services that it excludes.

/** What accounting reports of a service: nothing, its time, or its time and volume (ERX-Service-Statistics). */
export type Statistics = 'off' | 'time' | 'time+volume';

/** The terms of one activation, with the catalogue's defaults. A threshold of 0 means never or unlimited. */
export interface ServiceTerms {
  /** Canonical activation string. */
  readonly activation: string;
  /** Mutex groups at the time of activation: a later catalogue does not change those of an active service. */
  readonly groups: readonly number[];
  readonly statistics: Statistics;
  readonly timeoutSeconds: number;
  readonly volumeMegabytes: number;
  readonly interimIntervalSeconds: number;
}

/** A service that a request activates. */
export interface PlannedService extends ServiceTerms {
  /** Those of `groups` with `policy: refuse`: the service is refused while another member is active. */
  readonly refusingGroups: readonly number[];
  /** Other services without parameters of those of `groups` with `unknownMembers: deactivate`. */
  readonly unknownMembers: readonly UnknownMember[];
  /** The request itself asks for statistics or an interval; otherwise these are the catalogue's. */
  readonly asksForStatistics?: true;
}

/** A member of a mutex group that a NAS may have though the table does not know it. */
export interface UnknownMember {
  readonly activation: string;
  readonly groups: readonly number[];
  /** Of `groups`, those for which it is named here. */
  readonly clears: readonly number[];
}
