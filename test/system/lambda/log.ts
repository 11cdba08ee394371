// What becomes of the console of a function, on Lambda.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
import { format } from 'node:util';

const LEVELS: readonly string[] = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];

/** Writes lines to stdout, in the format and from the level on that Lambda's environment variables say. */
export class Log {
  readonly #isJson: boolean;
  readonly #lowest: number;
  /** Of the invocation under way. */
  requestId = '-';

  constructor({ AWS_LAMBDA_LOG_FORMAT, AWS_LAMBDA_LOG_LEVEL = '' }: NodeJS.ProcessEnv) {
    this.#isJson = AWS_LAMBDA_LOG_FORMAT === 'JSON';
    this.#lowest = LEVELS.indexOf(AWS_LAMBDA_LOG_LEVEL);
  }

  takeConsole(): void {
    const at =
      (level: string) =>
      (...message: unknown[]) =>
        this.write(level, ...message);
    const info = at('INFO');
    Object.assign(console, { trace: at('TRACE'), debug: at('DEBUG'), log: info, info });
    Object.assign(console, { warn: at('WARN'), error: at('ERROR') });
  }

  write(level: string, ...message: unknown[]): void {
    if (LEVELS.indexOf(level) < this.#lowest) return;
    const timestamp = new Date().toISOString();
    const line = this.#isJson
      ? jsonRecord({ timestamp, level, requestId: this.requestId }, message)
      : [timestamp, this.requestId, level, format(...message)].join('\t');
    process.stdout.write(`${line.replaceAll('\n', '\r')}\n`);
  }
}

/** An object by itself stays JSON; several arguments become text. */
function jsonRecord(head: object, [message, ...more]: readonly unknown[]): string {
  if (more.length > 0) return JSON.stringify({ ...head, message: format(message, ...more) });
  return JSON.stringify({ ...head, message }, (_, value) =>
    value instanceof Error ? asObject(value) : value,
  );
}

function asObject(error: Error): object {
  return {
    errorType: error.constructor.name,
    errorMessage: error.message,
    stackTrace: error.stack?.split('\n'),
    ...error,
  };
}
