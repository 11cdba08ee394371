import { Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { EnvironmentVariable, NodeFunction } from './node-function.ts';
import { Site } from './site.ts';
import type { SiteOutline } from './site-outline.ts';
import type { WorkQueue } from './work-queue.ts';

export interface SitesProps {
  readonly outlines: readonly SiteOutline[];
}

/** All sites, for the functions, which serve every one of them. */
export class Sites extends Construct {
  readonly all: readonly Site[];

  constructor(scope: Construct, id: string, { outlines }: SitesProps) {
    super(scope, id);
    this.all = outlines.map((outline) => new Site(this, outline));
  }

  /** Invokes `consumer` with what the relays send: verified requests, and, apart from them, outcomes of commands. */
  deliverInboxesTo(consumer: NodeFunction): void {
    for (const { node, inbox, outcomes } of this.all) {
      inbox.deliverTo(consumer, `Inbox-${node.id}`);
      outcomes.deliverTo(consumer, `Outcomes-${node.id}`);
    }
  }

  /** Invokes `consumer` with what the relays have learned from accounting. */
  deliverFeedsTo(consumer: NodeFunction): void {
    for (const { node, feed } of this.all) feed.deliverTo(consumer, `Feed-${node.id}`);
  }

  /** Lets `sender` go on with a restart in further messages. */
  grantSendToFeeds(sender: NodeFunction): void {
    this.#grantSend(sender, 'FEED_URLS', ({ feed }) => feed);
  }

  /** Lets `sender` send replies and commands to every relay. */
  grantSendToOutboxes(sender: NodeFunction): void {
    this.#grantSend(sender, 'OUTBOX_URLS', ({ outbox }) => outbox);
  }

  /** Lets `sender` send requests whose session it has found. */
  grantSendToInboxes(sender: NodeFunction): void {
    this.#grantSend(sender, 'INBOX_URLS', ({ inbox }) => inbox);
  }

  /** Lets `sender` send Accounting-Requests to every relay. */
  grantSendToAccounting(sender: NodeFunction): void {
    this.#grantSend(sender, 'ACCOUNTING_URLS', ({ accounting }) => accounting);
  }

  #grantSend(sender: NodeFunction, variable: EnvironmentVariable, queueOf: (site: Site) => WorkQueue): void {
    for (const site of this.all) queueOf(site).allowSend(sender, sender.roleArn);
    const urls = this.all.map((site) => [site.node.id, queueOf(site).queueUrl]);
    sender.addEnvironment(variable, Stack.of(this).toJsonString(Object.fromEntries(urls)));
  }
}
