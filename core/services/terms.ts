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
}
