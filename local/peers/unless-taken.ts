/**
 * What was opened on an address, or undefined where somebody else listens or this machine does not have the address.
 * Rejects with any other error of the system.
 */
export function unlessTaken<T>(opening: Promise<T>): Promise<T | undefined> {
  return opening.catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE' || error.code === 'EADDRNOTAVAIL') return undefined;
    throw error;
  });
}
