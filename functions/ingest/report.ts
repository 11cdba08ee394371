// What ingest tells of its work, for logs, metrics and the local display.
import type { FeedMessage } from '../../core/messages.ts';
import type { ChangeReport } from '../shared/change-report.ts';

/** What ingest did with one message. */
export type IngestReport =
  | ChangeReport
  /** `no-session`: the record of a service does not name its session. `no-service`: its name is no activation string. */
  | {
      readonly kind: 'ignored';
      readonly correlationId: string;
      readonly nas: string;
      readonly status: FeedMessage['status'];
      readonly reason: 'no-session' | 'no-service';
    }
  /** The sessions of the NAS, or of its virtual router, that began before end one after the other. */
  | {
      readonly kind: 'restarted';
      readonly correlationId: string;
      readonly nas: string;
      readonly status: 'on' | 'off';
      readonly eventAtMs: number;
      readonly scope?: string;
    }
  | { readonly kind: 'failed'; readonly messageId: string; readonly error: unknown };
