// SQS on this machine: fauxqs, in this process.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { startFauxqs as startServer } from 'fauxqs';

export interface Fauxqs {
  readonly endpoint: string;
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';

/** Starts fauxqs on a free port of 127.0.0.1. `dataDirectory` keeps its queues over a restart. */
export async function startFauxqs(dataDirectory?: string): Promise<Fauxqs> {
  const server = await startServer({
    port: 0,
    logger: false,
    ...(dataDirectory !== undefined && { dataDir: dataDirectory }),
  });
  // fauxqs listens on every interface and has no option for it, and a message in the inbox can change services.
  const refuseOtherInterfaces = (message: unknown) => {
    const { socket } = message as { socket: Socket };
    if (socket.localPort === server.port && socket.localAddress !== HOST) socket.destroy();
  };
  subscribe('net.server.socket', refuseOtherInterfaces);
  return {
    endpoint: `http://${HOST}:${server.port}`,
    stop: async () => {
      await server.stop();
      unsubscribe('net.server.socket', refuseOtherInterfaces);
    },
  };
}
