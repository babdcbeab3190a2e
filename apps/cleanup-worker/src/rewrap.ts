import { localKeyService } from '@partyline/conference/crypto/key-service';
import { rewrapDataKeys } from '@partyline/conference/crypto/rewrap-data-keys';
import { ConfigError, readConfig } from '@partyline/runtime/config';
import { openStore } from '@partyline/store/database/store';

/** Moves the tenants' data keys to a new master key: docs/accounts.md. */
const HELP = `DATABASE_URL=URL MASTER_KEYS=new:KEY,old:KEY npm run rewrap

Wraps every tenant's data key with the first key of MASTER_KEYS, so that the other keys can be removed.
The services may run at the same time if their MASTER_KEYS hold both keys.
Prints how many data keys it wrapped, and how many data keys each master key wraps afterwards.
Exit status 1 if data keys remain that another master key wraps.`;

if (process.argv.length > 2) {
  console.log(HELP);
  process.exitCode = ['--help', '-h'].includes(process.argv[2]!) ? 0 : 2;
} else {
  try {
    const { database, accounts } = readConfig(process.env, ['database', 'accounts']);
    if (accounts.MASTER_KEYS === undefined) throw new ConfigError(['MASTER_KEYS: is not set']);
    const store = openStore({ url: database.DATABASE_URL, max: 1, onError: (error) => console.error(error.message) });
    try {
      const { rewrapped, now } = await rewrapDataKeys({ store, keys: localKeyService(accounts.MASTER_KEYS) });
      console.log(`${rewrapped} data keys rewrapped with ${accounts.MASTER_KEYS[0].id}`);
      for (const { keyId, keys } of now) console.log(`  ${keyId}: ${keys}`);
      if (now.some(({ keyId }) => keyId !== accounts.MASTER_KEYS?.[0].id)) process.exitCode = 1;
    } finally {
      await store.close();
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
