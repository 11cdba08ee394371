/**
 * The result of opening an address; undefined where the port is in use or this machine does not have the address.
 * Rejects with any other error of the system.
 */
export function unlessTaken<T>(opening: Promise<T>): Promise<T | undefined> {
  return opening.catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE' || error.code === 'EADDRNOTAVAIL') return undefined;
    throw error;
  });
}
