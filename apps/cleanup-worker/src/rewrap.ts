import { localKeyService, type MasterKey } from '@partyline/conference/crypto/key-service';
import { rewrapDataKeys } from '@partyline/conference/crypto/rewrap-data-keys';
import { rewrapEndpointSecrets } from '@partyline/conference/endpoints/rewrap-endpoint-secrets';
import { rewrapPins } from '@partyline/conference/pins/rewrap-pins';
import { ConfigError, readConfig, type Config } from '@partyline/runtime/config';
import { openStore, type Store } from '@partyline/store/database/store';

/** Moves rows to a new master key (docs/accounts.md) and to a new PIN key (docs/operators.md). */
const HELP = `DATABASE_URL=URL [MASTER_KEYS=new:KEY,old:KEY] [PIN_KEYS=new:KEY,old:KEY] npm run rewrap

MASTER_KEYS: wraps every tenant's data key with the first key, so that the other keys can be removed.
Prints how many data keys it wrapped, and how many data keys each master key wraps afterwards.
PIN_KEYS: writes every PIN and every endpoint's secret with the first key. Stored replies are not
written again: remove the other keys a day later.
The services may run at the same time if they have both keys.
Exit status 1 if rows remain that the first key has not written.`;

async function rewrapForMasterKeys(store: Store, keys: readonly [MasterKey, ...MasterKey[]]): Promise<void> {
  const { rewrapped, now } = await rewrapDataKeys({ store, keys: localKeyService(keys) });
  console.log(`${rewrapped} data keys rewrapped with ${keys[0].id}`);
  for (const { keyId, keys: count } of now) console.log(`  ${keyId}: ${count}`);
  if (now.some(({ keyId }) => keyId !== keys[0].id)) process.exitCode = 1;
}

async function rewrapForPinKeys(store: Store, ring: Config<'pins'>['pins']['PIN_KEYS']): Promise<void> {
  const keys = ring.map(({ key }) => key);
  for (const [name, rewrap] of [
    ['PINs', rewrapPins],
    ["endpoints' secrets", rewrapEndpointSecrets],
  ] as const) {
    const { rewrapped, unreadable } = await rewrap(store, keys);
    console.log(`${rewrapped} ${name} rewrapped with ${ring[0].id}`);
    if (unreadable === 0) continue;
    console.error(`${unreadable} ${name} were written with a key that PIN_KEYS lacks. Add it and run this again.`);
    process.exitCode = 1;
  }
}

if (process.argv.length > 2) {
  console.log(HELP);
  process.exitCode = ['--help', '-h'].includes(process.argv[2]!) ? 0 : 2;
} else {
  try {
    const { database, accounts } = readConfig(process.env, ['database', 'accounts']);
    const pinKeys = process.env.PIN_KEYS ? readConfig(process.env, ['pins']).pins.PIN_KEYS : undefined;
    if (accounts.MASTER_KEYS === undefined && pinKeys === undefined)
      throw new ConfigError(['MASTER_KEYS: is not set, and PIN_KEYS neither']);
    const store = openStore({ url: database.DATABASE_URL, max: 1, onError: (error) => console.error(error.message) });
    try {
      if (accounts.MASTER_KEYS !== undefined) await rewrapForMasterKeys(store, accounts.MASTER_KEYS);
      if (pinKeys !== undefined) await rewrapForPinKeys(store, pinKeys);
    } finally {
      await store.close();
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
