// account as a Lambda function: the handler, with what its environment names.
import { MetricUnit } from '@aws-lambda-powertools/metrics';
import { SQSClient } from '@aws-sdk/client-sqs';
import { AccountEnvironment, readEnvironment } from '../environment.ts';
import { createSiteSender } from '../queue.ts';
import { createTelemetry, withTelemetry } from '../telemetry.ts';
import { type AccountReport, createAccount } from './account.ts';

const environment = readEnvironment(AccountEnvironment, process.env);
const telemetry = createTelemetry('account');

export const handler = withTelemetry(
  createAccount({
    send: createSiteSender(new SQSClient({}), environment.ACCOUNTING_URLS, 'accounting queue'),
    report,
  }),
  telemetry,
);

function report(event: AccountReport): void {
  const { logger, metrics } = telemetry;
  if (event.kind === 'failed') {
    logger.error('stream record failed', { sequenceNumber: event.sequenceNumber, error: event.error });
    metrics.addMetric('FailedRecords', MetricUnit.Count, 1);
    return;
  }
  const { attributes: _, ...message } = event.record.message;
  logger.info('accounted', { site: event.site, ...message });
  metrics.addMetric(`Acct${message.status}s`, MetricUnit.Count, 1);
}
