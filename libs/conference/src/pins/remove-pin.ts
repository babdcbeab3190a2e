import { inTransaction } from '@partyline/store/database/store';
import { releasePersonalPin } from '@partyline/store/pins/pins';
import type { Deps } from '../deps.ts';
import { noSuchPin } from '../errors.ts';
import { PIN_QUARANTINE_SECONDS } from './pin-quarantine.ts';

/** Removes a participant's personal PIN. It admits no caller from now on. Throws 404. */
export async function removePin(
  deps: Pick<Deps, 'store'>,
  tenantId: string,
  roomId: string,
  pinId: string,
): Promise<void> {
  const released = await inTransaction(deps.store, tenantId, (tx) =>
    releasePersonalPin(tx, tenantId, { roomId, pinId, quarantineS: PIN_QUARANTINE_SECONDS }),
  );
  if (!released) throw noSuchPin();
}
