// The table in which dynoxide keeps its stream records. dynoxide numbers a record by the highest number of all records
// before it, which it finds without an index, and deletes none: each write takes longer than the one before.
import { DatabaseSync } from 'node:sqlite';

/** The stream records in dynoxide's file. */
export interface StreamRecords {
  /**
   * Deletes records of a shard that come before the one of this sequence number, at most 5,000 at a time. The newest one
   * always stays: without any record, dynoxide would number the next one 1, and a checkpoint would have a reader skip it.
   */
  trim(shardId: string, sequenceNumber: string): void;
  close(): void;
}

/** dynoxide writes within a few milliseconds. This process does nothing else while it waits. */
const PATIENCE_MS = 100;
const SQLITE_BUSY = 5;
const TRIMMED_AT_ONCE = 5_000;

/** dynoxide's own queries, each with the index that answers it. */
const INDEXES = `
  CREATE INDEX IF NOT EXISTS interlock_number ON _stream_records (table_name, CAST(sequence_number AS INTEGER));
  CREATE INDEX IF NOT EXISTS interlock_shard
    ON _stream_records (table_name, shard_id, CAST(sequence_number AS INTEGER));
`;

const TRIM = `
  DELETE FROM _stream_records WHERE id IN (
    SELECT id FROM _stream_records
    WHERE table_name = ? AND shard_id = ? AND CAST(sequence_number AS INTEGER) < MIN(?, (
      SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records WHERE table_name = ?
    ))
    ORDER BY CAST(sequence_number AS INTEGER) LIMIT ${TRIMMED_AT_ONCE}
  )
`;

/** Opens the file of a dynoxide that listens, and adds the indexes that its queries lack. */
export function openStreamRecords(databaseFile: string): StreamRecords {
  const database = new DatabaseSync(databaseFile, { timeout: 10_000 });
  database.exec(INDEXES);
  database.exec(`PRAGMA busy_timeout = ${PATIENCE_MS}`);
  const trim = database.prepare(TRIM);
  return {
    trim: (shardId, sequenceNumber) => {
      if (!database.isOpen) return;
      // shardId-00000001-TABLE
      const tableName = shardId.split('-').slice(2).join('-');
      try {
        trim.run(tableName, shardId, BigInt(sequenceNumber), tableName);
      } catch (error) {
        // The next call deletes them, too.
        if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error;
      }
    },
    close: () => database.close(),
  };
}
