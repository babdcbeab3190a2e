import { parentPort, workerData } from 'node:worker_threads';
import { openPinVault } from '@partyline/conference/pins/pin-vault';

/** The input of the thread, which answers with the concatenated nonces of `count` encryptions. */
export interface EncryptOrder {
  readonly key: Uint8Array;
  readonly count: number;
  readonly nonceBytes: number;
}

const { key, count, nonceBytes } = workerData as EncryptOrder;
const vault = openPinVault([Buffer.from(key)]);
const nonces = new Uint8Array(count * nonceBytes);
for (let n = 0; n < count; n++) nonces.set(vault.encrypt('407281935', 'pin_1').subarray(0, nonceBytes), n * nonceBytes);
parentPort?.postMessage(nonces, [nonces.buffer]);
